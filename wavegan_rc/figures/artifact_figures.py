"""Figures of a measurement, drawn from its files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wavegan_rc.figures.style import default_style

_FLOOR_DB = -140.0
# Lines of more stages would stand too close to be told apart.
_MARKED_STAGES = 4


@default_style()
def artifact_figure(json_file: Path, arrays_file: Path) -> Figure:
    """Draw spectra with the predicted lines, phase locking, and image coherence by stage.

    Args:
        json_file: `artifacts.json` of a measurement.
        arrays_file: `artifacts.npz` beside it.
    """
    result = json.loads(json_file.read_text(encoding="utf-8"))
    with np.load(arrays_file, allow_pickle=False) as arrays:
        data = dict(arrays)
    stages = len(data["image_coherence"])
    figure = Figure(figsize=(11, 9 if stages else 6.5), dpi=120, layout="constrained")
    axes = figure.subplots(3 if stages else 2, 1, sharex=True)
    frequencies = data["frequencies_hz"]
    _draw_spectra(axes[0], data, result)
    _draw_locking(axes[1], data, result)
    if stages:
        image = axes[2].imshow(
            data["image_coherence"] ** 2,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            cmap="magma",
            vmin=0,
            vmax=max(0.1, 1.2 * float(np.quantile(data["image_coherence"][:, 1:-1] ** 2, 0.99))),
            extent=(0, frequencies[-1], 0.5, stages + 0.5),
        )
        axes[2].set_ylabel("stage")
        axes[2].set_yticks(range(1, stages + 1))
        axes[2].set_title(
            "Squared phase coherence of f with f less the stage's input rate",
            loc="left",
            fontsize=10,
        )
        figure.colorbar(image, ax=axes[2], pad=0.01)
    axes[-1].set_xlim(0, 1.01 * frequencies[-1])
    axes[-1].set_xlabel("frequency (Hz)")
    return figure


def _draw_spectra(axis: Axes, data: dict[str, np.ndarray], result: dict[str, Any]) -> None:
    frequencies = data["frequencies_hz"]
    lines = [q for q in result["quantities"] if q["name"] == "line_prominence_db"]
    lines = [q for q in lines if q["frequency_hz"] is not None]
    last = max((q["stage"] for q in lines), default=0)
    for line in lines:
        if line["stage"] > last - _MARKED_STAGES:
            shade = 0.5 + 0.12 * (last - line["stage"])
            place = line["frequency_hz"]
            axis.axvline(place, color=str(shade), linewidth=0.7, zorder=0)
            axis.text(
                *(place, 0.98, f" {line['stage']}"),
                transform=axis.get_xaxis_transform(),
                va="top",
                fontsize=8,
                color="0.3",
            )
    for name, label, color in (("real_power", "real", "0.3"), ("power", "measured", "tab:red")):
        if name not in data:
            continue
        value, low, high = (
            10 * np.log10(np.maximum(power / 0.5, 10 ** (_FLOOR_DB / 10))) for power in data[name]
        )
        axis.fill_between(frequencies, low, high, color=color, alpha=0.3, linewidth=0)
        axis.plot(frequencies, value, color=color, linewidth=0.7, label=label)
    stopband = result["set"]["stopband_hz"]
    if stopband is not None:
        axis.axvline(stopband, color="black", linestyle="--", linewidth=0.8)
    axis.set_ylabel("dB re full-scale sine")
    axis.set_title(
        f"Mean power per bin with 95 % interval; grey: predicted lines of the last "
        f"{_MARKED_STAGES} stages, with their numbers; dashed: stopband edge",
        loc="left",
        fontsize=10,
    )
    axis.legend(loc="upper right")


def _draw_locking(axis: Axes, data: dict[str, np.ndarray], result: dict[str, Any]) -> None:
    count = result["set"]["segments"]
    # 95 % of unlocked bins lie below: exp(-n R^2) = 0.05.
    axis.axhspan(0, np.sqrt(-np.log(0.05) / count), color="0.9", label="95 % of unlocked bins")
    if "real_phase_locking" in data:
        axis.plot(
            data["frequencies_hz"],
            data["real_phase_locking"],
            color="0.3",
            linewidth=0.5,
            label="real",
        )
    axis.plot(
        data["frequencies_hz"],
        data["phase_locking"],
        color="tab:red",
        linewidth=0.7,
        label="measured",
    )
    axis.set_ylim(0, 1)
    axis.set_ylabel("phase locking")
    axis.set_title("Length of the mean phase vector", loc="left", fontsize=10)
    axis.legend(loc="upper right")
