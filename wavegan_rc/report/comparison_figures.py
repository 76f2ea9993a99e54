"""Figures of a report: settings side by side, drawn from the files of their runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wavegan_rc.errors import DataError
from wavegan_rc.figures.history_figure import PROMINENCE, RATIO, series
from wavegan_rc.figures.style import default_style
from wavegan_rc.measure.bootstrap import Estimate
from wavegan_rc.report.compared_groups import (
    DrawnGroup,
    bands_in_words,
    draw_estimate,
    over_seeds,
    read_groups,
    write_figure,
)

_REAL = "0.4"
_FLOOR_DB = -140.0
# Lines of more stages would stand too close to be told apart.
_MARKED_STAGES = 3
_SIZE_INCHES = 11


def write_comparison_figures(
    document: Mapping[str, Any], runs: Sequence[Path], out: Path
) -> list[Path]:
    """Draw spectra, phase locking and training of all settings, each figure as PNG and SVG.

    Args:
        document: Of the report: its `groups`, and `runs` with their stages and stopband.
        runs: Folders of the document's runs, in its order, each with its `measurement`.
        out: Folder to write to; it is made.

    Returns:
        The files: `spectra`, `phase-locking` and, where artifacts were measured while all runs were
        trained, `training`.

    Raises:
        DataError: If a run's files cannot be read, or `out` cannot be written.
    """
    groups = read_groups(document, runs)
    figures = {
        "spectra": spectra_figure(groups, document),
        "phase-locking": locking_figure(groups, document),
        "training": training_figure(groups),
    }
    written = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            if figure is not None:
                written += write_figure(figure, out / name)
    except OSError as error:
        raise DataError(f"out cannot be written: {error}") from None
    return written


def _decibels(power: np.ndarray) -> np.ndarray:
    """Relative to a full-scale sine."""
    return 10 * np.log10(np.maximum(power / 0.5, 10 ** (_FLOOR_DB / 10)))


@default_style()
def spectra_figure(groups: Sequence[DrawnGroup], document: Mapping[str, Any]) -> Figure:
    """Draw mean spectra, one over the other, real audio among them, and below them the lines.

    Args:
        groups: Settings.
        document: Of the report: its `runs` with their stopband.
    """
    combs = _combs(groups)
    figure = Figure(
        figsize=(_SIZE_INCHES, 5 + 1.6 * len(combs)),
        dpi=120,
        layout="constrained",
        facecolor="white",
    )
    axes = figure.subplots(
        1 + len(combs),
        1,
        sharex=True,
        squeeze=False,
        height_ratios=[4.2, *[1] * len(combs)],
    )[:, 0]
    axis = axes[0]
    _mark_lines(axis, combs)
    _draw_real(axis, groups, "power")
    for group in groups:
        curves = [_decibels(arrays["power"]) for arrays in group.arrays]
        estimate = (
            Estimate(*curves[0])
            if len(curves) == 1
            else over_seeds([value for value, _, _ in curves])
        )
        draw_estimate(axis, group.arrays[0]["frequencies_hz"], estimate, group.name, group.style)
    _mark_stopband(axis, document)
    axis.set_ylabel("dB re full-scale sine")
    axis.set_title(
        f"Mean power per bin{bands_in_words(groups)}; of real audio and of one training: 95 % "
        f"over segments\ngrey: lines of the last {_MARKED_STAGES} stages; dashed: stopband edge",
        loc="left",
        fontsize=9,
    )
    axis.legend(fontsize=8, loc="upper right")
    for axis, (label, stages) in zip(axes[1:], combs.items(), strict=True):
        for stage, lines in stages:
            axis.plot(lines, [stage] * len(lines), "|", color="0.2", markersize=7)
        axis.set_yticks([stage for stage, _ in stages])
        axis.set_ylim(0.4, len(stages) + 0.6)
        axis.tick_params(axis="y", labelsize=8)
        axis.set_ylabel("stage")
        axis.set_title(
            f"Predicted lines by the stage that makes them{label}", loc="left", fontsize=9
        )
    _frequency_axis(axes[-1], groups)
    return figure


def _combs(groups: Sequence[DrawnGroup]) -> dict[str, tuple[tuple[int, tuple[float, ...]], ...]]:
    """Stages by what their panel's title adds: nothing if all settings have the same."""
    found: dict[tuple[Any, ...], list[str]] = {}
    for group in groups:
        if group.stages:
            found.setdefault(group.stages, []).append(group.label)
    if len(found) == 1:
        return {"": next(iter(found))}
    return {f": {', '.join(labels)}": stages for stages, labels in found.items()}


def _mark_lines(axis: Axes, combs: Mapping[str, Sequence[tuple[int, Sequence[float]]]]) -> None:
    for stages in list(combs.values())[:1]:
        for back, (_, lines) in enumerate(list(stages)[: -_MARKED_STAGES - 1 : -1]):
            for hz in lines:
                axis.axvline(hz, color=str(0.55 + 0.13 * back), linewidth=0.7, zorder=0)


def _mark_stopband(axis: Axes, document: Mapping[str, Any]) -> None:
    edges = {run["stopband_hz"] for run in document["runs"]} - {None}
    for edge in sorted(edges):
        axis.axvline(edge, color="black", linestyle="--", linewidth=0.8)


def _draw_real(axis: Axes, groups: Sequence[DrawnGroup], name: str) -> None:
    """Of the first run that was measured beside real audio."""
    for arrays in (arrays for group in groups for arrays in group.arrays):
        real = arrays.get(f"real_{name}")
        if real is not None:
            estimate = Estimate(real, real * np.nan, real * np.nan)
            if name == "power":
                estimate = Estimate(*_decibels(real))
            style = {"color": _REAL, "linestyle": "-"}
            draw_estimate(axis, arrays["frequencies_hz"], estimate, "real audio", style)
            return


