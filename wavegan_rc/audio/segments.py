"""Draw training examples from a prepared corpus, as a pure function of the seed and the step."""

import numpy as np

from wavegan_rc.audio.corpus import BLOCK, Corpus, Split, block_lengths
from wavegan_rc.audio.files import FULL_SCALE_INT16
from wavegan_rc.errors import DataError, ParameterError


class Segments:
    """Segments of one split, cut at random sample positions.

    A segment may begin at any sample of any recording, provided that it ends in the same recording
    and is louder than the threshold (judged in blocks of 128 samples). So segments are not aligned
    with anything: a tone in the recordings has a random phase in the segments.

    Args:
        corpus: Prepared recordings.
        split: Which of them to draw from.
        segment_length: In samples.
        silence_db: Threshold relative to the RMS level of the whole corpus, in dB.
        seed: Non-negative; with the step it determines a draw.

    Raises:
        DataError: If no recording of the split is long enough, or none is loud enough.

    Example:
        >>> from wavegan_rc.audio.corpus import Corpus, Recording
        >>> audio = np.arange(1000, dtype=np.int16)
        >>> recordings = (Recording("ramp.wav", 0, 1000, "training"),)
        >>> corpus = Corpus(audio, np.ones(8, np.float32), recordings, 16000, gain=1.0)
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
        self._starts, self._choices = self._find_starts(split, silence_db)

    def _find_starts(self, split: Split, silence_db: float) -> tuple[np.ndarray, np.ndarray]:
        """First sample of each block that a segment may begin in, and how many samples it may."""
        threshold = self.corpus.power * 10 ** (silence_db / 10)
        # A segment that begins inside a block reaches at most this many blocks.
        reach = -(-self.segment_length // BLOCK)
        starts = [np.empty(0, np.int64)]
        choices = [np.empty(0, np.int64)]
        first_block = 0
        any_long_enough = False
        for recording in self.corpus.recordings:
            blocks = len(block_lengths(recording.length))
            power = self.corpus.block_power[first_block : first_block + blocks]
            first_block += blocks
            positions = recording.length - self.segment_length + 1
            if recording.split != split or positions < 1:
                continue
            any_long_enough = True
            offsets = np.arange(0, positions, BLOCK)
            total = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
            last = np.minimum(offsets // BLOCK + reach, blocks)
            mean = (total[last] - total[offsets // BLOCK]) / (last - offsets // BLOCK)
            # A segment may begin anywhere in a block: both at its start and at the next one's
            # it must be loud.
            loud = (mean >= threshold) & (np.append(mean[1:], mean[-1]) >= threshold)
            starts.append(recording.start + offsets[loud])
            choices.append(np.minimum(BLOCK, positions - offsets[loud]))
        if not any_long_enough:
            raise DataError(
                f"{split} recordings: all are shorter than a segment of {self.segment_length} "
                f"samples ({self.segment_length / self.corpus.sample_rate:.3f} s)"
            )
        if not sum(map(len, starts)):
            raise DataError(f"{split} recordings: none is louder than silence_db = {silence_db:g}")
        return np.concatenate(starts), np.concatenate(choices)

    def draw(self, step: int, count: int) -> np.ndarray:
        """Segments for one step: the same (seed, step, count) gives the same on any machine.

        Args:
            step: Non-negative.
            count: Number of segments.

        Returns:
            float32 array of shape (count, segment_length) in [-1, 1].

        Raises:
            ParameterError: If `step` or `count` is negative.
        """
        if step < 0 or count < 0:
            raise ParameterError(f"step and count must not be negative. Received: {step}, {count}")
        # Philox is counter-based: it jumps to any step at no cost. The raw 64-bit words are
        # guaranteed never to change between versions of NumPy; its integers() is not. Taking
        # them modulo n is uneven by less than n / 2**64.
        words = np.random.Philox(key=[self.seed, step]).random_raw(2 * count)
        block = (words[:count] % np.uint64(len(self._starts))).astype(np.int64)
        offset = (words[count:] % self._choices[block].astype(np.uint64)).astype(np.int64)
        positions = self._starts[block] + offset
        segments = self.corpus.audio[positions[:, None] + np.arange(self.segment_length)]
        return segments.astype(np.float32) / FULL_SCALE_INT16
