"""A cell as a process, its outcome, and the engine that trains cells on this machine."""

import contextlib
import os
import queue
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wavegan_rc.utils.interruptions import END_SIGNALS
from wavegan_rc.utils.text import one_line

# Exit codes of a training that saved and stopped, and of a process killed before it could save.
_ENDED_BY_SIGNAL = {code for number in END_SIGNALS for code in (128 + number, -number)}
# Bytes at the end of a log that are searched for the error.
_LAST_BYTES = 65536
_POLL_S = 0.5
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


def run_job(
    job: Job, environment: Mapping[str, str], stop: threading.Event | None = None
) -> Outcome:
    """Run a job to its end, or until another thread sets `stop`.

    The process reads from a pipe, and saves and stops once the pipe closes. That also happens
    whenever this process ends. It has the variables of `environment` and this process's own.

    Raises:
        OSError: If the log cannot be written or read, or no process can be started.
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
    try:
        # One long wait would not notice that Ray cancels the task.
        while process.returncode is None and not (stop and stop.is_set()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL_S)
    finally:
        with process:  # closes the pipe and waits
            pass
    code = process.wait()
    if code == 0:
        return Outcome()
    if code in _ENDED_BY_SIGNAL:
        return Outcome(interrupted=True)
    return Outcome(error=_error(job.log, start, code))


class LocalEngine:
    """Processes on this machine, one in each place; other jobs wait.

    A place is environment variables that bind a process to it.
    """

    def __init__(self, places: Sequence[Mapping[str, str]]) -> None:
        self.description = f"local, {len(places)} at once"
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[tuple[str, Outcome]] = queue.SimpleQueue()
        self._stop = threading.Event()
        for place in places:
            # Daemons: a second Ctrl-C ends the sweep without waiting for its cells.
            threading.Thread(target=self._work, args=[place], daemon=True).start()

    def submit(self, job: Job) -> None:
        """Run a job as soon as a place is free."""
        self._jobs.put(job)

    def ended(self, timeout: float) -> dict[str, Outcome]:
        """Return the outcome of the next job that ends within `timeout` s, by name."""
        try:
            return dict([self._outcomes.get(timeout=timeout)])
        except queue.Empty:
            return {}

    def stop(self) -> None:
        """Ask running jobs to save and stop, and start no more."""
        self._stop.set()

    def _work(self, place: Mapping[str, str]) -> None:
        while True:
            job = self._jobs.get()
            try:
                stopped = self._stop.is_set()
                outcome = Outcome(True) if stopped else run_job(job, place, self._stop)
            except Exception as error:  # of this job alone
                outcome = Outcome(error=one_line(error))
            self._outcomes.put((job.name, outcome))


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
