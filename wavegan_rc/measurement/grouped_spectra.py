"""Sums over groups of segments, from which all statistics are made."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy import fft, signal

from wavegan_rc.errors import ParameterError
from wavegan_rc.measurement.bootstrap import first_of_each
from wavegan_rc.spectrogram import StageComb

# A thousand groups resample as well as segments do, and bound the memory for hours of audio.
_MOST_GROUPS = 1024
MOST_GROUPED_SAMPLES = 2**22
# Power of white noise in a bin under a Hann window, in bins; a tone puts as much into its bin and
# the two next to it together.
HANN_NOISE_BANDWIDTH = 1.5


@dataclass(frozen=True)
class GroupedSpectra:
    """Sums over groups of segments; the bootstrap resamples groups.

    Each segment is transformed whole under a Hann window, against leakage from loud low
    frequencies.

    Attributes:
        frequencies_hz: Frequencies of the bins in Hz, shape (bins,).
        recordings: Number of the recording of each group, shape (groups,): within one, a tone that
            lasts keeps its phase.
        counts: Number of segments in each group, shape (groups,).
        sounding: Number of segments that are not silent, shape (groups,).
        power: Sum of mean-square power ("spectrum" scaling, one-sided), shape (groups, bins).
        phasors: Sum of the spectrum's unit vectors, complex, shape (groups, bins).
        images: Sum of unit vectors along the phase at `f` relative to `f - spacing` of each stage,
            complex, shape (groups, stages, bins).
        positions: Sum of squares by sample position modulo the longest period, shape
            (groups, period).
    """

    frequencies_hz: np.ndarray
    recordings: np.ndarray
    counts: np.ndarray
    sounding: np.ndarray
    power: np.ndarray
    phasors: np.ndarray
    images: np.ndarray
    positions: np.ndarray

    @property
    def count(self) -> int:
        """Number of segments in the set."""
        return int(self.counts.sum())

    def uniform(self) -> np.ndarray:
        """Return the weights of the set itself, shape (1, groups)."""
        return np.full((1, len(self.counts)), 1 / len(self.counts))

    def locking_of_recordings(self) -> tuple[np.ndarray, int]:
        """Return the phase locking between recordings, and the number of those with phases.

        Segments of a recording that agree because a tone outlasts them add nothing.
        """
        first = first_of_each(self.recordings)
        count = max(int((np.add.reduceat(self.sounding, first) > 0).sum()), 1)
        squared = agreement(self.phasors.astype(np.complex128), first)
        return np.minimum(np.sqrt(squared / count), 1), count

    def sums(self) -> dict[str, np.ndarray]:
        """Return the sums by name; their first axis is that of the groups."""
        names = [field.name for field in fields(self)]
        return {name: getattr(self, name) for name in names[2:]}


def agreement(vectors: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return `n R**2` of unit vectors over units: exponential with mean 1 if they are unrelated.

    With `S` the sum over a unit, it is `|sum of S|**2 / (sum of |S|**2)`.
    """
    sums = np.add.reduceat(vectors, first, axis=0)
    squares = (np.abs(sums) ** 2).sum(axis=0)
    whole = np.abs(sums.sum(axis=0)) ** 2
    return np.divide(whole, squares, out=np.zeros_like(whole), where=squares > 0)


