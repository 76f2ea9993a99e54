"""Draw longer.png and keep its numbers: python docs/draw_longer.py TRANSPOSED_RUN RESIZE_RUN.

The runs are the reference experiment's seed 0, resumed to 20,000 steps. Without runs, the figure is
drawn from longer.json.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from wavegan_rc.figures.drawing import save_figure

COLOURS = {"transposed": "#D55E00", "resize": "#0072B2"}
# Name in a history, title, unit.
PANELS = (
    ("out_of_band_total_db", "level above 1700 Hz", "dB"),
    ("diversity", "diversity", "1: as real speech"),
    ("strongest_line_db", "lines of the strongest stage, median prominence", "dB"),
    ("phase_locking", "phase locking, mean of the stages", "0: none, 1: all"),
)
# Measurements in a running median: one alone varies more than the arms differ.
WINDOW = 11


def measured(history: Path) -> dict[str, list[float]]:
    """The measured numbers of a history, by step."""
    rows = [json.loads(line) for line in history.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if "out_of_band_total_db" in row]

    def over_stages(row: dict[str, Any], name: str) -> list[float]:
        return [value for key, value in row.items() if key.startswith(f"{name}/stage_")]

    series = {
        "step": [row["step"] for row in rows],
        "out_of_band_total_db": [row["out_of_band_total_db"] for row in rows],
        "diversity": [row["diversity"] for row in rows],
        "strongest_line_db": [max(over_stages(row, "line_prominence_db")) for row in rows],
        "phase_locking": [np.mean(over_stages(row, "phase_locking")) for row in rows],
    }
    return {name: [round(float(v), 4) for v in values] for name, values in series.items()}


def smoothed(values: list[float]) -> np.ndarray:
    padded = np.pad(values, WINDOW // 2, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, WINDOW), axis=1)


def draw_figure(numbers: dict[str, dict[str, list[float]]], out: Path) -> None:
    figure = Figure(figsize=(11, 6), dpi=120, layout="constrained")
    for axis, (name, title, unit) in zip(figure.subplots(2, 2).flat, PANELS, strict=True):
        for arm, colour in COLOURS.items():
            steps, values = numbers[arm]["step"], numbers[arm][name]
            axis.plot(steps, values, color=colour, linewidth=0.6, alpha=0.35)
            axis.plot(steps, smoothed(values), color=colour, linewidth=1.8, label=arm)
        axis.axvline(6000, color="0.5", linewidth=1, linestyle=":")
        axis.set_title(title, loc="left", fontsize=10)
        axis.set_ylabel(unit)
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    save_figure(figure, out)


if __name__ == "__main__":
    folder = Path(__file__).parent
    if len(sys.argv) > 1:
        runs = dict(zip(COLOURS, sys.argv[1:], strict=True))
        found = {arm: measured(Path(run) / "history.jsonl") for arm, run in runs.items()}
        (folder / "longer.json").write_text(json.dumps(found) + "\n", encoding="utf-8")
    draw_figure(json.loads((folder / "longer.json").read_text()), folder / "longer.png")
