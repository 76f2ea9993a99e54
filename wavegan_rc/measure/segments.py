"""Equal segments of one origin, whatever it is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from wavegan_rc.audio.files import LARGEST_SAMPLE
from wavegan_rc.errors import DataError, ParameterError


@dataclass(frozen=True)
class SegmentSet:
    """Segments of one origin, read or generated anew each time they are asked for.

    Attributes:
        name: What the user called the origin.
        sample_rate: In Hz.
        segment_length: In samples.
        count: Number of segments, at least 1.
        source: Called without arguments, yields all segments in order, in finite arrays of shape
            (any number, segment_length).
        upsampling_factors: Of the generator that made them, first stage first; None: not known.
        stopband_hz: Above it the generator's training data held nothing, in Hz; None: not known.
        skipped: (file, reason) of each file that holds no segment of the set.
        independent: Neighbouring segments that hang together, a power of two: those of about one
            second of a recording. They are resampled as one.
        apart: Segments that do not overlap; None: no two do.

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
    independent: int = 1
    apart: int | None = None

    def blocks(self, size: int = 512) -> Iterator[np.ndarray]:
        """All segments, in the same order each time; memory holds a block, not the set.

        Args:
            size: Segments in a block, at least 1.

        Yields:
            float32 arrays of shape (size, segment_length), the last maybe with fewer segments;
            full scale is 1. They are the caller's own.

        Raises:
            ParameterError: If `size` is smaller than 1.
            DataError: If a file was changed since the set was opened, a generator makes
                non-finite samples, or samples are so large that their squares are not.
        """
        check_at_least("size", size, 1)
        shape = (min(size, self.count), self.segment_length)
        block, filled = np.empty(shape, np.float32), 0
        for segments in self.source():
            if np.abs(segments).max(initial=0) > LARGEST_SAMPLE:
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
    """Raise a ParameterError if a value is given and too small."""
    if value is not None and value < low:
        raise ParameterError(f"{name} must be at least {low}. Received: {value}")


def in_words(count: int, independent: int, kind: str = "") -> str:
    """How many segments there are, and how many of them tell something new.

    Example:
        >>> in_words(512, 7, "real"), in_words(512, 512)
        ('512 real segments (7 without overlap and repeats)', '512 segments')
    """
    words = " ".join(filter(None, (str(count), kind, "segments")))
    return words if independent >= count else f"{words} ({independent} without overlap and repeats)"
