"""Figures of a report: spectra, phase locking and training of all groups."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wavegan_rc.errors import DataError
from wavegan_rc.figures.drawing import decibels, draw_band, save_figure, set_title
from wavegan_rc.figures.history_figure import PROMINENCE, RATIO, series
from wavegan_rc.figures.style import default_style
from wavegan_rc.measurement.bootstrap import Estimate
from wavegan_rc.report.document import Document
from wavegan_rc.report.drawn_groups import DrawnGroup, bands_in_words, over_seeds, read_groups
from wavegan_rc.report.measured import Stage, frequencies_text
from wavegan_rc.utils.atomic_files import whole_file

# Lines of more stages would stand too close to be told apart.
_MARKED_STAGES = 3
_WIDTH_INCHES = 11
_BAND = {"alpha": 0.25, "linewidth": 0.9}
_TITLE_SIZE = 9


def write_figures(document: Document, out: Path) -> list[Path]:
    """Draw spectra, phase locking and training of all groups, each figure as PNG and SVG.

    Args:
        document: Content of the report.
        out: Output folder, created if missing.

    Returns:
        Files named `spectra`, `phase-locking` and, where artifacts were measured during all
        trainings of a group, `training`.

    Raises:
        DataError: If a run's files cannot be read, or `out` cannot be written.
    """
    groups = read_groups(document)
    edges = {hz for run in document.runs if (hz := run.config.stopband_hz) is not None}
    figures = {
        "spectra": spectra_figure(groups, edges),
        "phase-locking": locking_figure(groups),
        "training": training_figure(groups),
    }
    written = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, figure in figures.items():
            if figure is not None:
                written += _write_figure(figure, out / name)
    except OSError as error:
        raise DataError(f"out cannot be written: {error}") from None
    return written


def _write_figure(figure: Figure, path: Path) -> list[Path]:
    """Write PNG and SVG; equal figures give equal files, byte for byte."""
    png, svg = path.with_suffix(".png"), path.with_suffix(".svg")
    with warnings.catch_warnings(), default_style(svg_hashsalt="wavegan_rc"):
        # Labels in a script that Matplotlib's font lacks are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        save_figure(figure, png)
        with whole_file(svg) as partial:
            figure.savefig(partial, format="svg", metadata={"Date": None})
    return [png, svg]


def _new_figure(height_inches: float) -> Figure:
    return Figure(
        figsize=(_WIDTH_INCHES, height_inches), dpi=120, layout="constrained", facecolor="white"
    )


@default_style()
def spectra_figure(groups: Sequence[DrawnGroup], edges_hz: set[float]) -> Figure:
    """Draw the mean spectra of all groups and of real audio, and the predicted lines below.

    Args:
        groups: Groups in report order.
        edges_hz: Stopband edges to mark.
    """
    combs = _combs(groups)
    figure = _new_figure(5 + 1.6 * len(combs))
    axes = figure.subplots(
        1 + len(combs), 1, sharex=True, squeeze=False, height_ratios=[4.2, *[1] * len(combs)]
    )[:, 0]
    axis = axes[0]
    for stages in list(combs.values())[:1]:
        for back, stage in enumerate(stages[: -_MARKED_STAGES - 1 : -1]):
            for hz in stage.lines_hz:
                axis.axvline(hz, color=str(0.55 + 0.13 * back), linewidth=0.7, zorder=0)
    _draw_real(axis, groups, "power")
    for group in groups:
        levels = [decibels(arrays["power"]) for arrays in group.arrays]
        # One training has its interval over segments.
        curves = levels[0] if len(levels) == 1 else over_seeds([value for value, *_ in levels])
        draw_band(axis, group.frequencies_hz, curves, label=group.name, **_BAND, **group.style)
    for edge in sorted(edges_hz):
        axis.axvline(edge, color="black", linestyle="--", linewidth=0.8)
    axis.set_ylabel("level (dB re full-scale sine)")
    set_title(
        axis,
        f"Mean power per bin{bands_in_words(groups)}; bands of real audio and of one training: "
        f"95 % interval over segments\ngrey: predicted lines of the last {_MARKED_STAGES} stages; "
        "dashed: stopband edge",
        _TITLE_SIZE,
    )
    axis.legend(fontsize=8, loc="upper right")
    for axis, (label, stages) in zip(axes[1:], combs.items(), strict=True):
        _draw_combs(axis, stages)
        set_title(axis, f"Predicted lines of each stage{label}", _TITLE_SIZE)
    _frequency_axis(axes[-1], groups)
    return figure


def _combs(groups: Sequence[DrawnGroup]) -> dict[str, tuple[Stage, ...]]:
    """Return stages by the end of their panel's title, which is empty if all groups agree."""
    found: dict[tuple[Stage, ...], list[str]] = {}
    for group in groups:
        if group.stages:
            found.setdefault(group.stages, []).append(group.label)
    if len(found) == 1:
        return {"": next(iter(found))}
    return {f": {', '.join(labels)}": stages for stages, labels in found.items()}


