"""Design the filter through which the critic hears segments."""

import math

import numpy as np
from scipy import signal

from wavegan_rc.audio.segments import Segments
from wavegan_rc.config.choices import Emphasis
from wavegan_rc.errors import DataError

# At 16 kHz, 127 taps resolve about 250 Hz: formants, but not the harmonics of a voice.
_LONGEST_FILTER = 127
_SPECTRUM_SAMPLES = 256
# Samples analysed: enough for a spectrum within a few tenths of a dB.
_SAMPLES = 2**23
# Beyond the steps of any training, so that no batch is used twice.
_STEP = 2**62


def tap_count(emphasis: Emphasis, segment_length: int) -> int:
    """Return the number of taps of a filter; it fits into a segment with room for reflections.

    Example:
        >>> tap_count("whitening", 2048), tap_count("whitening", 64), tap_count("first_order", 64)
        (127, 33, 2)
    """
    if emphasis == "first_order":
        return 2
    return min(_LONGEST_FILTER, segment_length // 4 * 2 + 1)


def design_emphasis(
    emphasis: Emphasis, segments: Segments, *, coefficient: float, limit_db: float
) -> np.ndarray:
    """Design the filter for a training corpus.

    The filter keeps the RMS level of the corpus, so the weight of the gradient penalty and the
    health thresholds keep their meaning.

    Args:
        emphasis: Kind of filter, `first_order` or `whitening`.
        segments: Training segments.
        coefficient: Coefficient c of the first-order filter x[n] - c x[n-1], in [0, 1).
        limit_db: Largest gain of the whitening filter relative to its gain at the loudest
            frequency of the corpus, in dB.

    Returns:
        float32 array of taps. `first_order` is causal, `whitening` has linear phase.

    Raises:
        DataError: If the segments are silent.

    Source:
        S. Pascual, A. Bonafonte, J. Serra, "SEGAN" (2017), section 4 (first order, 0.95).
    """
    frequencies, power = _mean_power(segments)
    if emphasis == "first_order":
        taps = np.array([1.0, -coefficient])
    else:
        # One-sided spectra have both sides of all frequencies but the first and the last.
        density = power * np.where(frequencies % 0.5 == 0, 2, 1)
        floor = density.max() * 10 ** (-limit_db / 10)
        gains = np.sqrt(density.max() / np.maximum(density, floor))
        count = tap_count(emphasis, segments.segment_length)
        taps = signal.firwin2(count, frequencies, gains, fs=1.0)
    _, response = signal.freqz(taps, worN=frequencies, fs=1.0)
    taps *= math.sqrt(power.sum() / (power * np.abs(response) ** 2).sum())
    return taps.astype(np.float32)


def _mean_power(segments: Segments) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies in cycles per sample, 0 to 0.5, and the power density of the corpus."""
    count = -(-_SAMPLES // segments.segment_length)
    audio = segments.draw(_STEP, count)
    length = min(_SPECTRUM_SAMPLES, segments.segment_length // 2 * 2)  # with a bin at half the rate
    frequencies, power = signal.welch(audio, nperseg=length, detrend=False)
    power = power.mean(axis=0, dtype=np.float64)
    if not power.any():
        raise DataError("emphasis needs a spectrum, but the training recordings are silent")
    return frequencies, power
