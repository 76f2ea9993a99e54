"""Draw training examples from a prepared corpus, as a pure function of the seed and the step."""

import hashlib
import os
from typing import Literal

import numpy as np

from wavegan_rc.audio.corpus import BLOCK, Corpus
from wavegan_rc.audio.int16 import FULL_SCALE_INT16
from wavegan_rc.audio.positions import Positions, Stretches, count_positions, whole_recordings
from wavegan_rc.audio.shards import windows
from wavegan_rc.errors import DataError, ParameterError

Split = Literal["training", "held_out"]

_HELD_OUT_SHARE = 0.1


class Segments:
    """Segments of one split, cut at random sample positions.

    One recording in ten, at least one, is held out, among those that have a usable segment; of a
    single recording, its last tenth. Which ones depends on their names alone, so that a folder is
    split alike on every machine.

    Every sample position at which a segment fits and is loud enough is drawn with the same
    probability. So segments are not aligned with anything: a tone in the recordings has a random
    phase in the segments.

    Args:
        corpus: Prepared recordings.
        split: Which of them to draw from.
        segment_length: In samples.
        silence_db: Threshold relative to the RMS level of the whole corpus, in dB. A segment's
            level is judged by the blocks of 128 samples that lie inside it.
        seed: Non-negative; with the step it determines a draw.

    Attributes:
        seconds: Duration of the split's recordings.

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
    ) -> None:
        self.corpus = corpus
        self.segment_length = segment_length
        self.seed = seed
        self._threshold = corpus.power * 10 ** (silence_db / 10)
        stretches, positions, rows, counts = self._split(split)
        self.seconds = int(stretches.length.sum()) / corpus.sample_rate
        if (stretches.length < segment_length).all():
            raise DataError(
                f"{split} recordings: all are shorter than a segment of {segment_length} samples "
                f"({segment_length / corpus.sample_rate:.3f} s)"
            )
        if not counts.any():
            raise DataError(f"{split} recordings: none is louder than silence_db = {silence_db:g}")
        # Allowed positions are numbered: row i holds the numbers from ends[i - 1] to ends[i].
        self._positions, self._rows, self._counts = positions, rows, counts
        self._ends = np.cumsum(counts, dtype=np.int64)

    def _split(self, split: Split) -> tuple[Stretches, Positions, np.ndarray, np.ndarray]:
        """Where this split's segments lie: stretches, positions, and rows with their counts."""
        every = whole_recordings(self.corpus)
        positions = self._positions_in(every)
        counts = count_positions(self.corpus, positions)
        so_far = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        row_ends = np.cumsum(positions.row_counts)
        usable = np.flatnonzero(so_far[row_ends] > so_far[row_ends - positions.row_counts])
        if len(usable) == 1:
            part = self._part(every[usable], split)
            positions = self._positions_in(part)
            counts = positions.count()
            return part, positions, np.arange(len(counts)), counts
        chosen = np.zeros(len(every.length), bool)
        chosen[self._chosen(usable, split)] = True
        if not len(usable):  # said in detail by the caller
            chosen[:] = True
        rows = np.flatnonzero(np.repeat(chosen, positions.row_counts))
        return every[chosen], positions, rows, counts[rows]

    def _positions_in(self, stretches: Stretches) -> Positions:
        return Positions(self.corpus, stretches, self.segment_length, self._threshold)

    def _part(self, only: Stretches, split: Split) -> Stretches:
        """The first or the last part of the only recording."""
        blocks = np.round(only.length * (1 - _HELD_OUT_SHARE)).astype(np.int64) // BLOCK
        kept = blocks * BLOCK
        if split == "training":
            return Stretches(only.start, kept, only.block)
        return Stretches(only.start + kept, only.length - kept, only.block + blocks)

    def _chosen(self, usable: np.ndarray, split: Split) -> list[int]:
        """Those of several usable recordings that are in a split."""
        recordings = self.corpus.recordings
        by_hash = sorted(
            usable.tolist(),
            key=lambda i: hashlib.sha256(os.fsencode(recordings[i].name)).digest(),
        )
        held_out = max(1, round(len(usable) * _HELD_OUT_SHARE))
        return by_hash[:held_out] if split == "held_out" else by_hash[held_out:]

    def draw(self, step: int, count: int, part: slice = slice(None)) -> np.ndarray:
        """Segments for one step: the same (seed, step) gives the same on any machine.

        Args:
            step: Non-negative.
            count: Number of segments; a larger one begins with the same.
            part: Which of them to read.

        Returns:
            float32 array of shape (count or fewer, segment_length) in [-1, 1].

        Raises:
            ParameterError: If `step` or `count` is negative.
            DataError: If the prepared recordings are gone.
        """
        positions = self._draw(step, count, part)
        try:
            segments = windows(self.corpus.audio, positions, self.segment_length)
        except OSError as error:  # files are opened when something in them is drawn
            raise DataError(f"prepared recordings cannot be read: {error}") from None
        segments = segments.astype(np.float32)
        segments /= FULL_SCALE_INT16
        return segments

    def sources(self, step: int, count: int) -> list[tuple[str, int]]:
        """Where the segments that `draw` gives come from.

        Args:
            step: As for `draw`.
            count: As for `draw`.

        Returns:
            For each segment, the name of its recording and the sample at which it begins there, at
            the corpus's rate.

        Raises:
            ParameterError: If `step` or `count` is negative.
        """
        positions = self._draw(step, count)
        recordings = self.corpus.recordings
        first_samples = np.array([recording.start for recording in recordings])
        own = np.searchsorted(first_samples, positions, side="right") - 1
        return [
            (recordings[i].name, int(position - first_samples[i]))
            for i, position in zip(own, positions, strict=True)
        ]

    def independent(self, step: int, count: int) -> int:
        """Most of the segments that `draw` gives of which no two overlap.

        Args:
            step: As for `draw`.
            count: As for `draw`.

        Raises:
            ParameterError: If `step` or `count` is negative.
        """
        found, free_from = 0, 0
        # The one that ends first leaves most room for others.
        for start in np.sort(self._draw(step, count)).tolist():
            if start >= free_from:
                found, free_from = found + 1, start + self.segment_length
        return found

    def _draw(self, step: int, count: int, part: slice = slice(None)) -> np.ndarray:
        if step < 0 or count < 0:
            raise ParameterError(f"step and count must not be negative. Received: {step}, {count}")
        # Philox is counter-based: it jumps to any step at no cost. The raw 64-bit words are
        # guaranteed never to change between versions of NumPy; its integers() is not. Taking
        # them modulo n is uneven by less than n / 2**64.
        words = np.random.Philox(key=[self.seed, step]).random_raw(count)[part]
        number = (words % np.uint64(self._ends[-1])).astype(np.int64)
        row = np.searchsorted(self._ends, number, side="right")
        return self._positions.find(self._rows[row], number - (self._ends[row] - self._counts[row]))
