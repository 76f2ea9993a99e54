#!/usr/bin/env bash
# Time training, train and measure on this machine's GPU: scripts/gpu_check.sh OUT [--minutes 8] [--toy]
# Needs this package with JAX (extra `jax`); for its own arms, PyTorch.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

export KERAS_BACKEND=jax
# PyTorch needs room on the same GPU.
export XLA_PYTHON_CLIENT_PREALLOCATE=false
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
exec "${PYTHON:-python3}" -m benchmarks.gpu_check "$@"
