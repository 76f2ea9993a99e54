"""Train the cells of a grid that are not finished yet."""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from wavegan_rc.errors import DataError
from wavegan_rc.runs.begin import check_writable
from wavegan_rc.runs.lock import run_lock
from wavegan_rc.sweep.grid import SweepCell
from wavegan_rc.sweep.process import Job, Outcome
from wavegan_rc.sweep.record import Record, progress
from wavegan_rc.sweep.table import LiveTable, TableRow
from wavegan_rc.utils.interruptions import EndSignals, unbroken_streams
from wavegan_rc.utils.text import one_line

_logger = logging.getLogger(__name__)

_LOGS = "logs"
_STOPPING = "the cells save and stop (press Ctrl-C again to stop without waiting for them)"
_REFRESH_S = 0.5


class Engine(Protocol):
    """A runner of the cells' processes."""

    description: str

    def submit(self, job: Job) -> None:
        """Run a job as soon as a place is free."""

    def ended(self, timeout: float) -> dict[str, Outcome]:
        """Return the outcome of the next job that ends within `timeout` s, by name."""
        ...

    def stop(self) -> None:
        """Ask running jobs to save and stop, and start no more."""


def sweep(
    cells: Sequence[SweepCell],
    folder: Path,
    *,
    command: Callable[[SweepCell], list[str]],
    engine: Callable[[], Engine],
) -> tuple[list[Path], list[str], int | None]:
    """Train the cells that are not finished.

    Args:
        cells: Cells of the grid; their `config.out` is the sweep folder.
        folder: Sweep folder.
        command: Function that returns the command line which starts or resumes a cell's run.
        engine: Function that returns the engine, called after the cells are checked.

    Returns:
        Folders of the finished runs, names of the failed cells, and the number of the signal that
        ended the sweep (None if it came to its end).

    Raises:
        DataError: If the folder cannot be written, another sweep uses it, or a cell's folder holds
            a run with other settings.
    """
    check_writable(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with unbroken_streams(), run_lock(folder):
            record = Record(folder, cells)
            record.write()
            finished, received = record.names("finished"), None
            if finished:
                _logger.info("finished before: %d cells", len(finished))
            others = [name for name, entry in record.entries.items() if not entry.in_grid]
            if others:
                _logger.info("no longer in the grid, left alone: %s", " ".join(others))
            if record.names("waiting"):
                received = _train(cells, folder, record, command, engine)
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {one_line(error)}") from None
    runs = [cell.run.path for cell in cells if record.entries[cell.name].state == "finished"]
    return runs, record.names("failed"), received


def _train(
    cells: Sequence[SweepCell],
    folder: Path,
    record: Record,
    command: Callable[[SweepCell], list[str]],
    engine: Callable[[], Engine],
) -> int | None:
    """Train the waiting cells; return the number of the signal that ended this early."""
    by_name = {cell.name: cell for cell in cells}
    logs = {name: folder / _LOGS / f"{name}.log" for name in by_name}
    sizes = {name: _size(log) for name, log in logs.items()}
    running = engine()
    with (
        # In a thread: the handler may have interrupted the engine.
        EndSignals(_STOPPING, lambda: threading.Thread(target=running.stop).start()) as signals,
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
                # A job that has started writes to its log first.
                if record.entries[name].state == "waiting" and _size(logs[name]) > sizes[name]:
                    record.set(name, "training")
            table.show([_row(cell, record) for cell in cells])
    return signals.received


def _record_end(record: Record, cell: SweepCell, outcome: Outcome, *, stopped: bool) -> None:
    if outcome.error is not None:
        record.set(cell.name, "failed", outcome.error)
    elif not outcome.interrupted:
        record.set(cell.name, "finished")
    elif stopped:
        record.set(cell.name, "interrupted")
    else:
        record.set(cell.name, "failed", "ended by a signal from outside the sweep")


def _row(cell: SweepCell, record: Record) -> TableRow:
    entry = record.entries[cell.name]
    step, steps_per_s = progress(cell.run)
    return TableRow(cell.name, entry.state, step, cell.config.steps, steps_per_s, entry.error)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
