"""Prepared recordings: one array of samples, their levels, and the place of each recording."""

import json
import mmap
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np

from wavegan_rc.errors import DataError
from wavegan_rc.utils.atomic_files import write_json

# Samples in a block. Levels are kept for blocks, so that silence is found for any segment length
# without reading the audio.
BLOCK = 128

SKIPPED = "skipped.json"
INDEX = "index.json"
AUDIO = "audio.int16"
POWERS = "power.float32"


@dataclass(frozen=True)
class Recording:
    """The part of the prepared audio that comes from one file.

    Attributes:
        name: Path of the file, relative to the folder that holds all of them.
        start: First sample in `Corpus.audio`.
        length: Length in samples.
    """

    name: str
    start: int
    length: int


@dataclass(frozen=True)
class Corpus:
    """Prepared audio and its index. Only the index is in memory.

    Attributes:
        audio: Samples, int16, one-dimensional.
        block_power: Mean square (full scale 1) of every `BLOCK` samples of each recording in turn,
            float32; the last block of a recording may be shorter.
        recordings: Recordings in the order of `audio`, without gaps.
        sample_rate: Sample rate, in Hz.
        power: Mean square of the whole corpus, full scale 1.
        fingerprint: SHA-256 of the version of the split rule, of names, lengths and levels.
        skipped: (file, reason) of each file that could not be used.
        root: Folder that the names are relative to.
        folder: Folder of the corpus. None for a corpus in memory.
    """

    audio: np.ndarray
    block_power: np.ndarray
    recordings: tuple[Recording, ...]
    sample_rate: int
    power: float
    fingerprint: str
    skipped: tuple[tuple[str, str], ...] = ()
    root: str = ""
    folder: Path | None = None


def block_count(length: int) -> int:
    """Return the number of blocks of a recording of `length` samples.

    Example:
        >>> block_count(300)
        3
    """
    return -(-length // BLOCK)


def write_skipped(folder: Path, skipped: Iterable[tuple[str, str]]) -> None:
    """Write the (file, reason) of skipped files to `skipped.json`; no file without any."""
    rows = [{"file": file, "reason": reason} for file, reason in skipped]
    if rows:
        write_json(folder / SKIPPED, rows)


def open_corpus(folder: Path) -> Corpus:
    """Open the folder of a prepared corpus, or a copy. Needs no audio library.

    Raises:
        DataError: If files are missing or damaged.
    """
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        names, lengths = zip(*index["recordings"], strict=True)
        starts = accumulate(lengths, initial=0)
        audio = _mapped(folder / AUDIO, "<i2", sum(lengths))
        if isinstance(audio.base, mmap.mmap):
            # Segments lie here and there: the system reads what is asked for, not 128 KiB more.
            audio.base.madvise(mmap.MADV_RANDOM)
        return Corpus(
            audio=audio,
            block_power=_mapped(folder / POWERS, "<f4", sum(map(block_count, lengths))),
            # The starts are one more: the end of the last.
            recordings=tuple(map(Recording, names, starts, lengths)),
            sample_rate=index["sample_rate"],
            power=index["power"],
            fingerprint=index["fingerprint"],
            skipped=tuple((file, reason) for file, reason in index["skipped"]),
            root=index.get("root", ""),
            folder=folder,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"prepared corpus is damaged; delete {folder}: {error}") from None


def _mapped(path: Path, dtype: str, length: int) -> np.memmap:
    array = np.memmap(path, dtype, "r")
    if len(array) != length:
        raise ValueError(f"{path.name} has {len(array)} items instead of {length}")
    return array


def prefetch(array: np.ndarray, starts: np.ndarray, length: int) -> None:
    """Ask the system to read stretches of a mapped array side by side, before they are used."""
    mapped = array.base
    if not isinstance(mapped, mmap.mmap):
        return
    for start in starts.tolist():
        begin = start * array.itemsize
        extra = begin % mmap.PAGESIZE
        size = min(length * array.itemsize, array.nbytes - begin)
        mapped.madvise(mmap.MADV_WILLNEED, begin - extra, size + extra)


def windows(array: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Copy stretches of equal length from a one-dimensional array.

    Args:
        array: Array to read from.
        starts: First item of each stretch, shape (count,).
        length: Length of each stretch. Items beyond the end of the array are 0.

    Returns:
        Array of shape (count, length).

    Example:
        >>> windows(np.arange(9), np.array([1, 7]), 3).tolist()
        [[1, 2, 3], [7, 8, 0]]
    """
    items = np.asarray(array)  # a slice of a memory map takes ten times as long
    out = np.zeros((len(starts), length), items.dtype)
    for row, start in zip(out, starts.tolist(), strict=True):
        found = items[start : start + length]
        row[: len(found)] = found
    return out
