"""Arrays, colours and bands of the groups that the report's figures draw."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wavegan_rc.errors import DataError
from wavegan_rc.measurement.bootstrap import Estimate
from wavegan_rc.measurement.measurement import ARRAYS_FILE
from wavegan_rc.report.document import Document
from wavegan_rc.report.groups import Group
from wavegan_rc.report.measured import FOLDER, Stage
from wavegan_rc.utils.text import printable

# Colours that any colour vision tells apart: M. Okabe, K. Ito, "Color Universal Design" (2008).
# Their yellow is faint on white. From the seventh group on, lines are dashed.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_STYLES = ("-", "--", ":")


@dataclass(frozen=True)
class DrawnGroup:
    """A group as the figures draw it.

    Attributes:
        style: Colour and line style.
        arrays: Arrays of each run's measurement.
        fewest_segments: Number of segments of the run with the fewest.
    """

    group: Group
    style: dict[str, Any]
    stages: tuple[Stage, ...]
    arrays: list[dict[str, np.ndarray]]
    fewest_segments: int

    @property
    def label(self) -> str:
        """Label without mathematics, which a dollar sign would begin."""
        return printable(self.group.label).replace("$", r"\$")

    @property
    def name(self) -> str:
        """Label, and the number of trainings."""
        count = len(self.arrays)
        return f"{self.label} ({f'{count} seeds' if count > 1 else 'one training'})"

    @property
    def frequencies_hz(self) -> np.ndarray:
        """Frequencies of the bins."""
        return self.arrays[0]["frequencies_hz"]


def read_groups(document: Document) -> list[DrawnGroup]:
    """Read the arrays of all runs.

    Raises:
        DataError: If a run's arrays cannot be read.
    """
    found = []
    for i, group in enumerate(document.groups):
        style = {
            "color": _COLORS[i % len(_COLORS)],
            "linestyle": _STYLES[i // len(_COLORS) % len(_STYLES)],
        }
        measured = [document.measurements[run.id] for run in group.runs]
        arrays = [_read_arrays(run.path / FOLDER / ARRAYS_FILE) for run in group.runs]
        fewest = min(one.segments for one in measured)
        found.append(DrawnGroup(group, style, measured[0].stages, arrays, fewest))
    return found


def _read_arrays(file: Path) -> dict[str, np.ndarray]:
    try:
        # Opened here: NumPy leaves a damaged archive open.
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            found = {name: np.asarray(array, float) for name, array in arrays.items()}
        bins = len(found["frequencies_hz"])
        shapes = {"power": (3, bins), "phase_locking": (bins,)}
        for name, shape in shapes.items():
            for array in (name, f"real_{name}"):
                if (array in found and found[array].shape != shape) or name not in found:
                    raise ValueError(f"{array} must have shape {shape}")
    # NumPy raises errors of many kinds on damaged archives.
    except Exception as error:
        raise DataError(f"{file}: cannot be drawn: {printable(str(error))}") from None
    return found


def over_seeds(curves: Sequence[np.ndarray]) -> Estimate:
    """Return the mean of several trainings' curves, with the least and the largest value.

    Student's interval of two or three curves would be so wide at some of a thousand points that it
    hides everything else. The range of five trainings holds the median of all trainings with a
    probability of 94 %.

    Args:
        curves: Curves of shape (points,). A single one has no range: the ends are NaN.

    Source:
        H. A. David, H. N. Nagaraja, "Order Statistics" (2003), section 7.1: `1 - 2 / 2**n`.

    Example:
        >>> [number.tolist() for number in over_seeds([np.array([1.0]), np.array([4.0])])]
        [[2.5], [1.0], [4.0]]
    """
    values = np.stack(curves)
    if len(values) == 1:
        return Estimate(values[0], values[0] * np.nan, values[0] * np.nan)
    return Estimate(values.mean(axis=0), values.min(axis=0), values.max(axis=0))


def bands_in_words(groups: Sequence[DrawnGroup]) -> str:
    """Return what the bands over seeds show, or an empty text without any."""
    several = any(len(group.arrays) > 1 for group in groups)
    return "; bands over seeds: least to largest value" if several else ""
