"""Where in a corpus a segment may begin, without keeping a list of it.

Allowed positions are counted for rows, which are stretches of a recording of `ROW` blocks. To find
the position with a number, the row is found by the counts and is looked into again. A recording
that is only drawn from its start has one row, in which all numbers stand for its first sample.
"""

import contextlib
from dataclasses import dataclass

import numpy as np

from wavegan_rc.audio.corpus import BLOCK, Corpus
from wavegan_rc.audio.shards import windows
from wavegan_rc.config.choices import ShortRecordings
from wavegan_rc.utils.atomic_files import whole_path

# Blocks: 2 s at 16 kHz. Counts take 8 bytes of memory for each row.
ROW = 256
# Rows looked into at a time: what is made of them stays in the processor's cache.
_AT_A_TIME = 64
# Powers are added as integers, in units of 2**-46: sums do not depend on where one starts.
_UNIT = 2.0**46


@dataclass(frozen=True)
class Stretches:
    """Parts of a corpus that segments may lie in.

    Attributes:
        start: First sample of each, int64.
        length: In samples, int64.
        block: First block of each, int64.
    """

    start: np.ndarray
    length: np.ndarray
    block: np.ndarray

    def __getitem__(self, which: np.ndarray) -> "Stretches":
        return Stretches(self.start[which], self.length[which], self.block[which])


def whole_recordings(corpus: Corpus) -> Stretches:
    """All recordings."""
    count = len(corpus.recordings)
    start = np.fromiter((recording.start for recording in corpus.recordings), np.int64, count)
    length = np.fromiter((recording.length for recording in corpus.recordings), np.int64, count)
    blocks = -(-length // BLOCK)
    return Stretches(start, length, np.cumsum(blocks) - blocks)


def count_positions(corpus: Corpus, positions: "Positions") -> np.ndarray:
    """Allowed positions in each row of whole recordings; kept in the corpus's folder, if any.

    Args:
        corpus: Prepared recordings.
        positions: In `whole_recordings`.

    Returns:
        uint32 array of shape (rows,).
    """
    if corpus.folder is None:
        return positions.count()
    path = corpus.folder / f"{positions.name}.npy"
    with contextlib.suppress(OSError, ValueError, EOFError):
        kept = np.load(path, allow_pickle=False)
        if kept.shape == (positions.row_counts.sum(),):
            return kept
    counts = positions.count()
    with contextlib.suppress(OSError), whole_path(path) as partial:
        np.save(partial, counts)
    return counts


class Positions:
    """The samples at which a segment fits and is loud enough.

    Args:
        corpus: Prepared recordings.
        stretches: Where segments may lie.
        segment_length: In samples.
        threshold: Least mean square of a segment. It is judged by the blocks that lie inside it,
            wherever in its block it begins; a segment too short to hold one, by all the blocks
            that it may touch.
        short_recordings: `pad` allows the first sample of a stretch that is shorter than a segment.
            It has as many numbers as the stretch has samples, so that short and long stretches are
            drawn in proportion to their durations. The stretch is judged as a whole.
        one_shots: Allow nothing but the first sample of each stretch, all with one number.

    Attributes:
        row_counts: Rows of each stretch.
        name: Differs for other arguments.
    """

    def __init__(
        self,
        corpus: Corpus,
        stretches: Stretches,
        segment_length: int,
        threshold: float,
        short_recordings: ShortRecordings = "skip",
        one_shots: bool = False,
    ) -> None:
        self._corpus = corpus
        self._stretches = stretches
        self._blocks = -(-stretches.length // BLOCK)
        self._threshold = threshold
        self.name = f"positions-{segment_length}-{threshold!r}"
        fitting = np.maximum(stretches.length - segment_length + 1, 0)
        self._at_start = (fitting > 0) & one_shots
        if short_recordings == "pad":
            self._at_start |= (fitting == 0) & (stretches.length > 0)
            self.name += "-pad"
        if one_shots:
            self.name += "-start"
        self._numbers = np.ones_like(fitting) if one_shots else stretches.length
        self._fitting = np.where(self._at_start, 1, fitting)
        # Blocks counted from that in which a segment begins.
        self._judged = 1, segment_length // BLOCK
        if segment_length < 2 * BLOCK:
            self._judged = 0, 1 - -segment_length // BLOCK
        self.row_counts = -(-self._fitting // (ROW * BLOCK))
        self._row_ends = np.cumsum(self.row_counts)

    def count(self) -> np.ndarray:
        """Allowed positions in each row, uint32."""
        rows = np.arange(self.row_counts.sum())
        counts = np.empty(len(rows), np.uint32)
        for part in _parts(len(rows)):
            counts[part] = self._in_blocks(rows[part])[1].sum(axis=1)
        return counts

    def find(self, rows: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Samples at which allowed positions lie.

        Args:
            rows: That they are in.
            numbers: Which one of the row's each is, from 0.
        """
        found = np.empty(len(rows), np.int64)
        numbers = np.where(self._at_start[self._stretch_of(rows)], 0, numbers)
        for part in _parts(len(rows)):
            starts, counts = self._in_blocks(rows[part])
            number = numbers[part]
            ends = np.cumsum(counts, axis=1)
            block = (ends <= number[:, None]).sum(axis=1)
            one = np.arange(len(block))
            before = ends[one, block] - counts[one, block]
            found[part] = starts + block * BLOCK + number - before
        return found

    def _stretch_of(self, rows: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._row_ends, rows, side="right")

    def _in_blocks(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First sample of each row, and allowed positions in each of its blocks."""
        stretch = self._stretch_of(rows)
        first_block = ROW * (rows - (self._row_ends - self.row_counts)[stretch])
        block = first_block[:, None] + np.arange(ROW)
        counts = np.clip(self._fitting[stretch, None] - block * BLOCK, 0, BLOCK)

        first, last = self._judged
        blocks = self._blocks[stretch, None]
        power = windows(
            self._corpus.block_power, self._stretches.block[stretch] + first_block, ROW + last
        )
        # What follows the stretch is not judged.
        power[first_block[:, None] + np.arange(ROW + last) >= blocks] = 0
        total = np.zeros((len(rows), ROW + last + 1), np.int64)
        np.cumsum((power * _UNIT).astype(np.int64), axis=1, out=total[:, 1:])
        judged = np.minimum(block + last, blocks) - (block + first)
        loud = total[:, last : last + ROW] - total[:, first : first + ROW]
        at_start = self._at_start[stretch]
        counts[at_start, 0] = self._numbers[stretch][at_start]
        # Nothing begins later in the first block, so all of it is heard.
        loud[at_start, 0] = total[at_start, last]
        judged[at_start, 0] = np.minimum(last, blocks)[at_start, 0]
        starts = self._stretches.start[stretch] + first_block * BLOCK
        return starts, counts * (loud >= self._threshold * _UNIT * judged)


def _parts(rows: int) -> list[slice]:
    return [slice(start, start + _AT_A_TIME) for start in range(0, rows, _AT_A_TIME)]
