"""Intervals and tests for any statistic of a set of segments.

A statistic is a function of weights over the segments of a set: an array of shape (R, N), each row
of which adds up to 1 and stands for one resample. Equal weights give the value itself, the counts
of a bootstrap its interval, and weights that move segments between two sets a permutation test.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import stats

from wavegan_rc.errors import ParameterError

# (R, N) weights to (R,) or (R, ...) values.
Statistic = Callable[[np.ndarray], np.ndarray]

_LEVEL = 0.95
# Equal statistics of two resamples may differ by rounding: weights are float32.
_ROUNDING = 1e-6
_BLOCK = 1024


class Estimate(NamedTuple):
    """A number, or an array of numbers, with its 95 % interval.

    Attributes:
        value: Of the set itself.
        low: Lower end of the interval.
        high: Upper end.
    """

    value: float | np.ndarray
    low: float | np.ndarray
    high: float | np.ndarray


def bootstrap_weights(count: int, resamples: int = 1000, *, seed: int) -> np.ndarray:
    """Weights of a set itself and of resamples drawn from it with replacement.

    Args:
        count: Number of segments, at least 2.
        resamples: At least 1.
        seed: Non-negative. Sets that are to be resampled independently need different seeds.

    Returns:
        float32 array of shape (resamples + 1, count); row 0 is `1 / count`, the others say how
        often each segment was drawn, divided by `count`.

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
    """Means over segments under each row of weights, summed in float64 in blocks of segments.

    Args:
        weights: Array of shape (R, N), rows adding up to 1.
        columns: Array of shape (N, ...): what is averaged.

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
    # The rounding of float32 is far below this, a forgotten division far above.
    if not np.allclose(sums, 1, atol=1e-3):
        raise ParameterError(f"weights must add up to 1 in each row. Received sums: {sums[:3]}")


def concentration(weights: np.ndarray) -> np.ndarray:
    """Sum of the squared weights of each row: 1 / the number of segments that it is worth.

    Equal weights on n segments have 1 / n. A bootstrap row of n segments has about 2 / n: it
    carries the sampling noise of the set and as much again from the resampling. So a statistic
    that noise biases must subtract the bias of this many segments; otherwise the resamples are
    biased twice as much as the value, and the interval misses it.

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


def weight_of_pairs(weights: np.ndarray) -> np.ndarray:
    """Weight of all pairs of two different segments, 1 - the sum of the squared weights.

    A mean over pairs (a variance, a kernel) leaves out the pairs of a segment with itself and
    divides by this. With equal weights that is the unbiased estimate, N / (N - 1) times the plain
    one; in a resample it keeps a segment drawn twice from being compared with itself.

    Args:
        weights: Array of shape (R, N), rows adding up to 1.

    Returns:
        float64 array of shape (R,); NaN where one segment has all the weight.

    Example:
        >>> weight_of_pairs(np.array([[0.5, 0.5], [0.0, 1.0]])).tolist()
        [0.5, nan]
    """
    left = 1 - concentration(weights)
    return np.where(left > _ROUNDING, left, np.nan)


def estimate(values: np.ndarray) -> Estimate:
    """Value and percentile interval from a statistic of `bootstrap_weights`.

    Args:
        values: Array of shape (resamples + 1, ...), row 0 the value; infinities are allowed.
            Resamples that are NaN are left out.

    Returns:
        Entries of shape (...); NaN where the value is.

    Source:
        B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), section 13.3.

    Example:
        >>> estimate(np.array([5.0, 4.0, 5.0, 6.0, 7.0])).high.item()
        7.0
    """
    value, resampled = values[0], np.sort(values[1:], axis=0)  # NaN goes last
    last = np.maximum((~np.isnan(resampled)).sum(axis=0) - 1, 0)

    def order_statistic(index: np.ndarray) -> np.ndarray:
        picked = np.take_along_axis(resampled, np.asarray(index, dtype=int)[None], axis=0)[0]
        return np.where(np.isnan(value), np.nan, picked)[()]

    # One of the resamples, not a point between two: differences of infinities would be NaN.
    tail = (1 - _LEVEL) / 2
    low = order_statistic(np.floor(tail * last))
    high = order_statistic(np.ceil((1 - tail) * last))
    return Estimate(value, low, high)


