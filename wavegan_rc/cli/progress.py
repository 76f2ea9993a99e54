"""A progress display of works of known length: a bar in a terminal, lines elsewhere."""

import sys
import time
from contextlib import AbstractContextManager
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as RichProgress

from wavegan_rc.utils.interruptions import OptionalWork

# Seconds between updates: in a log file, every update is another line.
_TERMINAL_S, _FILE_S = 0.2, 30.0
# Units that the time left is not computed from: the first steps are compiled, under JAX the first
# two.
_UNTIMED = 2


class ProgressDisplay(AbstractContextManager):
    """Units done, time left and a note of one work after another.

    Each work is shown at once and after its first unit, then at intervals.
    """

    def __init__(self) -> None:
        self._work = ""
        self._bar: RichProgress | None = None
        self._showing = OptionalWork("the progress display")

    def show(self, work: str, done: int, total: int, note: str = "") -> None:
        """Show the progress if an update is due."""
        with self._showing:
            self._show(work, done, total, note)

    def _show(self, work: str, done: int, total: int, note: str) -> None:
        now = time.monotonic()
        if work != self._work or done < self._done:
            self._begin(work)
        if done >= _UNTIMED and self._timed_from is None:
            self._timed_from = done, now
        self._done = done
        if 1 < done < total and now < self._last_shown + self._interval:
            return
        self._last_shown = now
        parts = [note] if note else []
        first, began = self._timed_from or (done, now)
        if first < done < total:
            parts.append(_duration((total - done) * (now - began) / (done - first)) + " left")
        text = ", ".join(parts)
        if self._bar is None:
            print(f"{work} {done}/{total} {text}".rstrip(), flush=True)
        else:
            self._bar.update(self._task, completed=done, total=total, note=text)
            self._bar.start()  # no effect if it has started
            self._bar.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _begin(self, work: str) -> None:
        """End the display of the work before, and begin that of another."""
        self.__exit__()
        self._work, self._bar, self._interval = work, None, _FILE_S
        self._timed_from: tuple[int, float] | None = None
        self._last_shown = 0.0
        console = Console(highlight=False, soft_wrap=True)
        if console.is_terminal:
            self._interval = _TERMINAL_S
            self._bar = RichProgress(
                TextColumn("{task.description}", markup=False),
                BarColumn(10),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}", markup=False),
                console=console,
                auto_refresh=False,
                redirect_stderr=sys.stderr.isatty(),
            )
            self._task = self._bar.add_task(work, note="")


def _duration(seconds: float) -> str:
    """Return a duration as text.

    Example:
        >>> _duration(59), _duration(600), _duration(9000)
        ('59 s', '10 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
