"""Power of lines, one by one and together."""

import numpy as np

from wavegan_rc.measure.grouped_spectra import GroupedSpectra

# Noise seldom makes a dip of more standard errors.
_DEEPEST_NOISE = 3
# Of the sum: noise alone seldom adds up to more.
_FLOOR = 2


def line_powers(at_lines: np.ndarray, prominence_db: np.ndarray) -> np.ndarray:
    """Power of lines: what their bins hold above the median of the bins around.

    Args:
        at_lines: Mean power in the lines' bins, shape (resamples, lines).
        prominence_db: Of the lines, from `prominence_db` of the statistics.

    Returns:
        Shape (resamples, lines), negative where there is less than around; NaN where there is no
        prominence.

    Example:
        >>> line_powers(np.array([[100.0]]), np.array([[20.0]])).tolist()
        [[99.0]]
    """
    return at_lines * (1 - 10 ** (-prominence_db / 10))


def standard_errors(spectra: GroupedSpectra, bins: np.ndarray) -> np.ndarray:
    """Standard errors of the mean power in some bins, from the spread over groups, shape (bins,).

    One group has no spread: 0, so that nothing in it counts as noise.
    """
    groups = len(spectra.counts)
    if groups < 2:
        return np.zeros(len(bins))
    each = spectra.power[:, bins] / spectra.counts[:, None]
    return each.std(axis=0, ddof=1) / np.sqrt(groups)


def sum_of_lines(powers: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, float]:
    """Power of several lines together, and the least that can be told from none.

    A dip at a predicted frequency is no line, and takes nothing from lines elsewhere: powers more
    than 3 standard errors below 0 are left out. Others keep their sign, so that noise cancels;
    positive parts alone would add up to something where there is nothing, and to more in a
    resample.

    Args:
        powers: From `line_powers`, shape (resamples, lines).
        errors: Standard errors of the lines' bins, shape (lines,).

    Returns:
        The sum, shape (resamples,), raised to the floor where it is below; NaN if no line can be
        measured. And the floor: 2 standard errors of the sum.

    Example:
        >>> total, floor = sum_of_lines(np.array([[9.0, -8.0, np.nan]]), np.array([0.1, 0.1, 0.1]))
        >>> total.tolist(), round(floor, 3)
        ([9.0], 0.283)
    """
    measured = ~np.isnan(powers[0])
    if not measured.any():
        return np.full(len(powers), np.nan), np.nan
    powers, errors = powers[:, measured], errors[measured]
    floor = float(_FLOOR * np.sqrt(np.sum(errors**2)))
    together = np.where(powers < -_DEEPEST_NOISE * errors, 0, powers)
    return np.maximum(np.nansum(together, axis=1), floor), floor
