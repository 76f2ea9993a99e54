"""A grid of settings as cells: each a name, and the settings of one run."""

import dataclasses
import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from wavegan_rc.config import Config
from wavegan_rc.errors import ParameterError
from wavegan_rc.runs.run import Run

# Of a folder's name, on common file systems 255 bytes; `logs/` adds a suffix.
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Cell:
    """One run of a sweep.

    Attributes:
        name: Of its folder, such as `upsampler=resize,seed=3`.
        settings: Those that the grid gives it.
        config: All its settings; `out` is the folder of the sweep.
    """

    name: str
    settings: Mapping[str, Any]
    config: Config

    @property
    def run(self) -> Run:
        """Where its run lies."""
        return Run(Path(self.config.out) / self.name)


def grid_cells(
    settings: Mapping[str, Any], grid: Mapping[str, Sequence[Any]], out: Path
) -> list[Cell]:
    """Every combination of a grid's values; the last key's values change fastest.

    Args:
        settings: That all cells have, by key, each of the right type.
        grid: Values of the settings that differ, by key.
        out: Folder of the sweep.

    Raises:
        ParameterError: If a combination cannot be, two are the same, a key stands in both, or a
            name is too long.

    Example:
        >>> grid = {"seed": [0, 1], "upsampler": [["resize"], ["sinc", "linear"]]}
        >>> cells = grid_cells({"upsampling_factors": [4, 4]}, grid, Path("sweeps/a"))
        >>> [cell.name for cell in cells][:2]
        ['upsampler=resize,seed=0', 'upsampler=sinc+linear,seed=0']
        >>> cells[1].config.upsampler
        ('sinc', 'linear')
    """
    for key in ("out", *sorted(settings)):
        if key in grid or key == "out" in settings:
            rule = "is no setting of a sweep" if key == "out" else "is in the grid and beside it"
            raise ParameterError(f"{key} {rule}")
    cells = []
    for values in itertools.product(*grid.values()):
        own = dict(zip(grid, values, strict=True))
        name = cell_name(own)
        if len(name) > _LONGEST_NAME:
            raise ParameterError(f"{name} would be too long a name of a folder")
        try:
            cells.append(Cell(name, own, Config(**settings, **own, out=str(out))))
        except ParameterError as error:
            raise ParameterError(f"{name}: {error}") from None
    name, count = Counter(cell.name for cell in cells).most_common(1)[0]
    if count > 1:
        raise ParameterError(f"{name} is in the grid {count} times")
    return cells


def cell_name(settings: Mapping[str, Any]) -> str:
    """A name for a folder that says which settings a run has, whatever their order in the grid.

    Args:
        settings: Values by key.

    Example:
        >>> cell_name({"seed": 3, "cutoff_hz": None, "data": "my/speech"})
        'data=my%2Fspeech,cutoff_hz=null,seed=3'
    """
    order = [field.name for field in dataclasses.fields(Config)]
    return ",".join(f"{key}={word(settings[key])}" for key in sorted(settings, key=order.index))


def word(value: Any) -> str:
    """A value as one word.

    Example:
        >>> word(("resize", "linear")), word(None), word("my/speech")
        ('resize+linear', 'null', 'my%2Fspeech')
    """
    if isinstance(value, list | tuple):
        return "+".join(map(word, value))
    # As in a URL: of characters that any file system takes.
    return quote(value if isinstance(value, str) else json.dumps(value), safe="")
