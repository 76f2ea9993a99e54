"""The table of all numbers: a row for each quantity, a cell for each group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wavegan_rc.measurement.evaluator import NO_REAL
from wavegan_rc.measurement.over_seeds import mean_over_seeds
from wavegan_rc.measurement.quantities import unit_of
from wavegan_rc.report.comparisons import (
    NO_SPREAD,
    NOT_BOTH,
    SEEDS,
    SEGMENTS,
    Comparison,
    Difference,
    judged,
    shared_keys,
    values_of,
)
from wavegan_rc.report.groups import Group
from wavegan_rc.report.measured import MISSING, Interval, Key, Measured, interval_of

_NO_SUCH_STAGE = "its generator has other stages"


@dataclass(frozen=True, kw_only=True)
class Cell(Interval):
    """A group's number: one run's value, or the mean over seeds.

    Attributes:
        over: `segments` or `seeds`, the units that are counted and that the interval describes.
        p_value: P-value of the difference from real audio. None without a test.
        verdict: Verdict beside real audio, or on a line's phase locking.
        reason: Reason for a missing value or interval. None if nothing is missing.
        runs: Values by run id.
        locked_p_value: P-value of a line's phase locking in a single run.
    """

    over: str
    count: int
    p_value: float | None = None
    verdict: str = ""
    reason: str | None = None
    runs: Mapping[str, float | None]
    beside_real: Interval = MISSING
    locked_p_value: float | None = None


@dataclass(frozen=True)
class Row:
    """A quantity of all groups; name, stage and lines as in `Key`.

    Attributes:
        unit: `dB`, `bits` or empty.
        real: Number of real audio. None without any.
        cells: Numbers by group id.
        differences: Differences from the reference group, by id of the other groups.
    """

    name: str
    unit: str
    stage: int | None
    frequency_hz: float | None
    lines_hz: Sequence[float]
    real: Interval | None
    cells: Mapping[str, Cell]
    differences: Mapping[str, Difference]


def build_rows(
    groups: Sequence[Group],
    measurements: Mapping[str, Measured],
    comparisons: Mapping[str, Comparison],
) -> list[Row]:
    """Build the rows: quantities of the whole set, then of stages, then of lines."""
    keys = list(dict.fromkeys(key for one in measurements.values() for key in one.numbers))
    # A quantity that cannot be measured has no stage, though it may have one in other runs.
    keys.sort(key=lambda key: (key.stage is not None) + (key.frequency_hz is not None))
    cells = {group.id: _cells(group, measurements, keys) for group in groups}
    rows = []
    for key in keys:
        own = {group.id: cells[group.id][key] for group in groups}
        differences = {
            group_id: _difference(key, comparison, [own[group_id], own[groups[0].id]])
            for group_id, comparison in comparisons.items()
        }
        rows.append(
            Row(
                key.name,
                unit_of(key.name),
                key.stage,
                key.frequency_hz,
                key.lines_hz,
                _real(key, groups, measurements),
                own,
                differences,
            )
        )
    return rows


def _real(
    key: Key, groups: Sequence[Group], measurements: Mapping[str, Measured]
) -> Interval | None:
    """Return the first run's real value; other seeds draw other segments of the same data."""
    for run in (run.id for group in groups for run in group.runs):
        number = measurements[run].numbers.get(key)
        if number is not None and number.reference.value is not None:
            return number.reference
    return None


def _difference(key: Key, comparison: Comparison, cells: Sequence[Cell]) -> Difference:
    missing = [cell.reason for cell in cells if cell.value is None and cell.reason]
    reason = comparison.reason or "; ".join(dict.fromkeys(missing)) or NOT_BOTH
    return comparison.differences.get(key, Difference(reason=reason))


def _cells(
    group: Group, measurements: Mapping[str, Measured], keys: Sequence[Key]
) -> dict[Key, Cell]:
    runs = {run.id: measurements[run.id] for run in group.runs}
    if len(runs) == 1:
        return {key: _cell_of_one(key, runs) for key in keys}
    sets = list(runs.values())
    shared = set(shared_keys(sets))
    beside_real = _beside_real(sets)
    return {
        key: _cell_of_several(key, runs, beside_real.get(key, Difference()))
        if key in shared
        else _empty_cell(key, runs)
        for key in keys
    }


def _cell_of_one(key: Key, runs: Mapping[str, Measured]) -> Cell:
    ((run, one),) = runs.items()
    number = one.numbers.get(key)
    if number is None:
        return _empty_cell(key, runs)
    return Cell(
        *number.estimate.numbers,
        over=SEGMENTS,
        count=one.segments,
        p_value=number.p_value,
        verdict=number.verdict,
        reason=number.reason,
        runs={run: number.estimate.value},
        beside_real=number.difference,
        locked_p_value=number.locked_p_value,
    )


def _cell_of_several(key: Key, runs: Mapping[str, Measured], beside_real: Difference) -> Cell:
    values = values_of(list(runs.values()), key)
    mean = interval_of(mean_over_seeds(values).estimate)
    return Cell(
        *mean.numbers,
        over=SEEDS,
        count=len(values),
        p_value=beside_real.p_value,
        verdict=beside_real.verdict,
        reason=NO_SPREAD if mean.low is None else None,
        runs=dict(zip(runs, values, strict=True)),
        beside_real=Interval(*beside_real.numbers),
    )


def _beside_real(sets: Sequence[Measured]) -> dict[Key, Difference]:
    """Compare each run with its own real segments, over seeds."""
    tested = {}
    for key in shared_keys(sets):
        values = [one.numbers[key].difference.value for one in sets]
        known = [value for value in values if value is not None]
        if len(known) == len(sets):
            tested[key] = mean_over_seeds(known)
    return judged(tested, NO_SPREAD)


def _empty_cell(key: Key, runs: Mapping[str, Measured]) -> Cell:
    """Return a cell without value: some run has none, and a mean of the others would mislead."""
    alone = len(runs) == 1
    reasons = []
    for run, one in runs.items():
        if one.value(key) is None:
            absent = _NO_SUCH_STAGE if key.lines_hz else NO_REAL
            why = one.numbers[key].reason if key in one.numbers else absent
            reasons.append(f"{why}" if alone else f"{run}: {why}")
    return Cell(
        over=SEGMENTS if alone else SEEDS,
        count=sum(one.segments for one in runs.values()) if alone else len(runs),
        reason="; ".join(reasons),
        runs={run: one.value(key) for run, one in runs.items()},
    )
