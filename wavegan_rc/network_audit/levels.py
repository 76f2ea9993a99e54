"""Levels with intervals."""

import numpy as np

from wavegan_rc.measurement.bootstrap import Estimate, estimate

# Fainter levels are float32 rounding.
FLOOR_DB = -120.0


def absolute_level(power: np.ndarray, units: int | None = None) -> Estimate:
    """Return the level in dB of a power, shape (1 + resamples,); -inf below -120 dB."""
    with np.errstate(divide="ignore"):
        return interval(10 * np.log10(np.where(power < 10 ** (FLOOR_DB / 10), 0, power)), units)


def interval(values: np.ndarray, units: int | None) -> Estimate:
    """Return the value and interval of an array of shape (1 + resamples,), the value first."""
    return Estimate(*(float(number) for number in estimate(values, units)))
