"""Peaks of a spectrum, strongest first, whatever its colour and roughness."""

import math

import numpy as np
from scipy import special

from wavegan_rc.spectrogram import line_prominence_db

# Distances in bins of the neighbours on either side, beyond a tone's reach under a Hann window and
# before the next line of a comb with lines 8 bins apart.
_NEAREST, _FARTHEST = 3, 7
# Offsets and slow drifts fill the bins below.
LOWEST_BIN = 4
# Bins on either side that define the roughness of the spectrum.
_ROUGHNESS_REACH = 64
# Standard error of a tone's place in bins.
PLACE_ERROR = 0.1
# In nepers of power, or relative to locking; smaller differences are rounding.
_LEAST = 1e-3


def power_scores(power: np.ndarray) -> np.ndarray:
    """Return the level of each bin above both sides, relative to the local roughness.

    A slope or an edge has no bin above both sides. The roughness is the distance of the lower
    quartile from the median, which peaks do not move, so that a noisier band has no more than its
    share of the highest scores.
    """
    level = np.log(power)
    above = level - _higher_side(level)
    lower, middle = np.quantile(_windows(above, _ROUGHNESS_REACH), [0.25, 0.5], axis=1)
    scores = (above - middle) / np.maximum(middle - lower, _LEAST)
    # Here the spectrum is real: the power of noise has twice the variance of other bins.
    scores[-1] /= np.sqrt(2)
    return np.where(above > _LEAST, np.maximum(scores, 0), 0)


def locking_scores(locking: np.ndarray, count: float) -> np.ndarray:
    """Return minus the log p-value of each bin's locking, relative to that of both sides.

    Unlocked bins have 1 on average. A generator whose segments all begin alike locks all bins; its
    tones are locked more than the bins around.

    Source:
        K. V. Mardia, P. E. Jupp, "Directional Statistics" (2000), section 6.3.1: the Rayleigh test,
        `p = exp(-n R^2)`.
    """
    surprise = count * np.asarray(locking, np.float64) ** 2
    # Phases are 0 or pi (see `sign_p_values`); bounded as in other bins.
    surprise[-1] = min(-np.log(2) - special.log_ndtr(-np.sqrt(surprise[-1])), count)
    side = _higher_side(surprise)
    return np.where(surprise > (1 + _LEAST) * side, surprise / (1 + side), 0)


def _higher_side(values: np.ndarray) -> np.ndarray:
    """Return the higher median of the bins 3 to 7 below and above each bin."""
    around = _windows(values, _FARTHEST)
    side = _FARTHEST - _NEAREST + 1
    return np.maximum(np.median(around[:, :side], axis=1), np.median(around[:, -side:], axis=1))


def _windows(values: np.ndarray, reach: int) -> np.ndarray:
    """Return the values up to `reach` bins around each bin, mirrored at the ends."""
    padded = np.pad(values, min(reach, len(values) - 1), mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(padded, len(padded) - len(values) + 1)


def closed_by(peak: int) -> slice:
    """Return the bins around a peak that can hold no other, since their scores depend on it."""
    return slice(max(0, peak - _FARTHEST), peak + _FARTHEST + 1)


def strongest_first(scores: np.ndarray, power: np.ndarray) -> np.ndarray:
    """Return the bins of the peaks: repeatedly the highest score in bins that no peak has closed.

    A strong tone locks the adjacent bins as well, so the peak is the one of three with the highest
    score times power. Bins of score 0 and the lowest bins are no peaks.

    Args:
        scores: Scores at least 0, shape (bins,).
        power: Mean power spectrum as for `power_scores`.

    Example:
        >>> scores = np.array([9.0] * 6 + [0.0] * 20 + [3.0, 5.1, 5.0])
        >>> power = np.array([1.0] * 27 + [25.0, 100.0])
        >>> strongest_first(scores, power).tolist()
        [4, 28]
    """
    left = scores.copy()
    left[:LOWEST_BIN] = 0
    peaks = []
    while left.any():
        best = int(left.argmax())
        first = max(0, best - 1)
        beside = slice(first, best + 2)
        peaks.append(first + int((left[beside] * power[beside]).argmax()))
        left[closed_by(peaks[-1])] = 0
    return np.array(peaks, dtype=int)


def refined(bins: np.ndarray, density: np.ndarray) -> np.ndarray:
    """Return the places of tones between bins, from the higher neighbour under a Hann window.

    Args:
        bins: Bins of the peaks.
        density: Mean power spectrum as for `power_scores`.

    Source:
        T. Grandke, "Interpolation algorithms for discrete Fourier transforms of weighted signals"
        (1983), section II: with the ratio `r` of the neighbour's amplitude to the peak's, the
        distance is `(2 r - 1) / (1 + r)`.

    Example:
        >>> places = np.arange(65) - 30.3
        >>> window = np.abs(np.sinc(places) / (1 - places**2))
        >>> refined(np.array([30]), window**2).round(3).tolist()
        [30.3]
    """
    inner, tones = np.clip(bins, 1, len(density) - 2), density - _higher_side(density)
    below, above = tones[inner - 1], tones[inner + 1]
    ratio = np.sqrt(np.maximum(np.maximum(below, above), 0) / np.maximum(tones[bins], 1e-300))
    away = np.clip((2 * ratio - 1) / (1 + ratio), 0, 0.5)
    # At half the sample rate there is only one place for a tone.
    return bins + np.where(bins == inner, np.where(above > below, away, -away), 0)


def with_its_digits(place: float, bin_hz: float, error: float = PLACE_ERROR) -> float:
    """Return a place in bins as a frequency in Hz, with the digits that its error in bins leaves.

    Example:
        >>> with_its_digits(100.1234, 7.8125)
        782.2
    """
    return round(place * bin_hz, -math.floor(math.log10(error * bin_hz)))


def prominences_db(power: np.ndarray, frequencies_hz: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Return the prominence of each tone by itself, so that close ones do not hide the floor."""
    sample_rate, tones_hz = 2 * frequencies_hz[-1], frequencies_hz[bins]
    return np.array(
        [line_prominence_db(frequencies_hz, power, [hz], sample_rate)[0] for hz in tones_hz]
    )
