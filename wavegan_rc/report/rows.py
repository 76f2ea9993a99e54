"""The table of all numbers: a row for each quantity, a cell and a difference for each group."""

import hashlib
import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from wavegan_rc.errors import ParameterError, WaveganWarning
from wavegan_rc.measurement.evaluator import NO_REAL
from wavegan_rc.measurement.measure import compare
from wavegan_rc.measurement.measurement import COMPARISON_FILE, JSON_FILE
from wavegan_rc.measurement.over_seeds import SeedResult, difference_over_seeds, mean_over_seeds
from wavegan_rc.measurement.quantities import Quantity, unit_of
from wavegan_rc.measurement.significance import holm
from wavegan_rc.report.groups import Group
from wavegan_rc.report.measured import (
    SEEDS,
    SEGMENTS,
    Cell,
    Difference,
    Interval,
    Key,
    Measured,
    interval_of,
    measured_run,
    read_measured,
)
from wavegan_rc.report.run_files import Run

_logger = logging.getLogger(__name__)

_FOLDER = "comparisons"
_NO_SPREAD = "no interval: the trainings do not differ"
_NOT_BOTH = "not measured of both"
_NO_INTERVAL = "no interval: a count that resamples would bias"
_ONE_TRAINING = "no interval: one training on one side, several on the other"
_NO_SUCH_STAGE = "its generator has other stages"


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


@dataclass(frozen=True)
class _Comparison:
    """Differences of a group from the reference group, or the reason for the lack of any."""

    differences: Mapping[Key, Difference] = field(default_factory=dict)
    reason: str | None = None


def build_rows(groups: Sequence[Group], out: Path) -> list[Row]:
    """Build the rows: quantities of the whole set, then of stages, then of lines.

    Args:
        groups: Groups, the reference first.
        out: Folder that keeps comparisons over segments.
    """
    first, *others = groups
    comparisons = {group.id: _compare(group, first, out) for group in others}
    measured = [run.measured for group in groups for run in group.runs]
    keys = list(dict.fromkeys(key for one in measured for key in one.cells))
    # A quantity that cannot be measured has no stage, though it may have one in other runs.
    keys.sort(key=lambda key: (key.stage is not None) + (key.frequency_hz is not None))
    cells = {group.id: _cells(group, keys) for group in groups}
    rows = []
    for key in keys:
        own = {group: by_key[key] for group, by_key in cells.items()}
        differences = {
            group: _difference(key, comparison, [own[group], own[first.id]])
            for group, comparison in comparisons.items()
        }
        # The first run's real value: other seeds draw other segments of the same data.
        real = (one.real[key] for one in measured if key in one.real)
        rows.append(
            Row(
                **key._asdict(),
                unit=unit_of(key.name),
                real=next(real, None),
                cells=own,
                differences=differences,
            )
        )
    return rows


def _difference(key: Key, comparison: _Comparison, cells: Sequence[Cell]) -> Difference:
    missing = [cell.reason for cell in cells if cell.value is None and cell.reason]
    reason = comparison.reason or "; ".join(dict.fromkeys(missing)) or _NOT_BOTH
    return comparison.differences.get(key, Difference(reason=reason))


def _cells(group: Group, keys: Sequence[Key]) -> dict[Key, Cell]:
    runs = {run.id: run.measured for run in group.runs}
    beside_real = _beside_real(list(runs.values())) if len(runs) > 1 else {}
    return {key: _cell(key, runs, beside_real.get(key, Difference())) for key in keys}


def _cell(key: Key, runs: Mapping[str, Measured], beside_real: Difference) -> Cell:
    values = {run: one.value(key) for run, one in runs.items()}
    first, *others = runs.values()
    if not others and key in first.cells:
        return replace(first.cells[key], runs=values)
    over, count = (SEEDS, len(runs)) if others else (SEGMENTS, first.segments)
    known = _values(list(runs.values()), key)
    if not known:  # a mean of the others would mislead
        return Cell(over=over, count=count, reason=_absence(key, runs), runs=values)
    mean = interval_of(mean_over_seeds(known).estimate)
    # Such as that noise could hide so much. A missing interval of each run is not that of the mean.
    own = [one.cells[key] for one in runs.values()]
    notes = {None if cell.low is None else cell.reason for cell in own}
    note = notes.pop() if len(notes) == 1 else None
    return Cell(
        *mean.numbers,
        over=over,
        count=count,
        p_value=beside_real.p_value,
        verdict=beside_real.verdict,
        reason=_NO_SPREAD if mean.low is None else note,
        runs=values,
        beside_real=Interval(*beside_real.numbers),
    )


