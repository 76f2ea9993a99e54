"""Bootstrap intervals for any statistic of a set of segments.

A statistic is a function of weights over segments, shape (R, N): each row adds up to 1 and is one
resample. Equal weights give the value itself; permutation tests use weights too (`significance`).
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import special

_LEVEL = 0.95
# Rounding of float32 weights.
_ROUNDING = 1e-6


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

    Source:
        B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 6.

    Example:
        >>> weights = bootstrap_weights(4, resamples=2, seed=0)
        >>> weights[0].tolist(), weights.sum(axis=1).tolist()
        ([0.25, 0.25, 0.25, 0.25], [1.0, 1.0, 1.0])
    """
    rng = np.random.default_rng(seed)
    weights = np.ones((resamples + 1, count), np.float32)
    for row in weights[1:]:
        row[:] = np.bincount(rng.integers(count, size=count), minlength=count)
    return weights / np.float32(count)


def concentration(weights: np.ndarray) -> np.ndarray:
    """Return the sum of squared weights of each row: 1 / the effective number of segments.

    Equal weights on n segments have 1 / n. A bootstrap row has about 2 / n: the noise of the set
    and as much again from resampling. Statistics that noise biases must subtract the bias for this
    number; else resamples are biased twice as much as the value, and the interval misses it.

    Source:
        L. Kish, "Survey Sampling" (1965), section 11.7 (effective sample size).
    """
    return np.einsum("rn,rn->r", weights, weights, dtype=np.float64)


def first_of_each(labels: np.ndarray) -> np.ndarray:
    """Return the index of the first of each run of equal labels, as `np.add.reduceat` needs it.

    Example:
        >>> first_of_each(np.array([0, 0, 1, 3, 3])).tolist()
        [0, 2, 3]
    """
    return np.flatnonzero(np.diff(labels, prepend=labels[:1] - 1))


class Groups:
    """Weights of segments whose neighbours may belong together.

    Args:
        of_segments: Weights of segments, shape (R, N): rows add up to 1, equal within a unit.
        units: Number of each segment's unit, a recording for example, shape (N,). None: each
            segment is one.

    Attributes:
        of_segments: The weights as given.
        count: Number of units.
        sizes: Number of segments in each, shape (units,).
        weights: Weight of one segment of each unit, float64, shape (R, units).
    """

    def __init__(self, of_segments: np.ndarray, units: np.ndarray | None = None) -> None:
        segments = of_segments.shape[1]
        units = np.arange(segments) if units is None else units
        self._order = np.argsort(units, kind="stable")
        self._first = first_of_each(units[self._order])
        self.of_segments, self.count = of_segments, len(self._first)
        self.sizes = np.diff(self._first, append=segments)
        self.weights = of_segments[:, self._order[self._first]].astype(np.float64)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Return sums of values of shape (N, ...) over units, in float64."""
        return np.add.reduceat(values[self._order], self._first, axis=0, dtype=np.float64)

    def means(self, values: np.ndarray) -> np.ndarray:
        """Return the weighted means of values of shape (N, ...), shape (R, ...)."""
        return np.tensordot(self.weights, self.sums(values), axes=1)

    @property
    def weight_of_pairs(self) -> np.ndarray:
        """Weight of the pairs of segments from different units, shape (R,)."""
        return weight_of_pairs(self.weights * self.sizes)


def weight_of_pairs(weights: np.ndarray) -> np.ndarray:
    """Return the weight of all pairs of different units, 1 - the sum of squared weights.

    A mean over pairs of different units (a variance, a kernel) divides by it. Equal weights give
    the usual unbiased estimate; in a resample, a unit drawn twice is not compared with itself. It
    is NaN where one unit has all the weight.
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
        student = special.stdtrit(units - 1, tail) * math.sqrt(units / (units - 1))
        tail = float(special.ndtr(student))
    low = order_statistic(np.floor(tail * last))
    high = order_statistic(np.ceil((1 - tail) * last))
    return Estimate(value, low, high)
