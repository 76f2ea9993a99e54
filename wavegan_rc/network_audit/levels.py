"""Levels with intervals."""

import numpy as np

from wavegan_rc.measure.bootstrap import Estimate, estimate

# Fainter sounds are rounding of float32 weights and samples.
FLOOR_DB = -120.0


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
