"""The samples of a corpus at which a segment may begin, without a list of them.

Rows are stretches of `ROW` blocks of a recording. Only the number of allowed positions in each row
is kept; to find one of them, its row is read again.
"""

import contextlib
from dataclasses import dataclass

import numpy as np

from wavegan_rc.audio.corpus import BLOCK, Corpus, windows
from wavegan_rc.config.choices import ShortRecordings
from wavegan_rc.utils.atomic_files import whole_path

# Blocks: 2 s at 16 kHz. Counts take 8 bytes of memory for each row.
ROW = 256
# Rows read at a time: they fit into the processor's cache.
_AT_A_TIME = 64
# Powers are added as integers, in units of 2**-46: sums do not depend on where one starts.
_UNIT = 2.0**46


@dataclass(frozen=True)
class Stretches:
    """Parts of a corpus: first sample, length in samples and first block of each, int64."""

    start: np.ndarray
    length: np.ndarray
    block: np.ndarray

    def __getitem__(self, which: np.ndarray) -> "Stretches":
        return Stretches(self.start[which], self.length[which], self.block[which])


@dataclass(frozen=True)
class DrawRule:
    """The rule that says at which samples a segment may begin.

    Attributes:
        segment_length: Length of a segment in samples.
        threshold: Least mean square of a segment. It is judged by the blocks that lie inside it,
            wherever in its block it begins. A segment too short to hold a block is judged by all
            blocks that it may touch.
        short_recordings: Use of short stretches, as in `Segments`; `pad` judges each as a whole.
        one_shots: Whether only first samples are allowed, as in `Segments`.
    """

    segment_length: int
    threshold: float
    short_recordings: ShortRecordings = "skip"
    one_shots: bool = False


def whole_recordings(corpus: Corpus) -> Stretches:
    """Return all recordings of a corpus."""
    start = np.array([recording.start for recording in corpus.recordings], np.int64)
    length = np.array([recording.length for recording in corpus.recordings], np.int64)
    blocks = -(-length // BLOCK)
    return Stretches(start, length, np.cumsum(blocks) - blocks)


class Positions:
    """The allowed positions in some stretches. Each has a number, or several: its weight.

    Attributes:
        stretches: Parts of the corpus.
        row_counts: Number of rows of each stretch.
    """

    def __init__(self, corpus: Corpus, stretches: Stretches, rule: DrawRule) -> None:
        self.stretches = stretches
        self._corpus = corpus
        self._rule = rule
        self._blocks = -(-stretches.length // BLOCK)
        short = stretches.length < rule.segment_length
        pad = rule.short_recordings == "pad"
        # Positions at which a segment fits, and the numbers that they have beyond one each.
        self._fitting = np.maximum(stretches.length - rule.segment_length + 1, 0)
        if pad:
            self._fitting = np.where(short, stretches.length > 0, self._fitting)
        self._at_start = short | rule.one_shots
        self._fitting = np.where(self._at_start, np.minimum(self._fitting, 1), self._fitting)
        self._extra = (stretches.length - self._fitting) * (pad and not rule.one_shots)
        # Blocks that are judged, counted from the block in which a segment begins.
        self._judged = 1, rule.segment_length // BLOCK
        if rule.segment_length < 2 * BLOCK:
            self._judged = 0, 1 - -rule.segment_length // BLOCK
        self.row_counts = -(-self._fitting // (ROW * BLOCK))
        self._row_ends = np.cumsum(self.row_counts)

    def count(self) -> np.ndarray:
        """Return the count of numbers in each row, uint32."""
        rows = np.arange(self.row_counts.sum())
        counts = np.empty(len(rows), np.uint32)
        for part in _parts(len(rows)):
            counts[part] = self._in_blocks(rows[part]).sum(axis=1)
        return counts

    def count_once(self) -> np.ndarray:
        """Return the same, kept in the folder of the corpus; only for `whole_recordings`."""
        rule, folder = self._rule, self._corpus.folder
        if folder is None:
            return self.count()
        name = f"positions-{rule.segment_length}-{rule.threshold!r}"
        name += "-pad" * (rule.short_recordings == "pad") + "-start" * rule.one_shots
        path = folder / f"{name}.npy"
        with contextlib.suppress(OSError, ValueError, EOFError):
            kept = np.load(path, allow_pickle=False)
            if kept.shape == (self.row_counts.sum(),):
                return kept
        counts = self.count()
        with contextlib.suppress(OSError), whole_path(path) as partial:
            np.save(partial, counts)
        return counts

    def find(self, rows: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return the samples of positions, given by row and by number, from 0, in the row."""
        found = np.empty(len(rows), np.int64)
        for part in _parts(len(rows)):
            counts = self._in_blocks(rows[part])
            ends = np.cumsum(counts, axis=1)
            number = numbers[part]
            block = (ends <= number[:, None]).sum(axis=1)
            one = np.arange(len(block))
            in_block = number - (ends - counts)[one, block]
            stretch, first_block = self._locate(rows[part])
            fitting, extra = self._fitting[stretch], self._extra[stretch]
            before = _numbers_before((first_block + block) * BLOCK, fitting, extra)
            number = before + in_block
            position = number + -number * extra // (fitting + extra)
            found[part] = self.stretches.start[stretch] + position
        return found

    def _locate(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the stretch of each row, and the row's first block in it."""
        stretch = np.searchsorted(self._row_ends, rows, side="right")
        return stretch, ROW * (rows - (self._row_ends - self.row_counts)[stretch])

    def _in_blocks(self, rows: np.ndarray) -> np.ndarray:
        """Return the count of numbers in each block of each row."""
        stretch, first_block = self._locate(rows)
        blocks, fitting = self._blocks[stretch, None], self._fitting[stretch, None]
        edges = np.minimum((first_block[:, None] + np.arange(ROW + 1)) * BLOCK, fitting)
        counts = np.diff(_numbers_before(edges, fitting, self._extra[stretch, None]), axis=1)

        first, last = self._judged
        power = windows(
            self._corpus.block_power, self.stretches.block[stretch] + first_block, ROW + last
        )
        # Blocks after the stretch are not judged.
        power[first_block[:, None] + np.arange(ROW + last) >= blocks] = 0
        total = np.zeros((len(rows), ROW + last + 1), np.int64)
        np.cumsum((power * _UNIT).astype(np.int64), axis=1, out=total[:, 1:])
        block = first_block[:, None] + np.arange(ROW)
        judged = np.minimum(block + last, blocks) - (block + first)
        loud = total[:, last : last + ROW] - total[:, first : first + ROW]
        # A segment at the start of a stretch is judged by its whole first block, too.
        at_start = self._at_start[stretch]
        loud[at_start, 0] = total[at_start, last]
        judged[at_start, 0] = np.minimum(last, blocks)[at_start, 0]
        return counts * (loud >= self._rule.threshold * _UNIT * judged)


def _numbers_before(position: np.ndarray, fitting: np.ndarray, extra: np.ndarray) -> np.ndarray:
    """Return position * (fitting + extra) / fitting, rounded up, without overflow."""
    if not extra.any():
        return position
    return position - -position * extra // fitting


def _parts(rows: int) -> list[slice]:
    return [slice(start, start + _AT_A_TIME) for start in range(0, rows, _AT_A_TIME)]
