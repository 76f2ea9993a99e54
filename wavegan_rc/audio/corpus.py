"""Prepared recordings: one array of samples, their levels, and which recording is where."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np

from wavegan_rc.audio.shards import Shards
from wavegan_rc.errors import DataError
from wavegan_rc.utils.atomic_files import write_whole

# Levels are kept for blocks of this many samples, so that silence can be found for any
# segment length without reading the audio again.
BLOCK = 128

SKIPPED = "skipped.json"
_INDEX = "index.json"


@dataclass(frozen=True)
class Recording:
    """The stretch of the prepared audio that comes from one file.

    Attributes:
        name: Path of the file, relative to the folder that holds all of them.
        start: First sample in `Corpus.audio`.
        length: In samples.
    """

    name: str
    start: int
    length: int


@dataclass(frozen=True)
class Corpus:
    """Prepared audio and its index. Only the index is in memory.

    Attributes:
        audio: int16, one-dimensional.
        block_power: float32, mean square (full scale 1) of every `BLOCK` samples of each
            recording in turn; a recording's last block may be shorter.
        recordings: In the order of `audio`, without gaps.
        sample_rate: In Hz.
        power: Mean square of the whole corpus, full scale 1.
        fingerprint: Differs if the recordings or what was made of them does: SHA-256 of names,
            lengths and levels.
        skipped: (file, reason) of each file that could not be used.
        root: Folder of the recordings, which their names are relative to.
        folder: Where it lies; None: in memory.
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
    """Samples in each block of a recording of `length` samples: `BLOCK`, the last maybe fewer.

    Example:
        >>> block_lengths(300).tolist()
        [128, 128, 44]
    """
    return np.diff(np.append(np.arange(0, length, BLOCK), length))


def block_count(length: int) -> int:
    """Blocks of a recording of `length` samples.

    Example:
        >>> block_count(300)
        3
    """
    return -(-length // BLOCK)


def shard_paths(folder: Path, number: int) -> tuple[Path, Path]:
    """The files of a corpus's shard: its samples, and the powers of its blocks."""
    return folder / f"audio-{number:05}.int16", folder / f"power-{number:05}.float32"


def write_index(folder: Path, index: dict) -> None:
    """Write what `open_corpus` reads, once all shards are there.

    Args:
        folder: Of the corpus.
        index: `sample_rate`, `power`, `fingerprint`, `skipped` and `root` as in `Corpus`; (name,
            length) of each of the `recordings`; samples of each of the `shards`, and its blocks.

    Raises:
        OSError: If it cannot be written.
    """
    (folder / _INDEX).write_text(json.dumps(index), encoding="utf-8")
    write_skipped(folder, index["skipped"])


def write_skipped(folder: Path, skipped: Iterable[tuple[str, str]]) -> None:
    """Leave a list of the skipped files, `skipped.json`, in a folder; none if none was skipped.

    Args:
        folder: An existing folder.
        skipped: (file, reason) of each, as in `Corpus.skipped`.

    Raises:
        OSError: If it cannot be written.
    """
    rows = [{"file": file, "reason": reason} for file, reason in skipped]
    if rows:
        write_whole(folder / SKIPPED, json.dumps(rows, indent=1))


def open_corpus(folder: Path) -> Corpus:
    """Open a folder that `prepare_corpus` has made. Needs NumPy alone.

    Args:
        folder: An entry of the cache, or a copy of one.

    Raises:
        DataError: If files are missing or are not what they should be.
    """
    try:
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        samples, blocks = zip(*index["shards"], strict=True)
        paths = [shard_paths(folder, number) for number in range(len(samples))]
        names, lengths = zip(*index["recordings"], strict=True)
        starts = accumulate(lengths, initial=0)
        return Corpus(
            audio=Shards([audio for audio, _ in paths], samples, "<i2", scattered=True),
            block_power=Shards([power for _, power in paths], blocks, "<f4"),
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
