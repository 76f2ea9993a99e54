"""Draw time-to-quality.png from the benchmark's numbers: python docs/draw_quality.py.

The numbers are those of `python scripts/benchmark.py quality --out docs/time-to-quality.json`.
"""

import json
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.quality import GOAL_DB, GOAL_DISTANCE
from wavegan_rc.figures.drawing import save_figure

# Colours (of the upsamplers as in reports) and markers of the programs, in the order of the file.
STYLES = (("#D55E00", "o"), ("#0072B2", "s"), ("0.35", "^"), ("#CC79A7", "v"))


def draw_panel(axis: Axes, rows: list[dict], name: str, goal: float, title: str) -> None:
    programs = dict.fromkeys(row["program"] for row in rows)
    last = max(row["seconds"] for row in rows)
    for program, (colour, marker) in zip(programs, STYLES, strict=True):
        own = [row for row in rows if row["program"] == program and row["step"] > 1]
        seconds, values = [row["seconds"] for row in own], [row[name] for row in own]
        axis.plot(seconds, values, color=colour, marker=marker, markersize=4, label=program)
    axis.axhline(goal, color="0.5", linewidth=1, linestyle=":")
    axis.annotate(f"goal: {goal:g}", (last, goal), ha="right", va="bottom", color="0.35")
    axis.set_xlim(0, 1.02 * last)
    axis.set_xlabel("seconds of training")
    axis.set_title(title, loc="left", fontsize=10)
    axis.grid(alpha=0.3)


def main(folder: Path) -> None:
    rows = json.loads((folder / "time-to-quality.json").read_text())["rows"]
    figure = Figure(figsize=(10, 4), dpi=120, layout="constrained")
    level, distance = figure.subplots(1, 2)
    above = "power above 1700 Hz / all power, dB (less is better)"
    draw_panel(level, rows, "out_of_band_total_db", GOAL_DB, above)
    level.set_ylim(-62, 0)
    distance.set_yscale("log")
    beside = "Frechet distance to speech (less is better)"
    draw_panel(distance, rows, "frechet_distance", GOAL_DISTANCE, beside)
    handles, labels = level.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    save_figure(figure, folder / "time-to-quality.png")


if __name__ == "__main__":
    main(Path(__file__).parent)
