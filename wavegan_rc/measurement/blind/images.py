"""Search for images of an unknown generator: the spectrum repeats at a small period.

Where samples are held, or zeros inserted, `X(f)` and `X(f - sample_rate / period)` have phases that
belong together, at all frequencies and whatever the signal. Each small period is tried. The
p-value counts groups of segments as independent, and bins that are locked themselves do not
count: they are tones (`comb`).
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from wavegan_rc.measurement.blind.evidence import FEWEST_BINS_APART
from wavegan_rc.measurement.blind.peaks import LOWEST_BIN
from wavegan_rc.measurement.bootstrap import first_of_each
from wavegan_rc.measurement.grouped_spectra import agreement, image_vectors, unit_spectra

LONGEST_PERIOD = 32
_LEVEL = 0.01
# One prompt of the bundled speech has 0.002 to 0.005 at period 2; cuts of others had 0.029.
_LEAST_COHERENCE = 0.01
_FEWEST_PAIRS = 16
# Samples that are enough.
_SAMPLES = 2**20
# Of `n R^2`, which is exponential without locking: bins above are tones.
_LOCKED = 7.0
# No pair of bins counts more, so that few tones make no image.
_LARGEST = 4.0
# Bins next to each other are correlated by the window, and their sum has up to twice the variance.
_CORRELATION = 2.0
# Images of this share of others' coherence, of a longer period or in real audio, are explained.
_EXPLAINS = 0.5


@dataclass(frozen=True)
class FoundImages:
    """Images of the whole signal that chance does not explain.

    Attributes:
        period: Period in samples.
        spacing_hz: Distance of the images in Hz, `sample_rate / period`.
        coherence: Mean squared coherence of the phases, without bias, 0 to 1.
        p_value: Probability of such coherence at any small period without images.
        real_coherence: Coherence of real audio at this period. None without a reference.
    """

    period: int
    spacing_hz: float
    coherence: float
    p_value: float
    real_coherence: float | None = None

    @property
    def in_real_audio(self) -> bool:
        """Return whether real audio has these images, too."""
        return self.real_coherence is not None and self.real_coherence > _EXPLAINS * self.coherence

    def in_words(self) -> str:
        """Return the period and the coherence in words."""
        real = "" if self.real_coherence is None else f" (real audio: {self.real_coherence:.3f})"
        return (
            f"images of the signal every {self.spacing_hz:.7g} Hz (period {self.period}): "
            f"coherence {self.coherence:.3f}{real}, p = {self.p_value:.1g}"
        )


def find_images(
    segments: np.ndarray, group: np.ndarray, sample_rate: int
) -> tuple[FoundImages, ...]:
    """Find the small periods at which the spectrum repeats.

    Periods from 2 to 32 are tried. Of periods that divide each other, only the longest is reported,
    unless a shorter one is twice as coherent. Periods that do not divide the segment length are
    found only if segments start with the pattern.
    """
    found: list[FoundImages] = []
    for image in _tried(segments, group, sample_rate, range(LONGEST_PERIOD, 1, -1)):
        explained = any(
            other.period % image.period == 0 and other.coherence > _EXPLAINS * image.coherence
            for other in found
        )
        if image.p_value < _LEVEL and image.coherence >= _LEAST_COHERENCE and not explained:
            found.append(image)
    return tuple(found)


def beside_real(
    images: tuple[FoundImages, ...], segments: np.ndarray, group: np.ndarray, sample_rate: int
) -> tuple[FoundImages, ...]:
    """Return images with the coherence of real audio, whose segments and groups are given."""
    tried = _tried(segments, group, sample_rate, [image.period for image in images])
    real = {image.period: max(image.coherence, 0.0) for image in tried}
    return tuple(replace(image, real_coherence=real.get(image.period)) for image in images)


def _tried(
    segments: np.ndarray, group: np.ndarray, sample_rate: int, periods: Iterable[int]
) -> Iterator[FoundImages]:
    """Yield the coherence at each period at which it can be measured."""
    length, step = segments.shape[1], -(-segments.size // _SAMPLES)
    segments, group = segments[::step], group[::step]
    sounding = segments.any(axis=1)
    first = first_of_each(group[sounding])
    if len(first) < 2:
        return
    _, units = unit_spectra(segments[sounding])
    steady = agreement(units, first) > _LOCKED
    steady[:LOWEST_BIN] = steady[-1] = True
    for period in periods:
        shift = round(length / period)
        upper = np.arange(-(-shift // 2) + 1, length // 2)
        upper = upper[~(steady[upper] | steady[np.abs(upper - shift)])]
        if length // period < FEWEST_BINS_APART or len(upper) < _FEWEST_PAIRS:
            continue
        agreeing = agreement(image_vectors(units, shift), first)[upper]
        coherence = (float(agreeing.mean()) - 1) / (len(first) - 1)
        p_value = min(1.0, LONGEST_PERIOD * _chance(agreeing))
        yield FoundImages(period, sample_rate / period, coherence, p_value)


def _chance(agreeing: np.ndarray) -> float:
    """Return the probability of so large a mean, each value limited, without relation."""
    rest = np.exp(-_LARGEST)
    mean = 1 - rest
    variance = 2 * (1 - rest * (1 + _LARGEST)) - mean**2
    error = np.sqrt(_CORRELATION * variance / len(agreeing))
    p_value = special.ndtr(-(np.minimum(agreeing, _LARGEST).mean() - mean) / error)
    # Never 0: that of full coherence underflows.
    return max(float(p_value), sys.float_info.min)
