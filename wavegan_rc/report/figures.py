"""Figures of a report: spectra and training of all groups."""

import warnings
from pathlib import Path

import numpy as np

from wavegan_rc.errors import DataError
from wavegan_rc.figures.compared_figures import (
    NARROW,
    WIDE,
    DrawnGroup,
    spectra_figure,
    training_figure,
)
from wavegan_rc.figures.drawing import save_figure
from wavegan_rc.figures.history_figure import RATIO
from wavegan_rc.measurement.measurement import ARRAYS_FILE
from wavegan_rc.report.document import Document
from wavegan_rc.runs.run import Run as RunFolder
from wavegan_rc.utils.text import printable


def read_groups(document: Document) -> list[DrawnGroup]:
    """Read the arrays of all runs."""
    return [
        DrawnGroup(
            group.label,
            group.style,
            document.measurements[group.runs[0].id].stages,
            [_read_arrays(RunFolder(run.path).measurement / ARRAYS_FILE) for run in group.runs],
            [run.history for run in group.runs],
        )
        for group in document.groups
    ]


def _read_arrays(file: Path) -> dict[str, np.ndarray]:
    try:
        # Opened here: NumPy leaves a damaged archive open.
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            found = {name: np.asarray(array, float) for name, array in arrays.items()}
        bins = len(found["frequencies_hz"])
        for name in ("power", "real_power"):
            if found.get(name, found["power"]).shape != (3, bins):
                raise ValueError(f"{name} must have shape {(3, bins)}")
    # NumPy raises errors of many kinds on damaged archives.
    except Exception as error:
        raise DataError(f"{file}: cannot be drawn: {printable(str(error))}") from None
    return found


def write_figures(document: Document, out: Path) -> list[Path]:
    """Draw spectra and training of all groups.

    Returns:
        Files named `spectra` and, where artifacts were measured during all trainings of a group,
        `training`: each as PNG and SVG, and as `-narrow.png` for phones.
    """
    groups = read_groups(document)
    edges = {hz for run in document.runs if (hz := run.config.stopband_hz) is not None}
    ratios = [row.real for row in document.rows if row.name == RATIO]
    real_ratio_db = ratios[0].value if ratios and ratios[0] else None
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for width, ends in ((WIDE, (".png", ".svg")), (NARROW, ("-narrow.png",))):
        figures = {
            "spectra": spectra_figure(groups, edges, width),
            "training": training_figure(groups, real_ratio_db, width),
        }
        files = [(out / f"{name}{end}", name) for name in figures for end in ends if figures[name]]
        with warnings.catch_warnings():
            # Labels in a script that Matplotlib's font lacks are drawn as boxes.
            warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
            for file, name in files:
                save_figure(figures[name], file)
        written += [file for file, _ in files]
    return written
