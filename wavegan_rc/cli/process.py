"""Run a command as a process: what it prints, error messages, exit codes."""

import contextlib
import errno
import io
import logging
import os
import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from wavegan_rc.config.settings import SETTINGS
from wavegan_rc.errors import (
    DivergenceError,
    LostHostError,
    ParameterError,
    WaveganError,
    WaveganWarning,
)
from wavegan_rc.utils.keras_start import choose_backend
from wavegan_rc.utils.text import one_line

# Set when several hosts train together; read by `keras.distribution.initialize`.
ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
EXIT_USER_ERROR = 2
EXIT_DIVERGED = 3
EXIT_LOST_HOST = 4
EXIT_BY_SIGNAL = 128  # plus the signal's number, as a shell reports it


def require_tensorflow(asked: str) -> None:
    """Raise a ParameterError unless Keras runs on TensorFlow."""
    backend = choose_backend()
    if backend != "tensorflow":
        raise ParameterError(
            f"{asked} needs TensorFlow, installed and not ruled out by KERAS_BACKEND. "
            f"Received: {backend}"
        )


def line_of(command: str) -> str:
    """Return the beginning of another command's line, in the form of this process's own."""
    program = Path(sys.argv[0])
    if program.parent.name != "scripts":
        return f"wavegan-rc {command}"
    return f"python {program.with_name(f'{command}.py')}"


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
        with _log_printed():
            code = command(program, argv)
    except WaveganError as error:
        print(f"error: {as_typed(str(error), argv)}", file=sys.stderr)
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
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        print(f"error: {one_line(error)}", file=sys.stderr)
        code = EXIT_USER_ERROR
    sys.exit(code)


def as_typed(message: str, argv: Sequence[str]) -> str:
    """Name settings as flags in a message that begins with one; files name them without hyphens.

    Example:
        >>> as_typed("cutoff_hz must be below sample_rate / 2", ["--sample-rate=3000"])
        '--cutoff-hz must be below --sample-rate / 2'
        >>> as_typed("fast.yaml: cutoff_hz must be above 0", ["--config", "fast.yaml"])
        'fast.yaml: cutoff_hz must be above 0'
        >>> as_typed("steps must be at least 6, which learning_rate=1/a has", ["--steps", "5"])
        '--steps must be at least 6, which learning_rate=1/a has'
    """
    typed = {word[2:].partition("=")[0].replace("-", "_") for word in argv if word[:2] == "--"}
    known = typed | SETTINGS.keys()
    first, space, rest = message.partition(" ")
    if not typed or first not in known:
        return message

    def flag(word: re.Match[str]) -> str:
        name = word[0]
        return f"--{name.replace('_', '-')}" if name in known else name

    # Within a sentence, a name without underscore may be an ordinary word.
    # A part of a path is none either.
    name = r"(?<![\w/=.,-])[a-z]+(?:_[a-z]+)+(?![\w/=-]|[.,]\w)"
    return f"--{first.replace('_', '-')}" + space + re.sub(name, flag, rest)


class _Printing(logging.Handler):
    """Print records plainly: warnings to the standard error, others to the standard output."""

    def emit(self, record: logging.LogRecord) -> None:
        stream = sys.stderr if record.levelno >= logging.WARNING else sys.stdout
        print(self.format(record), file=stream, flush=True)


@contextlib.contextmanager
def _log_printed() -> Iterator[None]:
    """Print what the package logs."""
    logger, handler = logging.getLogger("wavegan_rc"), _Printing()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


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
