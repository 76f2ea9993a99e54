"""P-values of single findings, of differences between sets, and of many findings at once."""

from collections.abc import Callable

import numpy as np
from scipy import special

SIGNIFICANCE = 0.05
PERMUTATIONS = 1000
# Equal statistics of two resamples differ by the rounding of float32 weights.
_ROUNDING = 1e-6
# No p-value is 0: what is smaller than any float is this.
_SMALLEST = float(np.finfo(np.float64).tiny)


def permuted_differences(
    statistic: Callable[[np.ndarray], np.ndarray],
    count_a: int,
    count_b: int,
    *,
    permutations: int = PERMUTATIONS,
    seed: int,
) -> np.ndarray:
    """Return differences of a statistic between two sets, and between random splits of their pool.

    Row 0 compares the sets themselves; every other row splits the pooled segments at random. If
    both sets were drawn alike, row 0 is like any other; see `max_t_p_values`.

    Source:
        B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), section 15.2.
    """
    rng = np.random.default_rng(seed)
    in_a = np.zeros((permutations + 1, count_a + count_b), dtype=bool)
    in_a[:, :count_a] = True
    rng.permuted(in_a[1:], axis=1, out=in_a[1:])
    a, b = statistic(in_a / np.float32(count_a)), statistic(~in_a / np.float32(count_b))
    with np.errstate(invalid="ignore"):
        differences = a - b
    # Two equal infinities do not differ. Where either is unknown, NaN stays.
    return np.where((a == b) & np.isinf(a), 0.0, differences)


def max_t_p_values(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return two-sided p-values of several numbers, corrected for their number.

    Each number is divided by its spread under the null hypothesis. The p-value is the share of
    draws in which any number is as far from 0. It bounds the family-wise error rate under any
    dependence. Infinities count as just beyond the largest finite number. Unknown draws (NaN) count
    as being as far from 0 as any.

    Source:
        P. H. Westfall, S. S. Young, "Resampling-Based Multiple Testing" (1993), section 2.3
        (single-step maximum).
    """
    p_values = np.full(len(observed), np.nan)
    tested = np.flatnonzero(~np.isnan(observed))
    if not len(null) or not tested.size:
        return p_values
    every = np.abs(np.vstack([observed[tested], null[:, tested]]))
    largest = np.where(np.isfinite(every), every, 0).max(axis=0)
    every = np.where(np.isfinite(every), every, 2 * np.where(largest > 0, largest, 1))
    # A number that never varies differs for certain if it is not 0.
    spread = np.sqrt((every[1:] ** 2).mean(axis=0))
    with np.errstate(over="ignore"):
        every /= np.maximum(spread, _SMALLEST)
    far = every[0] * (1 - _ROUNDING)
    most = every[1:].max(axis=1)
    p_values[tested] = (1 + (most[:, None] >= far).sum(axis=0)) / (1 + len(null))
    return p_values


def holm(p_values: np.ndarray) -> np.ndarray:
    """Return p-values adjusted to control the family-wise error rate; NaN (no test) stays NaN.

    Source:
        S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure" (1979), section 3.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p_values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested])]
    left = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(left * p_values[order]), 1)
    return adjusted


def rayleigh_p_values(locking: np.ndarray, count: float) -> np.ndarray:
    """Return the probability of at least this locking for uniform, independent phases.

    It is never 0, and above the true probability where that is small: of 10 segments and R = 0.9 it
    is 3.8e-5, in truth 1.9e-5. Not for 0 Hz and half the sample rate, where spectra are real: see
    `sign_p_values`.

    Source:
        D. Wilkie, "Rayleigh Test for Randomness of Circular Data" (1983); J. H. Zar,
        "Biostatistical Analysis" (1999), equation 27.4:
        `exp(sqrt(1 + 4n + 4(n^2 - (nR)^2)) - (1 + 2n))`.
    """
    unlocked = 1 - np.minimum(np.asarray(locking, np.float64), 1) ** 2
    # The difference of the source is of large numbers; this is its product with their sum, over it.
    root = np.sqrt(1 + 4 * count + 4 * count**2 * unlocked)
    exponent = -4 * count**2 * (1 - unlocked) / (root + 1 + 2 * count)
    return np.maximum(np.exp(exponent), _SMALLEST)


def sign_p_values(locking: np.ndarray, count: float) -> np.ndarray:
    """Return the same where phases are 0 or pi: the locking is a mean of random signs.

    It is at least `2**(1 - n)`: `n` random signs are equal as often as that.

    Source:
        The central limit theorem: `n R^2` is chi-squared with one degree of freedom.
    """
    by_limit = special.chdtrc(1, count * np.asarray(locking, np.float64) ** 2)
    return np.maximum(by_limit, max(2.0 ** (1 - count), _SMALLEST))


def locking_p_values(locking: np.ndarray, count: float) -> np.ndarray:
    """Return p-values of the locking of all bins but 0 Hz; the last bin is half the sample rate."""
    signs = np.arange(len(locking)) == len(locking) - 1
    return np.where(signs, sign_p_values(locking, count), rayleigh_p_values(locking, count))
