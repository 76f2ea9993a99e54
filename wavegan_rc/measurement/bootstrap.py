"""Bootstrap intervals for any statistic of a set of segments.

A statistic is a function of weights over segments, shape (R, N): each row adds up to 1 and is one
resample. Equal weights give the value itself; permutation tests use weights too (`significance`).
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import stats

from wavegan_rc.errors import ParameterError

_LEVEL = 0.95
# Rounding of float32 weights.
_ROUNDING = 1e-6
_BLOCK = 1024


class Estimate(NamedTuple):
    """A number, or an array of numbers, with the ends of its 95 % interval."""

    value: float | np.ndarray
    low: float | np.ndarray
    high: float | np.ndarray


def bootstrap_weights(count: int, resamples: int = 1000, *, seed: int) -> np.ndarray:
    """Return weights of a set itself and of resamples drawn from it with replacement.

    Args:
        count: Number of segments, at least 2.
        resamples: Number of resamples, at least 1.
        seed: Seed, at least 0; sets to be resampled independently need different ones.

    Returns:
        float32 array of shape (resamples + 1, count). Row 0 is `1 / count`; the others are the
        number of times each segment was drawn, over `count`.

    Raises:
        ParameterError: If there are too few segments or resamples.

    Source:
        B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 6.

    Example:
        >>> weights = bootstrap_weights(4, resamples=2, seed=0)
        >>> weights[0].tolist(), weights.sum(axis=1).tolist()
        ([0.25, 0.25, 0.25, 0.25], [1.0, 1.0, 1.0])
    """
    if count < 2 or resamples < 1:
        raise ParameterError(
            f"count must be at least 2, resamples at least 1. Received: {count}, {resamples}"
        )
    rng = np.random.default_rng(seed)
    weights = np.ones((resamples + 1, count), np.float32)
    for row in weights[1:]:
        row[:] = np.bincount(rng.integers(count, size=count), minlength=count)
    return weights / np.float32(count)


def weighted_means(weights: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return means over segments under each row of weights, summed in float64.

    Args:
        weights: Array of shape (R, N), rows adding up to 1.
        columns: Array of shape (N, ...) of values to average.

    Returns:
        float64 array of shape (R, ...).

    Raises:
        ParameterError: If the weights do not fit the columns or do not add up to 1.

    Example:
        >>> weighted_means(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([1.0, 3.0])).tolist()
        [2.0, 3.0]
    """
    check_weights(weights, len(columns))
    means = np.zeros((len(weights), math.prod(columns.shape[1:])))
    for start in range(0, len(columns), _BLOCK):
        block = slice(start, start + _BLOCK)
        rows = columns[block].reshape(-1, means.shape[1])
        means += weights[:, block].astype(np.float64) @ rows.astype(np.float64)
    return means.reshape(len(weights), *columns.shape[1:])


def check_weights(weights: np.ndarray, count: int) -> None:
    """Raise a ParameterError unless the weights are rows over `count` segments that sum to 1."""
    if weights.ndim != 2 or weights.shape[1] != count:
        raise ParameterError(
            f"weights must have shape (resamples, {count}). Received shape: {weights.shape}"
        )
    sums = weights.sum(axis=1, dtype=np.float64)
    # Rounding is far below this, a forgotten division far above.
    if not np.allclose(sums, 1, atol=1e-3):
        raise ParameterError(f"weights must add up to 1 in each row. Received sums: {sums[:3]}")


def concentration(weights: np.ndarray) -> np.ndarray:
    """Return the sum of squared weights of each row: 1 / the effective number of segments.

    Equal weights on n segments have 1 / n. A bootstrap row has about 2 / n: the noise of the set
    and as much again from resampling. Statistics that noise biases must subtract the bias for this
    number; else resamples are biased twice as much as the value, and the interval misses it.

    Args:
        weights: Array of shape (R, N), rows adding up to 1.

    Returns:
        float64 array of shape (R,), from 1 / N to 1.

    Source:
        L. Kish, "Survey Sampling" (1965), section 11.7 (effective sample size).

    Example:
        >>> concentration(np.array([[0.25, 0.25, 0.25, 0.25], [0.0, 0.0, 0.5, 0.5]])).tolist()
        [0.25, 0.5]
    """
    return np.einsum("rn,rn->r", weights, weights, dtype=np.float64)


def concentration_of_means(
    values: np.ndarray, weights: np.ndarray, units: np.ndarray | None = None
) -> np.ndarray:
    """Return the variance of a mean over that of a segment: 1 / the effective number of segments.

    Segments of one unit, a recording for example, are alike, so that there are fewer of them in
    effect. If each segment is a unit, this is `concentration`.

    Args:
        values: Array of shape (N, D); variances are summed over D.
        weights: Array of shape (R, N), rows adding up to 1, equal within a unit.
        units: Number of each segment's unit, shape (N,). None: each segment is one.

    Returns:
        float64 array of shape (R,); NaN where one unit has all the weight.

    Source:
        K.-Y. Liang, S. L. Zeger, "Longitudinal data analysis using generalized linear models"
        (1986), equation 7 (the variance of a mean of clusters); L. Kish, "Survey Sampling" (1965),
        section 8.2 (its ratio to that of independent segments).

    Example:
        >>> values, uniform = np.array([[0.0], [0.0], [3.0], [3.0]]), np.full((1, 4), 0.25)
        >>> concentration_of_means(values, uniform).tolist()
        [0.25]
        >>> concentration_of_means(values, uniform, np.array([0, 0, 1, 1])).tolist()
        [0.5]
    """
    groups = Groups(len(values), units)
    if groups.count == len(values):
        return concentration(weights)
    values = values - values.mean(axis=0)
    own, whole = groups.weights(weights), groups.sums(values)
    mean = weighted_means(weights, values)
    squares = (values.astype(np.float64) ** 2).sum(axis=1)
    spread = weighted_means(weights, squares) - (mean**2).sum(axis=1)
    of_mean = own**2 @ (whole**2).sum(axis=1)
    of_mean -= 2 * np.einsum("rd,rd->r", (own**2 * groups.sizes) @ whole, mean)
    of_mean += (own * groups.sizes) ** 2 @ np.ones(groups.count) * (mean**2).sum(axis=1)
    # Deviations from a mean of the same units are too small; so is the spread around it.
    of_mean /= weight_of_pairs(own * groups.sizes)
    whole_variance = spread + of_mean
    return np.divide(of_mean, whole_variance, out=np.zeros_like(of_mean), where=whole_variance > 0)


