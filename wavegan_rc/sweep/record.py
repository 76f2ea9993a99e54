"""The state of a sweep's cells, from `sweep.json` and from their runs' files."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.runs.run import Run
from wavegan_rc.sweep.grid import SweepCell
from wavegan_rc.utils.atomic_files import write_json
from wavegan_rc.utils.text import one_line

RECORD_FILE = "sweep.json"
State = Literal["waiting", "training", "finished", "failed", "interrupted"]
# Longer than any line of a history, in bytes.
_LAST_BYTES = 16384


@dataclass(frozen=True)
class Entry:
    """The record of a cell; `in_grid` says whether the present grid has it."""

    state: State
    settings: Mapping[str, Any]
    error: str | None = None
    in_grid: bool = True


class Record:
    """The entries of a sweep's cells by name, kept in a file.

    Cells of an earlier grid that the present one lacks are not changed.

    Raises:
        DataError: If the file is no record, or a cell's folder holds a run with other settings.
    """

    def __init__(self, folder: Path, cells: Sequence[SweepCell]) -> None:
        self._file = folder / RECORD_FILE
        earlier = _read(self._file)
        self.entries = {name: replace(entry, in_grid=False) for name, entry in earlier.items()}
        for cell in cells:
            finished = _is_finished(cell, earlier.get(cell.name))
            self.entries[cell.name] = Entry("finished" if finished else "waiting", cell.settings)

    def set(self, name: str, state: State, error: str | None = None) -> None:
        """Change the record of a cell, also in the file."""
        self.entries[name] = replace(self.entries[name], state=state, error=error)
        self.write()

    def write(self) -> None:
        """Write the file."""
        cells = {name: asdict(entry) for name, entry in self.entries.items()}
        write_json(self._file, {"cells": cells})

    def names(self, state: State) -> list[str]:
        """Return the names of the grid's cells in a state."""
        return [n for n, entry in self.entries.items() if entry.in_grid and entry.state == state]


def _read(file: Path) -> dict[str, Entry]:
    try:
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        return {name: Entry(**entry) for name, entry in cells.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{file}: not the record of a sweep: {one_line(error)}") from None


def _is_finished(cell: SweepCell, entry: Entry | None) -> bool:
    """Return whether a cell's run is complete; raise an error if it cannot be resumed.

    The record is written after the run's last file. A run that it does not call finished is
    resumed, if only to write its samples again.
    """
    found = Run(cell.run.path).read_config()
    if found is None:
        return False
    # The folder may have been moved.
    found = replace(found, out=cell.config.out)
    try:
        config = cell.config.resumed(found)
    except ParameterError as error:
        raise DataError(
            f"{cell.run.path} was made with other settings: give another out. {error}"
        ) from None
    was_finished = entry is not None and entry.state == "finished"
    return was_finished and found == config and cell.run.summary.is_file()


def progress(run: Run) -> tuple[int, float | None]:
    """Return the last logged step of a run and its steps per second; 0 and None without any."""
    try:
        with run.history.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LAST_BYTES))
            *_, last = (line for line in file.read().split(b"\n")[:-1] if line)
        row = json.loads(last)
        return int(row["step"]), row.get("steps_per_s")
    except (OSError, ValueError, KeyError, TypeError):
        return 0, None
