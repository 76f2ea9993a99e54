"""What a check of a GPU has found, as a table."""

from collections.abc import Mapping
from typing import Any

_NAMES = {"out_of_band_total_db": "out-of-band ratio", "line_prominence_db": "line prominence"}
_SHOWN_LINES = 5


def format_results(results: Mapping[str, Any]) -> str:
    """All that was found as text.

    Args:
        results: Of `Check.results`.
    """
    about = results["machine"]
    versions = [f"{name} {about[name]}" for name in ("jax", "keras", "torch") if name in about]
    devices = [str(device) for device in about.get("devices", [])]
    lines = [f"{', '.join([about['device'], *devices])}; {', '.join(versions)}"]
    lines += results["notices"]
    if results["steps"]:
        lines += ["", *_steps(results["steps"])]
    if results["trainings"]:
        lines += ["", *_trainings(results["trainings"])]
    if any(each["artifacts"] for each in results["trainings"]):
        lines += ["", *_artifacts(results["trainings"])]
    return "\n".join(lines)


def _steps(rows: list[dict[str, Any]]) -> list[str]:
    """Ours, a row for each configuration, upsampler and precision, with what stands beside."""
    lines = [
        f"{'a step of':13}{'batch':>6}  {'upsampler':11}{'precision':15}{'ms':>9}{'of peak':>9}"
        f"{'PyTorch eager':>20}{'PyTorch compile':>20}"
    ]
    peaks: dict[str, float] = {}
    for ours in (row for row in rows if row["program"] == "wavegan_rc"):
        others = {
            row["program"]: f"{row['ms_per_step']:.2f} ({row['times_ours']:.2f} x)"
            for row in rows
            if all(row[key] == ours[key] for key in ("config", "upsampler", "precision"))
        }
        lines.append(
            f"{ours['config']:13}{ours['batch_size']:6}  {ours['upsampler']:11}"
            f"{ours['precision']:15}{ours['ms_per_step']:9.2f}{ours['fraction_of_peak']:9.2%}"
            f"{others.get('PyTorch eager', '-'):>20}{others.get('PyTorch compile', '-'):>20}"
        )
        peak, precision = ours["peak_gflop_per_s"] / 1000, ours["precision"]
        peaks[precision] = max(peak, peaks.get(precision, 0))
    shown = ", ".join(f"{precision} {peak:.2f}" for precision, peak in peaks.items())
    return [
        *lines,
        "x: times ours; of peak: of a large matrix product in the same precision, measured beside;",
        f"at most, in TFLOP/s: {shown}",
        "(on GPUs that have it, float32 is multiplied in TF32: JAX does so, PyTorch is told to)",
    ]


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
        lines.append("+: and what passed in sessions that were killed")
    return lines


def _artifacts(trainings: list[dict[str, Any]]) -> list[str]:
    """The ratio, the stages' prominences, and those of the lines that stand out most in an arm."""
    arms = {
        each["upsampler"]: {
            (one["name"], one["stage"], one["frequency_hz"]): one for one in each["artifacts"]
        }
        for each in trainings
        if each["artifacts"]
    }
    keys = list(dict.fromkeys(key for found in arms.values() for key in found))
    lines = [key for key in keys if key[2] is not None]
    lines.sort(key=lambda key: -max(_height(found.get(key)) for found in arms.values()))
    shown = [key for key in keys if key[2] is None] + lines[:_SHOWN_LINES]
    rows = [f"{'dB [95 %]':36}{''.join(f'{name:>24}' for name in [*arms, 'real'])}"]
    for key in shown:
        real = next(found[key]["reference"] for found in arms.values() if key in found)
        cells = [_cell(numbers) for numbers in [*(found.get(key) for found in arms.values()), real]]
        rows.append(f"{_label(*key):36}{''.join(f'{cell:>24}' for cell in cells)}")
    return [*rows, f"({len(shown) - len(keys) + len(lines)} most prominent of {len(lines)} lines)"]


def _height(numbers: Mapping[str, Any] | None) -> float:
    return -float("inf") if numbers is None or numbers["value"] is None else numbers["value"]


def _label(name: str, stage: int | None, frequency_hz: float | None) -> str:
    line = "" if frequency_hz is None else f", {frequency_hz:g} Hz"
    return _NAMES[name] + line + ("" if stage is None else f", stage {stage}")


def _cell(numbers: Mapping[str, Any] | None) -> str:
    if numbers is None or numbers["value"] is None:
        return "-"
    interval = "" if numbers["low"] is None else f" [{numbers['low']:.1f}, {numbers['high']:.1f}]"
    return f"{numbers['value']:.1f}{interval}"
