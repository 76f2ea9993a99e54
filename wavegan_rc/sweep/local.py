"""The engine that trains cells as processes on this machine."""

import time
from collections import deque
from collections.abc import Mapping, Sequence

from wavegan_rc.sweep.process import Job, Outcome, Process
from wavegan_rc.utils.text import one_line

_POLL_S = 0.05


class LocalEngine:
    """Processes on this machine, one in each place; other jobs wait.

    Args:
        places: Environment variables that bind a process to each place.
    """

    def __init__(self, places: Sequence[Mapping[str, str]]) -> None:
        self.description = f"local, {len(places)} at once"
        self._free = list(places)
        self._waiting: deque[Job] = deque()
        self._running: dict[str, tuple[Process, Mapping[str, str]]] = {}
        self._stopping = False

    def submit(self, job: Job) -> None:
        """Run a job as soon as a place is free."""
        self._waiting.append(job)

    def ended(self, timeout: float) -> dict[str, Outcome]:
        """Start waiting jobs, and return the outcomes of those that ended, by name.

        Args:
            timeout: Longest time to wait for the first, in s.
        """
        until = time.monotonic() + timeout
        while True:
            outcomes = self._start() | self._collect()
            if outcomes or time.monotonic() > until:
                return outcomes
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """Ask running jobs to save and stop, and start no more."""
        self._stopping = True
        for process, _ in list(self._running.values()):
            process.stop()

    def _start(self) -> dict[str, Outcome]:
        """Fill free places; return the outcomes of jobs that could not be started."""
        outcomes = {}
        while self._waiting and (self._free or self._stopping):
            job = self._waiting.popleft()
            if self._stopping:
                outcomes[job.name] = Outcome(interrupted=True)
                continue
            try:
                process = Process(job, self._free[-1])
            except OSError as error:  # the log cannot be written, or no process can be started
                outcomes[job.name] = Outcome(error=one_line(error))
                continue
            self._running[job.name] = process, self._free.pop()
            if self._stopping:  # `stop`, in another thread, may not have seen this process
                process.stop()
        return outcomes

    def _collect(self) -> dict[str, Outcome]:
        outcomes = {}
        for name, (process, place) in list(self._running.items()):
            try:
                outcome = process.outcome(timeout=0)
            except OSError as error:  # the log is gone
                outcome = Outcome(error=one_line(error))
            if outcome is not None:
                outcomes[name] = outcome
                del self._running[name]
                self._free.append(place)
        return outcomes
