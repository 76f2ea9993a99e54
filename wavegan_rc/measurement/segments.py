"""A set of equal-length segments from one source."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from wavegan_rc.audio.files import LARGEST_SAMPLE
from wavegan_rc.errors import DataError, ParameterError


@dataclass(frozen=True)
class Places:
    """The places of segments in recordings, in the order of recordings and of time within each.

    Attributes:
        recording: Number of each segment's recording, ascending, shape (count,).
        start: First sample of each segment in its recording, ascending within one, shape (count,).
        random: Whether the starts are random, so that the phase of any tone is, too.
    """

    recording: np.ndarray
    start: np.ndarray
    random: bool = False

    @property
    def recordings(self) -> int:
        """Number of recordings."""
        return len(np.unique(self.recording))

    def __getitem__(self, which: np.ndarray) -> "Places":
        return Places(self.recording[which], self.start[which], self.random)


def consecutive(counts: Sequence[int], segment_length: int) -> Places:
    """Return the places of segments cut one after another, given the number in each recording."""
    starts = [np.arange(count) * segment_length for count in counts]
    return Places(np.repeat(np.arange(len(counts)), counts), np.concatenate(starts))


@dataclass(frozen=True)
class SegmentSet:
    """A set of equal-length segments, read or generated anew for each pass.

    Attributes:
        name: Path of the source, or a word for it.
        sample_rate: Sample rate in Hz.
        segment_length: Segment length in samples.
        count: Number of segments, at least 1.
        source: Function that yields all segments in order, in finite arrays of shape
            (any number, segment_length).
        upsampling_factors: Factors of the generator, first stage first. None: not known.
        stopband_hz: Frequency in Hz above which the training data is empty. None: not known.
        skipped: (file, reason) of each file without a segment in the set.
        places: Places in recordings. None: every segment was made or recorded on its own.
        apart: Number of segments that do not overlap. None: all of them.

    Example:
        >>> array = np.zeros((5, 64))
        >>> silence = SegmentSet("silence", 16000, 64, count=5, source=lambda: iter([array]))
        >>> [block.shape for block in silence.blocks(size=2)]
        [(2, 64), (2, 64), (1, 64)]
    """

    name: str
    sample_rate: int
    segment_length: int
    count: int
    source: Callable[[], Iterator[np.ndarray]]
    upsampling_factors: tuple[int, ...] | None = None
    stopband_hz: float | None = None
    skipped: tuple[tuple[str, str], ...] = ()
    places: Places | None = None
    apart: int | None = None

    def blocks(self, size: int = 512) -> Iterator[np.ndarray]:
        """Yield all segments in order; memory holds one block at a time."""
        shape = (min(size, self.count), self.segment_length)
        block, filled = np.empty(shape, np.float32), 0
        for segments in self.source():
            if not np.abs(segments).max(initial=0) <= LARGEST_SAMPLE:  # nor NaN
                raise DataError(
                    f"{self.name}: samples must be at most {LARGEST_SAMPLE:g} (full scale is 1). "
                    f"Received: {np.abs(segments).max():g}"
                )
            while len(segments):
                taken = segments[: len(block) - filled]
                block[filled : filled + len(taken)] = taken
                filled += len(taken)
                segments = segments[len(taken) :]
                if filled == len(block):
                    yield block
                    block, filled = np.empty(shape, np.float32), 0
        if filled:
            yield block[:filled]


def check_at_least(name: str, value: int | None, low: int) -> None:
    """Raise a ParameterError if a given value is below `low`."""
    if value is not None and value < low:
        raise ParameterError(f"{name} must be at least {low}. Received: {value}")


def in_words(count: int, independent: int, kind: str = "") -> str:
    """Return the number of segments, and of those without overlap and repeats, in words.

    Example:
        >>> in_words(512, 7, "real"), in_words(512, 512)
        ('512 real segments (7 without overlap and repeats)', '512 segments')
    """
    words = " ".join(filter(None, (str(count), kind, "segments")))
    return words if independent >= count else f"{words} ({independent} without overlap and repeats)"
