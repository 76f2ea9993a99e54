"""Draw training examples from a prepared corpus, as a pure function of the seed and the step."""

import hashlib
import os
from typing import Literal

import numpy as np

from wavegan_rc.audio.corpus import BLOCK, Corpus, prefetch, windows
from wavegan_rc.audio.files import FULL_SCALE_INT16
from wavegan_rc.audio.positions import DrawRule, Positions, Stretches, whole_recordings
from wavegan_rc.config import Config
from wavegan_rc.config.choices import ShortRecordings
from wavegan_rc.errors import DataError, ParameterError

Split = Literal["training", "held_out"]

# Part of the fingerprint of a corpus; raised whenever other recordings would be held out.
SPLIT_VERSION = 2
_HELD_OUT_SHARE = 0.1
TOO_SHORT = "is shorter than a segment"
TOO_QUIET = "is too quiet"


class Segments:
    """Segments of one split, cut at random sample positions.

    About a tenth of the duration is held out, in whole recordings that have a usable segment: in
    the order of the hashes of their names, each that still fits into the tenth; then the shortest
    of the others, if the tenth is less than half full. Of a single recording, the last tenth is
    held out. So the split of a folder is the same on every machine.

    Every sample position at which a segment fits and is loud enough is drawn with the same
    probability, so a tone in the recordings has a random phase in the segments. `short_recordings`
    and `one_shots` make exceptions.

    Args:
        corpus: Prepared recordings.
        split: Split to draw from.
        segment_length: Length of a segment in samples.
        silence_db: Least level of a segment relative to the RMS level of the corpus, in dB; judged
            by the blocks of 128 samples that lie inside it.
        seed: Non-negative seed; seed and step determine a draw.
        short_recordings: Use of recordings shorter than a segment. `skip` never draws them. `pad`
            draws them from their first sample, followed by silence, and draws every recording in
            proportion to its duration.
        one_shots: Whether every recording is drawn from its first sample only, all equally often.

    Attributes:
        seconds: Duration of the split's recordings in seconds.
        unused: (index, reason) of each recording that neither split draws from.

    Raises:
        DataError: If no recording of the split is long enough, or none is loud enough.

    Example:
        >>> from wavegan_rc.audio.corpus import Corpus, Recording
        >>> audio = np.arange(1000, dtype=np.int16)
        >>> recordings = (Recording("a.wav", 0, 1000),)
        >>> corpus = Corpus(audio, np.ones(8, np.float32), recordings, 16000, 1.0, "")
        >>> segments = Segments(corpus, "training", segment_length=4, silence_db=-40, seed=0)
        >>> segments.draw(step=7, count=2).shape
        (2, 4)
    """

    def __init__(
        self,
        corpus: Corpus,
        split: Split,
        *,
        segment_length: int,
        silence_db: float,
        seed: int,
        short_recordings: ShortRecordings = "skip",
        one_shots: bool = False,
    ) -> None:
        self.corpus = corpus
        self.segment_length = segment_length
        self.seed = seed
        self._pad = short_recordings == "pad"
        threshold = corpus.power * 10 ** (silence_db / 10)
        self._rule = DrawRule(segment_length, threshold, short_recordings, one_shots)
        self._positions, self._counts = self._of_split(split)
        self.seconds = int(self._positions.stretches.length.sum()) / corpus.sample_rate
        if not len(self._counts):
            raise DataError(
                f"{split} recordings: all are shorter than a segment of {segment_length} samples "
                f"({segment_length / corpus.sample_rate:.3f} s); short_recordings pad uses them"
            )
        if not self._counts.any():
            raise DataError(f"{split} recordings: none is louder than silence_db = {silence_db:g}")
        # Positions are numbered: row i holds the numbers from ends[i - 1] to ends[i].
        self._ends = np.cumsum(self._counts, dtype=np.int64)

    def _of_split(self, split: Split) -> tuple[Positions, np.ndarray]:
        """Return the positions of a split, and the count of numbers in each row."""
        every = whole_recordings(self.corpus)
        positions = Positions(self.corpus, every, self._rule)
        counts = positions.count_once()
        so_far = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        row_ends = np.cumsum(positions.row_counts)
        usable = so_far[row_ends] > so_far[row_ends - positions.row_counts]
        too_short = f"{TOO_SHORT}: {{}} of {self.segment_length} samples"
        self.unused = [
            (i, TOO_QUIET if positions.row_counts[i] else too_short.format(every.length[i]))
            for i in np.flatnonzero(~usable).tolist()
        ]
        if usable.sum() == 1:
            positions = Positions(self.corpus, _part(every[usable], split), self._rule)
            return positions, positions.count()
        chosen = ~usable  # if there is no other, the caller says why
        if usable.any():
            held_out = np.isin(np.arange(len(usable)), self._held_out(usable, every.length))
            chosen = usable & (held_out == (split == "held_out"))
        counts = counts[np.repeat(chosen, positions.row_counts)]
        return Positions(self.corpus, every[chosen], self._rule), counts

    def _held_out(self, usable: np.ndarray, length: np.ndarray) -> list[int]:
        """Return the indices of the recordings that are held out, of several usable ones."""
        recordings = self.corpus.recordings
        by_hash = sorted(
            np.flatnonzero(usable).tolist(),
            key=lambda i: hashlib.sha256(os.fsencode(recordings[i].name)).digest(),
        )
        held_out = []
        tenth = room = round(int(length[usable].sum()) * _HELD_OUT_SHARE)
        for i in by_hash:
            if length[i] <= room:
                held_out.append(i)
                room -= length[i]
        chosen = set(held_out)
        others = [i for i in by_hash if i not in chosen]
        if not held_out or (2 * room > tenth and len(others) > 1):
            held_out.append(min(others, key=lambda i: length[i]))
        return held_out

    def draw(self, step: int, count: int, part: slice = slice(None)) -> np.ndarray:
        """Return the segments of one step; the same seed and step give the same on any machine.

        Args:
            step: Number of the step; non-negative.
            count: Number of segments. A larger number begins with the same segments.
            part: Part of them to read.

        Returns:
            float32 array of shape (count or fewer, segment_length) in [-1, 1].

        Raises:
            ParameterError: If `step` or `count` is negative.
        """
        positions = self._draw(step, count, part)
        prefetch(self.corpus.audio, positions, self.segment_length)
        segments = windows(self.corpus.audio, positions, self.segment_length).astype(np.float32)
        segments /= FULL_SCALE_INT16
        if self._pad:
            # The rest of a segment is from the next recording.
            stretches = self._positions.stretches
            own = np.searchsorted(stretches.start, positions, side="right") - 1
            lengths = stretches.start[own] + stretches.length[own] - positions
            segments[np.arange(self.segment_length) >= lengths[:, None]] = 0
        return segments

    def sources(self, step: int, count: int) -> list[tuple[str, int]]:
        """Return (recording, first sample in it) of each segment of `draw`."""
        positions = self._draw(step, count)
        recordings = self.corpus.recordings
        first_samples = np.array([recording.start for recording in recordings])
        own = np.searchsorted(first_samples, positions, side="right") - 1
        return [
            (recordings[i].name, int(position - first_samples[i]))
            for i, position in zip(own, positions, strict=True)
        ]

    def independent(self, step: int, count: int) -> int:
        """Return the largest number of segments of `draw` of which no two overlap."""
        found, free_from = 0, 0
        # The segment that ends first leaves most room for others.
        for start in np.sort(self._draw(step, count)).tolist():
            if start >= free_from:
                found, free_from = found + 1, start + self.segment_length
        return found

    def _draw(self, step: int, count: int, part: slice = slice(None)) -> np.ndarray:
        if step < 0 or count < 0:
            raise ParameterError(f"step and count must not be negative. Received: {step}, {count}")
        # Philox is counter-based: it jumps to any step at no cost. NumPy guarantees that its raw
        # 64-bit words never change, which it does not for integers(). Taking them modulo n is
        # uneven by less than n / 2**64.
        words = np.random.Philox(key=[self.seed, step]).random_raw(count)[part]
        number = (words % np.uint64(self._ends[-1])).astype(np.int64)
        row = np.searchsorted(self._ends, number, side="right")
        return self._positions.find(row, number - (self._ends[row] - self._counts[row]))


def segments_of(config: Config, corpus: Corpus, split: Split) -> Segments:
    """Return `Segments` with the values of a configuration."""
    return Segments(
        corpus,
        split,
        segment_length=config.segment_length,
        silence_db=config.silence_db,
        seed=config.seed,
        short_recordings=config.short_recordings,
        one_shots=config.one_shots,
    )


def _part(only: Stretches, split: Split) -> Stretches:
    """Return the first or the last part of the only recording."""
    blocks = np.round(only.length * (1 - _HELD_OUT_SHARE)).astype(np.int64) // BLOCK
    kept = blocks * BLOCK
    if split == "training":
        return Stretches(only.start, kept, only.block)
    return Stretches(only.start + kept, only.length - kept, only.block + blocks)
