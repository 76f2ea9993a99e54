"""What is kept of a set of segments after reading it once, and how weights reach each part."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wavegan_rc.measure.grouped_spectra import GroupedSpectra, StageComb, group_spectra, join_groups
from wavegan_rc.measure.segments import SegmentSet

# Levels and features are made of at most so many segments.
MOST_KEPT = 1000
# Samples in a block that is transformed at once.
_BLOCK_LENGTH = 2**20


@dataclass(frozen=True)
class ReadSet:
    """Sums over groups of neighbouring segments, and some segments themselves.

    Attributes:
        name: What the user called the set.
        spectra: Sums over all segments.
        segments: Evenly spaced ones, at most 1000, shape (kept, samples).
        group: Index of the group that each of them belongs to, shape (kept,).
        independent: Number of all segments that neither overlap nor, if all are kept, repeat.
    """

    name: str
    spectra: GroupedSpectra
    segments: np.ndarray
    group: np.ndarray
    independent: int

    @property
    def groups(self) -> int:
        """Number of groups, which are what is resampled."""
        return len(self.spectra.counts)

    def segment_weights(self, weights: np.ndarray) -> np.ndarray:
        """Weights of the kept segments from weights of the groups.

        Args:
            weights: Shape (resamples, groups), rows adding up to 1.

        Returns:
            Shape (resamples, kept), rows adding up to 1: the segments kept of a group share the
            weight of all its segments.
        """
        kept = np.bincount(self.group, minlength=self.groups)
        share = self.spectra.counts / np.maximum(kept, 1)
        of_segments = weights[:, self.group] * share[self.group].astype(weights.dtype)
        return of_segments / of_segments.sum(axis=1, keepdims=True)


def read_set(segment_set: SegmentSet, combs: Sequence[StageComb] = ()) -> ReadSet:
    """Read a set once, in bounded memory.

    Args:
        segment_set: Of at least one segment.
        combs: Stages whose images are looked for.
    """
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
    return ReadSet(segment_set.name, spectra, sample, kept // spectra.group_size, independent)


def pool(first: ReadSet, second: ReadSet) -> tuple[ReadSet, int]:
    """Two sets as one, with groups of one size, and how many of the groups are the first's.

    Groups of one size are alike if the sets are, so that they may change places.
    """
    size = max(first.spectra.group_size, second.spectra.group_size)
    first, second = _in_groups_of(first, size), _in_groups_of(second, size)
    sums = {
        name: np.concatenate([ours, second.spectra.sums()[name]])
        for name, ours in first.spectra.sums().items()
    }
    together = ReadSet(
        f"{first.name} and {second.name}",
        GroupedSpectra(first.spectra.frequencies_hz, size, **sums),
        np.concatenate([first.segments, second.segments]),
        np.concatenate([first.group, second.group + first.groups]),
        first.independent + second.independent,
    )
    return together, first.groups


def _in_groups_of(read: ReadSet, size: int) -> ReadSet:
    factor = size // read.spectra.group_size
    if factor == 1:
        return read
    return replace(read, spectra=join_groups(read.spectra, factor), group=read.group // factor)
