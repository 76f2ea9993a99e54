"""How surely two sets differ, and whether several findings at once are by chance."""

from collections.abc import Callable

import numpy as np
from scipy import stats

from wavegan_rc.errors import ParameterError

# (R, N) weights to (R,) or (R, ...) values.
Statistic = Callable[[np.ndarray], np.ndarray]

PERMUTATIONS = 1000
# Equal statistics of two resamples may differ by rounding: weights are float32.
_ROUNDING = 1e-6


def permuted_differences(
    statistic: Statistic, count_a: int, count_b: int, *, permutations: int = PERMUTATIONS, seed: int
) -> np.ndarray:
    """Differences of a statistic between two sets, and between halves of both shuffled together.

    Row 0 of the weights is the sets as they are: `1 / count_a` on the first `count_a` pooled
    segments and 0 on the rest for a, `1 / count_b` on the rest for b. For every other row all
    segments are put in random order; a takes the first `count_a` of them, b the rest. If both sets
    were drawn alike, row 0 is like any other: `max_t_p_values` says how probable it is.

    Args:
        statistic: Of weights over the pooled segments, those of set a first.
        count_a: Number of segments in set a, at least 2.
        count_b: Number of segments in set b, at least 2.
        permutations: At least 1; the smallest p-value is 1 / (1 + permutations).
        seed: Non-negative.

    Returns:
        That of a minus that of b, shape (permutations + 1, ...).

    Raises:
        ParameterError: If there are too few segments or permutations.

    Source:
        B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), section 15.2.
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
    with np.errstate(invalid="ignore"):  # two equal infinities have no difference: NaN
        return statistic(in_a / np.float32(count_a)) - statistic(~in_a / np.float32(count_b))


def max_t_p_values(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Two-sided p-values of several numbers, corrected for there being several.

    Each number is divided by its spread under the null hypothesis; the p-value is the share of
    draws in which any of them, and not just this one, is as far from 0. So the chance of a single
    false one among all is what it says, whatever hangs together with what.

    Args:
        observed: Shape (numbers,); NaN and infinities have no p-value and do not count.
        null: Draws under the null hypothesis, shape (draws, numbers).

    Returns:
        Shape (numbers,), at least `1 / (1 + draws)`; NaN where there is none, and without draws.

    Source:
        P. H. Westfall, S. S. Young, "Resampling-Based Multiple Testing" (1993), section 2.3
        (single-step maximum).

    Example:
        >>> null = np.random.default_rng(0).standard_normal((999, 3))
        >>> max_t_p_values(np.array([0.0, 1.96, np.nan]), null).round(1)
        array([1. , 0.1, nan])
    """
    p_values = np.full(len(observed), np.nan)
    if not len(null):
        return p_values
    with np.errstate(invalid="ignore"):
        spread = null.std(axis=0)
    tested = np.flatnonzero(np.isfinite(observed) & np.isfinite(spread))
    if not tested.size:
        return p_values
    # What never varies is certain if it is not 0.
    scale = np.maximum(spread[tested], np.finfo(np.float64).tiny)
    largest = np.abs(null[:, tested] / scale).max(axis=1)
    far = np.abs(observed[tested] / scale) * (1 - _ROUNDING)
    p_values[tested] = (1 + (largest[:, None] >= far).sum(axis=0)) / (1 + len(null))
    return p_values


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


def holm(p_values: np.ndarray) -> np.ndarray:
    """P-values adjusted so that the chance of a single false one among all is what they say.

    Args:
        p_values: Array of shape (tests,); NaN (no test made) stays NaN and does not count.

    Returns:
        Array of shape (tests,), at most 1.

    Source:
        S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure" (1979), section 3.

    Example:
        >>> holm(np.array([0.04, 0.01, np.nan])).tolist()
        [0.04, 0.02, nan]
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p_values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested])]
    left = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(left * p_values[order]), 1)
    return adjusted
