"""Settings side by side in a figure: what is read of their runs, their colours, lines and bands."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wavegan_rc.errors import DataError
from wavegan_rc.figures.drawing import save_figure
from wavegan_rc.figures.style import default_style
from wavegan_rc.measure.bootstrap import Estimate
from wavegan_rc.runs.history import read_history
from wavegan_rc.utils.atomic_files import whole_file
from wavegan_rc.utils.text import printable

# Told apart with any colour vision: M. Okabe, K. Ito, "Color Universal Design" (2008); their yellow
# is faint on white. The second time round the lines are dashed.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_STYLES = ("-", "--", ":")


@dataclass(frozen=True)
class DrawnGroup:
    """What is drawn of one setting.

    Attributes:
        label: As text without mathematics.
        style: Colour and line style.
        stages: Each with the frequencies of its lines, in Hz.
        arrays: `artifacts.npz` of each run.
        histories: Rows of each run's history.
    """

    label: str
    style: dict[str, Any]
    stages: tuple[tuple[int, tuple[float, ...]], ...]
    arrays: list[dict[str, np.ndarray]]
    histories: list[list[dict[str, Any]]]

    @property
    def name(self) -> str:
        """Label, and how many trainings it stands for."""
        count = len(self.arrays)
        return f"{self.label} ({f'{count} seeds' if count > 1 else 'one training'})"


def read_groups(document: Mapping[str, Any], runs: Sequence[Path]) -> list[DrawnGroup]:
    """Read what is drawn.

    Args:
        document: Of a report.
        runs: Folders of its runs, in its order.

    Raises:
        DataError: If a run's measurement or history cannot be read.
    """
    folders = {
        run["id"]: path.expanduser() for run, path in zip(document["runs"], runs, strict=True)
    }
    stages = {
        run["id"]: tuple((stage["stage"], tuple(stage["lines_hz"])) for stage in run["stages"])
        for run in document["runs"]
    }
    found = []
    for i, group in enumerate(document["groups"]):
        histories = [folders[run] / "history.jsonl" for run in group["runs"]]
        found.append(
            DrawnGroup(
                # A dollar sign would begin mathematics, which may not be any.
                label=printable(group["label"]).replace("$", r"\$"),
                style={
                    "color": _COLORS[i % len(_COLORS)],
                    "linestyle": _STYLES[i // len(_COLORS) % len(_STYLES)],
                },
                stages=stages[group["runs"][0]],
                arrays=[_read_arrays(folders[run]) for run in group["runs"]],
                histories=[read_history(file) for file in histories],
            )
        )
    return found


def _read_arrays(run: Path) -> dict[str, np.ndarray]:
    file = run / "measurement" / "artifacts.npz"
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
    # What NumPy raises on damaged archives is of many kinds.
    except Exception as error:
        raise DataError(f"{file}: cannot be drawn: {printable(str(error))}") from None
    return found


def write_figure(figure: Figure, path: Path) -> list[Path]:
    """Write PNG and SVG; of equal figures the files are equal, byte for byte.

    Args:
        figure: To write.
        path: Without suffix.
    """
    png, svg = path.with_suffix(".png"), path.with_suffix(".svg")
    with warnings.catch_warnings(), default_style(svg_hashsalt="wavegan_rc"):
        # Of a label in a script that Matplotlib's font does not have: boxes are drawn.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        save_figure(figure, png)
        with whole_file(svg) as partial:
            figure.savefig(partial, format="svg", metadata={"Date": None})
    return [png, svg]


def draw_estimate(
    axis: Axes, x: np.ndarray, y: Estimate, name: str, style: Mapping[str, Any]
) -> None:
    """Draw a line, with a band where there is an interval.

    Args:
        axis: To draw on.
        x: Shape (points,).
        y: Of shape (points,) each; the interval is NaN where there is none.
        name: In the legend.
        style: Colour and line style.
    """
    if np.isfinite(y.low).any():
        axis.fill_between(x, y.low, y.high, color=style["color"], alpha=0.25, linewidth=0)
    axis.plot(x, y.value, linewidth=0.9, label=name, **style)


def over_seeds(curves: Sequence[np.ndarray]) -> Estimate:
    """Mean of several trainings' curves, with the least and the largest.

    Student's interval of two or three curves is so wide at some of a thousand points that nothing
    else could be seen. The range lies within the data, and that of five trainings holds the median
    of all trainings with a probability of 94 %.

    Args:
        curves: Of shape (points,) each; of a single one there is no range: it is NaN.

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
    """What bands are, where there are any."""
    several = any(len(group.arrays) > 1 for group in groups)
    return "; bands: smallest to largest of the seeds' values" if several else ""