def _absence(key: Key, runs: Mapping[str, Measured]) -> str:
    """Return why runs have no value of a quantity."""
    reasons = []
    for run, one in runs.items():
        if one.value(key) is None:
            absent = _NO_SUCH_STAGE if key.lines_hz else NO_REAL
            why = one.cells[key].reason if key in one.cells else absent
            reasons.append(f"{why}" if len(runs) == 1 else f"{run}: {why}")
    return "; ".join(reasons)


def _values(sets: Sequence[Measured], key: Key) -> list[float]:
    """Return the values of a quantity, or none unless all sets have one."""
    values = [value for one in sets if (value := one.value(key)) is not None]
    return values if len(values) == len(sets) else []


def _beside_real(sets: Sequence[Measured]) -> dict[Key, Difference]:
    """Compare each run with its own real segments, over seeds."""
    tested = {}
    for key in sets[0].cells:
        sides = [one.cells[key].beside_real.value for one in sets if key in one.cells]
        known = [value for value in sides if value is not None]
        if len(known) == len(sets):
            tested[key] = mean_over_seeds(known)
    return judged(tested, _NO_SPREAD)


def _compare(group: Group, first: Group, out: Path) -> _Comparison:
    counts = len(group.runs), len(first.runs)
    if counts == (1, 1):
        return _over_segments(group.runs[0], first.runs[0], out)
    forms = {(r.config.sample_rate, r.config.segment_length) for r in (*group.runs, *first.runs)}
    if len(forms) > 1:
        return _Comparison(reason="sample_rate and segment_length must be alike")
    sides = [[run.measured for run in side.runs] for side in (group, first)]
    tested = {}
    for key in sides[0][0].cells:
        ours, theirs = (_values(side, key) for side in sides)
        if ours and theirs:
            tested[key] = difference_over_seeds(ours, theirs)
    return _Comparison(judged(tested, _ONE_TRAINING if 1 in counts else _NO_SPREAD))


def _over_segments(run: Run, other: Run, out: Path) -> _Comparison:
    files = [each.folder.measurement / JSON_FILE for each in (run, other)]
    digest = hashlib.sha256(b"".join(hashlib.sha256(f.read_bytes()).digest() for f in files))
    folder = out / _FOLDER / digest.hexdigest()[:16]
    if not (folder / COMPARISON_FILE).is_file():
        _logger.info("comparing %s with %s", run.in_words, other.in_words)
        ours, theirs = (
            each.measured.measurement or measured_run(each.folder) for each in (run, other)
        )
        try:
            with warnings.catch_warnings():
                # The rows and the report's warnings say that stages differ.
                warnings.simplefilter("ignore", WaveganWarning)
                compare(ours, theirs).save(folder)
        except ParameterError as error:
            return _Comparison(reason=str(error))
    differences = {}
    for key, cell in read_measured(folder / COMPARISON_FILE).cells.items():
        value, low, _ = cell.beside_real.numbers
        reason = _NOT_BOTH if value is None else _NO_INTERVAL if low is None else None
        if value is not None or cell.verdict in ("above", "below"):
            differences[key] = cell.difference(reason)
    return _Comparison(differences)


def judged(tested: Mapping[Key, SeedResult], reason: str) -> dict[Key, Difference]:
    """Correct p-values within each family by Holm's method, and judge each difference."""
    p_values: dict[Key, float] = {}
    for family in {key.family for key in tested}:
        keys = [key for key in tested if key.family == family]
        corrected = holm(np.array([tested[key].p_value for key in keys]))
        p_values |= dict(zip(keys, corrected.tolist(), strict=True))
    found = {}
    for key, (estimate, _) in tested.items():
        p_value = None if math.isnan(p_values[key]) else p_values[key]
        verdict = Quantity(
            key.name, estimate=estimate, difference=estimate, p_value=p_value
        ).verdict
        missing = reason if p_value is None else None
        found[key] = Difference(
            *interval_of(estimate).numbers, p_value=p_value, verdict=verdict, reason=missing
        )
    return found
