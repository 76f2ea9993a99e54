"""The engine that trains cells as processes on this machine."""

import queue
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

from wavegan_rc.sweep.process import Job, Outcome, run_job
from wavegan_rc.utils.text import one_line


class LocalEngine:
    """Processes on this machine, one in each place; other jobs wait.

    Args:
        places: Environment variables that bind a process to each place.
    """

    def __init__(self, places: Sequence[Mapping[str, str]]) -> None:
        self.description = f"local, {len(places)} at once"
        self._waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[tuple[str, Outcome]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._ends: list[IO[bytes]] = []
        self._stopping = False
        for place in places:
            # Daemons, so that a second Ctrl-C does not wait for them.
            threading.Thread(target=self._work, args=(place,), daemon=True).start()

    def submit(self, job: Job) -> None:
        """Run a job as soon as a place is free."""
        self._waiting.put(job)

    def ended(self, timeout: float) -> dict[str, Outcome]:
        """Return the outcomes of jobs that ended since the last call, by name.

        Args:
            timeout: Longest time to wait for the first, in s.
        """
        outcomes = {}
        with suppress(queue.Empty):
            outcomes.update([self._ended.get(timeout=timeout)])
            while True:
                outcomes.update([self._ended.get_nowait()])
        return outcomes

    def stop(self) -> None:
        """Ask running jobs to save and stop, and start no more."""
        with self._lock:
            self._stopping = True
            for end in self._ends:
                end.close()

    def _work(self, place: Mapping[str, str]) -> None:
        while True:
            job = self._waiting.get()
            self._ended.put((job.name, self._run(job, place)))

    def _run(self, job: Job, place: Mapping[str, str]) -> Outcome:
        if self._stopping:
            return Outcome(interrupted=True)
        try:
            return run_job(job, place, self._on_start)
        except OSError as error:  # the log cannot be written, or no process can be started
            return Outcome(error=one_line(error))

    def _on_start(self, end: IO[bytes]) -> None:
        with self._lock:
            self._ends.append(end)
            if self._stopping:
                end.close()
