"""Run a command as a process: the start of Keras, error messages, exit codes."""

import contextlib
import ctypes
import importlib.util
import io
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from wavegan_rc.errors import (
    DivergenceError,
    LostHostError,
    ParameterError,
    WaveganError,
    WaveganWarning,
)
from wavegan_rc.utils.cores import usable_cores
from wavegan_rc.utils.extras import load_matplotlib
from wavegan_rc.utils.standard_error import standard_error_to

_BACKENDS = ("tensorflow", "jax")
# Variables by which Keras would end `fit` early or use another training loop.
_KERAS_VARIABLES = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED")
# Set when several hosts train together; read by `keras.distribution.initialize`.
ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
# Up to this many cores, each TensorFlow operation uses one core. On two cores, a training step at
# the defaults then takes 0.88 of the time in float32 and 0.71 in bfloat16 (measured), and sums have
# the same order as on one core.
_FEW_CORES = 2
EXIT_USER_ERROR = 2
EXIT_DIVERGED = 3
EXIT_LOST_HOST = 4
EXIT_BY_SIGNAL = 128  # plus the signal's number, as a shell reports it


def choose_backend() -> str:
    """Choose the backend of Keras: KERAS_BACKEND, or the first that is installed.

    Returns:
        `tensorflow` or `jax`.

    Raises:
        ParameterError: If KERAS_BACKEND names another backend, or one that is not installed.
    """
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


def require_tensorflow(asked: str) -> None:
    """Raise a ParameterError unless Keras runs on TensorFlow.

    Args:
        asked: Command that needs it, for the message.
    """
    backend = choose_backend()
    if backend != "tensorflow":
        raise ParameterError(
            f"{asked} needs TensorFlow, installed and not ruled out by KERAS_BACKEND. "
            f"Received: {backend}"
        )


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Choose the backend of Keras, and hide TensorFlow's messages while it is loaded.

    TensorFlow writes its first lines (oneDNN, CUDA not found) before it reads any log level, so the
    file descriptor itself is redirected. The lines are shown if loading fails, and always if
    TF_CPP_MIN_LOG_LEVEL is set.
    """
    backend = choose_backend()
    load_matplotlib()
    if backend != "tensorflow" or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with tempfile.TemporaryFile() as held:
        try:
            with standard_error_to(held.fileno()):
                yield
                import tensorflow

                tensorflow.config.list_physical_devices()
        except Exception:
            held.seek(0)
            os.write(2, held.read())
            raise


Command = Callable[[str, Sequence[str]], int]


def run_command(command: Command, program: str, argv: Sequence[str]) -> NoReturn:
    """Run a command and exit; an error of the user is printed as one line.

    The exit code is the command's, 2 for an error of the user, 3 for diverged training, 4 for a
    lost host, or 128 plus the number of a signal.

    Args:
        command: Function of the program's name and its arguments that returns the exit code.
        program: Name of the program in help texts and in the run's record.
        argv: Arguments.
    """
    warnings.showwarning = _show_warning
    _open_standard_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A path may hold bytes that are not text; the standard error has this by default.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = command(program, argv)
    except WaveganError as error:
        print(f"error: {error}", file=sys.stderr)
        codes = {DivergenceError: EXIT_DIVERGED, LostHostError: EXIT_LOST_HOST}
        code = codes.get(type(error), EXIT_USER_ERROR)
        _leave_other_hosts(code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = EXIT_BY_SIGNAL + signal.SIGINT
        _leave_other_hosts(code)
    except BrokenPipeError:
        # The reader of the output has ended (`| head`); Python would report it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_BY_SIGNAL + signal.SIGPIPE
    sys.exit(code)


def _open_standard_streams() -> None:
    """Open closed standard streams (`>&-`) to the null device.

    Otherwise the next file opened takes a stream's number, and libraries print into that file.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            mode, errors = ("w", "backslashreplace") if number else ("r", None)
            setattr(sys, name, open(number, mode, errors=errors, closefd=False))  # noqa: SIM115


def _leave_other_hosts(code: int) -> None:
    """Exit at once if several hosts train together: they and JAX would wait for one another."""
    if ADDRESSES in os.environ:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


_show_any_warning = warnings.showwarning


def _show_warning(message: Warning | str, category: type[Warning], *where: Any) -> None:
    """Print this package's warnings as one line, others with the code that they come from."""
    if issubclass(category, WaveganWarning):
        print(f"warning: {message}", file=sys.stderr)
    else:
        _show_any_warning(message, category, *where)
