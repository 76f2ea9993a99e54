"""A command as a process: how TensorFlow starts, what is shown of errors, the exit code."""

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
from wavegan_rc.utils.standard_error import standard_error_to

_BACKENDS = ("tensorflow", "jax")
# Keras ends `fit` early by these, and takes another training loop.
_KERAS_VARIABLES = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED")
# What says that several hosts train together, as `keras.distribution.initialize` reads it.
ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
# On so many, each of TensorFlow's operations gets a core of its own. Measured on two: with
# independent operations side by side, and none of them on both cores, a training step at the
# defaults takes 0.88 of the time in float32, and 0.71 in bfloat16. Sums are then made in the same
# order on one core and on two.
_FEW_CORES = 2
EXIT_USER_ERROR = 2
EXIT_DIVERGED = 3
EXIT_LOST_HOST = 4
EXIT_BY_SIGNAL = 128  # plus the signal's number, as a shell reports it


def choose_backend() -> str:
    """Have Keras run on what KERAS_BACKEND says, or else on the first of both that is installed.

    Returns:
        `tensorflow` or `jax`.

    Raises:
        ParameterError: If it says something else, or something that is not installed.
    """
    installed = [name for name in _BACKENDS if importlib.util.find_spec(name) is not None]
    backend = os.environ.setdefault("KERAS_BACKEND", (installed or _BACKENDS)[0])
    if backend not in _BACKENDS:
        raise ParameterError(f"KERAS_BACKEND must be tensorflow or jax. Received: {backend}")
    if backend not in installed:
        raise ParameterError(f"KERAS_BACKEND is {backend}, which is not installed")
    # Keras reads the order of axes and its number format from a file in this folder. There is none.
    os.environ["KERAS_HOME"] = os.devnull
    for name in _KERAS_VARIABLES:
        os.environ.pop(name, None)
    cores = usable_cores()
    # More are TensorFlow's to share out, but it does not know of a container's limit.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(1 if cores <= _FEW_CORES else cores))
    if backend == "tensorflow" and cores <= _FEW_CORES:
        _keep_freed_memory()
    return backend


def _keep_freed_memory() -> None:
    """Have the C library keep memory for the next tensors instead of giving it back at once.

    A training step at the defaults otherwise takes 14,000 pages anew from the system. Measured on
    two cores: without that, it takes 0.91 of the time in float32 and 0.92 in bfloat16, and one of
    wavegan16384.yaml 0.95; the largest size of the process is the same. But each thread keeps what
    it once had, so this is not for many cores. JAX on the same cores was no faster with it. Other C
    libraries than glibc have no such call.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    # As malloc.h numbers them; sizes in bytes. Some versions refuse thresholds above 32 MiB.
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3
    for option, size in (
        (mmap_threshold, 2**25),
        (mmap_threshold, 2**30),
        (trim_threshold, 2**31 - 1),
        (top_pad, 2**28),
    ):
        mallopt(option, size)


def require_tensorflow(asked: str) -> None:
    """See that Keras runs on TensorFlow.

    Args:
        asked: What was asked for.

    Raises:
        ParameterError: If it does not.
    """
    backend = choose_backend()
    if backend != "tensorflow":
        raise ParameterError(
            f"{asked} needs TensorFlow, installed and not ruled out by KERAS_BACKEND. "
            f"Keras runs on {backend}"
        )


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Choose what Keras runs on, and hold back what TensorFlow prints while it starts.

    TensorFlow's first lines (oneDNN, CUDA not found) are written before any log level is read, so
    only the file descriptor can be turned away. If loading fails they are shown; who sets
    TF_CPP_MIN_LOG_LEVEL sees them all.
    """
    if choose_backend() != "tensorflow" or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
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
    """Run one command and leave the process: the user's mistakes as one line and exit code 2.

    Training that diverged is no mistake of theirs: 3.

    Args:
        command: Takes what help calls it and the arguments; returns the exit code.
        program: What help and the run's record call it.
        argv: Its arguments.
    """
    warnings.showwarning = _show_warning
    _open_standard_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A path may have bytes that are no text; the standard error has this from the start.
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
        # Whoever read the output is gone (`| head`); Python would complain of it once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_BY_SIGNAL + signal.SIGPIPE
    sys.exit(code)


def _open_standard_streams() -> None:
    """Open those of the three standard streams that were closed (`>&-`): to nowhere.

    Otherwise the next file that is opened takes the place of one, and what libraries print goes
    into it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            mode, errors = ("w", "backslashreplace") if number else ("r", None)
            setattr(sys, name, open(number, mode, errors=errors, closefd=False))  # noqa: SIM115


def _leave_other_hosts(code: int) -> None:
    """End at once if several hosts train together: they wait for this one, and JAX for them."""
    if ADDRESSES in os.environ:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


_show_any_warning = warnings.showwarning


def _show_warning(message: Warning | str, category: type[Warning], *where: Any) -> None:
    """Our own warnings are for the user, in one line; others name the code they came from."""
    if issubclass(category, WaveganWarning):
        print(f"warning: {message}", file=sys.stderr)
    else:
        _show_any_warning(message, category, *where)
