"""Sums over groups of segments, from which all statistics are made, in one pass over a set."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy import fft, signal

from wavegan_rc.errors import ParameterError
from wavegan_rc.measurement.segments import SegmentSet
from wavegan_rc.spectrogram import StageComb

# A thousand groups resample as well as segments do, and bound the memory for hours of audio.
_MOST_GROUPS = 1024
_MOST_GROUPED_SAMPLES = 2**22
# Levels and features are computed on at most this many segments.
MOST_KEPT = 1000
# Samples transformed at once.
_BLOCK_LENGTH = 2**20
# Power of white noise in a bin under a Hann window, in bins; a tone puts as much into its bin and
# the two next to it together.
HANN_NOISE_BANDWIDTH = 1.5


@dataclass(frozen=True)
class GroupedSpectra:
    """Sums over groups of consecutive segments; the bootstrap resamples groups.

    Each segment is transformed whole under a Hann window, against leakage from loud low
    frequencies.

    Attributes:
        frequencies_hz: Frequencies of the bins in Hz, shape (bins,).
        group_size: Number of segments in a group; the last may have fewer.
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
    group_size: int
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

    def locking_of_groups(self) -> tuple[np.ndarray, int]:
        """Return the phase locking between groups, and the number of groups with phases.

        With `S` the sum over a group, `|sum of S|**2 / (sum of |S|**2)` replaces the `n R**2` of
        independent segments. Neighbours that agree because a tone outlasts a segment add nothing.

        Returns:
            `R` of shape (bins,), 0 to 1, and `n`, at least 1.
        """
        count = max(int((self.sounding > 0).sum()), 1)
        squares = (np.abs(self.phasors) ** 2).sum(axis=0, dtype=np.float64)
        whole = np.abs(self.phasors.sum(axis=0, dtype=np.complex128)) ** 2
        z = np.divide(whole, squares, out=np.zeros_like(whole), where=squares > 0)
        return np.minimum(np.sqrt(z / count), 1), count

    def sums(self) -> dict[str, np.ndarray]:
        """Return the sums by name; their first axis is that of the groups."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: a for name, a in named.items() if name not in ("frequencies_hz", "group_size")
        }


def group_size_of(count: int, segment_length: int, independent: int = 1) -> int:
    """Return the number of consecutive segments in a group.

    It is `independent` times a power of two, so that groups of two sets can be made equal.

    Example:
        >>> group_size_of(512, 2048), group_size_of(5000, 2048), group_size_of(512, 2048, 8)
        (1, 8, 8)
    """
    size = independent
    while -(-count // size) > min(_MOST_GROUPS, _MOST_GROUPED_SAMPLES // segment_length):
        size *= 2
    return size


def join_groups(spectra: GroupedSpectra, factor: int) -> GroupedSpectra:
    """Merge every `factor` consecutive groups into one."""
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
    """Sum the spectra of segments in bounded memory.

    Args:
        blocks: Arrays of shape (any number, segment_length), full scale 1.
        count: Number of segments in all blocks.
        segment_length: Segment length in samples, even.
        sample_rate: Sample rate in Hz.
        combs: Stages whose images are summed; their periods must divide the segment length.
        independent: Number of consecutive segments resampled as one block; a power of two.

    Raises:
        ParameterError: If there is no segment, a sample is not finite, or a period does not fit.
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
    """Return what each segment of a block adds to the sums of its group."""
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


@dataclass(frozen=True)
class SetSums:
    """Everything that one pass over a segment set keeps.

    Attributes:
        name: Name of the set.
        spectra: Sums over all segments.
        segments: Up to 1000 evenly spaced segments, shape (kept, samples).
        group: Group index of each kept segment, shape (kept,).
        independent: Number of segments that do not overlap and, if all are kept, do not repeat.
    """

    name: str
    spectra: GroupedSpectra
    segments: np.ndarray
    group: np.ndarray
    independent: int

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self.spectra.counts)

    def segment_weights(self, weights: np.ndarray) -> np.ndarray:
        """Turn weights of groups into weights of the kept segments.

        Args:
            weights: Array of shape (resamples, groups), rows adding up to 1.

        Returns:
            Array of shape (resamples, kept), rows adding up to 1; kept segments share the weight of
            their group.
        """
        kept = np.bincount(self.group, minlength=self.groups)
        share = self.spectra.counts / np.maximum(kept, 1)
        of_segments = weights[:, self.group] * share[self.group].astype(weights.dtype)
        return of_segments / of_segments.sum(axis=1, keepdims=True)


def sum_segments(segment_set: SegmentSet, combs: Sequence[StageComb] = ()) -> SetSums:
    """Read a segment set once, in bounded memory; images are summed for the stages `combs`."""
    count, length = segment_set.count, segment_set.segment_length
    kept = np.unique(np.linspace(0, count - 1, min(count, MOST_KEPT)).astype(int))
    sample = np.empty((len(kept), length), np.float32)

    def blocks() -> Iterator[np.ndarray]:
        start = 0
        for block in segment_set.blocks(max(1, _BLOCK_LENGTH // length)):
            here = (kept >= start) & (kept < start + len(block))
            sample[here] = block[kept[here] - start]
            start += len(block)
            yield block

    spectra = group_spectra(
        blocks(),
        count,
        segment_length=length,
        sample_rate=segment_set.sample_rate,
        combs=combs,
        independent=segment_set.independent,
    )
    independent = count if segment_set.apart is None else segment_set.apart
    if len(kept) == count:
        independent = min(independent, len({segment.tobytes() for segment in sample}))
    return SetSums(segment_set.name, spectra, sample, kept // spectra.group_size, independent)


def pool(first: SetSums, second: SetSums) -> tuple[SetSums, int]:
    """Pool two sets, with groups of equal size; return the pool and the first's number of groups.

    If the sets are alike, groups of equal size are exchangeable.
    """
    size = max(first.spectra.group_size, second.spectra.group_size)
    first, second = _in_groups_of(first, size), _in_groups_of(second, size)
    others = second.spectra.sums()
    sums = {name: np.concatenate([a, others[name]]) for name, a in first.spectra.sums().items()}
    together = SetSums(
        f"{first.name} and {second.name}",
        GroupedSpectra(first.spectra.frequencies_hz, size, **sums),
        np.concatenate([first.segments, second.segments]),
        np.concatenate([first.group, second.group + first.groups]),
        first.independent + second.independent,
    )
    return together, first.groups


def _in_groups_of(sums: SetSums, size: int) -> SetSums:
    factor = size // sums.spectra.group_size
    if factor == 1:
        return sums
    return replace(sums, spectra=join_groups(sums.spectra, factor), group=sums.group // factor)
