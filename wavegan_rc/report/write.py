"""A report's folder: the page, its numbers, its figures."""

import json
from collections.abc import Sequence
from pathlib import Path

from wavegan_rc.errors import DataError
from wavegan_rc.report.comparison_figures import write_comparison_figures
from wavegan_rc.report.document import build_document
from wavegan_rc.report.page import render_page
from wavegan_rc.report.sounds import collect_sounds
from wavegan_rc.utils.atomic_files import write_whole

PAGE_FILE, NUMBERS_FILE, FIGURES_FOLDER = "index.html", "report.json", "figures"


def write_report(runs: Sequence[Path], out: Path) -> Path:
    """Put finished runs side by side in a folder: a page to look at and listen to, and its numbers.

    Args:
        runs: Folders; others are compared with the first one's setting.
        out: Folder to write to; it is made. What a report left there before is replaced.

    Returns:
        The page, `index.html`; beside it lie `report.json` and `figures/`, each as PNG and SVG.

    Raises:
        ParameterError: If there are no runs, or two are the same.
        DataError: If a run is unfinished or cannot be read, or `out` cannot be written.
    """
    document = build_document(runs, out)
    figures = write_comparison_figures(document, runs, out / FIGURES_FOLDER)
    page = render_page(document, collect_sounds(document, runs), figures)
    numbers = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False)
    try:
        write_whole(out / NUMBERS_FILE, numbers)
        write_whole(out / PAGE_FILE, page)
    except OSError as error:
        raise DataError(f"out cannot be written: {error}") from None
    return out / PAGE_FILE
