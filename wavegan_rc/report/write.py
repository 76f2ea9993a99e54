"""The report folder: the page, its numbers, its figures."""

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import wavegan_rc
from wavegan_rc.report.document import build_document
from wavegan_rc.report.figures import write_figures
from wavegan_rc.report.page import render_page
from wavegan_rc.report.sounds import collect_sounds
from wavegan_rc.report.words import named
from wavegan_rc.utils.atomic_files import write_whole, writing

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
        >>> write_report([])
        Traceback (most recent call last):
            ...
        wavegan_rc.errors.ParameterError: runs must name at least one run folder. Received: none
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
