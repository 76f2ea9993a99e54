"""Search for images of an unknown generator: the spectrum repeats at a small period.

Where samples are held, or zeros inserted, `X(f)` and `X(f - sample_rate / period)` have phases that
belong together, at all frequencies and whatever the signal. Each small period is tried. The
p-value counts groups of segments as independent, and bins that are locked themselves do not
count: they are tones (`comb`).
"""

import sys
from dataclasses import dataclass

import numpy as np
from scipy import fft, signal, stats

from wavegan_rc.measurement.blind.peaks import LOWEST_BIN

LONGEST_PERIOD = 32
_LEVEL = 0.01
# One prompt of the bundled speech has 0.002 to 0.005 at period 2; cuts of others had 0.029.
_LEAST_COHERENCE = 0.01
# A shorter distance is within the reach of the window.
_FEWEST_BINS_APART = 8
_FEWEST_PAIRS = 16
# Samples that are enough.
_SAMPLES = 2**20
# Of `n R^2`, which is exponential without locking: bins above are tones.
_LOCKED = 7.0
# No pair of bins counts more, so that few tones make no image.
_LARGEST = 4.0
# Bins next to each other are correlated by the window, and their sum has up to twice the variance.
_CORRELATION = 2.0
# An image of this share of a shorter period's explains it.
_EXPLAINS = 0.5


@dataclass(frozen=True)
class FoundImages:
    """Images of the whole signal that chance does not explain.

    Attributes:
        period: Period in samples.
        spacing_hz: Distance of the images in Hz, `sample_rate / period`.
        coherence: Mean squared coherence of the phases, without bias, 0 to 1.
        p_value: Probability of such coherence at any small period without images.
    """

    period: int
    spacing_hz: float
    coherence: float
    p_value: float

    def in_words(self) -> str:
        """Return the period and the coherence in words."""
        return (
            f"images of the signal every {self.spacing_hz:.7g} Hz (period {self.period}): "
            f"coherence {self.coherence:.3f}, p = {self.p_value:.1g}"
        )


def find_images(
    segments: np.ndarray, group: np.ndarray, sample_rate: int
) -> tuple[FoundImages, ...]:
    """Find the small periods at which the spectrum repeats.

    Periods from 2 to 32 are tried. Of periods that divide each other, only the longest is reported,
    unless a shorter one is twice as coherent. Periods that do not divide the segment length are
    found only if segments start with the pattern.

    Args:
        segments: Array of shape (segments, samples), an even number of samples.
        group: Group of each segment, ascending; groups are independent.
        sample_rate: Sample rate in Hz.

    Returns:
        Images with p < 0.01 and a coherence of at least 0.01, longest period first.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> held = np.repeat(rng.standard_normal((50, 128)), 4, axis=1)
        >>> [(i.period, round(i.coherence, 2)) for i in find_images(held, np.arange(50), 16000)]
        [(4, 1.0)]
    """
    length = segments.shape[1]
    step = -(-segments.size // _SAMPLES)
    segments, group = segments[::step], group[::step]
    sounding = segments.any(axis=1)
    segments, first = segments[sounding], _starts(group[sounding])
    if len(first) < 2:
        return ()
    spectrum = fft.rfft(segments * signal.get_window("hann", length).astype(np.float32), axis=1)
    magnitude = np.abs(spectrum)
    units = spectrum / np.where(magnitude > 0, magnitude, 1)
    steady = _agreement(units, first) > _LOCKED
    steady[:LOWEST_BIN] = steady[-1] = True
    found: list[FoundImages] = []
    for period in range(min(LONGEST_PERIOD, length // _FEWEST_BINS_APART), 1, -1):
        shift = round(length / period)
        upper = np.arange(-(-shift // 2) + 1, length // 2)
        lower = np.abs(upper - shift)
        kept = ~(steady[upper] | steady[lower])
        below, upper, lower = upper[kept] < shift, upper[kept], lower[kept]
        if len(upper) < _FEWEST_PAIRS:
            continue
        others = units[:, lower]
        # X(-f) is the conjugate of X(f).
        others[:, ~below] = others[:, ~below].conj()
        agreement = _agreement(units[:, upper] * others, first)
        p_value = min(1.0, LONGEST_PERIOD * _chance(agreement))
        coherence = (float(agreement.mean()) - 1) / (len(first) - 1)
        explained = any(
            other.period % period == 0 and other.coherence > _EXPLAINS * coherence
            for other in found
        )
        if p_value < _LEVEL and coherence >= _LEAST_COHERENCE and not explained:
            found.append(FoundImages(period, sample_rate / period, coherence, p_value))
    return tuple(found)


def _starts(group: np.ndarray) -> np.ndarray:
    """Return the indices at which groups begin."""
    return np.flatnonzero(np.diff(group, prepend=-1))


def _agreement(units: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return `n R^2` of unit vectors over groups; exponential with mean 1 if they are unrelated.

    Args:
        units: Unit vectors, shape (segments, bins).
        first: Index of the first segment of each group.
    """
    sums = np.add.reduceat(units, first, axis=0)
    squares = (np.abs(sums) ** 2).sum(axis=0)
    whole = np.abs(sums.sum(axis=0)) ** 2
    return np.divide(whole, squares, out=np.zeros_like(whole), where=squares > 0)


def _chance(agreement: np.ndarray) -> float:
    """Return the probability of so large a mean, each value limited, without relation."""
    rest = np.exp(-_LARGEST)
    mean = 1 - rest
    variance = 2 * (1 - rest * (1 + _LARGEST)) - mean**2
    error = np.sqrt(_CORRELATION * variance / len(agreement))
    p_value = stats.norm.sf((np.minimum(agreement, _LARGEST).mean() - mean) / error)
    # Never 0: that of full coherence underflows.
    return max(float(p_value), sys.float_info.min)
