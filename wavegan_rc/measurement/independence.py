"""Divide segments into independent units: segments, recordings, or long stretches of recordings.

Neighbours in a recording are alike, and a tone that lasts has one phase throughout. So whole
recordings are resampled and permuted. Of fewer than 10 recordings, stretches are: each is so long
that it depends little on the next one; see `stretch_length`.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from wavegan_rc.measurement.bootstrap import first_of_each
from wavegan_rc.measurement.segments import Places, SegmentSet
from wavegan_rc.measurement.significance import SIGNIFICANCE

# Resamples of fewer units say little about the set.
FEWEST_UNITS = 10
# The sum of autocorrelations ends at this many times its value; a stretch is as long. Then about a
# tenth of the variance of a stretch's mean is shared with its neighbours.
_WINDOW = 5
# In dB below the loudest part: fainter parts count as silence.
_RANGE_DB = 60.0


@dataclass(frozen=True)
class Units:
    """The independent units of a set.

    Attributes:
        count: Number of units.
        kind: Word for one of them: `segment`, `recording`, or `stretch`.
        recordings: Number of recordings. None if segments are not from recordings.
        seconds: Length of a stretch in seconds. None for other units.
    """

    count: int
    kind: str
    recordings: int | None = None
    seconds: float | None = None

    @property
    def too_few(self) -> str | None:
        """Reason why nothing can be told from so few units; None if they are enough."""
        if self.count >= FEWEST_UNITS:
            return None
        return f"{self._counted}, at least {FEWEST_UNITS} are needed"

    @property
    def _counted(self) -> str:
        plural = "" if self.count == 1 else "es" if self.kind == "stretch" else "s"
        return f"{self.count} independent {self.kind}{plural}"

    def in_words(self) -> str:
        """Return the number of units in words."""
        if self.seconds is None:
            return self._counted
        recordings = f"{self.recordings} recording{'s' * (self.recordings != 1)}"
        return f"{self._counted} of {self.seconds:.1f} s from {recordings}"


@dataclass(frozen=True)
class Parts:
    """Parts of a set that are summed on their own, in the order of the segments.

    Attributes:
        of_segment: Number of the part of each segment, ascending from 0, shape (count,).
        recording: Number of each part's recording, shape (parts,).
        index: Place of each part in its recording, in parts, shape (parts,).
        seconds: Length of a part in seconds.
    """

    of_segment: np.ndarray
    recording: np.ndarray
    index: np.ndarray
    seconds: float


def group_segments(segment_set: SegmentSet, most: int) -> np.ndarray:
    """Return the number of each segment's group, for segments or recordings as units.

    A group has one unit, or so many (a power of two) that there are at most `most` groups.
    """
    units = np.arange(segment_set.count)
    if segment_set.places is not None:
        units = np.unique(segment_set.places.recording, return_inverse=True)[1]
    size = 1
    while units[-1] // size >= most:
        size *= 2
    return units // size


def part_recordings(segment_set: SegmentSet, places: Places, most: int) -> Parts:
    """Cut few recordings into at most about `most` equally long parts."""
    size, length, last = 1, segment_set.segment_length, int(places.start.max())
    while True:
        index = places.start // (size * length)
        first = first_of_each(places.recording * (last + 1) + index)
        if len(first) <= most or size * length > last:
            break
        size *= 2
    of_segment = np.repeat(np.arange(len(first)), np.diff(first, append=len(index)))
    seconds = size * length / segment_set.sample_rate
    return Parts(of_segment, places.recording[first], index[first], seconds)


def join_into_stretches(parts: Parts, power: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Return the number of each part's stretch, and the length of a stretch in seconds.

    `power` is the mean power of each part in each bin, shape (parts, bins). It returns None if only
    whole recordings are independent.
    """
    levels = _levels_db(power)
    length = stretch_length(levels, parts.recording, parts.index)
    if length is None:
        return None
    stretches, first = np.empty(len(parts.index), int), 0
    for recording in np.unique(parts.recording):
        own = parts.recording == recording
        span = int(parts.index[own].max()) + 1
        # Stretches of one recording are equally long; the shortest recordings are one stretch.
        count = max(1, span // length)
        stretches[own] = first + parts.index[own] * count // span
        first += count
    stretches = np.unique(stretches, return_inverse=True)[1]
    if _recordings_differ(levels, parts.recording, stretches):
        return None
    return stretches, length * parts.seconds


def _levels_db(power: np.ndarray) -> np.ndarray:
    """Return the level of each part, whole and by octave, at least 60 dB below the loudest."""
    bins = power.shape[1]
    edges = [0, *(8 * 2**k for k in range(20) if 8 * 2**k < bins)]
    bands = np.column_stack([power.sum(axis=1), np.add.reduceat(power, edges, axis=1)])
    floor = np.maximum(bands.max(axis=0) * 10 ** (-_RANGE_DB / 10), np.finfo(np.float64).tiny)
    return 10 * np.log10(np.maximum(bands, floor))


def stretch_length(levels: np.ndarray, recording: np.ndarray, index: np.ndarray) -> int | None:
    """Return how many parts of a recording make a stretch that is independent of the next.

    It is 5 times the longest integrated autocorrelation time of any level: the largest value that
    1 + 2 * (sum of autocorrelations) reaches. Deviations are from the mean over all recordings, so
    that the autocorrelation of recordings that differ has no end. It returns None if the
    autocorrelation outlasts the recordings.

    Source:
        A. Sokal, "Monte Carlo Methods in Statistical Mechanics" (1997), section 3: the sum ends at
        the first lag of at least 5 times its value.
    """
    centred = levels - levels.mean(axis=0)
    variance = (centred**2).mean(axis=0)
    varying = variance > 0
    if not varying.any():
        return _WINDOW
    centred = centred[:, varying] / np.sqrt(variance[varying])
    # Parts on one time axis, with gaps; recordings are farther apart than any lag.
    longest = int(index.max()) + 1
    number = np.unique(recording, return_inverse=True)[1]
    place = number * 2 * longest + index
    there = np.zeros((number.max() + 1) * 2 * longest, bool)
    series = np.zeros((len(there), centred.shape[1]))
    there[place], series[place] = True, centred
    sums = np.ones(centred.shape[1])
    times, unfinished = sums.copy(), np.ones(len(sums), bool)
    for lag in range(1, longest):
        pairs = np.count_nonzero(there[lag:] & there[:-lag])
        if pairs:
            products = np.einsum("ns,ns->s", series[lag:, unfinished], series[:-lag, unfinished])
            sums[unfinished] += 2 * products / pairs
        # Never less than before: around a mean of the same recordings, all sums end at 0.
        times = np.maximum(times, sums)
        unfinished &= lag < _WINDOW * times
        if not unfinished.any():
            return int(np.ceil(_WINDOW * times.max()))
    return None


def _recordings_differ(levels: np.ndarray, recording: np.ndarray, stretches: np.ndarray) -> bool:
    """Return whether the stretches' levels differ between recordings: analysis of variance."""
    counts = np.bincount(stretches)
    means = np.column_stack([np.bincount(stretches, level) / counts for level in levels.T])
    own = recording[np.unique(stretches, return_index=True)[1]]
    groups = [means[own == number] for number in np.unique(own)]
    if len(groups) < 2 or len(means) <= len(groups):
        return False
    varying = np.ptp(means, axis=0) > 0
    if not varying.any():
        return False
    p_values = stats.f_oneway(*(group[:, varying] for group in groups)).pvalue
    return bool(np.nanmin(p_values, initial=1) * varying.sum() < SIGNIFICANCE)
