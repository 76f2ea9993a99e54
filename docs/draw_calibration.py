"""Draw calibration.png from the results of make_calibration.py and make_recordings_calibration.py.

It prints tables, too: python docs/draw_calibration.py
"""

import json
from pathlib import Path

import numpy as np
from make_recordings_calibration import ARRANGEMENTS, by_column, percentages
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wavegan_rc.figures.drawing import save_figure

COUNTS = ("64", "512", "4096")
CASES = ("white noise", "speech, in its band", "speech, above its band", "silence")
# Okabe and Ito's.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
COLOURS_OF_COUNTS = ("#E69F00", "#56B4E9", "#000000")


def draw_levels(axis: Axes, rows: list[dict]) -> None:
    """Medians of the sets of 512: filled where the tone stands out in each, else hollow."""
    axis.plot([-60, -10], [-60, -10], color="0.6", linewidth=1)
    sizes = (4, 4, 4, 8)  # silence and speech above its band lie on one another
    for case, size, colour in zip(CASES, sizes, COLOURS, strict=True):
        for row in rows:
            if row["case"] != case:
                continue
            found = row["by_count"]["512"]
            axis.plot(
                row["planted_db"],
                found["median_recovered_db"],
                "o",
                color=colour,
                markersize=size,
                markerfacecolor=colour if found["standing_out"] == found["sets"] else "white",
                markeredgewidth=0.8,
                zorder=10 - size,
            )
        axis.plot([], [], "o", color=colour, markersize=size, label=case)
    axis.set(xlim=(-62, -8), ylim=(-62, -8))
    axis.set_xlabel("planted tone (dB re signal)")
    axis.set_ylabel("recovered tone (dB re signal)")
    axis.set_title("Level, 512 segments; hollow: below 6 dB", loc="left", fontsize=10)
    axis.legend(fontsize=8, loc="lower right")


def draw_p_values(axis: Axes, found: dict) -> None:
    axis.plot([1e-4, 1], [1e-4, 1], color="0.6", linewidth=1)
    axis.axvline(0.05, color="0.6", linewidth=1, linestyle=":")
    for case, style, colour in zip(CASES[:3], ("-", "--", "-."), COLOURS, strict=False):
        own = found["p_values"][case]
        label = f"{case}: {100 * own['false_positives']:.1f} %"
        axis.loglog(found["ecdf_at"], own["ecdf"], style, color=colour, label=label)
    axis.set(xlim=(1e-4, 1), ylim=(1e-4, 1))
    axis.set_xlabel("p-value of phase locking")
    axis.set_ylabel("share of clean lines with a smaller one")
    axis.set_title("p-values of 1000 clean sets of 64", loc="left", fontsize=10)
    axis.legend(fontsize=8, loc="lower right", title="share below 0.05", title_fontsize=8)


def draw_detection(axis: Axes, rows: list[dict]) -> None:
    own = [row for row in rows if row["zone"] == "white noise"]
    for row in sorted(own, key=lambda row: row["detector"]):
        axis.plot(
            row["levels_db"],
            np.array(row["found"]) / row["trials"],
            {"locking": "o-", "prominence": "s--"}[row["detector"]],
            color=COLOURS_OF_COUNTS[COUNTS.index(str(row["segments"]))],
            markersize=3,
            linewidth=1,
            label=f"{row['detector']}, {row['segments']}",
        )
    axis.axhline(0.9, color="0.6", linewidth=1, linestyle=":")
    axis.set(xlim=(-63, 7), ylim=(0, 1.02), xticks=range(-60, 1, 10))
    axis.set_xlabel("planted tone (dB re signal)")
    axis.set_ylabel("share found")
    axis.set_title("Detection in white noise, by segments", loc="left", fontsize=10)
    axis.legend(fontsize=8, loc="lower right")


def draw_recordings(axis: Axes) -> None:
    """False verdicts, and intervals of differences that miss 0: a point for each quantity."""
    columns = by_column(ARRANGEMENTS)
    axis.axhspan(3, 7, color="0.9")
    for place, rows in enumerate(columns.values()):
        told = list(percentages(rows, "told").values())
        missed = [100 - held for held in percentages(rows, "holds").values()]
        for aside, shares, style, colour in ((-0.15, told, "o", 0), (0.15, missed, "s", 1)):
            where = np.full(len(shares), place + aside)
            axis.plot(where, shares, style, color=COLOURS[colour], markersize=4, alpha=0.4)
    axis.plot([], [], "o", color=COLOURS[0], markersize=4, label="false verdicts")
    axis.plot([], [], "s", color=COLOURS[1], markersize=4, label="intervals that miss 0")
    titles = [f"{arrangement}, {count}" for arrangement, count in columns]
    axis.set_xticks(range(len(titles)), titles, rotation=30, ha="right", fontsize=8)
    axis.set_ylabel("share of splits (%)")
    axis.set_title("Recordings, by segments; grey: 5 ± 2 %", loc="left", fontsize=10)
    axis.legend(fontsize=8, loc="upper right")


def draw_figure(found: dict, out: Path) -> None:
    figure = Figure(figsize=(9, 7.8), dpi=100, layout="constrained")
    (levels, p_values), (detection, recordings) = figure.subplots(2, 2)
    draw_levels(levels, found["levels"])
    draw_p_values(p_values, found)
    draw_detection(detection, found["detection"])
    draw_recordings(recordings)
    for axis in (levels, p_values, detection, recordings):
        axis.grid(alpha=0.3)
    save_figure(figure, out)


def print_tables(found: dict) -> None:
    print("largest error where the tone stands 6 dB out, dB (share within 0.5 dB)")
    for case in CASES:
        cells = []
        for count in COUNTS:
            own = [r["by_count"][count] for r in found["levels"] if r["case"] == case]
            largest = max(r["largest_error_db"] or 0 for r in own)
            within, standing = (sum(r[k] for r in own) for k in ("within_half_db", "standing_out"))
            cells.append(f"{count}: {largest:.2f} ({within / standing:.3f})")
        print(f"  {case:24}{'  '.join(cells)}")
    print("false positives")
    for name, row in found["p_values"].items():
        print(f"  {name}: {row | {'ecdf': '...'}}")
    for row in found["false_positives"]:
        print(f"  {row}")
    print("smallest tone found 9 times of 10 (fitted), dB re signal [theory for stationary noise]")
    for row in found["detection"]:
        print(
            f"  {row['zone']:24} {row['detector']:11} {row['segments']:5} {row['smallest_db']:7.1f}"
            f" [{row['theory_db']:.1f}]"
        )


if __name__ == "__main__":
    folder = Path(__file__).parent
    found = json.loads((folder / "calibration.json").read_text())
    draw_figure(found, folder / "calibration.png")
    print_tables(found)
