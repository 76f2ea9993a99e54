"""Sums over a segment set from one pass, in groups of independent units."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wavegan_rc.measurement.grouped_spectra import (
    GroupedSpectra,
    group_spectra,
    join_groups,
    most_groups,
)
from wavegan_rc.measurement.independence import (
    FEWEST_UNITS,
    Units,
    group_segments,
    join_into_stretches,
    part_recordings,
    recording_count,
)
from wavegan_rc.measurement.segments import SegmentSet
from wavegan_rc.spectrogram import StageComb

# Levels and features are computed on at most this many segments.
MOST_KEPT = 1000
# Samples transformed at once.
_BLOCK_LENGTH = 2**20


@dataclass(frozen=True)
class SetSums:
    """Everything that one pass over a segment set keeps.

    Attributes:
        name: Name of the set.
        spectra: Sums over all segments, by group.
        segments: Up to 1000 evenly spaced segments, shape (kept, samples).
        group: Group index of each kept segment, ascending, shape (kept,).
        unrepeated: Number of segments that do not overlap and, if all are kept, do not repeat.
        units: Independent units. A group is one unit, or several if there are very many; parts of
            one if there are too few for intervals.
    """

    name: str
    spectra: GroupedSpectra
    segments: np.ndarray
    group: np.ndarray
    unrepeated: int
    units: Units

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self.spectra.counts)

    @property
    def resampled(self) -> int:
        """Number of units that resampling tells apart: groups, where these have several units."""
        return min(self.units.count, self.groups)

    @property
    def phases_untold(self) -> str | None:
        """Reason why phases tell nothing: too few recordings. None if they do."""
        recordings = len(np.unique(self.spectra.recordings))
        few = recordings < self.groups and recordings < FEWEST_UNITS
        return Units(recordings, "recording").too_few if few else self.units.too_few

    def segment_weights(self, weights: np.ndarray) -> np.ndarray:
        """Turn weights of groups into weights of the kept segments.

        Args:
            weights: Array of shape (resamples, groups), rows adding up to 1.

        Returns:
            Array of shape (resamples, kept), rows adding up to 1; kept segments share the weight of
            their group. NaN in a row if none of its groups has a kept segment.
        """
        kept = np.bincount(self.group, minlength=self.groups)
        share = self.spectra.counts / np.maximum(kept, 1)
        of_segments = weights[:, self.group] * share[self.group].astype(weights.dtype)
        whole = of_segments.sum(axis=1, keepdims=True)
        return of_segments / np.where(whole > 0, whole, np.nan)


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

    def read(groups: np.ndarray, recordings: np.ndarray | None = None) -> GroupedSpectra:
        return group_spectra(
            blocks(),
            count,
            segment_length=length,
            sample_rate=segment_set.sample_rate,
            combs=combs,
            groups=groups,
            recordings=recordings,
        )

    most, places = most_groups(length), segment_set.places
    if places is None or recording_count(places) >= FEWEST_UNITS:
        group = group_segments(segment_set, most)
        spectra = read(group)
        units = Units(count, "segment")
        if places is not None:
            units = Units(recording_count(places), "recording", recording_count(places))
    else:
        parts = part_recordings(segment_set, places, most)
        group = parts.of_segment
        # The phase of a tone is as random as the start of a segment.
        spectra = read(group, None if places.random else parts.recording)
        recordings = recording_count(places)
        units = Units(recordings, "recording", recordings)
        stretches = join_into_stretches(parts, spectra.power / spectra.counts[:, None])
        if stretches is not None:
            labels, seconds = stretches
            spectra, group = join_groups(spectra, labels), labels[group]
            units = Units(len(spectra.counts), "stretch", recordings, seconds)
    unrepeated = count if segment_set.apart is None else segment_set.apart
    if len(kept) == count:
        unrepeated = min(unrepeated, len({segment.tobytes() for segment in sample}))
    return SetSums(segment_set.name, spectra, sample, group[kept], unrepeated, units)


def pool(first: SetSums, second: SetSums) -> tuple[SetSums, int]:
    """Pool two sets, with groups of about one size; return the pool and the first's group count.

    If the sets are alike, groups of equal size are exchangeable. The smaller groups are joined, as
    long as they are not fewer than the others.
    """
    first, second = _with_groups_like(first, second), _with_groups_like(second, first)
    others = second.spectra.sums()
    sums = {name: np.concatenate([a, others[name]]) for name, a in first.spectra.sums().items()}
    after = first.spectra.recordings.max() + 1
    recordings = np.concatenate([first.spectra.recordings, second.spectra.recordings + after])
    together = replace(
        first,
        name=f"{first.name} and {second.name}",
        spectra=GroupedSpectra(first.spectra.frequencies_hz, recordings, **sums),
        segments=np.concatenate([first.segments, second.segments]),
        group=np.concatenate([first.group, second.group + first.groups]),
    )
    return together, first.groups


def _with_groups_like(sums: SetSums, other: SetSums) -> SetSums:
    ratio = other.spectra.counts.mean() / sums.spectra.counts.mean()
    factor = min(int(ratio), sums.groups // max(FEWEST_UNITS, other.groups))
    if factor < 2:
        return sums
    labels = np.arange(sums.groups) // factor
    return replace(sums, spectra=join_groups(sums.spectra, labels), group=sums.group // factor)
