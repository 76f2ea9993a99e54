"""A progress display for work of known length: a bar in a terminal, lines elsewhere."""

import sys
import time
from contextlib import AbstractContextManager
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as RichProgress

# Seconds between updates: in a log file, every update is another line.
_TERMINAL_S, _FILE_S = 0.2, 30.0


class ProgressBar(AbstractContextManager):
    """Steps done, time left and a note. It is shown first at once, then at intervals.

    Args:
        title: Name of the work.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._console = Console(highlight=False, soft_wrap=True)
        self._bar: RichProgress | None = None
        self._interval = _FILE_S
        if self._console.is_terminal:
            self._interval = _TERMINAL_S
            self._bar = RichProgress(
                TextColumn("{task.description}", markup=False),
                BarColumn(10),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}", markup=False),
                console=self._console,
                auto_refresh=False,
                redirect_stderr=sys.stderr.isatty(),
            )
            self._task = self._bar.add_task(title, note="")
        self._began: tuple[int, float] | None = None
        self._last_shown = 0.0

    def show(self, done: int, total: int, note: str = "") -> None:
        """Show the progress if an update is due, the first and the last one always.

        Args:
            done: Units done.
            total: Units in all.
            note: Text after the numbers.
        """
        now = time.monotonic()
        if self._began is None:
            self._began = done, now
        elif done < total and now < self._last_shown + self._interval:
            return
        self._last_shown = now
        first, began = self._began
        parts = [note] if note else []
        if first < done < total:
            parts.append(_duration((total - done) * (now - began) / (done - first)) + " left")
        text = ", ".join(parts)
        if self._bar is None:
            print(f"{self._title} {done}/{total} {text}".rstrip(), flush=True)
        else:
            self._bar.update(self._task, completed=done, total=total, note=text)
            self._bar.start()  # no effect if it has started
            self._bar.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def _duration(seconds: float) -> str:
    """Return a duration as text.

    Example:
        >>> _duration(59), _duration(600), _duration(9000)
        ('59 s', '10 min', '2.5 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
