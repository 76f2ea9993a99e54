"""Prepared recordings: one array of samples, their levels, and the place of each recording."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np

from wavegan_rc.audio.shards import Shards
from wavegan_rc.errors import DataError
from wavegan_rc.utils.atomic_files import write_whole

# Samples in a block. Levels are kept for blocks, so that silence is found for any segment length
# without reading the audio.
BLOCK = 128

SKIPPED = "skipped.json"
INDEX = "index.json"


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

    audio: np.ndarray | Shards
    block_power: np.ndarray | Shards
    recordings: tuple[Recording, ...]
    sample_rate: int
    power: float
    fingerprint: str
    skipped: tuple[tuple[str, str], ...] = ()
    root: str = ""
    folder: Path | None = None


def block_lengths(length: int) -> np.ndarray:
    """Return the samples in each block of a recording of `length` samples.

    Example:
        >>> block_lengths(300).tolist()
        [128, 128, 44]
    """
    return np.diff(np.append(np.arange(0, length, BLOCK), length))


def block_count(length: int) -> int:
    """Return the number of blocks of a recording of `length` samples.

    Example:
        >>> block_count(300)
        3
    """
    return -(-length // BLOCK)


def shard_paths(folder: Path, number: int) -> tuple[Path, Path]:
    """Return the two files of a shard: its samples, and the powers of its blocks."""
    return folder / f"audio-{number:05}.int16", folder / f"power-{number:05}.float32"


def write_skipped(folder: Path, skipped: Iterable[tuple[str, str]]) -> None:
    """Write the list of skipped files, `skipped.json`; no file if none was skipped.

    Args:
        folder: Existing folder.
        skipped: (file, reason) of each file.

    Raises:
        OSError: If it cannot be written.
    """
    rows = [{"file": file, "reason": reason} for file, reason in skipped]
    if rows:
        write_whole(folder / SKIPPED, json.dumps(rows, indent=1))


def open_powers(folder: Path, blocks: Sequence[int]) -> Shards:
    """Open the block powers of a corpus, given the number of blocks in each shard."""
    paths = [shard_paths(folder, number)[1] for number in range(len(blocks))]
    return Shards(paths, blocks, "<f4")


def open_corpus(folder: Path) -> Corpus:
    """Open a prepared corpus. Needs no audio library.

    Args:
        folder: Folder that `prepare_corpus` has made, or a copy.

    Raises:
        DataError: If files are missing or damaged.
    """
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        samples, blocks = zip(*index["shards"], strict=True)
        paths = [shard_paths(folder, number)[0] for number in range(len(samples))]
        names, lengths = zip(*index["recordings"], strict=True)
        starts = accumulate(lengths, initial=0)
        return Corpus(
            audio=Shards(paths, samples, "<i2", scattered=True),
            block_power=open_powers(folder, blocks),
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