def concentration_of_products(
    of_means: np.ndarray, weights: np.ndarray, groups: "Groups"
) -> np.ndarray:
    """Return what `concentration_of_means` would be for products of two features.

    If values of two segments are correlated, products of Gaussian values have the square of it.

    Args:
        of_means: Result of `concentration_of_means`, shape (R,).
        weights: Array of shape (R, N), rows adding up to 1, equal within a unit.
        groups: Units of the segments.
    """
    alone, alike = concentration(weights), concentration(groups.weights(weights) * groups.sizes)
    room = alike - alone
    excess = np.maximum(of_means - alone, 0)
    return alone + np.divide(excess**2, room, out=np.zeros_like(room), where=room > 0)


class Groups:
    """Units of segments: sums over them, and their weights.

    Args:
        segments: Number of segments, N.
        units: Number of each segment's unit, shape (N,). None: each segment is one.

    Attributes:
        count: Number of units.
        sizes: Number of segments in each, shape (units,).
    """

    def __init__(self, segments: int, units: np.ndarray | None = None) -> None:
        units = np.arange(segments) if units is None else units
        _, self._first, self._own, self.sizes = np.unique(
            units, return_index=True, return_inverse=True, return_counts=True
        )
        self.count = len(self.sizes)

    @property
    def alike(self) -> np.ndarray:
        """True where two segments are of one unit, shape (N, N)."""
        return self._own[:, None] == self._own

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return sums of values of shape (N, ...) over units, in float64."""
        sums = np.zeros((self.count, *values.shape[1:]))
        np.add.at(sums, self._own, values)
        return sums

    def weights(self, weights: np.ndarray) -> np.ndarray:
        """Return the weight of one segment of each unit, float64, shape (R, units)."""
        return weights[:, self._first].astype(np.float64)


def weight_of_pairs(weights: np.ndarray) -> np.ndarray:
    """Return the weight of all pairs of different units, 1 - the sum of squared weights.

    A mean over pairs of different units (a variance, a kernel) divides by it. Equal weights give
    the usual unbiased estimate; in a resample, a unit drawn twice is not compared with itself.

    Args:
        weights: Array of shape (R, units), rows adding up to 1.

    Returns:
        float64 array of shape (R,); NaN where one unit has all the weight.

    Example:
        >>> weight_of_pairs(np.array([[0.5, 0.5], [0.0, 1.0]])).tolist()
        [0.5, nan]
    """
    left = 1 - concentration(weights)
    return np.where(left > _ROUNDING, left, np.nan)


def estimate(values: np.ndarray, units: int | None = None) -> Estimate:
    """Return the value and percentile interval of a statistic of `bootstrap_weights`.

    Resamples of `n` units spread too little, by `sqrt((n - 1) / n)`, and a normal interval does not
    know that the spread is estimated. With `units` the percentiles are those that make the interval
    of a mean Student's: of 10 units, 0.86 and 99.14 instead of 2.5 and 97.5.

    Args:
        values: Array of shape (resamples + 1, ...); row 0 is the value. Infinities count, NaN
            resamples do not.
        units: Number of units that were resampled, at least 2. None: very many.

    Returns:
        Entries of shape (...); all NaN where the value is NaN, the interval NaN without resamples.

    Source:
        B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3; T. C.
        Hesterberg, "What Teachers Should Know About the Bootstrap" (2015), section 5.3 (expanded
        percentiles).

    Example:
        >>> estimate(np.array([5.0, 4.0, 5.0, 6.0, 7.0])).high.item()
        7.0
    """
    value, resampled = values[0], np.sort(values[1:], axis=0)  # NaN last
    if not len(resampled):
        unknown = np.full(np.shape(value), np.nan)[()]
        return Estimate(value, unknown, unknown)
    last = np.maximum((~np.isnan(resampled)).sum(axis=0) - 1, 0)

    def order_statistic(index: np.ndarray) -> np.ndarray:
        picked = np.take_along_axis(resampled, np.asarray(index, dtype=int)[None], axis=0)[0]
        return np.where(np.isnan(value), np.nan, picked)[()]

    # A resample, not a point between two: infinities have no difference.
    tail = (1 - _LEVEL) / 2
    if units is not None:
        student = stats.t.ppf(tail, units - 1) * math.sqrt(units / (units - 1))
        tail = float(stats.norm.cdf(student))
    low = order_statistic(np.floor(tail * last))
    high = order_statistic(np.ceil((1 - tail) * last))
    return Estimate(value, low, high)
