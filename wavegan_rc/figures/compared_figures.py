"""Figures of groups of runs, compared: mean spectra, and artifacts over training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from wavegan_rc.figures.drawing import decibels, draw_band, over_seeds, plain_label, set_title
from wavegan_rc.figures.frequency_axis import frequencies_text
from wavegan_rc.figures.history_figure import PROMINENCE, RATIO, series
from wavegan_rc.figures.spectra import draw_stages, mark_lines
from wavegan_rc.figures.style import REAL_COLOR, default_style

# Widths in inches: a page on a desk, and on a phone.
WIDE, NARROW = 11.0, 4.6
_BAND = {"alpha": 0.25, "linewidth": 0.9}
_TITLE_SIZE = 9
# Number and lines in Hz.
_Stage = tuple[int, tuple[float, ...]]


@dataclass(frozen=True)
class DrawnGroup:
    """A group of runs as the figures draw it: lines in Hz by stage, each run's measurement."""

    title: str
    style: Mapping[str, Any]
    stages: Mapping[int, tuple[float, ...]]
    arrays: Sequence[Mapping[str, np.ndarray]]
    histories: Sequence[Sequence[Mapping[str, Any]]]

    @property
    def label(self) -> str:
        """Title as a label."""
        return plain_label(self.title)

    @property
    def name(self) -> str:
        """Label, and the number of trainings."""
        count = len(self.arrays)
        return f"{self.label} ({f'{count} seeds' if count > 1 else 'one training'})"


def _new_figure(width: float, height: float) -> Figure:
    dpi = 120 if width == WIDE else 160
    layout = ConstrainedLayoutEngine(w_pad=0.1)  # SVG takes that of PNG, whose texts are narrower
    return Figure(figsize=(width, height), dpi=dpi, layout=layout, facecolor="white")


def _legend(figure: Figure, axis: Axes, width: float) -> None:
    """Put the legend above the panels, where it covers nothing."""
    columns = max(round(width / 2.6), 1)
    figure.legend(
        *axis.get_legend_handles_labels(), loc="outside upper left", ncols=columns, fontsize=8
    )


@default_style()
def spectra_figure(groups: Sequence[DrawnGroup], edges_hz: set[float], width: float) -> Figure:
    """Draw the mean spectra of all groups and of real audio, and the predicted lines below."""
    combs = _combs(groups)
    figure = _new_figure(width, 5 + 1.6 * len(combs))
    axes = figure.subplots(
        1 + len(combs), 1, sharex=True, squeeze=False, height_ratios=[4.2, *[1] * len(combs)]
    )[:, 0]
    axis = axes[0]
    if len(combs) == 1:
        mark_lines(axis, groups[0].stages)
    _draw_real(axis, groups)
    for group in groups:
        levels = [decibels(arrays["power"]) for arrays in group.arrays]
        # One training has its interval over segments.
        curves = levels[0] if len(levels) == 1 else over_seeds([value for value, *_ in levels])
        x = group.arrays[0]["frequencies_hz"]
        draw_band(axis, x, curves, label=group.name, **_BAND, **group.style)
    for edge in sorted(edges_hz):
        axis.axvline(edge, color="black", linestyle="--", linewidth=0.8)
    axis.set_ylabel("mean power (dB re full-scale sine)")
    _legend(figure, axis, width)
    for axis, (label, stages) in zip(axes[1:], combs.items(), strict=True):
        draw_stages(axis, dict(stages))
        set_title(axis, f"Predicted lines of each stage{label}", _TITLE_SIZE)
    highest = max(arrays["frequencies_hz"][-1] for group in groups for arrays in group.arrays)
    axes[-1].set_xlim(0, 1.01 * highest)
    axes[-1].set_xlabel("frequency (Hz)")
    return figure