def most_groups(segment_length: int) -> int:
    """Return the largest number of groups, which bounds the memory."""
    return min(_MOST_GROUPS, max(MOST_GROUPED_SAMPLES // segment_length, 1))


def join_groups(spectra: GroupedSpectra, labels: np.ndarray) -> GroupedSpectra:
    """Merge consecutive groups that have the same label."""
    first = first_of_each(labels)
    sums = {name: np.add.reduceat(a, first, axis=0) for name, a in spectra.sums().items()}
    return GroupedSpectra(spectra.frequencies_hz, spectra.recordings[first], **sums)


def group_spectra(
    blocks: Iterable[np.ndarray],
    count: int,
    *,
    segment_length: int,
    sample_rate: int,
    combs: Sequence[StageComb] = (),
    groups: np.ndarray | None = None,
    recordings: np.ndarray | None = None,
) -> GroupedSpectra:
    """Sum the spectra of segments in bounded memory.

    Args:
        blocks: Finite arrays of shape (any number, segment_length), full scale 1.
        count: Number of segments in all blocks.
        segment_length: Segment length in samples, even.
        sample_rate: Sample rate in Hz.
        combs: Stages whose images are summed; their periods must divide the segment length.
        groups: Number of each segment's group, ascending from 0, shape (count,). None: each segment
            is a group, or as many neighbours as the memory asks for.
        recordings: Number of the recording of each group, ascending. None: each has its own.

    Raises:
        ParameterError: If the segment length is odd, or no multiple of a period.
    """
    for comb in combs:
        if segment_length % comb.period:
            raise ParameterError(
                f"segment_length must be a multiple of the period of stage {comb.stage}, "
                f"{comb.period} samples. Received: {segment_length}"
            )
    if segment_length % 2:
        raise ParameterError(f"segment_length must be even. Received: {segment_length}")
    if groups is None:
        groups = np.arange(count) // -(-count // most_groups(segment_length))
    number = int(groups[-1]) + 1
    bins, stages, period = segment_length // 2 + 1, len(combs), combs[0].period if combs else 1
    # Unit vectors of at most a few hundred segments are added: float32 does.
    sums = {
        "counts": np.zeros(number, int),
        "sounding": np.zeros(number),
        "power": np.zeros((number, bins)),
        "phasors": np.zeros((number, bins), np.complex64),
        "images": np.zeros((number, stages, bins), np.complex64),
        "positions": np.zeros((number, period)),
    }
    start = 0
    for block in blocks:
        group = groups[start : start + len(block)]
        start += len(block)
        first = first_of_each(group)
        for name, values in _summands(block, combs, period).items():
            sums[name][group[first]] += np.add.reduceat(values, first, axis=0)
    if recordings is None:
        recordings = np.arange(number)
    return GroupedSpectra(np.fft.rfftfreq(segment_length, 1 / sample_rate), recordings, **sums)


def unit_spectra(segments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return magnitudes and unit vectors (0 for silence) of spectra under a Hann window."""
    window = signal.get_window("hann", segments.shape[1]).astype(np.float32)
    spectrum = fft.rfft(segments * window, axis=1)
    magnitude = np.abs(spectrum)
    return magnitude, spectrum / np.where(magnitude > 0, magnitude, 1)


def image_vectors(units: np.ndarray, shift: int) -> np.ndarray:
    """Return the products of `X(f)` and the conjugate of `X(f - shift)`, shape of `units`.

    Below 0 Hz, the spectrum is the conjugate of that above.
    """
    products = np.empty_like(units)
    np.multiply(units[:, :shift], units[:, shift:0:-1], out=products[:, :shift])
    np.conj(units[:, : units.shape[1] - shift], out=products[:, shift:])
    products[:, shift:] *= units[:, shift:]
    return products


def _summands(block: np.ndarray, combs: Sequence[StageComb], period: int) -> dict[str, np.ndarray]:
    """Return what each segment of a block adds to the sums of its group."""
    length = block.shape[1]
    magnitude, units = unit_spectra(block)
    scale = np.full(units.shape[1], 2 / signal.get_window("hann", length).sum() ** 2)
    scale[[0, -1]] /= 2
    images = np.empty((len(block), len(combs), units.shape[1]), units.dtype)
    for i, comb in enumerate(combs):
        images[:, i] = image_vectors(units, length // comb.period)
    squares = block.astype(np.float64) ** 2
    return {
        "counts": np.ones(len(block), int),
        "sounding": block.any(axis=1).astype(float),
        "power": magnitude.astype(np.float64) ** 2 * scale,
        "phasors": units,
        "images": images,
        "positions": squares.reshape(len(block), -1, period).sum(axis=1),
    }
