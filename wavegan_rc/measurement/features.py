"""Log-mel features of segments, and levels of sets."""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import fft, signal

from wavegan_rc.errors import ParameterError
from wavegan_rc.measurement.bootstrap import Groups

# Several hundred segments determine the 40 x 40 covariance of two features a band, and bands are
# wider than the resolution of the shortest spectrum.
BANDS = 20
# Least level of a band in dB relative to full scale; below it nothing is heard next to speech.
FLOOR_DB = -80.0
# Least standard deviation of a reference feature in dB: a doubling of amplitude.
SMALLEST_DEVIATION_DB = 6.0

_WINDOW_S = 0.016
_SAMPLES_PER_BLOCK = 2**20
_CLIPPED = 32766 / 32767


def log_mel_features(segments: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the mean and standard deviation over time of each mel band's level.

    The Hann window is 16 ms, or half a segment if that is shorter; the hop is a quarter of it.

    Args:
        segments: Floating-point array of shape (N, samples), full scale 1. Sets to be compared
            must have the same segment length.
        sample_rate: Sample rate in Hz.

    Returns:
        float32 array of shape (N, 40) in dB: mean levels of the 20 bands relative to a mean square
        of 1, at least -80 dB, then their standard deviations.

    Raises:
        ParameterError: If segments are shorter than a band needs: 112 samples at 16 kHz.

    Source:
        M. Slaney, "Auditory Toolbox" (1998), `mfcc`: the spacing of the bands, as in librosa.

    Example:
        >>> sine = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(2048) / 16000)
        >>> features = log_mel_features(sine[None], 16000)
        >>> features.shape, int(features[0, :20].argmax()), round(float(features[0, :20].max()))
        ((1, 40), 6, -24)
    """
    n_fft = min(round(_WINDOW_S * sample_rate), segments.shape[1] // 2)
    edges = mel_edges(sample_rate / 2)
    if n_fft * (edges[2] - edges[0]) < sample_rate:
        shortest = 2 * int(np.ceil(sample_rate / (edges[2] - edges[0])))
        raise ParameterError(
            f"segments must have at least {shortest} samples. Received: {segments.shape[1]}"
        )
    window = signal.get_window("hann", n_fft)
    frequencies = fft.rfftfreq(n_fft, 1 / sample_rate)[:, None]
    rising = (frequencies - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - frequencies) / np.diff(edges)[1:]
    # Parseval: the two-sided power of all bins adds up to the windowed mean square.
    bands = np.clip(np.minimum(rising, falling), 0, None) * 2 / (n_fft * (window**2).sum())
    bands, window = bands.astype(np.float32), window.astype(np.float32)
    step = max(1, _SAMPLES_PER_BLOCK // segments.shape[1])
    features = np.empty((len(segments), 2 * BANDS), np.float32)
    for start in range(0, len(segments), step):
        block = np.asarray(segments[start : start + step], np.float32)
        frames = sliding_window_view(block, n_fft, axis=1)[:, :: max(1, n_fft // 4)]
        power = np.abs(fft.rfft(frames * window)) ** 2
        level = 10 * np.log10(np.maximum(power @ bands, 10 ** (FLOOR_DB / 10)))
        features[start : start + step] = np.hstack([level.mean(axis=1), level.std(axis=1)])
    return features


def mel_edges(highest_hz: float) -> np.ndarray:
    """Return the frequencies in Hz of band edges and centres, evenly spaced on the mel scale.

    Source:
        M. Slaney, "Auditory Toolbox" (1998), `mfcc`: linear to 1 kHz, then logarithmic.
    """
    linear, step = 200 / 3, np.log(6.4) / 27  # Hz and log frequency of a mel
    highest = highest_hz / linear
    if highest_hz > 1000:
        highest = 1000 / linear + np.log(highest_hz / 1000) / step
    mels = np.linspace(0, highest, BANDS + 2)
    above = 1000 * np.exp(step * (mels - 1000 / linear))
    return np.where(mels < 1000 / linear, linear * mels, above)


def standardize(features: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Scale features by the reference's mean and its standard deviation, at least 6 dB.

    Low-passed recordings do not vary above the stopband edge. Without a least deviation, the
    faintest sound there would outweigh all other differences.

    Args:
        features: Array of shape (N, D) in dB.
        reference: Array of shape (M, D) in dB, M at least 2: features of training segments.

    Returns:
        float64 array of shape (N, D).

    Raises:
        ParameterError: If the reference has fewer than 2 segments.

    Example:
        >>> standardize(np.array([[1.0, 1.0]]), np.array([[-10.0, -5.0], [10.0, -5.0]])).tolist()
        [[0.1, 1.0]]
    """
    if len(reference) < 2:
        raise ParameterError(f"reference must have at least 2 segments. Received: {len(reference)}")
    deviation = reference.std(axis=0, dtype=np.float64)
    centre = reference.mean(axis=0, dtype=np.float64)
    return (features - centre) / np.maximum(deviation, SMALLEST_DEVIATION_DB)


class Levels(NamedTuple):
    """Levels of a set under each row of weights; arrays of shape (R,).

    Attributes:
        rms_db: Level of the mean power in dB relative to a mean square of 1; NaN for silence.
        spread_db: Standard deviation of the segments' levels in dB; levels are at least -80 dB.
        dc_offset_db: Magnitude of the mean sample in dB relative to full scale; NaN for 0.
        clipped_share: Share of the samples at full scale, 0 to 1.
    """

    rms_db: np.ndarray
    spread_db: np.ndarray
    dc_offset_db: np.ndarray
    clipped_share: np.ndarray


def level_statistics(segments: np.ndarray, groups: Groups) -> Levels:
    """Return the loudness, its spread, the DC offset and the clipping of segments.

    Samples from 32766 / 32767 on count as clipped, since some encoders stop one step below full
    scale.

    Args:
        segments: Floating-point array of shape (N, samples), full scale 1, N at least 2.
        groups: Weights of the segments.

    Raises:
        ParameterError: If there is only one segment.

    Example:
        >>> levels = level_statistics(np.full((2, 8), 0.1), Groups(np.array([[0.5, 0.5]])))
        >>> [round(float(values[0])) for values in levels]
        [-20, 0, -20, 0]
    """
    if len(segments) < 2:
        raise ParameterError(f"segments must be at least 2. Received: {len(segments)}")
    power = np.einsum("ns,ns->n", segments, segments, dtype=np.float64) / segments.shape[1]
    offset = segments.mean(axis=1, dtype=np.float64)
    clipped = (segments >= _CLIPPED).mean(axis=1) + (segments <= -_CLIPPED).mean(axis=1)
    level = 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10)))
    level -= level.mean()  # against cancellation in the variance below
    means = groups.means(np.stack([power, offset, clipped, level, level**2], axis=1))
    # Pairs of different units only: repeats and likeness must not narrow the spread.
    within = groups.sizes * groups.sums(level**2) - groups.sums(level) ** 2
    variance = means[:, 4] - means[:, 3] ** 2 - groups.weights**2 @ within
    variance /= groups.weight_of_pairs
    return Levels(
        rms_db=_decibels(means[:, 0]),
        spread_db=np.sqrt(np.maximum(variance, 0)),
        dc_offset_db=_decibels(means[:, 1] ** 2),
        clipped_share=means[:, 2],
    )


def _decibels(power: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.where(power > 0, power, np.nan))
