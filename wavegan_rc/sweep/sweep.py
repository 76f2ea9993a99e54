"""Train every cell of a grid, whatever was trained of it before, and compare them."""

import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from wavegan_rc.errors import DataError
from wavegan_rc.runs.begin import check_writable
from wavegan_rc.runs.lock import run_lock
from wavegan_rc.sweep.grid import Cell
from wavegan_rc.sweep.process import Job, Outcome
from wavegan_rc.sweep.record import Record, progress
from wavegan_rc.sweep.table import LiveTable, Row
from wavegan_rc.training.beside import unbroken_streams
from wavegan_rc.training.end_signals import EndSignals
from wavegan_rc.utils.text import one_line

_LOGS = "logs"
_ENDING = "the cells save and end (Ctrl-C once more: without waiting for them)"
_REFRESH_S = 0.5


class Engine(Protocol):
    """What runs the processes of cells."""

    description: str

    def submit(self, job: Job) -> None:
        """Run a job as soon as there is a place."""
        ...

    def ended(self, timeout: float) -> dict[str, Outcome]:
        """Jobs that have ended since this was last asked, by name; waits for the first."""
        ...

    def stop(self) -> None:
        """Ask what runs to end in good order, and start nothing more."""
        ...


def sweep(
    cells: Sequence[Cell],
    folder: Path,
    *,
    command: Callable[[Cell], list[str]],
    engine: Callable[[], Engine],
) -> tuple[list[Path], list[str], int | None]:
    """Train what is not finished of some cells.

    Args:
        cells: Of the grid; their `config.out` is `folder`.
        folder: Of the sweep.
        command: Command line of the process that begins a cell's run, or goes on with it.
        engine: Made once the cells are known to be good.

    Returns:
        Folders of the finished runs, names of the cells that failed, and the number of the signal
        that ended the sweep; None if it came to its end.

    Raises:
        DataError: If the folder cannot be written, another sweep holds it, or it has runs that
            cannot become the cells'.
    """
    check_writable(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with unbroken_streams(), run_lock(folder):
            record = Record(folder, cells)
            record.write()
            _say_what_was_there(record)
            received = None
            if record.names("waiting"):
                received = _train(cells, folder, record, command, engine)
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {one_line(error)}") from None
    finished = set(record.names("finished"))
    runs = [cell.run.path for cell in cells if cell.name in finished]
    return runs, record.names("failed"), received


def _say_what_was_there(record: Record) -> None:
    finished, left_alone = record.names("finished"), record.left_alone()
    if finished:
        print(f"finished before: {len(finished)} cells")
    if left_alone:
        print(f"no longer in the grid, left alone: {' '.join(left_alone)}")
    sys.stdout.flush()


def _train(
    cells: Sequence[Cell],
    folder: Path,
    record: Record,
    command: Callable[[Cell], list[str]],
    engine: Callable[[], Engine],
) -> int | None:
    """Run the waiting cells to their ends; the number of the signal that ended it before."""
    by_name = {cell.name: cell for cell in cells}
    logs = {name: folder / _LOGS / f"{name}.log" for name in by_name}
    sizes = {name: _size(log) for name, log in logs.items()}
    running = engine()
    with (
        # Not in the handler: it may have interrupted what holds the engine's lock.
        EndSignals(_ENDING, lambda: threading.Thread(target=running.stop).start()) as signals,
        LiveTable(f"{folder} ({running.description})") as table,
    ):
        waiting = record.names("waiting")
        for name in waiting:
            running.submit(Job(name, command(by_name[name]), logs[name], cwd=Path.cwd()))
        left = set(waiting)
        while left:
            for name, outcome in running.ended(_REFRESH_S).items():
                left.remove(name)
                _record_end(record, by_name[name], outcome, stopped=signals.received is not None)
            for name in left:
                # What an engine has started writes to its log first.
                if record.entries[name].state == "waiting" and _size(logs[name]) > sizes[name]:
                    record.set(name, "training")
            table.show([_row(cell, record) for cell in cells])
    return signals.received


def _record_end(record: Record, cell: Cell, outcome: Outcome, *, stopped: bool) -> None:
    if outcome.error is not None:
        record.set(cell.name, "failed", outcome.error)
    elif not outcome.interrupted:
        record.set(cell.name, "finished")
    elif stopped:
        record.set(cell.name, "interrupted")
    else:
        record.set(cell.name, "failed", "ended by a signal from outside the sweep")


def _row(cell: Cell, record: Record) -> Row:
    entry = record.entries[cell.name]
    step, steps_per_s = progress(cell.run)
    return Row(cell.name, entry.state, step, cell.config.steps, steps_per_s, entry.error)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
