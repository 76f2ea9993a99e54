"""Format the results of a GPU check as tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.steps import StepTime, format_steps
from benchmarks.timing import table


def format_results(results: Mapping[str, Any]) -> str:
    """Return the results of a check as text."""
    about = results["machine"]
    versions = [f"{name} {about[name]}" for name in ("jax", "keras", "torch") if name in about]
    lines = [", ".join([about.get("device", "device not known"), *versions])]
    lines += results["notices"]
    if results["steps"]:
        rows = [StepTime(**row) for row in results["steps"]]
        lines += ["", *format_steps(rows, results["product_gflop_per_s"])]
    if trainings := [each for each in results.get("trainings", []) if each["steps"]]:
        lines += ["", *_trainings(trainings)]
    if report := results.get("report"):
        lines += ["", *_report(report)]
    seconds = ", ".join(f"{each['stage']} {each['seconds']:.0f}" for each in results["stages"])
    return "\n".join([*lines, "", f"seconds: {seconds}"])


def _trainings(trainings: Sequence[Mapping[str, Any]]) -> list[str]:
    columns = {
        "training": lambda each: each["upsampler"],
        "steps": lambda each: f"{each['steps']}",
        "ms per step": lambda each: f"{each['ms_per_step']:.2f}" if each["ms_per_step"] else "-",
    }
    return table(columns, trainings)


def _report(report: Mapping[str, Any]) -> list[str]:
    """Return the report's summary, and the quantities that have no frequency."""
    summary = report["summary"]
    columns = {
        "quantity [95 %]": lambda row: f"{row['name']} {row['unit']}".strip(),
        **{
            group["label"]: lambda row, key=group["id"]: _cell(row["cells"].get(key))
            for group in report["groups"]
        },
        "real": lambda row: _cell(row["real"]),
    }
    rows = [row for row in report["rows"] if row["frequency_hz"] is None and row["stage"] is None]
    return [summary["finding"], *summary["more"], *table(columns, rows)]


def _cell(numbers: Mapping[str, Any] | None) -> str:
    if numbers is None or numbers["value"] is None:
        return "-"
    interval = "" if numbers["low"] is None else f" [{numbers['low']:.2f}, {numbers['high']:.2f}]"
    return f"{numbers['value']:.2f}{interval}"
