"""A cell as a process, and its outcome."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from wavegan_rc.utils.interruptions import END_SIGNALS

# Exit codes of a training that saved and stopped, and of a process killed before it could save.
_ENDED_BY_SIGNAL = {code for number in END_SIGNALS for code in (128 + number, -number)}
# Bytes at the end of a log that are searched for the error.
_LAST_BYTES = 65536
_PATIENCE_S = 1.0
# The number of threads changes the last bits of results (the order of sums). Several cells with one
# thread each make more steps per second than one cell with several threads.
ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NPROC": "1",  # XLA's, under JAX
}


@dataclass(frozen=True)
class Job:
    """A process to start.

    Attributes:
        name: Name of the cell.
        command: Program and arguments.
        log: File to which its output is appended.
        cwd: Working directory; relative paths in the settings start there.
    """

    name: str
    command: Sequence[str]
    log: Path
    cwd: Path


@dataclass(frozen=True)
class Outcome:
    """The outcome of a process.

    Attributes:
        interrupted: Whether a signal ended it after it saved.
        error: Error in one line; None without one.
    """

    interrupted: bool = False
    error: str | None = None


def run_job(
    job: Job,
    environment: Mapping[str, str],
    on_start: Callable[[IO[bytes]], None] = lambda end: None,  # noqa: ARG005
) -> Outcome:
    """Run a job to its end.

    The process reads from a pipe, and saves and stops once the pipe closes. That also happens
    whenever this process ends.

    Args:
        job: Process to start.
        environment: Variables in addition to this process's own.
        on_start: Function that receives the pipe, whose closing stops the process.
    """
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("ab") as log:
        start = os.fstat(log.fileno()).st_size
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        log.write(f"-- {when} on {socket.gethostname()}\n".encode())
        log.flush()
        process = subprocess.Popen(
            job.command,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=job.cwd,
            env=os.environ | environment,
            start_new_session=True,  # Ctrl-C reaches the sweep alone, which stops the cells
        )
    assert process.stdin is not None
    try:
        on_start(process.stdin)
        code = _wait(process)
    finally:
        process.stdin.close()
        process.wait()
    if code == 0:
        return Outcome()
    if code in _ENDED_BY_SIGNAL:
        return Outcome(interrupted=True)
    return Outcome(error=_error(job.log, start, code))


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code. One long wait would not notice that Ray cancels the task."""
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=_PATIENCE_S)


def _error(log: Path, start: int, code: int) -> str:
    """Return the last error in the part of a log from a position on."""
    with log.open("rb") as file:
        file.seek(max(start, os.fstat(file.fileno()).st_size - _LAST_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()[1:]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if errors:
        return errors[-1]
    if code < 0:
        guess = " (out of memory?)" if code == -signal.SIGKILL else ""
        return f"killed by signal {-code}{guess}"
    said = [line for line in lines if re.search(r"\w", line)]
    return f"exit code {code}: {said[-1] if said else 'nothing was printed'}"
