"""A grid of settings as cells, each with a name and the settings of one run."""

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

from wavegan_rc.config import Config
from wavegan_rc.errors import ParameterError
from wavegan_rc.runs.run import Run

# Longest name in characters. Common file systems allow 255 bytes, and `logs/` adds a suffix.
_LONGEST_NAME = 200
_HPARAMS = ".hparams"  # suffix of event files


@dataclass(frozen=True)
class SweepCell:
    """One run of a sweep.

    Attributes:
        name: Name of its folder, such as `upsampler=resize,seed=3`.
        settings: Settings from the grid.
        config: All settings; `out` is the sweep folder.
    """

    name: str
    settings: Mapping[str, Any]
    config: Config

    @property
    def run(self) -> Run:
        """Run folder of the cell."""
        return Run(Path(self.config.out) / self.name)


def grid_cells(
    settings: Mapping[str, Any], grids: Sequence[Mapping[str, Sequence[Any]]], out: Path
) -> list[SweepCell]:
    """Return a cell for each combination of each grid's values; the last key changes fastest.

    `settings` are those of all cells, and `out` is the sweep folder.

    Raises:
        ParameterError: If a combination is invalid or occurs twice, a key is in `settings` and in
            a grid, or a name is too long.

    Example:
        >>> grid = {"seed": [0, 1], "upsampler": [["resize"], ["sinc", "linear"]]}
        >>> cells = grid_cells({"upsampling_factors": [4, 4]}, [grid], Path("sweeps/a"))
        >>> [cell.name for cell in cells][:2]
        ['upsampler=resize,seed=0', 'upsampler=sinc+linear,seed=0']
        >>> cells[1].config.upsampler
        ('sinc', 'linear')
    """
    for key in ("out", *sorted(settings)):
        if any(key in grid for grid in grids) or key == "out" in settings:
            rule = "no setting of a sweep" if key == "out" else "either in the grid or outside it"
            raise ParameterError(f"{key} must be {rule}")
    cells = []
    combinations = [(grid, values) for grid in grids for values in product(*grid.values())]
    for grid, values in combinations:
        own = dict(zip(grid, values, strict=True))
        name = cell_name(own)
        if len(name) > _LONGEST_NAME:
            raise ParameterError(
                f"a cell's name must have at most {_LONGEST_NAME} characters. Received: {name}"
            )
        try:
            cells.append(SweepCell(name, own, Config(**settings, **own, out=str(out))))
        except ParameterError as error:
            raise ParameterError(f"{name}: {error}") from None
    name, count = Counter(cell.name for cell in cells).most_common(1)[0]
    if count > 1:
        raise ParameterError(f"cells must differ. {name} is in the grid {count} times")
    return cells


def cell_name(settings: Mapping[str, Any]) -> str:
    """Return a folder name of settings, which does not depend on their order.

    Example:
        >>> cell_name({"seed": 3, "cutoff_hz": None, "data": "my/speech"})
        'data=my%2Fspeech,cutoff_hz=null,seed=3'
    """
    order = [field.name for field in dataclasses.fields(Config)]
    return ",".join(f"{key}={word(settings[key])}" for key in sorted(settings, key=order.index))


def word(value: Any) -> str:
    """Return a value as one word.

    Example:
        >>> word(("resize", "linear")), word(None), word("my/speech")
        ('resize+linear', 'null', 'my%2Fspeech')
    """
    if isinstance(value, list | tuple):
        return "+".join(map(word, value))
    # URL quoting leaves only characters that every file system allows.
    return quote(value if isinstance(value, str) else json.dumps(value), safe="")


def log_hparams(tensorboard: Path, settings: Mapping[str, Any]) -> None:
    """Log the grid's settings of a finished run as TensorBoard's hyperparameters.

    TensorBoard takes the metrics from the run's last scalars. Each run is a trial of its own.
    """
    from wavegan_rc.training.callbacks.tensorboard import EventFile

    for earlier in tensorboard.glob(f"events.*{_HPARAMS}"):
        earlier.unlink()
    values = {
        key: value if isinstance(value, bool | int | float | str) else word(value)
        for key, value in settings.items()
    }
    with EventFile(tensorboard, _HPARAMS) as file:
        file.hparams(values)
