"""Means and differences over several trainings (seeds) of a setting."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from wavegan_rc.measurement.bootstrap import Estimate

_LEVEL = 0.95
_ROUNDING = 1e-9


class SeedResult(NamedTuple):
    """A number with its interval and p-value; NaN for a missing interval or test."""

    estimate: Estimate
    p_value: float


def mean_over_seeds(values: Sequence[float]) -> SeedResult:
    """Return the mean with Student's interval, and the p-value for a mean of 0.

    Source:
        Student, "The Probable Error of a Mean" (1908).
    """
    value = float(np.mean(values))
    if not _spread(values):
        return SeedResult(Estimate(value, math.nan, math.nan), math.nan)
    count = len(values)
    return _student(value, math.sqrt(np.var(values, ddof=1) / count), count - 1)


def difference_over_seeds(ours: Sequence[float], theirs: Sequence[float]) -> SeedResult:
    """Return the difference of two settings' means with Welch's interval and p-value.

    Source:
        B. L. Welch, "The Generalization of 'Student's' Problem when Several Different Population
        Variances are Involved" (1947).
    """
    value = float(np.mean(ours) - np.mean(theirs))
    if min(len(ours), len(theirs)) < 2 or (not _spread(ours) and not _spread(theirs)):
        return SeedResult(Estimate(value, math.nan, math.nan), math.nan)
    squares = [float(np.var(side, ddof=1)) / len(side) for side in (ours, theirs)]
    weights = (
        square**2 / (len(side) - 1) for square, side in zip(squares, (ours, theirs), strict=True)
    )
    return _student(value, math.sqrt(sum(squares)), sum(squares) ** 2 / sum(weights))


def _spread(values: Sequence[float]) -> bool:
    """Return whether trainings differ by more than rounding."""
    return float(np.ptp(values)) > _ROUNDING * float(np.abs(values).max())


def _student(value: float, error: float, freedom: float) -> SeedResult:
    """Return the interval and the two-sided p-value of a value with its standard error.

    Far faster than SciPy's tests, of which a report of ten runs needs 1,500.
    """
    half = error * float(special.stdtrit(freedom, (1 + _LEVEL) / 2))
    p_value = 2 * float(special.stdtr(freedom, -abs(value) / error))
    return SeedResult(Estimate(value, value - half, value + half), p_value)
