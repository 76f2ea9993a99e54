"""Means and differences over several trainings (seeds) of a setting."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from wavegan_rc.measurement.bootstrap import Estimate

_LEVEL = 0.95
_ROUNDING = 1e-9


class SeedResult(NamedTuple):
    """A number with its interval and p-value; NaN for a missing interval or test."""

    estimate: Estimate
    p_value: float


def mean_over_seeds(values: Sequence[float]) -> SeedResult:
    """Return the mean with Student's interval, and the p-value for a mean of 0.

    Args:
        values: Value of each training, at least 1. A single value, or equal values, have neither
            interval nor p-value: the spread over seeds is unknown.

    Source:
        Student, "The Probable Error of a Mean" (1908).

    Example:
        >>> [round(number, 2) for number in mean_over_seeds([1.0, 2.0, 3.0]).estimate]
        [2.0, -0.48, 4.48]
    """
    value = float(np.mean(values))
    if not _spread(values):
        return SeedResult(Estimate(value, math.nan, math.nan), math.nan)
    return _tested(value, lambda: stats.ttest_1samp(values, 0.0))


def difference_over_seeds(ours: Sequence[float], theirs: Sequence[float]) -> SeedResult:
    """Return the difference of two settings' means with Welch's interval and p-value.

    Args:
        ours: Value of each training of a setting, at least 1.
        theirs: Values of the reference setting, at least 1. A single training on either side, or
            equal values on both, give neither interval nor p-value.

    Source:
        B. L. Welch, "The Generalization of 'Student's' Problem when Several Different Population
        Variances are Involved" (1947).

    Example:
        >>> round(difference_over_seeds([4.0, 5.0, 6.0], [1.0, 2.0, 3.0]).p_value, 3)
        0.021
    """
    value = float(np.mean(ours) - np.mean(theirs))
    if min(len(ours), len(theirs)) < 2 or (not _spread(ours) and not _spread(theirs)):
        return SeedResult(Estimate(value, math.nan, math.nan), math.nan)
    return _tested(value, lambda: stats.ttest_ind(ours, theirs, equal_var=False))


def _spread(values: Sequence[float]) -> bool:
    """Return whether trainings differ by more than rounding."""
    return float(np.ptp(values)) > _ROUNDING * float(np.abs(values).max())


def _tested(value: float, test: Callable[[], Any]) -> SeedResult:
    with warnings.catch_warnings():
        # SciPy warns if one of two samples is constant.
        warnings.filterwarnings("ignore", "Precision loss occurred", RuntimeWarning)
        result = test()
    interval = result.confidence_interval(_LEVEL)
    return SeedResult(
        Estimate(value, float(interval.low), float(interval.high)), float(result.pvalue)
    )
