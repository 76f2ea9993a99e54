"""Intervals and p-values of all quantities of a segment set, with those of a reference."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from wavegan_rc.measurement import statistics as st
from wavegan_rc.measurement.bootstrap import Estimate, bootstrap_weights, estimate
from wavegan_rc.measurement.evaluator import OF_PHASES, QuantityEvaluator, QuantityKey
from wavegan_rc.measurement.independence import FEWEST_UNITS
from wavegan_rc.measurement.quantities import SIGNIFICANCE, Quantity
from wavegan_rc.measurement.set_sums import SetSums, pool
from wavegan_rc.measurement.significance import (
    benjamini_hochberg,
    max_t_p_values,
    permuted_differences,
    rayleigh_p_values,
    sign_p_values,
)
from wavegan_rc.spectrogram import StageComb

RESAMPLES = 1000
# Resampling adds noise to the count of differing bins, so that its interval would be too low.
_NOT_RESAMPLED = "differing_bins_share"
_OF_A_PITCH = (
    "not locked in phase, so it may be a pitch of the sound itself, as of another speaker or "
    "instrument"
)


def estimate_quantities(
    test: SetSums,
    other: SetSums | None,
    evaluator: QuantityEvaluator,
    *,
    with_locking: bool = False,
    resamples: int = RESAMPLES,
) -> tuple[Quantity, ...]:
    """Estimate all quantities of a set, with intervals and p-values.

    Args:
        test: Sums of the set.
        other: Sums of the reference. None without one.
        evaluator: Quantities to evaluate.
        with_locking: Whether to test the phase locking of lines.
        resamples: Number of bootstrap resamples, and of permutations.
    """
    locked = _locked_p_values(test, evaluator.combs)
    first, second, permutation = _seeds(evaluator)
    ours = evaluator.values(test, _weights(test, first, resamples))
    theirs: dict[QuantityKey, np.ndarray] = {}
    p_values: dict[QuantityKey, float] = {}
    if other is not None:
        theirs = evaluator.values(other, _weights(other, second, resamples))
        keys = [key for key in ours if key in theirs]
        p_values = _p_values(test, other, evaluator, keys, resamples, permutation)
    found, notes = [], evaluator.notes(test)
    for key, values in ours.items():
        if np.isnan(values[0]):
            reason = evaluator.undefined(key, test)
            found.append(Quantity(key.name, None, key.stage, key.frequency_hz, reason=reason))
            continue
        reference = difference = None
        untold = _untold(key, test)
        own = _estimate(key, values, test.resampled, untold)
        if other is not None and key in theirs and not np.isnan(theirs[key][0]):
            untold_there = _untold(key, other)
            reference = _estimate(key, theirs[key], other.resampled, untold_there)
            untold = untold or (untold_there and f"the reference has {untold_there}")
            fewest = min(test.resampled, other.resampled)
            difference = _estimate(key, _difference(values, theirs[key]), fewest, untold)
        found.append(
            Quantity(
                key.name,
                own,
                key.stage,
                key.frequency_hz,
                reference,
                difference,
                p_value=p_values.get(key),
                locked_p_value=locked.get(key) if with_locking else None,
                untold=untold if difference or key.name in OF_PHASES else None,
                reason=notes.get(key) or _pitch(key, difference, p_values, locked),
            )
        )
    missing = evaluator.missing(test)
    return (*found, *(Quantity(name, reason=reason) for name, reason in missing.items()))


def _untold(key: QuantityKey, sums: SetSums) -> str | None:
    """Return the reason why nothing can be told of a quantity of a set; None if it can."""
    return sums.phases_untold if key.name in OF_PHASES else sums.units.too_few


def _pitch(
    key: QuantityKey,
    difference: Estimate | None,
    p_values: Mapping[QuantityKey, float],
    locked: Mapping[QuantityKey, float],
) -> str | None:
    """Return a note on lines that stand out, but are locked to nothing."""
    if key.name != "line_prominence_db" or difference is None:
        return None
    if p_values.get(key, 1) >= SIGNIFICANCE or difference.low <= 0:
        return None
    own = [
        p
        for line, p in locked.items()
        if line.stage == key.stage and key.frequency_hz in (None, line.frequency_hz)
    ]
    return _OF_A_PITCH if own and min(own) >= SIGNIFICANCE else None


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
    if sums.units.too_few:
        return np.full((1, sums.groups), 1 / sums.groups, np.float32)
    return bootstrap_weights(sums.groups, resamples, seed=seed)


def _difference(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    rows = min(len(ours), len(theirs))
    with np.errstate(invalid="ignore"):  # two equal infinities have no difference: NaN
        return ours[:rows] - theirs[:rows]


def _estimate(key: QuantityKey, values: np.ndarray, units: int, untold: str | None) -> Estimate:
    alone = untold is not None or key.name == _NOT_RESAMPLED
    rows, units = (values[:1], FEWEST_UNITS) if alone else (values, units)
    return Estimate(*(float(number) for number in estimate(rows, units)))


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
    if test.units.too_few or other.units.too_few:
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


def _locked_p_values(sums: SetSums, combs: Sequence[StageComb]) -> dict[QuantityKey, float]:
    """Return Rayleigh p-values of the lines' phase locking, corrected for their number."""
    lines = [line for comb in combs for line in comb.lines]
    spectra, lines_hz = sums.spectra, np.array([line.frequency_hz for line in lines])
    if not lines or sums.phases_untold:
        return {}
    everywhere, count = spectra.locking_of_recordings()
    locking = everywhere[st.bins_of(spectra, lines_hz.tolist())]
    p_values = np.where(
        lines_hz == spectra.frequencies_hz[-1],
        sign_p_values(locking, count),
        rayleigh_p_values(locking, count),
    )
    keys = [QuantityKey("phase_locking", line.stage, line.frequency_hz) for line in lines]
    return dict(zip(keys, benjamini_hochberg(p_values).tolist(), strict=True))
