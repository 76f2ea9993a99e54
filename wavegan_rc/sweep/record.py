"""What is known of a sweep's cells: on the disk in `sweep.json`, and from their runs' files."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.runs.directory import RunDirectory
from wavegan_rc.runs.settings import run_config
from wavegan_rc.sweep.grid import Cell
from wavegan_rc.utils.atomic_files import write_whole

RECORD_FILE = "sweep.json"
State = Literal["waiting", "training", "finished", "failed", "interrupted"]
# More than a line of a history has.
_LAST_BYTES = 16384


@dataclass(frozen=True)
class Entry:
    """What is recorded of a cell.

    Attributes:
        state: Whether it waits, is trained, or how that ended.
        settings: That the grid gives it.
        error: Of a failed cell, in one line.
        in_grid: Whether the grid has it still.
    """

    state: State
    settings: Mapping[str, Any]
    error: str | None = None
    in_grid: bool = True


class Record:
    """The cells of a sweep, by name, kept in a file.

    Cells that an earlier grid had and this one has not are left alone.

    Args:
        folder: Of the sweep.
        cells: Of its grid.

    Raises:
        DataError: If there is a file which is no record, or the folder of a cell holds a run that
            cannot become the cell's.

    Attributes:
        entries: By name of the cell.
    """

    def __init__(self, folder: Path, cells: Sequence[Cell]) -> None:
        self._file = folder / RECORD_FILE
        earlier = _read(self._file)
        self.entries = {name: replace(entry, in_grid=False) for name, entry in earlier.items()}
        for cell in cells:
            finished = _is_finished(cell, earlier.get(cell.name))
            self.entries[cell.name] = Entry("finished" if finished else "waiting", cell.settings)

    def set(self, name: str, state: State, error: str | None = None) -> None:
        """Change what is recorded of a cell, on the disk too."""
        self.entries[name] = replace(self.entries[name], state=state, error=error)
        self.write()

    def write(self) -> None:
        """Write the file."""
        cells = {name: asdict(entry) for name, entry in self.entries.items()}
        write_whole(self._file, json.dumps({"cells": cells}, indent=1))

    def names(self, state: State) -> list[str]:
        """The cells of the grid in a state."""
        return [n for n, entry in self.entries.items() if entry.in_grid and entry.state == state]

    def left_alone(self) -> list[str]:
        """The cells that are no longer in the grid."""
        return [name for name, entry in self.entries.items() if not entry.in_grid]


def _read(file: Path) -> dict[str, Entry]:
    try:
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        return {name: Entry(**entry) for name, entry in cells.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{file}: not the record of a sweep: {error}") from None


def _is_finished(cell: Cell, entry: Entry | None) -> bool:
    """Whether a cell's run has all that it shall have; one that cannot go on raises an error.

    The record is written after the run's last file: what it does not call finished goes on, be it
    only to have its samples written once more.
    """
    found = run_config(cell.run.path)
    if found is None:
        return False
    # The folder may have been moved.
    found = replace(found, out=cell.config.out)
    try:
        config = cell.config.resumed(found)
    except ParameterError as error:
        raise DataError(
            f"{cell.run.path} was made with other settings (give another out): {error}"
        ) from None
    was_finished = entry is not None and entry.state == "finished"
    return was_finished and found == config and cell.run.summary.is_file()


def progress(run: RunDirectory) -> tuple[int, float | None]:
    """Steps that a run has logged, and the steps per second of the last of them.

    Args:
        run: May be anywhere between not begun and finished.
    """
    try:
        with run.history.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LAST_BYTES))
            *_, last = (line for line in file.read().split(b"\n")[:-1] if line)
        row = json.loads(last)
        return int(row["step"]), row.get("steps_per_s")
    except (OSError, ValueError, KeyError, TypeError):
        return 0, None
