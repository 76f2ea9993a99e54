"""What is kept of a set of segments: sums over groups of them, from which statistics are made."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy import fft, signal

from wavegan_rc.errors import ParameterError
from wavegan_rc.spectrogram import CombLine, predicted_comb

# Resampling a thousand groups is as good as resampling segments, and needs memory for a thousand
# spectra, whatever the hours of audio; of longer segments there are fewer groups.
_MOST_GROUPS = 1024
_MOST_GROUPED_SAMPLES = 2**22
# Power of white noise that a Hann window lets into a bin, in bins; a tone puts as much into its
# bin and the two beside it together.
HANN_NOISE_BANDWIDTH = 1.5


@dataclass(frozen=True)
class StageComb:
    """The lines and the images of one upsampling stage.

    Attributes:
        stage: Counted from 1.
        spacing_hz: Input rate of the stage: its images of 0 Hz fall on multiples of it.
        period: Output samples after which what the stage does repeats.
        lines: Those of its images of 0 Hz that no later stage shares.
        shared_hz: Images of 0 Hz that later stages have too, to which they are given.
    """

    stage: int
    spacing_hz: float
    period: int
    lines: tuple[CombLine, ...]
    shared_hz: tuple[float, ...] = ()


def stage_combs(upsampling_factors: Sequence[int], sample_rate: int) -> tuple[StageComb, ...]:
    """The predicted comb, by stage.

    Example:
        >>> [(comb.spacing_hz, len(comb.lines)) for comb in stage_combs([2, 4], 16000)]
        [(2000.0, 2), (4000.0, 2)]
        >>> stage_combs([2, 4], 16000)[0].shared_hz
        (4000.0, 8000.0)
    """
    lines = predicted_comb(upsampling_factors, sample_rate)
    combs = []
    for stage in range(1, len(upsampling_factors) + 1):
        period = math.prod(upsampling_factors[stage - 1 :])
        own = tuple(line for line in lines if line.stage == stage)
        own_hz = {line.frequency_hz for line in own}
        every = (k * sample_rate / period for k in range(1, period // 2 + 1))
        shared = tuple(hz for hz in every if hz not in own_hz)
        combs.append(StageComb(stage, sample_rate / period, period, own, shared))
    return tuple(combs)


@dataclass(frozen=True)
class GroupedSpectra:
    """Sums over groups of neighbouring segments; groups are what is resampled.

    Each segment is transformed whole, under a Hann window, which keeps loud low frequencies from
    leaking over the faint high ones.

    Attributes:
        frequencies_hz: Of the bins, shape (bins,).
        group_size: Segments in a group; the last may have fewer.
        counts: Segments in each group, shape (groups,).
        sounding: Those of them that are not silent and so have phases, shape (groups,).
        power: Mean-square power in each bin ("spectrum" scaling, one-sided), (groups, bins).
        phasors: Of the unit vectors along the spectrum's phase, (groups, bins), complex.
        images: For each stage, of the unit vectors along the phase at `f` relative to that at
            `f - spacing`, (groups, stages, bins), complex.
        positions: Of squares by sample position modulo the longest period, (groups, period).
    """

    frequencies_hz: np.ndarray
    group_size: int
    counts: np.ndarray
    sounding: np.ndarray
    power: np.ndarray
    phasors: np.ndarray
    images: np.ndarray
    positions: np.ndarray

    @property
    def count(self) -> int:
        """Segments in all."""
        return int(self.counts.sum())

    def locking_of_groups(self) -> tuple[np.ndarray, int]:
        """How far the groups' sums of phases agree, and how many groups have any.

        With `S` the sum over a group, `|sum of S|**2 / (sum of |S|**2)` is to the groups what
        `n R**2` is to `n` independent segments, and for groups of one segment the same: it takes
        nothing from neighbours that agree because a tone lasts longer than a segment.

        Returns:
            Lengths `R` of shape (bins,), 0 to 1, and `n`, at least 1.
        """
        count = max(int((self.sounding > 0).sum()), 1)
        squares = (np.abs(self.phasors) ** 2).sum(axis=0, dtype=np.float64)
        whole = np.abs(self.phasors.sum(axis=0, dtype=np.complex128)) ** 2
        z = np.divide(whole, squares, out=np.zeros_like(whole), where=squares > 0)
        return np.minimum(np.sqrt(z / count), 1), count

    def sums(self) -> dict[str, np.ndarray]:
        """What is summed over groups, by name; the first axis is that of the groups."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: a for name, a in named.items() if name not in ("frequencies_hz", "group_size")
        }


