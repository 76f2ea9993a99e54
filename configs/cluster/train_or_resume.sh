#!/usr/bin/env bash
# Train as a named run, or go on with it once it has a checkpoint: what a job that is started again
# after it was stopped, or after a host was lost, does on every host.
#
#     train_or_resume.sh NAME [flags of train.py for a new run]
#
# Every host must see the same folder `runs` (or $OUT): what decides is whether it holds a checkpoint.
# Where it is set, $DEVICES of each host train, which may be another number each time.
set -euo pipefail

name=$1
shift
out=${OUT:-runs}
if compgen -G "$out/$name/checkpoints/step-*.json" >/dev/null; then
    exec python scripts/train.py --resume "$out/$name" ${DEVICES:+--devices "$DEVICES"}
fi
if [ "${KERAS_DISTRIBUTION_PROCESS_ID:-0}" = 0 ] && [ -d "$out/$name/checkpoints" ]; then
    rm -rf "${out:?}/${name:?}" # it was stopped before its first checkpoint
fi
exec python scripts/train.py "$@" ${DEVICES:+--devices "$DEVICES"} --out "$out" --name "$name"
