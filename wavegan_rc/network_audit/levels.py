"""Powers of lines, and levels with intervals."""

from collections.abc import Sequence

import numpy as np

from wavegan_rc.artifacts.bootstrap import Estimate, estimate
from wavegan_rc.spectrogram import line_prominence_db

# Fainter sounds are rounding of float32 weights and samples.
FLOOR_DB = -120.0


def line_powers(
    frequencies_hz: np.ndarray, power: np.ndarray, lines_hz: Sequence[float]
) -> np.ndarray:
    """Power of lines: what their bins hold above the median of the bins around.

    Args:
        frequencies_hz: Of the bins up to half the sample rate, in Hz.
        power: Mean power spectra, shape (resamples, bins).
        lines_hz: All predicted lines, in Hz.

    Returns:
        Shape (resamples, lines), negative where there is less than around; NaN where
        `line_prominence_db` has none.

    Example:
        >>> power = np.ones((1, 65))
        >>> power[0, 32] = 100
        >>> line_powers(np.arange(65) * 125.0, power, [4000.0]).tolist()
        [[99.0]]
    """
    prominence = line_prominence_db(frequencies_hz, power, lines_hz, 2 * frequencies_hz[-1])
    bins = np.rint(np.asarray(lines_hz) / frequencies_hz[1]).astype(int)
    return power[:, bins] * (1 - 10 ** (-prominence / 10))


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