def difference(
    statistic: Statistic, count_a: int, count_b: int, *, resamples: int = 1000, seed: int
) -> Estimate:
    """Difference of a statistic between two sets, each resampled independently.

    Args:
        statistic: Of weights over the pooled segments, those of set a first.
        count_a: Number of segments in set a, at least 2.
        count_b: Number of segments in set b, at least 2.
        resamples: At least 1.
        seed: Non-negative.

    Returns:
        That of a minus that of b.

    Raises:
        ParameterError: If there are too few segments or resamples.

    Example:
        >>> pooled = np.array([5.0, 5.0, 5.0, 3.0, 3.0])
        >>> difference(lambda weights: weighted_means(weights, pooled), 3, 2, seed=0).low.item()
        2.0
    """
    # Not seed and seed + 1: with the next seed, set a would be resampled as set b is here.
    seed_a, seed_b = np.random.SeedSequence(seed).generate_state(2).tolist()
    of_a = bootstrap_weights(count_a, resamples, seed=seed_a)
    of_b = bootstrap_weights(count_b, resamples, seed=seed_b)
    value_a = statistic(np.pad(of_a, [(0, 0), (0, count_b)]))
    value_b = statistic(np.pad(of_b, [(0, 0), (count_a, 0)]))
    with np.errstate(invalid="ignore"):  # two equal infinities have no difference: NaN
        return estimate(value_a - value_b)


def permutation_test(
    statistic: Statistic, count_a: int, count_b: int, *, permutations: int = 1000, seed: int
) -> float | np.ndarray:
    """Probability of so large a difference between two sets if both were drawn alike.

    Row 0 of the weights is the sets as they are: `1 / count_a` on the first `count_a` pooled
    segments and 0 on the rest for a, `1 / count_b` on the rest for b. For every other row all
    segments are put in random order; a takes the first `count_a` of them, b the rest.

    Args:
        statistic: Of weights over the pooled segments, those of set a first.
        count_a: Number of segments in set a, at least 2.
        count_b: Number of segments in set b, at least 2.
        permutations: At least 1; the smallest p-value is 1 / (1 + permutations).
        seed: Non-negative.

    Returns:
        Two-sided p-value; one for each entry if the statistic has shape (R, ...). NaN where the
        difference is.

    Raises:
        ParameterError: If there are too few segments or permutations.

    Source:
        B. Phipson, G. K. Smyth, "Permutation P-values should never be zero" (2010).

    Example:
        >>> pooled = np.arange(20) % 10
        >>> permutation_test(lambda weights: weighted_means(weights, pooled), 10, 10, seed=0).item()
        1.0
    """
    if min(count_a, count_b) < 2 or permutations < 1:
        raise ParameterError(
            "count_a and count_b must be at least 2, permutations at least 1. "
            f"Received: {count_a}, {count_b}, {permutations}"
        )
    rng = np.random.default_rng(seed)
    in_a = np.zeros((permutations + 1, count_a + count_b), dtype=bool)
    in_a[:, :count_a] = True
    rng.permuted(in_a[1:], axis=1, out=in_a[1:])
    value_a = statistic(in_a / np.float32(count_a))
    value_b = statistic(~in_a / np.float32(count_b))
    with np.errstate(invalid="ignore"):  # two equal infinities have no difference: NaN
        change = np.abs(value_a - value_b)
    # A permutation without a value counts as extreme: the p-value can only be too large.
    less_extreme = change[1:] < change[0] * (1 - _ROUNDING)
    p_value = (1 + (~less_extreme).sum(axis=0)) / (1 + permutations)
    return np.where(np.isnan(change[0]), np.nan, p_value)[()]


def benjamini_hochberg(p_values: np.ndarray) -> np.ndarray:
    """P-values adjusted for testing many at once: those below 0.05 hold 5 % false ones at most.

    Args:
        p_values: Array of shape (tests,); NaN (no test made) stays NaN and does not count.

    Returns:
        Array of shape (tests,).

    Source:
        Y. Benjamini, Y. Hochberg, "Controlling the False Discovery Rate" (1995), section 3.1.

    Example:
        >>> benjamini_hochberg(np.array([0.02, 0.01, np.nan])).tolist()
        [0.02, 0.02, nan]
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p_values.shape, np.nan)
    tested = ~np.isnan(p_values)
    if tested.any():
        adjusted[tested] = stats.false_discovery_control(p_values[tested], method="bh")
    return adjusted
