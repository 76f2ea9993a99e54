"""The figure of artifacts over training, drawn from a run's files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wavegan_rc.figures.drawing import set_title
from wavegan_rc.figures.style import default_style
from wavegan_rc.runs.history import read_history

RATIO = "out_of_band_total_db"
PROMINENCE = "line_prominence_db/stage_"
_STYLES = ("-", "--", "-.")
# Real speech may lie 60 dB below: an axis that reached there would flatten the curve.
_MARGIN_DB = 3


@default_style()
def history_figure(history_file: Path, summary_file: Path) -> Figure | None:
    """Draw the out-of-band ratio and the prominence of each stage's lines over the steps.

    Args:
        history_file: `history.jsonl` of a run.
        summary_file: `summary.json` beside it, with the real ratio and the stages' lines.

    Returns:
        Figure with a panel for each of the two that was measured at least twice. None if neither
        was.
    """
    rows = read_history(history_file)
    summary = json.loads(summary_file.read_text(encoding="utf-8"))
    stages = sorted({line["stage"] for line in summary["lines"]})
    ratio = series(rows, RATIO)
    prominences = {stage: series(rows, f"{PROMINENCE}{stage}") for stage in stages}
    prominences = {stage: series for stage, series in prominences.items() if len(series) > 1}
    count = (len(ratio) > 1) + bool(prominences)
    if not count:
        return None
    figure = Figure(figsize=(11, 0.7 + 3 * count), dpi=120, layout="constrained")
    axes = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    if len(ratio) > 1:
        _draw_ratio(axes[0], ratio, (summary["out_of_band_ratio_db"] or {}).get("real"))
    if prominences:
        _draw_prominences(axes[-1], prominences, summary["lines"])
    for axis in axes:
        axis.grid(alpha=0.3)
        axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
    axes[-1].set_xlabel("step")
    return figure


def series(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """Return steps and finite values of a history's column, shape (rows, 2)."""
    found = [(row["step"], row[name]) for row in rows if isinstance(row.get(name), int | float)]
    pairs = np.array(found, float).reshape(-1, 2)
    return pairs[np.isfinite(pairs).all(axis=1)]


def _draw_ratio(axis: Axes, ratio: np.ndarray, real: float | None) -> None:
    axis.plot(*ratio.T, color="tab:blue", linewidth=1.3, label="generated")
    low, high = ratio[:, 1].min() - _MARGIN_DB, ratio[:, 1].max() + _MARGIN_DB
    if real is not None:
        where = "" if low <= real <= high else ", off the scale"
        label = f"real: {real:.1f} dB{where}"
        axis.axhline(real, color="0.3", linestyle="--", linewidth=1, label=label)
    axis.set_ylim(low, high)
    axis.set_ylabel("out-of-band ratio (dB)")
    set_title(axis, "Power above the stopband edge over all power, moving-average generator")


def _draw_prominences(
    axis: Axes, prominences: Mapping[int, np.ndarray], lines: Sequence[Mapping[str, Any]]
) -> None:
    # The end of the map, yellow, is faint on white.
    colors = matplotlib.colormaps["viridis"](np.linspace(0.9, 0, len(prominences)))
    for i, (stage, series) in enumerate(sorted(prominences.items(), reverse=True)):
        own_hz = [f"{line['frequency_hz']:g}" for line in lines if line["stage"] == stage]
        more = ", ..." if len(own_hz) > 2 else ""
        axis.plot(
            *series.T,
            color=colors[-1 - i],
            linestyle=_STYLES[i % len(_STYLES)],
            linewidth=1.3,
            label=f"stage {stage}: {', '.join(own_hz[:2])}{more} Hz",
        )
    axis.axhline(0, color="0.3", linewidth=0.8, zorder=0)
    axis.set_ylabel("line prominence (dB)")
    set_title(axis, "Median prominence of each stage's predicted lines; 0 dB: no line")
