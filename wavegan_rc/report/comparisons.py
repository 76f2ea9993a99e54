"""Each group compared with the reference group: over segments, or over seeds."""

import hashlib
import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wavegan_rc.errors import ParameterError, WaveganWarning
from wavegan_rc.measurement.measure import compare
from wavegan_rc.measurement.measurement import COMPARISON_FILE, JSON_FILE
from wavegan_rc.measurement.over_seeds import SeedResult, difference_over_seeds
from wavegan_rc.measurement.quantities import Quantity
from wavegan_rc.measurement.significance import holm
from wavegan_rc.report.groups import Group
from wavegan_rc.report.measured import (
    Interval,
    Key,
    Measured,
    interval_of,
    measured_run,
    read_measured,
)
from wavegan_rc.report.run_files import Run
from wavegan_rc.runs.run import Run as RunFolder

_logger = logging.getLogger(__name__)

SEGMENTS, SEEDS = "segments", "seeds"
NO_SPREAD = "no interval: the trainings do not differ"
_FOLDER = "comparisons"
NOT_BOTH = "not measured of both"
_NO_INTERVAL = "no interval: a count that resamples would bias"
_ONE_TRAINING = "no interval: one training on one side, several on the other"


@dataclass(frozen=True, kw_only=True)
class Difference(Interval):
    """A group's number minus the reference's; `value` is None where there is no difference.

    Attributes:
        p_value: P-value, corrected for the number of stages or lines. None without a test.
        verdict: `above`, `below`, `equal within ...`, `cannot be told` or empty.
        reason: Reason for a missing value or interval. None if nothing is missing.
    """

    p_value: float | None = None
    verdict: str = ""
    reason: str | None = None


@dataclass(frozen=True)
class Comparison:
    """A group compared with the reference group.

    Attributes:
        over: `segments` or `seeds`, the units that intervals and p-values describe.
        counts: Numbers of units: the group's, then the reference's.
        differences: Differences by quantity, for quantities that both groups have.
        reason: Reason for the lack of any difference. None if there are some.
    """

    over: str
    counts: tuple[int, int]
    differences: Mapping[Key, Difference]
    reason: str | None = None


def compared_over(*groups: Group) -> str:
    """Return `segments` for groups of one run each, else `seeds`."""
    return SEGMENTS if all(len(group.runs) == 1 for group in groups) else SEEDS


def compare_groups(
    group: Group, first: Group, measurements: Mapping[str, Measured], out: Path
) -> Comparison:
    """Compare a group with the reference group; `out` caches comparisons over segments."""
    if compared_over(group, first) == SEGMENTS:
        return _over_segments(group.runs[0], first.runs[0], measurements, out)
    counts = len(group.runs), len(first.runs)
    forms = {(r.config.sample_rate, r.config.segment_length) for r in (*group.runs, *first.runs)}
    if len(forms) > 1:
        return Comparison(SEEDS, counts, {}, "sample_rate and segment_length must be alike")
    ours, theirs = ([measurements[run.id] for run in side.runs] for side in (group, first))
    tested = {
        key: difference_over_seeds(values_of(ours, key), values_of(theirs, key))
        for key in shared_keys((*ours, *theirs))
    }
    return Comparison(SEEDS, counts, judged(tested, _ONE_TRAINING if 1 in counts else NO_SPREAD))


def _over_segments(
    run: Run, other: Run, measurements: Mapping[str, Measured], out: Path
) -> Comparison:
    counts = measurements[run.id].segments, measurements[other.id].segments
    files = [RunFolder(each.path).measurement / JSON_FILE for each in (run, other)]
    digest = hashlib.sha256(b"".join(hashlib.sha256(f.read_bytes()).digest() for f in files))
    folder = out / _FOLDER / digest.hexdigest()[:16]
    if not (folder / COMPARISON_FILE).is_file():
        _logger.info("comparing %s with %s", run.in_words, other.in_words)
        ours, theirs = (
            measurements[each.id].measurement or measured_run(each) for each in (run, other)
        )
        try:
            with warnings.catch_warnings():
                # The rows and the report's warnings say that stages differ.
                warnings.simplefilter("ignore", WaveganWarning)
                compare(ours, theirs).save(folder)
        except ParameterError as error:
            return Comparison(SEGMENTS, counts, {}, str(error))
    differences = {}
    for key, number in read_measured(folder / COMPARISON_FILE).numbers.items():
        value, low, _ = ends = number.difference.numbers
        reason = NOT_BOTH if value is None else _NO_INTERVAL if low is None else None
        if value is not None or number.verdict in ("above", "below"):
            differences[key] = Difference(
                *ends, p_value=number.p_value, verdict=number.verdict, reason=reason
            )
    return Comparison(SEGMENTS, counts, differences)


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


def shared_keys(sets: Sequence[Measured]) -> list[Key]:
    """Return the quantities that all sets have a value of, in the order of the first."""
    return [key for key in sets[0].numbers if all(one.value(key) is not None for one in sets)]


def values_of(sets: Sequence[Measured], key: Key) -> list[float]:
    """Return the values of the sets that have one."""
    return [value for one in sets if (value := one.value(key)) is not None]
