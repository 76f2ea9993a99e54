"""Each setting beside the first: over segments where each was trained once, else over seeds."""

import hashlib
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wavegan_rc.errors import ParameterError, WaveganWarning
from wavegan_rc.measure.bootstrap import Estimate
from wavegan_rc.measure.measure import compare
from wavegan_rc.measure.measurement import COMPARISON_FILE, JSON_FILE
from wavegan_rc.measure.over_seeds import SeedResult, difference_over_seeds
from wavegan_rc.measure.quantities import Quantity
from wavegan_rc.measure.significance import holm
from wavegan_rc.report.groups import Group
from wavegan_rc.report.measured import (
    FOLDER,
    Key,
    Measured,
    measured_run,
    read_measured,
)
from wavegan_rc.report.run_files import Run

SEGMENTS, SEEDS = "segments", "seeds"
_FOLDER = "comparisons"
_NOT_BOTH = "not measured of both"
_NO_INTERVAL = "no interval: a count that resamples would bias"
_ONE_TRAINING = "no interval: one training on one side, several on the other"
_NO_SPREAD = "no interval: the trainings do not differ"


@dataclass(frozen=True)
class Difference:
    """A setting's number less the first setting's.

    Attributes:
        estimate: None where there is no finite difference; the interval NaN where there is none.
        p_value: Corrected for the number of stages or lines; None without a test.
        verdict: `above`, `below`, `equal within ...`, `cannot be told` or nothing.
        reason: Why something of it is missing.
    """

    estimate: Estimate | None
    p_value: float | None
    verdict: str
    reason: str | None = None

    def about(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            **estimate_json(self.estimate),
            "p_value": self.p_value,
            "verdict": self.verdict,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Comparison:
    """A setting beside the first.

    Attributes:
        over: What intervals and p-values are over: `segments` or `seeds`.
        counts: Of them: the setting's, and the first's.
        differences: By what they are of; without what only one of the two has.
        reason: Why there are none; None if there are.
    """

    over: str
    counts: tuple[int, int]
    differences: Mapping[Key, Difference]
    reason: str | None = None


def compare_groups(
    group: Group,
    first: Group,
    measurements: Mapping[str, Measured],
    out: Path,
) -> Comparison:
    """Compare a setting with the first.

    Args:
        group: The setting.
        first: What it is compared with.
        measurements: By the runs' ids.
        out: Folder of the report: comparisons of segments, which take longest, are kept there.

    Raises:
        DataError: If a run cannot be measured, or `out` cannot be written.
    """
    if len(group.runs) == len(first.runs) == 1:
        return _over_segments(group.runs[0], first.runs[0], measurements, out)
    counts = len(group.runs), len(first.runs)
    forms = {(r.config.sample_rate, r.config.segment_length) for r in (*group.runs, *first.runs)}
    if len(forms) > 1:
        return Comparison(SEEDS, counts, {}, "sample_rate and segment_length must be alike")
    sets = [[measurements[run.id] for run in side.runs] for side in (group, first)]
    return Comparison(SEEDS, counts, _over_seeds(*sets))


def _over_segments(
    run: Run, other: Run, measurements: Mapping[str, Measured], out: Path
) -> Comparison:
    counts = measurements[run.id].segments, measurements[other.id].segments
    files = [each.path / FOLDER / JSON_FILE for each in (run, other)]
    digest = hashlib.sha256(b"".join(hashlib.sha256(f.read_bytes()).digest() for f in files))
    folder = out / _FOLDER / digest.hexdigest()[:16]
    if not (folder / COMPARISON_FILE).is_file():
        print(f"comparing {run.in_words} with {other.in_words}", flush=True)
        ours, theirs = (
            measurements[each.id].measurement or measured_run(each) for each in (run, other)
        )
        try:
            with warnings.catch_warnings():
                # That stages differ is said in the rows and once in the report's warnings.
                warnings.simplefilter("ignore", WaveganWarning)
                compare(ours, theirs).save(folder)
        except ParameterError as error:
            return Comparison(SEGMENTS, counts, {}, str(error))
    found = read_measured(folder / COMPARISON_FILE).numbers
    return Comparison(
        SEGMENTS,
        counts,
        {
            key: Difference(
                number.difference, number.p_value, number.verdict, _reason(number.difference)
            )
            for key, number in found.items()
            if number.difference is not None or number.verdict in ("above", "below")
        },
    )


def _over_seeds(ours: Sequence[Measured], theirs: Sequence[Measured]) -> dict[Key, Difference]:
    """Differences of what every run of both settings has, with Welch's intervals."""
    tested: dict[Key, SeedResult] = {}
    for key in shared_keys((*ours, *theirs)):
        tested[key] = difference_over_seeds(values_of(ours, key), values_of(theirs, key))
    alone = min(len(ours), len(theirs)) < 2
    return judged(tested, _ONE_TRAINING if alone else _NO_SPREAD)


def judged(tested: Mapping[Key, SeedResult], reason: str) -> dict[Key, Difference]:
    """Correct p-values within each family by Holm's method, and judge.

    Args:
        tested: Of one comparison.
        reason: Why there is no interval, where there is none.
    """
    families: dict[tuple[str, bool], list[Key]] = {}
    for key in tested:
        families.setdefault(key.family, []).append(key)
    found: dict[Key, Difference] = {}
    for keys in families.values():
        corrected = holm(np.array([tested[key].p_value for key in keys]))
        for key, p_value in zip(keys, corrected.tolist(), strict=True):
            estimate, known = tested[key].estimate, None if math.isnan(p_value) else p_value
            quantity = Quantity(key.name, estimate, difference=estimate, p_value=known)
            missing = reason if known is None else None
            found[key] = Difference(estimate, known, quantity.verdict, missing)
    return {key: found[key] for key in tested}


def shared_keys(sets: Sequence[Measured]) -> list[Key]:
    """What all sets have a finite value of, in the order of the first."""
    return [
        key
        for key in sets[0].numbers
        if all(key in one.numbers and one.numbers[key].estimate is not None for one in sets)
    ]


def values_of(sets: Iterable[Measured], key: Key) -> list[float]:
    """The values of sets that have one."""
    estimates = (one.numbers[key].estimate for one in sets)
    return [float(estimate.value) for estimate in estimates if estimate is not None]


def estimate_json(estimate: Estimate | None) -> dict[str, float | None]:
    """A number and its interval as JSON values; null where there is none."""
    if estimate is None:
        return {"value": None, "low": None, "high": None}
    return {
        name: float(number) if math.isfinite(number) else None
        for name, number in estimate._asdict().items()
    }


def _reason(difference: Estimate | None) -> str | None:
    if difference is None:
        return _NOT_BOTH
    return _NO_INTERVAL if math.isnan(difference.low) else None
