"""Intervals and p-values of all quantities of a segment set, with those of a reference."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from wavegan_rc.measurement.bootstrap import Estimate, bootstrap_weights, estimate
from wavegan_rc.measurement.evaluator import OF_PHASES, QuantityEvaluator, QuantityKey
from wavegan_rc.measurement.lines import bins_of
from wavegan_rc.measurement.quantities import Quantity
from wavegan_rc.measurement.set_sums import SetSums, pool
from wavegan_rc.measurement.significance import (
    SIGNIFICANCE,
    locking_p_values,
    max_t_p_values,
    permuted_differences,
)

RESAMPLES = 1000
# Resampling adds noise to the count of differing bins, so that its interval would be too low.
_NOT_RESAMPLED = "differing_bins_share"
_OF_LINES = ("line_prominence_db", "line_level_db")


def estimate_quantities(
    test: SetSums,
    other: SetSums | None,
    evaluator: QuantityEvaluator,
    *,
    with_locking: bool = False,
    resamples: int = RESAMPLES,
) -> tuple[Quantity, ...]:
    """Estimate all quantities of a set, with intervals and p-values."""
    locked = _locked_p_values(test, evaluator)
    first, second, permutation = _seeds(evaluator)
    ours = evaluator.values(test, _weights(test, first, resamples))
    own = _estimates(ours, test.resampled)
    reference, difference = dict[QuantityKey, Estimate](), dict[QuantityKey, Estimate]()
    p_values: dict[QuantityKey, float] = {}
    if other is not None:
        theirs = evaluator.values(other, _weights(other, second, resamples))
        reference = _estimates(theirs, other.resampled)
        changes = {key: _difference(ours[key], theirs[key]) for key in ours if key in theirs}
        difference = _estimates(changes, min(test.resampled, other.resampled))
        p_values = _p_values(test, other, evaluator, list(changes), resamples, permutation)
    found, notes = [], evaluator.notes(test)
    for key in ours:
        if np.isnan(own[key].value):
            found.append(Quantity(*key, reason=evaluator.undefined(key, test)))
            continue
        untold, there = _untold(key, test), None
        compared = other is not None and key in reference and not np.isnan(reference[key].value)
        if other is not None and compared:
            there = _untold(key, other)
        either = untold or (there and f"the reference has {there}")
        quantity = Quantity(
            *key,
            estimate=_told(own[key], untold),
            reference=_told(reference[key], there) if compared else None,
            difference=_told(difference[key], either) if compared else None,
            p_value=p_values.get(key),
            locked_p_value=locked.get(key) if with_locking else None,
            locked=_is_locked(key, locked),
            untold=either if compared or key.name in OF_PHASES else None,
            reason=notes.get(key),
        )
        found.append(quantity)
    missing = evaluator.missing(test)
    return (*found, *(Quantity(name, reason=reason) for name, reason in missing.items()))


def _untold(key: QuantityKey, sums: SetSums) -> str | None:
    """Return the reason why nothing can be told of a quantity of a set; None if it can."""
    return sums.phases_untold if key.name in OF_PHASES else sums.too_few


def _is_locked(key: QuantityKey, p_values: Mapping[QuantityKey, float]) -> bool | None:
    """Return whether a line, or any line of a stage, is locked in phase; None if not known."""
    if key.name not in _OF_LINES:
        return None
    own = [
        p
        for line, p in p_values.items()
        if line.stage == key.stage and key.frequency_hz in (None, line.frequency_hz)
    ]
    return min(own) < SIGNIFICANCE if own else None


def estimate_curves(
    test: SetSums, real: SetSums | None, evaluator: QuantityEvaluator
) -> dict[str, np.ndarray]:
    """Return the arrays of a measurement: spectra, phase locking and image coherence."""
    first, second, _ = _seeds(evaluator)
    arrays = {"frequencies_hz": test.spectra.frequencies_hz}
    arrays |= evaluator.curves(test, _weights(test, first))
    if real is not None:
        of_real = evaluator.curves(real, _weights(real, second))
        arrays |= {f"real_{name}": array for name, array in of_real.items()}
    return arrays


def _seeds(evaluator: QuantityEvaluator) -> list[int]:
    """Return seeds for the set, the reference and permutations; equal ones would correlate them."""
    return np.random.SeedSequence(evaluator.seed).generate_state(3).tolist()


def _weights(sums: SetSums, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Return weights of the set itself and, with enough units, of resamples."""
    if sums.too_few:
        return np.full((1, sums.groups), 1 / sums.groups, np.float32)
    return bootstrap_weights(sums.groups, resamples, seed=seed)


def _difference(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    rows = min(len(ours), len(theirs))
    with np.errstate(invalid="ignore"):  # two equal infinities have no difference: NaN
        return ours[:rows] - theirs[:rows]


def _estimates(values: Mapping[QuantityKey, np.ndarray], units: int) -> dict[QuantityKey, Estimate]:
    """Return the values with their intervals, all at once."""
    columns = estimate(np.stack(list(values.values()), axis=1), units)
    rows = np.stack(columns, axis=1).tolist()
    return {
        key: Estimate(row[0], math.nan, math.nan) if key.name == _NOT_RESAMPLED else Estimate(*row)
        for key, row in zip(values, rows, strict=True)
    }


def _told(estimated: Estimate, untold: str | None) -> Estimate:
    """Return an estimate, without its interval if nothing can be told."""
    return estimated if untold is None else estimated._replace(low=math.nan, high=math.nan)


def _p_values(
    test: SetSums,
    other: SetSums,
    evaluator: QuantityEvaluator,
    keys: Sequence[QuantityKey],
    permutations: int,
    seed: int,
) -> dict[QuantityKey, float]:
    """Return p-values of differences, corrected for the number of stages or lines of a quantity.

    They permute the units of both sets. The bootstrap would call 8 to 11 % of clean lines different
    instead of 5 %, in a few hundred segments of speech with uneven levels.
    """
    if test.too_few or other.too_few:
        return {}
    keys = [key for key in keys if not (_untold(key, test) or _untold(key, other))]
    together, first = pool(test, other)
    second = together.groups - first

    def all_values(weights: np.ndarray) -> np.ndarray:
        values = evaluator.values(together, weights)
        return np.stack([values[key] for key in keys], axis=1)

    changes = permuted_differences(all_values, first, second, permutations=permutations, seed=seed)
    families: dict[tuple[str, bool], list[int]] = {}
    for column, key in enumerate(keys):
        families.setdefault((key.name, key.frequency_hz is None), []).append(column)
    found: dict[QuantityKey, float] = {}
    for columns in families.values():
        p_values = max_t_p_values(changes[0, columns], changes[1:, columns]).tolist()
        pairs = zip(columns, p_values, strict=True)
        found |= {keys[column]: p for column, p in pairs if not math.isnan(p)}
    return found


def _locked_p_values(sums: SetSums, evaluator: QuantityEvaluator) -> dict[QuantityKey, float]:
    """Return p-values of the lines' phase locking, corrected for their number.

    Source:
        Y. Benjamini, Y. Hochberg, "Controlling the False Discovery Rate" (1995), section 3.1.
    """
    if not evaluator.lines or sums.phases_untold:
        return {}
    bins = bins_of(sums.spectra, evaluator.lines_hz)
    each = locking_p_values(*sums.spectra.locking_of_recordings())[bins]
    p_values = stats.false_discovery_control(each)
    keys = [QuantityKey("phase_locking", line.stage, line.frequency_hz) for line in evaluator.lines]
    return dict(zip(keys, p_values.tolist(), strict=True))
