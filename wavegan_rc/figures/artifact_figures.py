"""The figure of a measurement, drawn from its files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wavegan_rc.figures.drawing import decibels, draw_band, set_title
from wavegan_rc.figures.spectra import mark_lines
from wavegan_rc.figures.style import REAL_COLOR, default_style, line_style

# Beginning of the arrays' names, name in the legend, style.
_SETS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("real_", "real", {"color": REAL_COLOR}),
    ("", "measured", line_style(0)),
)


@default_style()
def artifact_figure(json_file: Path, arrays_file: Path) -> Figure:
    """Draw spectra with the predicted lines, phase locking, and image coherence by stage.

    Args:
        json_file: `artifacts.json` of a measurement.
        arrays_file: `artifacts.npz` beside it.

    Example:
        >>> import tempfile
        >>> from wavegan_rc.measurement.measure import measure
        >>> noise = np.random.default_rng(0).normal(0, 0.1, (20, 256))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     measure(noise, sample_rate=16000, upsampling_factors=[4]).save(folder)
        ...     files = Path(folder) / "artifacts.json", Path(folder) / "artifacts.npz"
        ...     artifact_figure(*files).axes[-2].get_xlabel()
        'frequency (Hz)'
    """
    result = json.loads(json_file.read_text(encoding="utf-8"))
    with np.load(arrays_file, allow_pickle=False) as arrays:
        data = dict(arrays)
    stages = len(data["image_coherence"])
    figure = Figure(figsize=(11, 9 if stages else 6.5), dpi=120, layout="constrained")
    axes = figure.subplots(3 if stages else 2, 1, sharex=True)
    _draw_spectra(axes[0], data, result)
    _draw_locking(axes[1], data)
    if stages:
        _draw_coherence(axes[2], data["image_coherence"] ** 2, data["frequencies_hz"][-1])
    # One legend above the panels, so that nothing stands between the heat map and its colours.
    handles = axes[1].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper right", ncols=len(handles[0]), fontsize=9)
    axes[-1].set_xlim(0, 1.01 * data["frequencies_hz"][-1])
    axes[-1].set_xlabel("frequency (Hz)")
    return figure


def _draw_spectra(axis: Axes, data: Mapping[str, np.ndarray], result: dict[str, Any]) -> None:
    mark_lines(axis, {stage["stage"]: stage["lines_hz"] for stage in result["set"]["stages"]})
    for name, label, style in _SETS:
        if f"{name}power" in data:
            curves = decibels(data[f"{name}power"])
            draw_band(axis, data["frequencies_hz"], curves, label=label, **style)
    stopband = result["set"]["stopband_hz"]
    if stopband is not None:
        axis.axvline(stopband, color="black", linestyle="--", linewidth=0.8)
    axis.set_ylabel("level (dB re full-scale sine)")
    set_title(
        axis,
        "Mean power per bin with 95 % interval; grey: predicted lines of the last stages, with "
        "their frequencies; dashed: stopband edge",
    )


def _draw_locking(axis: Axes, data: Mapping[str, np.ndarray]) -> None:
    # 95 % of unlocked bins lie below: exp(-n R^2) = 0.05.
    unlocked = np.sqrt(-np.log(0.05) / data["phase_count"])
    axis.axhspan(0, min(unlocked, 1), color="0.9", label="95 % of unlocked bins")
    for name, label, style in _SETS:
        if f"{name}phase_locking" in data:
            locking = data[f"{name}phase_locking"]
            axis.plot(data["frequencies_hz"], locking, linewidth=0.7, label=label, **style)
    axis.set_ylim(0, 1)
    axis.set_ylabel("phase locking (0 to 1)")
    set_title(axis, "Phase locking: length of the mean phase vector over independent recordings")


def _draw_coherence(axis: Axes, squared: np.ndarray, highest_hz: float) -> None:
    """Draw squared coherence of shape (stages, bins)."""
    stages = len(squared)
    image = axis.imshow(
        squared,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap="magma",
        vmin=0,
        vmax=max(0.1, 1.2 * float(np.quantile(squared[:, 1:-1], 0.99))),
        extent=(0, highest_hz, 0.5, stages + 0.5),
    )
    axis.set_ylabel("stage")
    axis.set_yticks(range(1, stages + 1))
    set_title(axis, "Squared phase coherence between f and f minus the stage's input rate")
    axis.figure.colorbar(image, ax=axis, pad=0.01, label="squared coherence")
