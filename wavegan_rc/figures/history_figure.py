"""Figures of losses and artifacts over training, drawn from a run's files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wavegan_rc.config.choices import AdversarialLoss
from wavegan_rc.figures.drawing import set_title
from wavegan_rc.figures.frequency_axis import frequencies_text
from wavegan_rc.figures.style import REAL_COLOR, default_style, line_style
from wavegan_rc.runs.history import read_history

RATIO = "out_of_band_total_db"
PROMINENCE = "line_prominence_db/stage_"
_STYLES = ("-", "--", "-.")
# Names in the history by name in the legend, in two panels.
_LOSSES = {"Wasserstein estimate": "wasserstein_estimate", "generator": "generator_loss"}
_GRADIENT = {"critic": "gradient_norm"}


@default_style()
def losses_figure(
    history_file: Path, title: str, loss: AdversarialLoss = "wgan_gp"
) -> Figure | None:
    """Draw the losses and the critic's gradient norm over the steps.

    Returns:
        Figure. None if the history has fewer than two rows.
    """
    rows = read_history(history_file)
    if len(rows) < 2:
        return None
    figure = Figure(figsize=(11, 5.5), dpi=120, layout="constrained")
    axes = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    for axis, names in zip(axes, (_LOSSES, _GRADIENT), strict=True):
        drawn = [series(rows, name) for name in names.values()]
        for i, (label, points) in enumerate(zip(names, drawn, strict=True)):
            axis.plot(*points.T, linewidth=1, label=label, **line_style(i))
        _fill(axis, drawn)
    axes[0].set_ylabel("loss")
    axes[1].set_ylabel("norm")
    losses, norm = "Losses", "Norm of the critic's gradient"
    if loss == "wgan_gp":
        axes[1].axhline(1, color=REAL_COLOR, linestyle="--", linewidth=1, zorder=0)
        losses += ": less is better in the Wasserstein estimate; the generator's has no such side"
        norm += ": 1 is best"
    set_title(axes[0], f"{title}\n{losses}")
    set_title(axes[1], norm)
    return _finish(figure, axes)


def _fill(axis: Axes, drawn: Sequence[np.ndarray]) -> None:
    """Let 98 % of the values fill a panel, and say how far the others, of the first steps, go."""
    values = np.concatenate([points[:, 1] for points in drawn])
    if not values.size:
        return
    low, high = np.quantile(values, [0.01, 0.99])
    margin = 0.05 * (high - low) or 1
    axis.set_ylim(low - margin, high + margin)
    for i, points in enumerate(drawn):
        for sign, mark, edge in zip((-1, 1), "\u25bc\u25b2", axis.get_ylim(), strict=True):
            step, value = max(points.tolist(), key=lambda point: sign * point[1], default=(0, edge))
            if sign * value > sign * edge:
                axis.annotate(
                    f"{mark} {value:.3g} at step {step:.0f}",
                    (step, edge),
                    xytext=(6, -sign * (3 + 11 * i)),
                    textcoords="offset points",
                    va="top" if sign > 0 else "bottom",
                    fontsize=8,
                    color=line_style(i)["color"],
                )


@default_style()
def history_figure(history_file: Path, summary_file: Path, title: str) -> Figure | None:
    """Draw the out-of-band ratio and the prominence of each stage's lines over the steps.

    Real audio's level is drawn in each panel.

    Returns:
        Figure with a panel for each of the two that was measured at least twice. None if neither
        was.
    """
    rows = read_history(history_file)
    summary = json.loads(summary_file.read_text(encoding="utf-8"))
    stages = sorted({line["stage"] for line in summary["lines"]})
    ratio = series(rows, RATIO)
    prominences = {stage: series(rows, f"{PROMINENCE}{stage}") for stage in stages}
    prominences = {stage: points for stage, points in prominences.items() if len(points) > 1}
    count = (len(ratio) > 1) + bool(prominences)
    if not count:
        return None
    figure = Figure(figsize=(11, 0.7 + 3 * count), dpi=120, layout="constrained")
    axes = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    if len(ratio) > 1:
        _draw_ratio(axes[0], ratio, (summary["out_of_band_ratio_db"] or {}).get("real"))
    if prominences:
        _draw_prominences(axes[-1], prominences, summary["lines"])
    set_title(axes[0], f"{title}\n{axes[0].get_title(loc='left')}")
    return _finish(figure, axes)


def _finish(figure: Figure, axes: Any) -> Figure:
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
    axis.plot(*ratio.T, linewidth=1.3, label="generated", **line_style(0))
    if real is not None:
        label = f"real audio: {real:.1f} dB"
        axis.axhline(real, color=REAL_COLOR, linestyle="--", linewidth=1, label=label)
    axis.set_ylabel("out-of-band ratio (dB)")
    set_title(axis, "Power where real audio is silent, over all power: less is better")


def _draw_prominences(
    axis: Axes, prominences: Mapping[int, np.ndarray], lines: Sequence[Mapping[str, Any]]
) -> None:
    # The end of the map, yellow, is faint on white.
    colors = matplotlib.colormaps["viridis"](np.linspace(0.9, 0, len(prominences)))
    real = []
    for i, (stage, points) in enumerate(sorted(prominences.items(), reverse=True)):
        own = [line for line in lines if line["stage"] == stage]
        axis.plot(
            *points.T,
            color=colors[-1 - i],
            linestyle=_STYLES[i % len(_STYLES)],
            linewidth=1.3,
            label=f"stage {stage}: {frequencies_text([line['frequency_hz'] for line in own])}",
        )
        levels = [line["real_prominence_db"] for line in own]
        if None not in levels:  # as of silence
            real.append(float(np.median(levels)))
    if real:
        low, high = min(real), max(real)
        label = f"real audio, all stages: {low:z.1f} to {high:z.1f} dB"
        axis.axhspan(low, high, fc=(REAL_COLOR, 0.3), ec=REAL_COLOR, ls="--", zorder=0, label=label)
    axis.set_ylabel("line prominence (dB)")
    set_title(axis, "How far each stage's predicted lines stand out (median): less is better")