def _combs(groups: Sequence[DrawnGroup]) -> dict[str, tuple[_Stage, ...]]:
    """Return stages by the end of their panel's title, which is empty if all groups agree."""
    found: dict[tuple[_Stage, ...], list[str]] = {}
    for group in groups:
        if group.stages:
            found.setdefault(tuple(group.stages.items()), []).append(group.label)
    if len(found) == 1:
        return {"": next(iter(found))}
    return {f": {', '.join(labels)}": stages for stages, labels in found.items()}


def _draw_real(axis: Axes, groups: Sequence[DrawnGroup]) -> None:
    """Draw the real audio of the first run that was measured beside some."""
    for arrays in (arrays for group in groups for arrays in group.arrays):
        if "real_power" in arrays:
            curves, x = decibels(arrays["real_power"]), arrays["frequencies_hz"]
            draw_band(axis, x, curves, label="real", color=REAL_COLOR, linestyle="-", **_BAND)
            return


@default_style()
def training_figure(
    groups: Sequence[DrawnGroup],
    real_db: Mapping[tuple[float, ...], float | None],
    width: float,
) -> Figure | None:
    """Draw the out-of-band ratio and the prominence of each stage's lines over the steps.

    Args:
        groups: Groups, each a curve in every panel.
        real_db: Levels of real audio by a panel's lines in Hz, with none for the ratio.
        width: Width in inches.

    Returns:
        Figure, or None if no group has two measurements during all of its trainings.
    """
    stages = dict.fromkeys(stage for group in groups for stage in group.stages.items())
    drawn = {panel: curves for panel in (None, *stages) if (curves := _over_steps(groups, panel))}
    if not drawn:
        return None
    columns = 2 if width == WIDE else 1
    rows = -(-len(drawn) // columns)
    figure = _new_figure(width, 1 + (2.2 if width == WIDE else 1.8) * rows)
    grid = figure.subplots(rows, columns, sharex=True, squeeze=False).ravel()
    for axis in grid[len(drawn) :]:
        axis.remove()
    for axis, (panel, curves) in zip(grid, drawn.items(), strict=False):
        for group, (steps, estimate) in curves.items():
            style = groups[group].style
            draw_band(axis, steps, estimate, label=groups[group].name, **_BAND, **style)
        axis.grid(alpha=0.3)
        axis.tick_params(labelbottom=True)
        if panel is None:
            lines_hz, label, title = (), "level", "Out-of-band level"
        else:
            stage, lines_hz = panel
            label, title = "prominence", f"Lines of stage {stage}: {frequencies_text(lines_hz)}"
        real = real_db.get(lines_hz)
        if real is not None:
            title += f" (dashed: real, {real:z.1f} dB)"
            axis.axhline(real, color=REAL_COLOR, linestyle="--", linewidth=1, zorder=0)
        set_title(axis, title, _TITLE_SIZE)
        axis.set_ylabel(f"{label} (dB)\nless is better", fontsize=9)
    _share_scale([axis for axis, panel in zip(grid, drawn, strict=False) if panel is not None])
    for axis in grid[max(len(drawn) - columns, 0) : len(drawn)]:
        axis.set_xlabel("step")
    _legend(figure, grid[0], width)
    return figure


def _share_scale(axes: Sequence[Axes]) -> None:
    limits = [limit for axis in axes for limit in axis.get_ylim()]
    for axis in axes:
        axis.set_ylim(min(limits), max(limits))


def _over_steps(
    groups: Sequence[DrawnGroup], stage: _Stage | None
) -> Mapping[int, tuple[np.ndarray, tuple[np.ndarray, ...]]]:
    """Return steps and values of a panel by group, at the steps that all runs of a group have."""
    name = RATIO if stage is None else f"{PROMINENCE}{stage[0]}"
    found = {}
    for i, group in enumerate(groups):
        if stage is not None and stage not in group.stages.items():
            continue
        curves = [dict(series(history, name).tolist()) for history in group.histories]
        steps = sorted(set(curves[0]).intersection(*curves[1:]))
        if len(steps) > 1:
            values = [np.array([curve[step] for step in steps]) for curve in curves]
            found[i] = np.array(steps), over_seeds(values)
    return found
