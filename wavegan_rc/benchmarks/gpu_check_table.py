"""What a check of a GPU has found, as a table."""

from collections.abc import Mapping
from typing import Any

_LINES_SHOWN = 5


def format_results(results: Mapping[str, Any]) -> str:
    """All that was found as text.

    Args:
        results: Of `Check.results`.
    """
    shown = results["machine"]
    about = ", ".join(f"{name} {shown[name]}" for name in ("jax", "keras", "torch") if name in shown)
    devices = shown.get("devices", [])
    lines = [f"{' '.join(map(str, devices))}, {shown['processor']}: {about}"]
    lines += [f"left out: {notice}" for notice in results["notices"]]
    if results["steps"]:
        lines += ["", *_steps(results["steps"])]
    if results["trainings"]:
        lines += ["", *_trainings(results["trainings"])]
    return "\n".join(lines)


def _steps(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        f"{'step':13}{'batch':>6}  {'upsampler':11}{'precision':15}{'ms':>9}{'of peak':>9}"
        f"{'PyTorch eager':>18}{'PyTorch compile':>18}"
    ]
    peaks = {}
    for ours in (row for row in rows if row["program"] == "wavegan_rc"):
        alike = ("config", "upsampler", "precision")
        others = {
            row["program"]: f"{row['ms_per_step']:.1f} ({row['times_ours']:.2f} x)"
            for row in rows
            if all(row[key] == ours[key] for key in alike)
        }
        peaks[ours["precision"]] = ours["peak_gflop_per_s"]
        lines.append(
            f"{ours['config']:13}{ours['batch_size']:6}  {ours['upsampler']:11}"
            f"{ours['precision']:15}{ours['ms_per_step']:9.2f}{ours['fraction_of_peak']:9.2%}"
            f"{others.get('PyTorch eager', '-'):>18}{others.get('PyTorch compile', '-'):>18}"
        )
    shown = ", ".join(f"{precision} {peak / 1000:.2f}" for precision, peak in peaks.items())
    lines.append(f"peak of a matrix product, TFLOP/s: {shown}")
    return lines


def _trainings(trainings: list[dict[str, Any]]) -> list[str]:
    lines = [f"{'training':13}{'steps':>14}{'minutes':>10}{'sessions':>10}{'ms a step':>11}"]
    for each in trainings:
        steps = f"{each['steps']}/{each['of_steps']}"
        minutes = f"{each['minutes']:.1f}{'+' * bool(each['killed_sessions'])}"
        speed = "-" if each["ms_per_step"] is None else f"{each['ms_per_step']:.2f}"
        lines.append(
            f"{each['upsampler']:13}{steps:>14}{minutes:>10}{each['sessions']:>10}{speed:>11}"
        )
    if any(each["killed_sessions"] for each in trainings):
        lines.append("+: and what was lost in sessions that were killed")
    found = {each["upsampler"]: _by_label(each["artifacts"]) for each in trainings}
    labels = list(dict.fromkeys(label for values in found.values() for label in values))
    if labels:
        heads = "".join(f"{name:>26}" for name in [*found, "real"])
        lines += ["", f"{'dB [95 %]':34}{heads}"]
    for label in labels:
        here = [values.get(label, ("-", "-")) for values in found.values()]
        cells = [cell for cell, _ in here] + [here[0][1]]
        lines.append(f"{label:34}{''.join(f'{cell:>26}' for cell in cells)}")
    return lines


def _by_label(artifacts: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """Of the whole, of the stages, and of the most prominent lines: generated and real."""
    lines = [each for each in artifacts if each["frequency_hz"] is not None]
    return {
        _label(each): (_cell(each), _cell(each["reference"]))
        for each in artifacts
        if each["frequency_hz"] is None
    } | {_label(each): (_cell(each), _cell(each["reference"])) for each in lines}


def _label(quantity: Mapping[str, Any]) -> str:
    name = {"out_of_band_total_db": "out-of-band ratio", "line_prominence_db": "line prominence"}
    parts = [name[quantity["name"]]]
    if quantity["frequency_hz"] is not None:
        parts.append(f"{quantity['frequency_hz']:g} Hz")
    if quantity["stage"] is not None:
        parts.append(f"stage {quantity['stage']}")
    return ", ".join(parts)


def _cell(numbers: Mapping[str, Any] | None) -> str:
    if numbers is None or numbers["value"] is None:
        return "-"
    interval = "" if numbers["low"] is None else f" [{numbers['low']:.1f}, {numbers['high']:.1f}]"
    return f"{numbers['value']:.1f}{interval}"
