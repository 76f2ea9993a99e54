"""Print a table of the documentation as Markdown from what was measured.

python docs/make_tables.py reference REPORT.json        (of a sweep's report)
python docs/make_tables.py trials RESULTS.json          (of docs/try_defaults.py)
python docs/make_tables.py healthy RUN [RUN ...]        (of history.jsonl)
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

# Name of a quantity, its stage, decimals.
REFERENCE = (
    ("out_of_band_total_db", None, 1),
    ("out_of_band_lines_db", None, 1),
    ("frechet_distance", None, 1),
    *(("line_level_db", stage, 1) for stage in range(1, 8)),
    ("line_prominence_db", 3, 1),
    ("line_prominence_db", 7, 1),
    ("image_coherence", 5, 3),
    ("phase_locking_excess", 3, 2),
    ("energy_modulation", 1, 3),
    ("filtering_db", None, 1),
    ("nearest_distance", None, 2),
)
HEALTHY = (
    "wasserstein_estimate",
    "gradient_norm",
    "generator_gradient_norm",
    "relative_level_db",
    "clipped_share",
    "diversity",
)
# First and last step of the columns.
SPANS = ((1, 10), (50, 250), (251, 1000), (1001, 10**9))


def number(value: float, decimals: int) -> str:
    # Adding 0 makes a rounded -0.0 plain 0.
    return f"{round(value, decimals) + 0:.{decimals}f}"


def interval(cell: dict[str, Any], decimals: int) -> str:
    value, low, high = (number(cell[key], decimals) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def reference_table(report: dict[str, Any]) -> list[str]:
    groups = report["groups"]
    labels = [f"`{group['label']}`" for group in groups] + ["difference"] * (len(groups) == 2)
    lines = [f"| | real | {' | '.join(labels)} |", "|---|---:|" + "---:|" * len(labels)]
    rows = {(row["name"], row["stage"]): row for row in report["rows"] if not row["frequency_hz"]}
    for name, stage, decimals in REFERENCE:
        row = rows[name, stage]
        title = name.replace("_", " ").removesuffix(" db") + (
            ", dB" if name.endswith("_db") else ""
        )
        if name == "image_coherence":  # of all frequencies that lie a stage's spacing apart
            title += f", stage {stage}"
        elif stage:
            title += (
                f", stage {stage} ({row['lines_hz'][0]:g}, {row['lines_hz'][1]:g}, ... Hz)"
                if len(row["lines_hz"]) > 1
                else f", stage {stage} ({row['lines_hz'][0]:g} Hz)"
            )
        cells = [interval(row["cells"][group["id"]], decimals) for group in groups]
        if len(groups) == 2:
            difference = row["differences"][groups[1]["id"]]
            cells.append(interval(difference, decimals))
            if difference["p_value"] is not None:
                cells[-1] += f", p = {difference['p_value']:.2g}"
        real = "-" if row["real"] is None else number(row["real"]["value"], decimals)
        lines.append(f"| {title} | {real} | {' | '.join(cells)} |")
    return lines


def trials_table(results: list[dict[str, Any]]) -> list[str]:
    names = ("out_of_band_total_db", "frechet_distance", "frechet_distance_in_band", "diversity")
    lines = [
        "| trial | ms a step | steps | out of band, dB | Frechet distance | in the band "
        "| diversity | lines of the strongest stage, dB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for trial in dict.fromkeys(row["trial"] for row in results):
        own = [row for row in results if row["trial"] == trial]
        cells = [
            " / ".join(f"{row[name]:.{1 + (name == 'diversity')}f}" for row in own)
            for name in names
        ]
        strongest = " / ".join(
            f"{max(v for k, v in row.items() if k.startswith('line_prominence_db')):.1f}"
            for row in own
        )
        times = f"{own[0]['ms_per_step']:.0f} | {own[0]['steps']}"
        lines.append(f"| {trial} | {times} | {' | '.join(cells)} | {strongest} |")
    return lines


def healthy_table(runs: list[Path]) -> list[str]:
    """Nine in ten lines lie between the numbers; in brackets, all do."""
    histories = [
        [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
        for run in runs
    ]
    heads = [f"step {first} to {last if last < 10**9 else 'the end'}" for first, last in SPANS]
    lines = [f"| | {' | '.join(heads)} |", "|---|" + "---|" * len(SPANS)]
    for name in HEALTHY:
        cells = []
        for first, last in SPANS:
            rows = [row for history in histories for row in history if first <= row["step"] <= last]
            values = [row[name] for row in rows if name in row]
            if not values:
                cells.append("-")
                continue
            low, high = np.percentile(values, [5, 95])
            cells.append(f"{low:.3g} to {high:.3g} [{min(values):.3g}, {max(values):.3g}]")
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    kind, *paths = sys.argv[1:]
    if kind == "healthy":
        table = healthy_table([Path(path) for path in paths])
    else:
        content = json.loads(Path(paths[0]).read_text(encoding="utf-8"))
        table = {"reference": reference_table, "trials": trials_table}[kind](content)
    print("\n".join(table))
