"""Sums over a segment set from one pass, in groups of independent units."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from wavegan_rc.measurement.features import log_mel_features
from wavegan_rc.measurement.grouped_spectra import (
    MOST_GROUPED_SAMPLES,
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
        pooled: Sets that this one pools.
    """

    name: str
    spectra: GroupedSpectra
    segments: np.ndarray
    group: np.ndarray
    unrepeated: int
    units: Units
    pooled: tuple["SetSums", ...] = ()

    @cached_property
    def features(self) -> np.ndarray:
        """Log-mel features of the kept segments, computed once."""
        if self.pooled:
            return np.concatenate([each.features for each in self.pooled])
        return log_mel_features(self.segments, round(2 * self.spectra.frequencies_hz[-1]))

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self.spectra.counts)

    @property
    def resampled(self) -> int:
        """Number of units that resampling tells apart: groups, where these have several units."""
        return min(self.units.count, self.groups)

    @property
    def too_few(self) -> str | None:
        """Reason why nothing can be told of the set; None if something can."""
        if self.units.too_few or self.groups >= FEWEST_UNITS:
            return self.units.too_few
        return (
            f"segments of {self.segments.shape[1]} samples, too long to keep {FEWEST_UNITS} groups "
            f"apart; use at most {MOST_GROUPED_SAMPLES // (2 * FEWEST_UNITS)} samples"
        )

    @property
    def phases_untold(self) -> str | None:
        """Reason why phases tell nothing: too few recordings. None if they do."""
        recordings = len(np.unique(self.spectra.recordings))
        few = recordings < self.groups and recordings < FEWEST_UNITS
        return Units(recordings, "recording").too_few if few else self.too_few

    def segment_weights(self, weights: np.ndarray) -> np.ndarray:
        """Turn weights of groups into weights of the kept segments."""
        kept = np.bincount(self.group, minlength=self.groups)
        share = (self.spectra.counts / np.maximum(kept, 1)).astype(weights.dtype)
        whole = (weights * share) @ kept.astype(weights.dtype)
        each = weights * share / np.where(whole > 0, whole, np.nan)[:, None]
        return each[:, self.group]


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

    rate = segment_set.sample_rate
    read = partial(group_spectra, blocks(), count, segment_length=length, sample_rate=rate)
    spectra, group, units = _by_unit(segment_set, partial(read, combs=combs))
    unrepeated = count if segment_set.apart is None else segment_set.apart
    if len(kept) == count:
        unrepeated = min(unrepeated, len({segment.tobytes() for segment in sample}))
    return SetSums(segment_set.name, spectra, sample, group[kept], unrepeated, units)


def _by_unit(
    segment_set: SegmentSet, read: Callable[..., GroupedSpectra]
) -> tuple[GroupedSpectra, np.ndarray, Units]:
    """Return sums by group, the group of each segment, and the independent units."""
    most, places = most_groups(segment_set.segment_length), segment_set.places
    recordings = None if places is None else places.recordings
    if places is None or recordings is None or recordings >= FEWEST_UNITS:
        group = group_segments(segment_set, most)
        if recordings is None:
            return read(groups=group), group, Units(segment_set.count, "segment")
        return read(groups=group), group, Units(recordings, "recording", recordings)
    parts = part_recordings(segment_set, places, most)
    # The phase of a tone is as random as the start of a segment.
    of_parts = None if places.random else parts.recording
    spectra = read(groups=parts.of_segment, recordings=of_parts)
    stretches = join_into_stretches(parts, spectra.power / spectra.counts[:, None])
    if stretches is None:
        return spectra, parts.of_segment, Units(recordings, "recording", recordings)
    labels, seconds = stretches
    spectra = join_groups(spectra, labels)
    units = Units(len(spectra.counts), "stretch", recordings, seconds)
    return spectra, labels[parts.of_segment], units


def pool(first: SetSums, second: SetSums) -> tuple[SetSums, int]:
    """Pool two sets, with groups of about one size; return the pool and the first's group count.

    If the sets are alike, groups of equal size are exchangeable. The smaller groups are joined, as
    long as they are not fewer than the others.
    """
    one, other = _with_groups_like(first, second), _with_groups_like(second, first)
    others = other.spectra.sums()
    sums = {name: np.concatenate([a, others[name]]) for name, a in one.spectra.sums().items()}
    after = one.spectra.recordings.max() + 1
    recordings = np.concatenate([one.spectra.recordings, other.spectra.recordings + after])
    together = replace(
        one,
        name=f"{one.name} and {other.name}",
        spectra=GroupedSpectra(one.spectra.frequencies_hz, recordings, **sums),
        segments=np.concatenate([one.segments, other.segments]),
        group=np.concatenate([one.group, other.group + one.groups]),
        pooled=(first, second),
    )
    return together, one.groups


def _with_groups_like(sums: SetSums, other: SetSums) -> SetSums:
    ratio = other.spectra.counts.mean() / sums.spectra.counts.mean()
    factor = min(int(ratio), sums.groups // max(FEWEST_UNITS, other.groups))
    if factor < 2:
        return sums
    labels = np.arange(sums.groups) // factor
    return replace(sums, spectra=join_groups(sums.spectra, labels), group=sums.group // factor)
