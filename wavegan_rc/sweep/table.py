"""The display of a running sweep: a live table in a terminal, lines elsewhere."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from wavegan_rc.utils.text import printable

# States in the order of the table, whose end a low terminal cuts off.
_ORDER = ("training", "failed", "interrupted", "waiting", "finished")
_STYLES = {"training": "bold", "failed": "red", "interrupted": "yellow", "finished": "green"}
_LINE_EVERY_S = 60.0


@dataclass(frozen=True)
class TableRow:
    """A row of the table: one cell, with the steps made and the steps of its run."""

    name: str
    state: str
    step: int
    steps: int
    steps_per_s: float | None = None
    error: str | None = None


class LiveTable:
    """A table that is redrawn in a terminal; elsewhere, lines of changes."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False)
        self._states: dict[str, str] = {}
        self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def show(self, rows: Sequence[TableRow]) -> None:
        """Show the present state."""
        if self._console.is_terminal:
            self._live.update(_table(self._title, rows), refresh=True)
            return
        for row in rows:
            if row.state != self._states.get(row.name) and row.state != "waiting":
                print(_line(row))
        if time.monotonic() > self._last_line + _LINE_EVERY_S:
            self._last_line = time.monotonic()
            print("\n".join([summary(rows), *(_line(r) for r in rows if r.state == "training")]))
        self._states = {row.name: row.state for row in rows}
        sys.stdout.flush()


def summary(rows: Sequence[TableRow]) -> str:
    """Return the number of cells in each state, and an estimate of the remaining time.

    Example:
        >>> b = TableRow("b", "training", 3, 9, steps_per_s=0.1)
        >>> rows = [TableRow("a", "finished", 9, 9), b]
        >>> summary(rows)
        '1 training, 1 finished of 2 cells, about 1 min left'
    """
    counts = {state: sum(row.state == state for row in rows) for state in _ORDER}
    parts = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    text = f"{parts} of {len(rows)} cells"
    speed = sum(row.steps_per_s or 0 for row in rows if row.state == "training")
    missing = sum(row.steps - row.step for row in rows if row.state in ("training", "waiting"))
    if speed:
        text += f", about {missing / speed / 60:.0f} min left"
    return text


def _table(title: str, rows: Sequence[TableRow]) -> Table:
    table = Table(title=title, caption=summary(rows), title_justify="left")
    table.add_column("cell", overflow="fold")
    table.add_column("state")
    table.add_column("step", justify="right", no_wrap=True)
    table.add_column("steps/s", justify="right")
    for row in sorted(rows, key=lambda row: _ORDER.index(row.state)):
        state = row.state if row.error is None else f"{row.state}: {row.error}"
        table.add_row(
            printable(row.name),
            printable(state),
            f"{row.step}/{row.steps}",
            "" if row.steps_per_s is None else f"{row.steps_per_s:.2f}",
            style=_STYLES.get(row.state),
        )
    return table


def _line(row: TableRow) -> str:
    text = f"{row.name}: {row.state}, step {row.step} of {row.steps}"
    if row.steps_per_s is not None:
        text += f", {row.steps_per_s:.2f} steps/s"
    return text if row.error is None else f"{text}: {row.error}"
