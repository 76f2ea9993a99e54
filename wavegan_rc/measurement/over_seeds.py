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

    Source:
        Student, "The Probable Error of a Mean" (1908).
    """
    value = float(np.mean(values))
    if not _spread(values):
        return SeedResult(Estimate(value, math.nan, math.nan), math.nan)
    return _tested(value, lambda: stats.ttest_1samp(values, 0.0))


def difference_over_seeds(ours: Sequence[float], theirs: Sequence[float]) -> SeedResult:
    """Return the difference of two settings' means with Welch's interval and p-value.

    Source:
        B. L. Welch, "The Generalization of 'Student's' Problem when Several Different Population
        Variances are Involved" (1947).
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
