"""Train every cell of a grid, whatever was trained of it before, and compare them."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Protocol

from wavegan_rc.errors import DataError
from wavegan_rc.sweep.grid import Cell
from wavegan_rc.sweep.process import Job, Outcome
from wavegan_rc.sweep.record import Record, progress
from wavegan_rc.sweep.table import LiveTable, Row
from wavegan_rc.training.run_directory import check_writable
from wavegan_rc.training.run_lock import run_lock

_LOGS = "logs"
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
        with run_lock(folder):
            record = Record(folder, cells)
            record.write()
            _say_what_was_there(record)
            received = None
            if record.names("waiting"):
                received = _train(cells, folder, record, command, engine)
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {' '.join(str(error).split())}") from None
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
        _first_signal(running.stop) as received,
        LiveTable(f"{folder} ({running.description})") as table,
    ):
        waiting = record.names("waiting")
        for name in waiting:
            running.submit(Job(name, command(by_name[name]), logs[name], cwd=Path.cwd()))
        left = set(waiting)
        while left:
            for name, outcome in running.ended(_REFRESH_S).items():
                left.remove(name)
                _record_end(record, by_name[name], outcome, stopped=bool(received))
            for name in left:
                # What an engine has started writes to its log first.
                if record.entries[name].state == "waiting" and _size(logs[name]) > sizes[name]:
                    record.set(name, "training")
            table.show([_row(cell, record) for cell in cells])
    return received[0] if received else None


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


@contextmanager
def _first_signal(stop: Callable[[], None]) -> Iterator[list[int]]:
    """Have the first Ctrl-C or SIGTERM ask for an orderly end; the second ends at once.

    Yields:
        List that the signal's number is put into.
    """
    received: list[int] = []
    previous = {}

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        received.append(number)
        for one in previous:
            default = signal.default_int_handler if one == signal.SIGINT else signal.SIG_DFL
            signal.signal(one, default)
        print("\nthe cells save and end (once more: without waiting for them)", file=sys.stderr)
        # Not here: the handler may have interrupted what holds the engine's lock.
        threading.Thread(target=stop).start()

    # Only the main thread may set handlers, and a shell's background job ignores Ctrl-C.
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                previous[number] = signal.signal(number, on_signal)
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
