"""Times of steps as numbers to keep and as a table."""

import statistics
from collections.abc import Mapping
from typing import Any


def summarize(
    name: str,
    batch_size: int,
    times: Mapping[Any, list[float]],
    operations: Mapping[Any, int],
    peaks: Mapping[Any, float],
) -> list[dict[str, Any]]:
    """Numbers of each arm of one configuration.

    Args:
        name: Of the configuration.
        batch_size: Of its steps.
        times: Seconds of steps, by (upsampler, program, precision).
        operations: Of a step, by the same.
        peaks: Operations per second of a large matrix product on this machine, by precision.

    Returns:
        A row for each arm; `times_ours` is how many times as long as this package's step with the
        same upsampler and precision it takes.
    """
    medians = {arm: statistics.median(values) for arm, values in times.items()}
    rows = []
    for arm, seconds in medians.items():
        upsampler, program, precision = arm
        speed, peak = operations[arm] / seconds, peaks[precision]
        quartiles = statistics.quantiles(times[arm], n=4) if len(times[arm]) > 1 else [seconds] * 3
        rows.append(
            {
                "config": name,
                "batch_size": batch_size,
                "upsampler": upsampler,
                "program": program,
                "precision": precision,
                "ms_per_step": 1000 * seconds,
                "ms_quartiles": [1000 * quartiles[0], 1000 * quartiles[2]],
                "steps_per_s": 1 / seconds,
                "times_ours": seconds / medians[upsampler, "wavegan_rc", precision],
                "gflop_per_step": operations[arm] / 1e9,
                "gflop_per_s": speed / 1e9,
                "peak_gflop_per_s": peak / 1e9,
                "fraction_of_peak": speed / peak,
            }
        )
    return rows


def format_training(rows: list[dict[str, Any]]) -> str:
    """The rows of one configuration as a table."""
    first = rows[0]
    lines = [
        f"{first['config']}, batch {first['batch_size']}: median time of a step",
        f"{'':11}{'':16}{'':15}{'ms':>9}{'steps/s':>9}{'x ours':>8}"
        f"{'GFLOP':>8}{'GFLOP/s':>9}{'of peak':>9}",
    ]
    for row in rows:
        lines.append(
            f"{row['upsampler']:11}{row['program']:16}{row['precision']:15}"
            f"{row['ms_per_step']:9.1f}{row['steps_per_s']:9.2f}{row['times_ours']:8.2f}"
            f"{row['gflop_per_step']:8.1f}{row['gflop_per_s']:9.0f}{row['fraction_of_peak']:9.1%}"
        )
    ours = {
        (row["upsampler"], row["precision"]): row["ms_per_step"]
        for row in rows
        if row["program"] == "wavegan_rc"
    }
    ratios = [
        f"{ours['resize', precision] / ours['transposed', precision]:.2f} in {precision}"
        for upsampler, precision in ours
        if upsampler == "resize"
    ]
    lines.append(f"resize over transposed: {', '.join(ratios)}")
    peaks = {row["precision"]: row["peak_gflop_per_s"] for row in rows}
    shown = (f"{precision} {peak:.0f}" for precision, peak in peaks.items())
    lines.append(f"peak of a matrix product, GFLOP/s: {', '.join(shown)}")
    return "\n".join(lines)


def readme_table(rows: list[dict[str, Any]]) -> str:
    """The rows of all configurations as Markdown: ms per step, and how many times ours."""
    columns = list(
        dict.fromkeys((row["config"], row["upsampler"], row["precision"]) for row in rows)
    )
    lines = [
        f"| ms per step | {' | '.join(' '.join(column) for column in columns)} |",
        f"|---|{'---:|' * len(columns)}",
    ]
    for program in dict.fromkeys(row["program"] for row in rows):
        cells = []
        for column in columns:
            found = [
                row
                for row in rows
                if (row["config"], row["upsampler"], row["precision"]) == column
                and row["program"] == program
            ]
            ours = program == "wavegan_rc"
            cells += [
                f"{row['ms_per_step']:.0f}" + ("" if ours else f" ({row['times_ours']:.2f} x)")
                for row in found
            ] or ["-"]
        lines.append(f"| {program} | {' | '.join(cells)} |")
    return "\n".join(lines)