@default_style()
def locking_figure(groups: Sequence[DrawnGroup], document: Mapping[str, Any]) -> Figure:
    """Draw phase locking by frequency, with the level of unlocked bins.

    A panel for each setting: overlaid, locked lines of one would hide those of another.

    Args:
        groups: Settings.
        document: Of the report: its `groups`, and `runs` with their numbers of segments.
    """
    figure = Figure(
        figsize=(_SIZE_INCHES, 0.9 + 1.9 * len(groups)),
        dpi=120,
        layout="constrained",
        facecolor="white",
    )
    axes = figure.subplots(len(groups), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    counts = {run["id"]: run["segments"] for run in document["runs"]}
    for axis, group, about in zip(axes, groups, document["groups"], strict=True):
        # 95 % of unlocked bins of one training lie below: exp(-n R^2) = 0.05.
        null = np.sqrt(-np.log(0.05) / min(counts[run] for run in about["runs"]))
        axis.axhspan(0, null, color="0.88", linewidth=0)
        _draw_real(axis, [group], "phase_locking")
        locking = [arrays["phase_locking"] for arrays in group.arrays]
        frequencies = group.arrays[0]["frequencies_hz"]
        estimate = over_seeds(locking)
        draw_estimate(axis, frequencies, estimate, group.name, group.style)
        lines = np.array([hz for _, own in group.stages for hz in own])
        at_lines = np.interp(lines, frequencies, estimate.value)
        axis.plot(lines, at_lines, "o", color=group.style["color"], markersize=3.5)
        axis.set_ylim(0, 1)
        axis.legend(fontsize=8, loc="upper right")
    figure.supylabel("phase locking (length of the mean phase vector)", fontsize=10)
    axes[0].set_title(
        "Dots: predicted lines; grey: 95 % of unlocked bins of one training lie below"
        + bands_in_words(groups),
        loc="left",
        fontsize=9,
    )
    _frequency_axis(axes[-1], groups)
    return figure


def _frequency_axis(axis: Axes, groups: Sequence[DrawnGroup]) -> None:
    highest = max(arrays["frequencies_hz"][-1] for group in groups for arrays in group.arrays)
    axis.set_xlim(0, 1.01 * highest)
    axis.set_xlabel("frequency (Hz)")


@default_style()
def training_figure(groups: Sequence[DrawnGroup]) -> Figure | None:
    """Draw the out-of-band ratio and the prominence of each stage's lines over the steps.

    Args:
        groups: Settings.

    Returns:
        None if none of it was measured at least twice in all runs of a setting.
    """
    panels: dict[tuple[int, tuple[float, ...]] | None, str] = {None: RATIO}
    for group in groups:
        panels |= {stage: f"{PROMINENCE}{stage[0]}" for stage in group.stages}
    drawn = {
        panel: [(group, curve) for group in groups if (curve := _over_steps(group, panel, name))]
        for panel, name in panels.items()
    }
    drawn = {panel: curves for panel, curves in drawn.items() if curves}
    if not drawn:
        return None
    rows = -(-len(drawn) // 2)
    figure = Figure(
        figsize=(_SIZE_INCHES, 1 + 2.2 * rows), dpi=120, layout="constrained", facecolor="white"
    )
    grid = figure.subplots(rows, 2, sharex=True, squeeze=False).ravel()
    for axis in grid[len(drawn) :]:
        axis.remove()
    stage_axes = []
    for axis, (panel, curves) in zip(grid, drawn.items(), strict=False):
        for group, (steps, estimate) in curves:
            draw_estimate(axis, steps, estimate, group.name, group.style)
        axis.grid(alpha=0.3)
        axis.tick_params(labelbottom=True)
        bands = bands_in_words(groups) if axis is grid[0] else ""
        axis.set_title(_panel_title(panel) + bands, loc="left", fontsize=9)
        axis.set_ylabel("dB")
        if panel is not None:
            axis.axhline(0, color="0.3", linewidth=0.8, zorder=0)
            stage_axes.append(axis)
    _share_scale(stage_axes)
    for axis in grid[max(len(drawn) - 2, 0) : len(drawn)]:
        axis.set_xlabel("step")
    grid[0].legend(fontsize=8, loc="best")
    return figure


def _share_scale(axes: Sequence[Axes]) -> None:
    """One scale that holds what each of them shows."""
    limits = [limit for axis in axes for limit in axis.get_ylim()]
    for axis in axes:
        axis.set_ylim(min(limits), max(limits))


def _panel_title(panel: tuple[int, tuple[float, ...]] | None) -> str:
    if panel is None:
        return "Out-of-band ratio"
    stage, lines = panel
    more = ", ..." if len(lines) > 2 else ""
    return f"Line prominence, stage {stage}: {', '.join(f'{hz:g}' for hz in lines[:2])}{more} Hz"


def _over_steps(
    group: DrawnGroup, panel: tuple[int, tuple[float, ...]] | None, name: str
) -> tuple[np.ndarray, Estimate] | None:
    """Steps that all runs of a setting were measured at, and the values there."""
    if panel is not None and panel not in group.stages:
        return None
    curves = [dict(series(rows, name).tolist()) for rows in group.histories]
    steps = sorted(set(curves[0]).intersection(*curves[1:]))
    if len(steps) < 2:
        return None
    values = [np.array([curve[step] for step in steps]) for curve in curves]
    return np.array(steps), over_seeds(values)
