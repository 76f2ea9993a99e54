"""The engine that trains cells on this machine."""

import queue
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

from wavegan_rc.sweep.process import Job, Outcome, run_job
from wavegan_rc.utils.text import one_line


class LocalEngine:
    """Processes on this machine, one in each place, the others waiting for theirs.

    Args:
        places: For each, the environment variables that keep a process to it.
    """

    def __init__(self, places: Sequence[Mapping[str, str]]) -> None:
        self.description = f"local, {len(places)} at once"
        self._waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[tuple[str, Outcome]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._ends: list[IO[bytes]] = []
        self._stopping = False
        for place in places:
            # Daemons: who presses Ctrl-C twice does not wait for them.
            threading.Thread(target=self._work, args=(place,), daemon=True).start()

    def submit(self, job: Job) -> None:
        """Run a job as soon as there is a place."""
        self._waiting.put(job)

    def ended(self, timeout: float) -> dict[str, Outcome]:
        """Jobs that have ended since this was last asked, by name; waits for the first.

        Args:
            timeout: Longest time to wait, in s.
        """
        outcomes = {}
        with suppress(queue.Empty):
            outcomes.update([self._ended.get(timeout=timeout)])
            while True:
                outcomes.update([self._ended.get_nowait()])
        return outcomes

    def stop(self) -> None:
        """Ask what runs to end in good order, and start nothing more."""
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
        except OSError as error:  # the log cannot be written, or no process be made
            return Outcome(error=one_line(error))

    def _on_start(self, end: IO[bytes]) -> None:
        with self._lock:
            self._ends.append(end)
            if self._stopping:
                end.close()
