"""The figure of a network audit, drawn from its files."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wavegan_rc.figures.drawing import draw_band, set_title
from wavegan_rc.figures.style import default_style

_MODES = {
    "plain": ("without phase shuffle", "tab:blue"),
    "shuffled": ("with phase shuffle", "tab:orange"),
}
# Levels of silence are drawn here.
_FOOT_DB = -120.0


@default_style()
def network_figure(json_file: Path, arrays_file: Path) -> Figure:
    """Draw spectra and phase locking of gradients, levels in silence, and tones of kernels."""
    result = json.loads(json_file.read_text(encoding="utf-8"))
    with np.load(arrays_file, allow_pickle=False) as arrays:
        data = dict(arrays)
    gradients = result["gradients"]
    origins = list(dict.fromkeys(q["origin"] for q in gradients["quantities"])) if gradients else []
    rows = 2 * len(origins) + 1
    figure = Figure(figsize=(12, 4.2 + 2.6 * (rows - 1)), dpi=110, layout="constrained")
    grid = figure.add_gridspec(
        rows, 2, height_ratios=[1] * (rows - 1) + [1.6], width_ratios=[1.5, 1]
    )
    for i, origin in enumerate(origins):
        spectrum = figure.add_subplot(grid[2 * i, :])
        locking = figure.add_subplot(grid[2 * i + 1, :], sharex=spectrum)
        _draw_gradient(spectrum, locking, data, result, origin)
    _draw_silence(figure.add_subplot(grid[rows - 1, 0]), result["silence"])
    _draw_kernels(figure.add_subplot(grid[rows - 1, 1]), result["kernels"])
    return figure


def _mark_comb(axis: Axes, result: dict[str, Any]) -> None:
    """Mark the lines of the first three layers; those of later layers stand too close."""
    rate, strides = result["sample_rate"], result["gradients"]["critic_strides"]
    for layer in range(min(3, len(strides)), 0, -1):
        spacing = rate / math.prod(strides[:layer])
        for k in range(1, int(rate / 2 / spacing) + 1):
            axis.axvline(k * spacing, color=str(0.3 + 0.2 * layer), linewidth=0.8, zorder=0)
    axis.set_xlim(0, 1.01 * rate / 2)


def _draw_gradient(
    spectrum: Axes, locking: Axes, data: dict[str, np.ndarray], result: dict[str, Any], origin: str
) -> None:
    total = data[f"{origin}_plain_power"][0].sum() or 1
    x = data["gradient_frequencies_hz"]
    for mode, (label, color) in _MODES.items():
        style = {"linewidth": 0.8, "label": label, "color": color}
        if f"{origin}_{mode}_power" in data:
            power = data[f"{origin}_{mode}_power"] / total
            draw_band(spectrum, x, 10 * np.log10(np.maximum(power, 1e-12)), **style)
            locking.plot(x, data[f"{origin}_{mode}_phase_locking"], **style)
    for axis in (spectrum, locking):
        _mark_comb(axis, result)
        axis.legend(loc="upper right", ncols=2, fontsize=8)
    spectrum.set_ylabel("power (dB re total)")
    set_title(
        spectrum,
        f"Critic's gradient at {origin} segments: mean power per bin with 95 % interval; grey: "
        "lines of the critic's first three layers, darkest the first",
    )
    locking.set_ylim(0, 1)
    locking.set_ylabel("phase locking (0 to 1)")
    locking.set_xlabel("frequency (Hz)")
    set_title(locking, f"Phase locking of the gradient at {origin} segments (1: one phase in all)")


def _value(estimate: dict[str, float | None] | None) -> float:
    value = None if estimate is None else estimate["value"]
    return _FOOT_DB if value is None else value


def _draw_silence(axis: Axes, silence: list[dict[str, Any]]) -> None:
    names = []
    for level in silence:
        scale = "" if level["scale"] is None else f" x {level['scale']:g}"
        stage = "" if level["stage"] is None else f", stage {level['stage']}"
        names.append(level["input"] + scale + stage)
    places = range(len(silence))
    strongest = [_value(level["strongest"] and level["strongest"]["level_db"]) for level in silence]
    for values, label, mark in (
        ([_value(level["rms_db"]) for level in silence], "RMS", "o"),
        ([_value(level["lines_db"]) for level in silence], "predicted lines together", "s"),
        (strongest, "strongest line", "x"),
    ):
        axis.plot(values, places, mark, label=label, markersize=5)
    for place, level in zip(places, silence, strict=True):
        if level["strongest"] is not None:
            text = f"{level['strongest']['frequency_hz']:g} Hz"
            position = (strongest[place] - 2, place)
            axis.text(*position, text, fontsize=7, ha="right", va="center", color="tab:green")
    axis.set_yticks(places, names, fontsize=8)
    axis.set_ylim(len(silence) - 0.5, -3)  # from the top, with room for the legend
    axis.set_xlim(_FOOT_DB - 3, 3)
    axis.set_xlabel("level (dB re full scale); left edge: silent, or not measured")
    set_title(axis, "Generator output for weaker and weaker inputs")
    axis.legend(loc="upper center", ncols=3, fontsize=8)
    axis.grid(alpha=0.3)


def _draw_kernels(axis: Axes, tones: list[dict[str, Any]]) -> None:
    places = np.arange(len(tones))
    for key, label, mark in (
        ("kernel_db", "kernel alone", "o"),
        ("mean_maps_db", "with mean maps and bias", "s"),
    ):
        values = [_FOOT_DB if tone[key] is None else tone[key] for tone in tones]
        axis.plot(places, values, mark, label=label, markersize=5)
    labels = [f"{tone['stage']}\n{tone['frequency_hz']:g}" for tone in tones]
    axis.set_xticks(places, labels, fontsize=7)
    axis.set_ylim(_FOOT_DB - 5, max(10, axis.get_ylim()[1] + 10))
    axis.set_xlabel("stage, and frequency of its tone (Hz)")
    axis.set_ylabel("level (dB re constant)")
    set_title(axis, "Tone of each stage for a constant (bottom: none)")
    axis.legend(loc="best", fontsize=8)
    axis.grid(alpha=0.3)
