"""A cell as a process of its own, and what it ended with."""

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

from wavegan_rc.training.end_signals import END_SIGNALS

# By training in good order, as a shell reports it; by a signal before there was anything to save.
_ENDED_BY_SIGNAL = {code for number in END_SIGNALS for code in (128 + number, -number)}
# In bytes: of a log, where the error is looked for.
_LAST_BYTES = 65536
_PATIENCE_S = 1.0
# Results depend on the number of threads in the last bits (the order of sums), and one thread for
# each of several cells makes more steps per second than several threads for one.
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
        name: Of its cell.
        command: With arguments.
        log: File that what it prints is appended to.
        cwd: Folder that it runs in; relative paths in the settings start there.
    """

    name: str
    command: Sequence[str]
    log: Path
    cwd: Path


@dataclass(frozen=True)
class Outcome:
    """How a process ended.

    Attributes:
        interrupted: By a signal, in good order.
        error: In one line; None if there was none.
    """

    interrupted: bool = False
    error: str | None = None


def run_job(
    job: Job,
    environment: Mapping[str, str],
    on_start: Callable[[IO[bytes]], None] = lambda end: None,  # noqa: ARG005
) -> Outcome:
    """Run a job to its end.

    The process holds the other end of a pipe, and ends in good order once this one closes: when
    asked, and also whenever this process ends, by whatever end.

    Args:
        job: What to start.
        environment: Variables beside this process's own.
        on_start: Given what to close for the process to end.
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
            start_new_session=True,  # the terminal's Ctrl-C is for the sweep: it asks the cells
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
    """Exit code. In pieces: Ray's way to cancel a task is not heeded by one long wait."""
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=_PATIENCE_S)


def _error(log: Path, start: int, code: int) -> str:
    """The last error in a log, of what was appended from a position on."""
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