def _draw_combs(axis: Axes, stages: Sequence[Stage]) -> None:
    for stage in stages:
        y = [stage.stage] * len(stage.lines_hz)
        axis.plot(stage.lines_hz, y, "|", color="0.2", markersize=7)
    axis.set_yticks([stage.stage for stage in stages])
    axis.set_ylim(0.4, len(stages) + 0.6)
    axis.tick_params(axis="y", labelsize=8)
    axis.set_ylabel("stage")


def _draw_real(axis: Axes, groups: Sequence[DrawnGroup], name: str) -> None:
    """Draw the real audio of the first run that was measured beside some."""
    for arrays in (arrays for group in groups for arrays in group.arrays):
        real = arrays.get(f"real_{name}")
        if real is not None:
            curves = decibels(real) if name == "power" else over_seeds([real])
            x = arrays["frequencies_hz"]
            draw_band(axis, x, curves, label="real audio", color="0.4", linestyle="-", **_BAND)
            return


@default_style()
def locking_figure(groups: Sequence[DrawnGroup]) -> Figure:
    """Draw phase locking by frequency, with the level of unlocked bins.

    Each group has a panel: overlaid, the lines of one would hide those of another.
    """
    figure = _new_figure(0.9 + 1.9 * len(groups))
    axes = figure.subplots(len(groups), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axis, group in zip(axes, groups, strict=True):
        # 95 % of unlocked bins of one training lie below: exp(-n R^2) = 0.05.
        null = np.sqrt(-np.log(0.05) / group.fewest_segments)
        axis.axhspan(0, null, color="0.88", linewidth=0)
        _draw_real(axis, [group], "phase_locking")
        curves = over_seeds([arrays["phase_locking"] for arrays in group.arrays])
        draw_band(axis, group.frequencies_hz, curves, label=group.name, **_BAND, **group.style)
        lines = np.array([hz for stage in group.stages for hz in stage.lines_hz])
        at_lines = np.interp(lines, group.frequencies_hz, curves.value)
        axis.plot(lines, at_lines, "o", color=group.style["color"], markersize=3.5)
        axis.set_ylim(0, 1)
        axis.legend(fontsize=8, loc="upper right")
    figure.supylabel("phase locking (length of the mean phase vector, 0 to 1)", fontsize=10)
    set_title(
        axes[0],
        "Dots: predicted lines; grey: 95 % of unlocked bins of one training lie below"
        + bands_in_words(groups),
        _TITLE_SIZE,
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

    Returns:
        Figure, or None if no group has two measurements during all of its trainings.
    """
    stages = dict.fromkeys(stage for group in groups for stage in group.stages)
    drawn = {panel: curves for panel in (None, *stages) if (curves := _over_steps(groups, panel))}
    if not drawn:
        return None
    rows = -(-len(drawn) // 2)
    figure = _new_figure(1 + 2.2 * rows)
    grid = figure.subplots(rows, 2, sharex=True, squeeze=False).ravel()
    for axis in grid[len(drawn) :]:
        axis.remove()
    for axis, (panel, curves) in zip(grid, drawn.items(), strict=False):
        for group, (steps, estimate) in curves.items():
            draw_band(
                axis, steps, estimate, label=groups[group].name, **_BAND, **groups[group].style
            )
        axis.grid(alpha=0.3)
        axis.tick_params(labelbottom=True)
        bands = bands_in_words(groups) if axis is grid[0] else ""
        set_title(axis, _panel_title(panel) + bands, _TITLE_SIZE)
        axis.set_ylabel("ratio (dB)" if panel is None else "prominence (dB)")
        if panel is not None:
            axis.axhline(0, color="0.3", linewidth=0.8, zorder=0)
    _share_scale([axis for axis, panel in zip(grid, drawn, strict=False) if panel is not None])
    for axis in grid[max(len(drawn) - 2, 0) : len(drawn)]:
        axis.set_xlabel("step")
    grid[0].legend(fontsize=8, loc="best")
    return figure


def _share_scale(axes: Sequence[Axes]) -> None:
    limits = [limit for axis in axes for limit in axis.get_ylim()]
    for axis in axes:
        axis.set_ylim(min(limits), max(limits))


def _panel_title(stage: Stage | None) -> str:
    if stage is None:
        return "Out-of-band ratio"
    return f"Line prominence, stage {stage.stage}: {frequencies_text(stage.lines_hz)} Hz"


def _over_steps(
    groups: Sequence[DrawnGroup], stage: Stage | None
) -> Mapping[int, tuple[np.ndarray, Estimate]]:
    """Return steps and values of a panel by group, at the steps that all runs of a group have."""
    name = RATIO if stage is None else f"{PROMINENCE}{stage.stage}"
    found = {}
    for i, group in enumerate(groups):
        if stage is not None and stage not in group.stages:
            continue
        curves = [dict(series(run.history, name).tolist()) for run in group.group.runs]
        steps = sorted(set(curves[0]).intersection(*curves[1:]))
        if len(steps) > 1:
            values = [np.array([curve[step] for step in steps]) for curve in curves]
            found[i] = np.array(steps), over_seeds(values)
    return found
