"""Powers of lines, and levels with intervals."""

import numpy as np

from wavegan_rc.artifacts.bootstrap import Estimate, estimate

# Fainter sounds are rounding of float32 weights and samples.
FLOOR_DB = -120.0


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


def absolute_level(power: np.ndarray) -> Estimate:
    """Level of a power and of its resamples; -inf below -120 dB, where float32 rounds.

    Args:
        power: Shape (1 + resamples,), relative to full scale 1, the set's own first.

    Example:
        >>> absolute_level(np.array([0.01]))
        Estimate(value=-20.0, low=nan, high=nan)
    """
    return interval(np.where(power < 10 ** (FLOOR_DB / 10), 0, power), decibels=True)


def interval(values: np.ndarray, *, decibels: bool = False) -> Estimate:
    """A value and its resamples as numbers; without resamples the interval is unknown.

    Args:
        values: Shape (1 + resamples,), the set's own first.
        decibels: Whether they are powers, to be given as levels; -inf for what is not above 0.
    """
    if decibels:
        with np.errstate(divide="ignore"):
            values = 10 * np.log10(np.maximum(values, 0))
    if len(values) == 1:
        return Estimate(float(values[0]), np.nan, np.nan)
    return Estimate(*(float(number) for number in estimate(values)))
