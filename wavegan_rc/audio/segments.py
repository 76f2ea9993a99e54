"""Draw training examples from a prepared corpus, as a pure function of the seed and the step."""

import hashlib
import os
from dataclasses import dataclass
from typing import Literal

import numpy as np

from wavegan_rc.audio.corpus import BLOCK, Corpus, block_lengths
from wavegan_rc.audio.files import FULL_SCALE_INT16
from wavegan_rc.errors import DataError, ParameterError

Split = Literal["training", "held_out"]

_HELD_OUT_SHARE = 0.1


@dataclass(frozen=True)
class _Stretch:
    """Part of the corpus: samples `start` to `start + length`, beginning with block `block`."""

    name: str
    start: int
    length: int
    block: int


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
        >>> corpus = Corpus(audio, np.ones(8, np.float32), (Recording("a.wav", 0, 1000),), 16000)
        >>> segments = Segments(corpus, "training", segment_length=4, silence_db=-40, seed=0)
        >>> segments.draw(step=7, count=2).shape
        (2, 4)
    """

    def __init__(
        self, corpus: Corpus, split: Split, *, segment_length: int, silence_db: float, seed: int
    ) -> None:
        self.corpus = corpus
        self.segment_length = segment_length
        self.seed = seed
        self._threshold = corpus.power * 10 ** (silence_db / 10)
        stretches = self._split(split)
        self.seconds = sum(stretch.length for stretch in stretches) / corpus.sample_rate
        if all(stretch.length < segment_length for stretch in stretches):
            raise DataError(
                f"{split} recordings: all are shorter than a segment of {segment_length} samples "
                f"({segment_length / corpus.sample_rate:.3f} s)"
            )
        runs = [self._runs(stretch) for stretch in stretches]
        starts, counts = (np.concatenate(parts) for parts in zip(*runs, strict=True))
        if not len(starts):
            raise DataError(f"{split} recordings: none is louder than silence_db = {silence_db:g}")
        # Runs of allowed positions: run i holds the numbers from ends[i - 1] to ends[i].
        self._starts, self._counts, self._ends = starts, counts, np.cumsum(counts)

    def _split(self, split: Split) -> list[_Stretch]:
        stretches = []
        block = 0
        for recording in self.corpus.recordings:
            stretches.append(_Stretch(recording.name, recording.start, recording.length, block))
            block += len(block_lengths(recording.length))
        usable = [stretch for stretch in stretches if len(self._runs(stretch)[0])]
        if not usable:  # said in detail by the caller
            return stretches
        if len(usable) == 1:
            (only,) = usable
            blocks = round(only.length * (1 - _HELD_OUT_SHARE)) // BLOCK
            kept = blocks * BLOCK
            if split == "training":
                return [_Stretch(only.name, only.start, kept, only.block)]
            rest = only.length - kept
            return [_Stretch(only.name, only.start + kept, rest, only.block + blocks)]
        by_hash = sorted(usable, key=lambda s: hashlib.sha256(os.fsencode(s.name)).digest())
        held_out = by_hash[: max(1, round(len(usable) * _HELD_OUT_SHARE))]
        return [s for s in usable if (s in held_out) == (split == "held_out")]

    def _runs(self, stretch: _Stretch) -> tuple[np.ndarray, np.ndarray]:
        """Allowed positions: the first of each block's, and how many follow one another there."""
        positions = stretch.length - self.segment_length + 1
        if positions < 1:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        blocks = len(block_lengths(stretch.length))
        power = self.corpus.block_power[stretch.block : stretch.block + blocks]
        offsets = np.arange(0, positions, BLOCK)
        block = offsets // BLOCK
        # Wherever in its block a segment begins, these lie wholly inside it; a segment too short
        # to hold one is judged by all the blocks that it may touch.
        first, last = block + 1, block + self.segment_length // BLOCK
        if self.segment_length < 2 * BLOCK:
            first, last = block, block + 1 + -(-self.segment_length // BLOCK)
        first, last = np.minimum(first, blocks - 1), np.minimum(last, blocks)
        total = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
        loud = total[last] - total[first] >= self._threshold * (last - first)
        counts = np.minimum(BLOCK, positions - offsets)
        return stretch.start + offsets[loud], counts[loud]

    def draw(self, step: int, count: int) -> np.ndarray:
        """Segments for one step: the same (seed, step) gives the same on any machine.

        Args:
            step: Non-negative.
            count: Number of segments; a larger one begins with the same.

        Returns:
            float32 array of shape (count, segment_length) in [-1, 1].

        Raises:
            ParameterError: If `step` or `count` is negative.
        """
        positions = self._positions(step, count)
        segments = self.corpus.audio[positions[:, None] + np.arange(self.segment_length)]
        return segments.astype(np.float32) / FULL_SCALE_INT16

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
        positions = self._positions(step, count)
        recordings = self.corpus.recordings
        first_samples = np.array([recording.start for recording in recordings])
        own = np.searchsorted(first_samples, positions, side="right") - 1
        return [
            (recordings[i].name, int(position - first_samples[i]))
            for i, position in zip(own, positions, strict=True)
        ]

    def _positions(self, step: int, count: int) -> np.ndarray:
        if step < 0 or count < 0:
            raise ParameterError(f"step and count must not be negative. Received: {step}, {count}")
        # Philox is counter-based: it jumps to any step at no cost. The raw 64-bit words are
        # guaranteed never to change between versions of NumPy; its integers() is not. Taking
        # them modulo n is uneven by less than n / 2**64.
        words = np.random.Philox(key=[self.seed, step]).random_raw(count)
        number = (words % np.uint64(self._ends[-1])).astype(np.int64)
        run = np.searchsorted(self._ends, number, side="right")
        return self._starts[run] + number - (self._ends[run] - self._counts[run])
