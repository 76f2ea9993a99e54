"""Levels with intervals."""

import numpy as np

from wavegan_rc.measurement.bootstrap import Estimate, estimate

# Fainter levels are float32 rounding.
FLOOR_DB = -120.0


def absolute_level(power: np.ndarray) -> Estimate:
    """Return the level in dB of a power, shape (1 + resamples,); -inf below -120 dB.

    Example:
        >>> absolute_level(np.array([0.01]))
        Estimate(value=-20.0, low=nan, high=nan)
    """
    return interval(np.where(power < 10 ** (FLOOR_DB / 10), 0, power), decibels=True)


def interval(values: np.ndarray, *, decibels: bool = False) -> Estimate:
    """Return the value and interval of an array of shape (1 + resamples,), the value first.

    `decibels` turns powers into levels, -inf for powers that are not positive.
    """
    if decibels:
        with np.errstate(divide="ignore"):
            values = 10 * np.log10(np.maximum(values, 0))
    return Estimate(*(float(number) for number in estimate(values)))
