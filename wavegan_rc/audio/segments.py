"""Draw training examples from a prepared corpus, as a pure function of the seed and the step."""

import hashlib
import os
from typing import Literal

import numpy as np

from wavegan_rc.audio.corpus import BLOCK, Corpus
from wavegan_rc.audio.int16 import FULL_SCALE_INT16
from wavegan_rc.audio.positions import Positions, Stretches, count_positions, whole_recordings
from wavegan_rc.audio.shards import windows
from wavegan_rc.config.choices import ShortRecordings
from wavegan_rc.errors import DataError, ParameterError

Split = Literal["training", "held_out"]

_HELD_OUT_SHARE = 0.1
TOO_SHORT = "is shorter than a segment"
TOO_QUIET = "is too quiet"


class Segments:
    """Segments of one split, cut at random sample positions.

    About a tenth of the duration is held out, in whole recordings that have a usable segment: in
    the order of their names' hashes, each that still fits into the tenth; then the shortest other
    one, if the tenth is less than half full. Of a single recording, it is the last tenth. So a
    folder is split alike on every machine.

    Every sample position at which a segment fits and is loud enough is drawn with the same
    probability. So segments are not aligned with anything: a tone in the recordings has a random
    phase in the segments. `short_recordings` and `one_shots` make exceptions.

    Args:
        corpus: Prepared recordings.
        split: Which of them to draw from.
        segment_length: In samples.
        silence_db: Threshold relative to the RMS level of the whole corpus, in dB. A segment's
            level is judged by the blocks of 128 samples that lie inside it.
        seed: Non-negative; with the step it determines a draw.
        short_recordings: Recordings shorter than a segment: `skip` never draws them; `pad` draws
            them from their first sample, followed by silence, in proportion to their durations.
        one_shots: Draw every recording from its first sample only, all with the same probability.

    Attributes:
        seconds: Duration of the split's recordings.
        unused: Indices of the recordings that neither split draws from, each with the reason.

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
        self._short_recordings: ShortRecordings = short_recordings
        self._one_shots = one_shots
        self._threshold = corpus.power * 10 ** (silence_db / 10)
        stretches, positions, rows, counts = self._split(split)
        self.seconds = int(stretches.length.sum()) / corpus.sample_rate
        if not len(counts):
            raise DataError(
                f"{split} recordings: all are shorter than a segment of {segment_length} samples "
                f"({segment_length / corpus.sample_rate:.3f} s); short_recordings pad uses them"
            )
        if not counts.any():
            raise DataError(f"{split} recordings: none is louder than silence_db = {silence_db:g}")
        # Allowed positions are numbered: row i holds the numbers from ends[i - 1] to ends[i].
        self._stretches = stretches
        self._positions, self._rows, self._counts = positions, rows, counts
        self._ends = np.cumsum(counts, dtype=np.int64)

    def _split(self, split: Split) -> tuple[Stretches, Positions, np.ndarray, np.ndarray]:
        """Where this split's segments lie: stretches, positions, and rows with their counts."""
        every = whole_recordings(self.corpus)
        positions = self._positions_in(every)
        counts = count_positions(self.corpus, positions)
        so_far = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        row_ends = np.cumsum(positions.row_counts)
        drawn_from = so_far[row_ends] > so_far[row_ends - positions.row_counts]
        usable = np.flatnonzero(drawn_from)
        too_short = f"{TOO_SHORT}: {{}} of {self.segment_length} samples"
        self.unused = [
            (i, TOO_QUIET if positions.row_counts[i] else too_short.format(every.length[i]))
            for i in np.flatnonzero(~drawn_from).tolist()
        ]
        if len(usable) == 1:
            part = self._part(every[usable], split)
            positions = self._positions_in(part)
            counts = positions.count()
            return part, positions, np.arange(len(counts)), counts
        chosen = ~drawn_from  # if none is, the caller says in detail why not any
        if len(usable):
            held_out = np.isin(np.arange(len(chosen)), self._held_out(usable, every.length))
            chosen = drawn_from & (held_out == (split == "held_out"))
        rows = np.flatnonzero(np.repeat(chosen, positions.row_counts))
        return every[chosen], positions, rows, counts[rows]

    def _positions_in(self, stretches: Stretches) -> Positions:
        return Positions(
            self.corpus,
            stretches,
            self.segment_length,
            self._threshold,
            self._short_recordings,
            self._one_shots,
        )

    def _part(self, only: Stretches, split: Split) -> Stretches:
        """The first or the last part of the only recording."""
        blocks = np.round(only.length * (1 - _HELD_OUT_SHARE)).astype(np.int64) // BLOCK
        kept = blocks * BLOCK
        if split == "training":
            return Stretches(only.start, kept, only.block)
        return Stretches(only.start + kept, only.length - kept, only.block + blocks)

    def _held_out(self, usable: np.ndarray, length: np.ndarray) -> list[int]:
        """Those of several usable recordings that are held out."""
        recordings = self.corpus.recordings
        by_hash = sorted(
            usable.tolist(),
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
        if self._short_recordings == "pad":
            self._silence_rest(segments, positions)
        return segments

    def _silence_rest(self, segments: np.ndarray, positions: np.ndarray) -> None:
        """Make silent what follows the recording in a segment: it is from the next one."""
        own = np.searchsorted(self._stretches.start, positions, side="right") - 1
        lengths = self._stretches.start[own] + self._stretches.length[own] - positions
        for i in np.flatnonzero(lengths < self.segment_length):
            segments[i, lengths[i] :] = 0

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
