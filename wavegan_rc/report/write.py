"""The report folder: the page, its numbers, its figures."""

import json
import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np

import wavegan_rc
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
from wavegan_rc.report.document import Document, build_document
from wavegan_rc.report.page import render_page
from wavegan_rc.report.sounds import collect_sounds
from wavegan_rc.report.words import named
from wavegan_rc.utils.atomic_files import write_whole, writing
from wavegan_rc.utils.text import printable

_logger = logging.getLogger(__name__)

PAGE_FILE, NUMBERS_FILE, FIGURES_FOLDER = "index.html", "report.json", "figures"


def write_report(runs: Sequence[str | Path], out: str | Path = "report") -> Path:
    """Compare runs and write the report: a page to read and listen to, and its numbers.

    Args:
        runs: Run folders, or folders of runs; the first one's settings are the reference.
        out: Output folder, created if missing. Files of an earlier report are replaced.

    Returns:
        Path of the page, `index.html`. `report.json` and `figures/` (PNG and SVG) lie beside it.

    Raises:
        ParameterError: If there are no runs, or two are the same.
        DataError: If a run has no generator or cannot be read, or `out` cannot be written.

    Example:
        >>> import tempfile
        >>> small = {"segment_length": 128, "steps": 1, "critic_steps": 1, "measure_every": 0}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = wavegan_rc.train(wavegan_rc.Config.read("smoke", **small, out=folder))
        ...     write_report([run.path], Path(folder) / "report").name
        'index.html'
    """
    runs, out = [Path(run) for run in runs], Path(out)
    document = build_document(runs, out)
    replaced = _runs_of_report(out)
    if replaced - {run.path_text for run in document.runs}:
        _logger.warning("%s: this replaces the report of %s", out, named(sorted(replaced)))
    with writing():
        figures = write_figures(document, out / FIGURES_FOLDER)
        page = render_page(document, collect_sounds(document), figures, _documentation(out))
        numbers = json.dumps(document.as_json(), indent=1, allow_nan=False, ensure_ascii=False)
        write_whole(out / NUMBERS_FILE, numbers)
        write_whole(out / PAGE_FILE, page)
    _logger.info("%s", document.summary.finding)
    return out / PAGE_FILE


def _runs_of_report(out: Path) -> set[str]:
    """Return the paths of the runs that an earlier report is of; none if it cannot be read."""
    try:
        numbers = json.loads((out / NUMBERS_FILE).read_text(encoding="utf-8"))
        return {str(run["path"]) for run in numbers["runs"]}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return set()


def _documentation(out: Path) -> str | None:
    """Return the address of a quantity's page in a checkout, relative to the report."""
    root = Path(wavegan_rc.__file__).parents[1]
    for folder, end in (("site", "html"), ("docs", "md")):
        pages = root / folder / "explanation" / "quantities"
        if pages.is_dir():
            return f"{quote(Path(os.path.relpath(pages, out)).as_posix())}/{{}}.{end}"
    return None


def read_groups(document: Document) -> list[DrawnGroup]:
    """Read the arrays of all runs."""
    return [
        DrawnGroup(
            group.label,
            group.style,
            group.runs[0].measured.stages,
            [_read_arrays(run.folder.measurement / ARRAYS_FILE) for run in group.runs],
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
    real_db = {
        tuple(row.lines_hz): row.real.value
        for row in document.rows
        if row.real and row.frequency_hz is None and row.name in (RATIO, "line_prominence_db")
    }
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for width, ends in ((WIDE, (".png", ".svg")), (NARROW, ("-narrow.png",))):
        figures = {
            "spectra": spectra_figure(groups, edges, width),
            "training": training_figure(groups, real_db, width),
        }
        files = [(out / f"{name}{end}", name) for name in figures for end in ends if figures[name]]
        with warnings.catch_warnings():
            # Labels in a script that Matplotlib's font lacks are drawn as boxes.
            warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
            for file, name in files:
                save_figure(figures[name], file)
        written += [file for file, _ in files]
    return written
