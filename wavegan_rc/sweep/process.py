"""A cell as a process, and its outcome."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    """A process to start for a cell; its output is appended to the log."""

    name: str
    command: Sequence[str]
    log: Path
    cwd: Path


@dataclass(frozen=True)
class Outcome:
    """The outcome of a process: a signal ended it after it saved, an error in one line, or none."""

    interrupted: bool = False
    error: str | None = None


class Process:
    """A job that has been started.

    The process reads from a pipe, and saves and stops once the pipe closes. That also happens
    whenever this process ends.

    Args:
        job: Job to start.
        environment: Variables in addition to this process's own.

    Raises:
        OSError: If the log cannot be written, or no process can be started.
    """

    def __init__(self, job: Job, environment: Mapping[str, str]) -> None:
        self._log = job.log
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with job.log.open("ab") as log:
            self._start = os.fstat(log.fileno()).st_size
            when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            log.write(f"-- {when} on {socket.gethostname()}\n".encode())
            log.flush()
            self._process = subprocess.Popen(
                job.command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=job.cwd,
                env=os.environ | environment,
                start_new_session=True,  # Ctrl-C reaches the sweep alone, which stops the cells
            )

    def stop(self) -> None:
        """Ask the process to save and stop."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def outcome(self, timeout: float | None = None) -> Outcome | None:
        """Return how the process ended; None if it has not within `timeout` s."""
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        self.stop()  # closes the pipe
        if code == 0:
            return Outcome()
        if code in _ENDED_BY_SIGNAL:
            return Outcome(interrupted=True)
        return Outcome(error=_error(self._log, self._start, code))


def run_job(job: Job, environment: Mapping[str, str]) -> Outcome:
    """Run a job to its end."""
    process = Process(job, environment)
    try:
        # One long wait would not notice that Ray cancels the task.
        while (outcome := process.outcome(_PATIENCE_S)) is None:
            pass
        return outcome
    finally:
        process.stop()
        process.outcome()


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
