"""The start of Keras: its backend, its environment, and libraries that print while they load."""

import ctypes
import importlib.util
import os
import sys
import tempfile

from wavegan_rc.errors import ParameterError
from wavegan_rc.utils.cores import usable_cores
from wavegan_rc.utils.extras import load_matplotlib
from wavegan_rc.utils.standard_error import standard_error_to

_BACKENDS = ("tensorflow", "jax")
# Variables by which Keras would end `fit` early or use another training loop.
_KERAS_VARIABLES = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED")
# Up to this many cores, each TensorFlow operation uses one core. On two cores, a training step at
# the defaults then takes 0.88 of the time in float32 and 0.71 in bfloat16 (measured), and sums have
# the same order as on one core.
_FEW_CORES = 2


def start_keras() -> None:
    """Choose the backend of Keras and load it. Packages that import Keras call this first.

    TensorFlow writes its first lines (oneDNN, CUDA not found) before it reads any log level, so the
    file descriptor itself is redirected. The lines are shown if loading fails, and always if
    TF_CPP_MIN_LOG_LEVEL is set.

    Raises:
        ParameterError: If KERAS_BACKEND names another backend, or one that is not installed.
    """
    backend = choose_backend()
    load_matplotlib()
    if backend != "tensorflow" or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with tempfile.TemporaryFile() as held:
        try:
            with standard_error_to(held.fileno()):
                import tensorflow

                tensorflow.config.list_physical_devices()
        except Exception:
            held.seek(0)
            os.write(2, held.read())
            raise


def choose_backend() -> str:
    """Choose the backend of Keras: KERAS_BACKEND, or the first that is installed.

    Raises:
        ParameterError: If KERAS_BACKEND names another backend, or one that is not installed.
    """
    if "keras" in sys.modules:  # it has chosen already
        os.environ["KERAS_BACKEND"] = sys.modules["keras"].config.backend()
    installed = [name for name in _BACKENDS if importlib.util.find_spec(name) is not None]
    backend = os.environ.setdefault("KERAS_BACKEND", (installed or _BACKENDS)[0])
    if backend not in _BACKENDS:
        raise ParameterError(f"KERAS_BACKEND must be tensorflow or jax. Received: {backend}")
    if backend not in installed:
        raise ParameterError(f"KERAS_BACKEND must be an installed backend. Received: {backend}")
    # Keras would read the order of axes and its number format from a file in this folder.
    os.environ["KERAS_HOME"] = os.devnull
    for name in _KERAS_VARIABLES:
        os.environ.pop(name, None)
    cores = usable_cores()
    # TensorFlow does not know the core limit of a container.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(1 if cores <= _FEW_CORES else cores))
    # TensorFlow uses oneDNN by itself only on CPUs with AVX-512. On two cores with AVX2, a training
    # step at the defaults takes 0.77 (resize) and 0.92 (transposed) of the time with it (measured).
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if backend == "tensorflow" and cores <= _FEW_CORES:
        _keep_freed_memory()
    return backend


def _keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next tensors.

    Otherwise a training step at the defaults requests 14,000 pages from the system. Measured on two
    cores, keeping them takes 0.91 of the time in float32, 0.92 in bfloat16 and 0.95 with
    wavegan16384.yaml, at the same peak memory. Each thread keeps its own memory, so this does not
    suit many cores. JAX gains nothing. Only glibc has this call.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    # Option numbers of malloc.h; sizes in bytes. Some versions refuse thresholds above 32 MiB.
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3
    for option, size in (
        (mmap_threshold, 2**25),
        (mmap_threshold, 2**30),
        (trim_threshold, 2**31 - 1),
        (top_pad, 2**28),
    ):
        mallopt(option, size)