def group_size_of(count: int, segment_length: int, independent: int = 1) -> int:
    """How many neighbouring segments are resampled as one.

    A power of two times `independent`, so that groups of one set can be joined to the size of
    those of another; see `join_groups`.

    Args:
        count: Of all segments.
        segment_length: In samples.
        independent: Neighbouring segments that hang together, a power of two.

    Example:
        >>> group_size_of(512, 2048), group_size_of(5000, 2048), group_size_of(512, 2048, 8)
        (1, 8, 8)
    """
    size = independent
    while -(-count // size) > min(_MOST_GROUPS, _MOST_GROUPED_SAMPLES // segment_length):
        size *= 2
    return size


def join_groups(spectra: GroupedSpectra, factor: int) -> GroupedSpectra:
    """The same with `factor` neighbouring groups in one."""
    first = np.arange(0, len(spectra.counts), factor)
    sums = {name: np.add.reduceat(a, first, axis=0) for name, a in spectra.sums().items()}
    return GroupedSpectra(spectra.frequencies_hz, spectra.group_size * factor, **sums)


def group_spectra(
    blocks: Iterable[np.ndarray],
    count: int,
    *,
    segment_length: int,
    sample_rate: int,
    combs: Sequence[StageComb] = (),
    independent: int = 1,
) -> GroupedSpectra:
    """Read segments once and keep what statistics need, in bounded memory.

    Args:
        blocks: Arrays of shape (some, segment_length), full scale 1.
        count: Segments in all blocks together.
        segment_length: In samples.
        sample_rate: In Hz.
        combs: Stages whose images are looked for; their periods must divide the segment length.
        independent: Neighbouring segments that hang together, a power of two.

    Raises:
        ParameterError: If there is no segment, one is not finite, or a period does not fit.
    """
    _check(count, segment_length, combs)
    size = group_size_of(count, segment_length, independent)
    groups = -(-count // size)
    bins, stages, period = segment_length // 2 + 1, len(combs), combs[0].period if combs else 1
    # Unit vectors of at most a few hundred segments are added: float32 does.
    sums = {
        "counts": np.zeros(groups, int),
        "sounding": np.zeros(groups),
        "power": np.zeros((groups, bins)),
        "phasors": np.zeros((groups, bins), np.complex64),
        "images": np.zeros((groups, stages, bins), np.complex64),
        "positions": np.zeros((groups, period)),
    }
    start = 0
    for block in blocks:
        if not np.isfinite(block).all():
            raise ParameterError("segments must be finite. Received: NaN or infinite samples")
        group = np.arange(start, start + len(block)) // size
        start += len(block)
        first = np.flatnonzero(np.diff(group, prepend=-1))
        for name, values in _summands(block, combs, period).items():
            sums[name][group[first]] += np.add.reduceat(values, first, axis=0)
    return GroupedSpectra(np.fft.rfftfreq(segment_length, 1 / sample_rate), size, **sums)


def _check(count: int, segment_length: int, combs: Sequence[StageComb]) -> None:
    for comb in combs:
        if segment_length % comb.period:
            raise ParameterError(
                f"segment_length must be a multiple of the period of stage {comb.stage}, "
                f"{comb.period} samples. Received: {segment_length}"
            )
    if segment_length % 2:
        raise ParameterError(f"segment_length must be even. Received: {segment_length}")
    if count < 1:
        raise ParameterError(f"count of segments must be at least 1. Received: {count}")


def _summands(block: np.ndarray, combs: Sequence[StageComb], period: int) -> dict[str, np.ndarray]:
    """What each segment of a block adds to the sums of its group."""
    length = block.shape[1]
    bins = length // 2 + 1
    window = signal.get_window("hann", length).astype(np.float32)
    scale = np.full(bins, 2 / window.sum(dtype=np.float64) ** 2)
    scale[[0, -1]] /= 2
    whole = fft.fft(block * window, axis=-1)
    magnitude = np.abs(whole)
    units = whole / np.where(magnitude > 0, magnitude, 1)
    images = np.empty((len(block), len(combs), bins), units.dtype)
    for i, comb in enumerate(combs):
        origin = np.roll(units, length // comb.period, axis=-1)
        images[:, i] = units[:, :bins] * origin[:, :bins].conj()
    squares = block.astype(np.float64) ** 2
    return {
        "counts": np.ones(len(block), int),
        "sounding": block.any(axis=1).astype(float),
        "power": magnitude[:, :bins].astype(np.float64) ** 2 * scale,
        "phasors": units[:, :bins],
        "images": images,
        "positions": squares.reshape(len(block), -1, period).sum(axis=1),
    }
