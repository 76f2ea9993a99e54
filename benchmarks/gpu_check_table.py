"""Format the results of a GPU check as tables."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.timing import table
from benchmarks.training_table import StepRow, ours

_NAMES = {"out_of_band_total_db": "out-of-band ratio", "line_prominence_db": "line prominence"}
_SHOWN_LINES = 5


def format_results(results: Mapping[str, Any]) -> str:
    """Return the results of `Check.results` as text."""
    about, trainings = results["machine"], results["trainings"]
    versions = [f"{name} {about[name]}" for name in ("jax", "keras", "torch") if name in about]
    devices = [str(device) for device in about.get("devices", [])]
    lines = [f"{', '.join([about['device'], *devices])}; {', '.join(versions)}"]
    lines += results["notices"]
    if results["steps"]:
        lines += ["", *_steps([StepRow(**row) for row in results["steps"]])]
    if trainings:
        lines += ["", *_trainings(trainings)]
    if any(each["artifacts"] for each in trainings):
        lines += ["", *_artifacts(trainings)]
    return "\n".join(lines)


def _steps(rows: Sequence[StepRow]) -> list[str]:
    """Return a row for each configuration, upsampler and precision, with PyTorch's times."""
    times = {
        (row.arm, row.program): f"{row.ms_per_step:.2f} ({row.times_ours:.2f} x)" for row in rows
    }
    columns = {
        "step": lambda row: row.config,
        "upsampler": lambda row: row.upsampler,
        "precision": lambda row: row.precision,
        "batch": lambda row: f"{row.batch_size}",
        "ms": lambda row: f"{row.ms_per_step:.2f}",
        "of peak": lambda row: f"{row.fraction_of_peak:.2%}",
        "PyTorch eager": lambda row: times.get((row.arm, "PyTorch eager"), "-"),
        "PyTorch compile": lambda row: times.get((row.arm, "PyTorch compile"), "-"),
    }
    peaks: dict[str, float] = {}
    for row in ours(rows):
        peaks[row.precision] = max(row.peak_gflop_per_s / 1000, peaks.get(row.precision, 0))
    return [
        *table(columns, ours(rows), left=3),
        "x: relative to our time. of peak: relative to a large matrix product, same precision.",
        "Speed of that product in TFLOP/s: "
        + ", ".join(f"{precision} {peak:.2f}" for precision, peak in peaks.items()),
        "Products in float32 use TF32 on GPUs that have it, in JAX and in PyTorch.",
    ]


def _trainings(trainings: Sequence[Mapping[str, Any]]) -> list[str]:
    columns = {
        "training": lambda each: each["upsampler"],
        "steps": lambda each: f"{each['steps']}/{each['of_steps']}",
        "minutes": lambda each: f"{each['minutes']:.1f}{'+' * bool(each['killed_sessions'])}",
        "sessions": lambda each: f"{each['sessions']}",
        "ms per step": lambda each: _number(each["ms_per_step"], ".2f"),
    }
    lines = table(columns, trainings)
    if any(each["killed_sessions"] for each in trainings):
        lines.append("+: the time of killed sessions is not known and not included")
    return lines


def _artifacts(trainings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a row for the ratio, each stage's prominence, and the most prominent lines."""
    rows: dict[str, dict[str, Mapping[str, Any]]] = {}  # by quantity, then upsampler or "real"
    for each in trainings:
        for one in each["artifacts"]:
            line = "" if one["frequency_hz"] is None else f", {one['frequency_hz']:g} Hz"
            stage = "" if one["stage"] is None else f", stage {one['stage']}"
            row = rows.setdefault(_NAMES[one["name"]] + line + stage, {"real": one["reference"]})
            row[each["upsampler"]] = one

    def height(name: str) -> float:
        values = [one["value"] for key, one in rows[name].items() if key != "real"]
        return max((value for value in values if value is not None), default=-math.inf)

    lines = sorted((name for name in rows if " Hz" in name), key=height, reverse=True)
    shown = [name for name in rows if " Hz" not in name] + lines[:_SHOWN_LINES]
    measured = [each["upsampler"] for each in trainings if each["artifacts"]]
    columns = {"dB [95 %]": str} | {
        title: lambda name, title=title: _cell(rows[name].get(title))
        for title in (*measured, "real")
    }
    return [
        *table(columns, shown),
        f"({min(_SHOWN_LINES, len(lines))} most prominent of {len(lines)} lines)",
    ]


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _cell(numbers: Mapping[str, Any] | None) -> str:
    if numbers is None or numbers["value"] is None:
        return "-"
    interval = "" if numbers["low"] is None else f" [{numbers['low']:.1f}, {numbers['high']:.1f}]"
    return f"{numbers['value']:.1f}{interval}"
