"""Prepare recordings once: mono, resampled, low-passed, one gain, memory-mapped, cached."""

import dataclasses
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from wavegan_rc.audio.files import FULL_SCALE_INT16, find_audio_files, resampled_blocks, to_int16
from wavegan_rc.audio.filters import lowpass
from wavegan_rc.audio.work_folder import remove_abandoned, work_folder
from wavegan_rc.errors import DataError, WaveganWarning, printable
from wavegan_rc.whole_files import write_whole

# Levels are kept for blocks of this many samples, so that silence can be found for any
# segment length without reading the audio again.
BLOCK = 128
# Raised whenever prepared files would come out differently, so that old ones are not used.
_FORMAT = 3
_PEAK = 0.9
_SILENT_PEAK = 1e-4
# Samples scaled at a time.
_SCALED_LENGTH = 8192 * BLOCK

_INDEX = "index.json"
_SKIPPED = "skipped.json"


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
    """Prepared audio and its index.

    Attributes:
        audio: int16 array of shape (samples,), memory-mapped.
        block_power: float32 array, mean square (full scale 1) of every `BLOCK` samples of each
            recording in turn; a recording's last block may be shorter.
        recordings: In the order of `audio`, without gaps.
        sample_rate: In Hz.
        skipped: (file, reason) of each file that could not be used.
    """

    audio: np.ndarray
    block_power: np.ndarray
    recordings: tuple[Recording, ...]
    sample_rate: int
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def fingerprint(self) -> str:
        """Differs if the recordings or what was made of them does: of names, lengths and levels."""
        listed = repr([(recording.name, recording.length) for recording in self.recordings])
        return hashlib.sha256(self.block_power.tobytes() + listed.encode()).hexdigest()

    @property
    def power(self) -> float:
        """Mean square of the whole corpus, full scale 1."""
        lengths = [block_lengths(recording.length) for recording in self.recordings]
        return float(np.average(self.block_power, weights=np.concatenate(lengths)))


def block_lengths(length: int) -> np.ndarray:
    """Samples in each block of a recording of `length` samples: `BLOCK`, the last maybe fewer.

    Example:
        >>> block_lengths(300).tolist()
        [128, 128, 44]
    """
    return np.diff(np.append(np.arange(0, length, BLOCK), length))


def write_skipped(folder: Path, skipped: tuple[tuple[str, str], ...]) -> None:
    """Leave a list of the skipped files, `skipped.json`, in a folder; none if none was skipped.

    Args:
        folder: An existing folder.
        skipped: (file, reason) of each, as in `Corpus.skipped`.

    Raises:
        OSError: If it cannot be written.
    """
    if skipped:
        rows = [{"file": file, "reason": reason} for file, reason in skipped]
        write_whole(folder / _SKIPPED, json.dumps(rows, indent=1))


def prepare_corpus(
    data: str | None,
    *,
    sample_rate: int,
    cutoff_hz: float | None,
    stopband_hz: float | None,
    on_file: Callable[[int, int, str], None] | None = None,
) -> Corpus:
    """Open the prepared form of some recordings, preparing them first if that was not done yet.

    Each file is mixed to mono, resampled and low-passed; then one gain brings the loudest sample
    of all to 0.9 of full scale. Files are read in blocks: memory does not grow with their length.
    The result is cached in the user's cache folder under a hash of the files (path, size,
    modification time) and the settings; it appears there whole or not at all, with a list of the
    files that were skipped.

    Args:
        data: Folder, glob or file; None: the bundled speech.
        sample_rate: In Hz.
        cutoff_hz: Highest frequency that the low-pass keeps, in Hz; None: no low-pass.
        stopband_hz: Lowest frequency that it removes, in Hz.
        on_file: Called with (files done, files in all, name) while preparing.

    Raises:
        DataError: If there is no usable recording, or the cache folder cannot be written.

    Warns:
        WaveganWarning: Once, if files were skipped.
    """
    files = find_audio_files(data)
    band = None if cutoff_hz is None or stopband_hz is None else (cutoff_hz, stopband_hz)
    remove_abandoned(_cache_folder())
    entry = _cache_folder() / _fingerprint(files, [_FORMAT, sample_rate, band])
    if not entry.exists():
        _fill_entry(entry, files, sample_rate, band, on_file)
    return open_corpus(entry)


def _cache_folder() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("wavegan_rc") / "corpora"


def _fingerprint(files: list[Path], settings: list) -> str:
    identity = [_identity(path) for path in files]
    return hashlib.sha256(json.dumps([settings, identity]).encode()).hexdigest()[:20]


def _identity(path: Path) -> tuple[str, int | None, int | None]:
    """What tells that a file was changed, or that it can be read now."""
    real = os.path.realpath(path)
    if not os.access(real, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
        return real, None, None
    stat = path.stat()
    return real, stat.st_size, stat.st_mtime_ns


def _fill_entry(
    entry: Path,
    files: list[Path],
    sample_rate: int,
    band: tuple[float, float] | None,
    on_file: Callable[[int, int, str], None] | None,
) -> None:
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with work_folder(entry.parent) as folder:
            work = folder / "entry"
            work.mkdir()
            _prepare(work, files, sample_rate, band, on_file)
            os.rename(work, entry)
    except OSError as error:
        if not entry.exists():  # else another process prepared the same meanwhile
            raise DataError(f"cache folder cannot be written: {error}") from None


def _prepare(
    work: Path,
    files: list[Path],
    sample_rate: int,
    band: tuple[float, float] | None,
    on_file: Callable[[int, int, str], None] | None,
) -> None:
    root = _common_folder(files)
    recordings: list[Recording] = []
    skipped: list[tuple[str, str]] = []
    start, peak = 0, 0.0
    filtered = work / "filtered.f32"
    with filtered.open("wb") as sink:
        for done, path in enumerate(files):
            name = os.path.relpath(os.path.realpath(path), root)
            if on_file is not None:
                on_file(done, len(files), printable(name))
            try:
                length, own_peak = _write_filtered(sink, _filtered(path, sample_rate, band))
            except DataError as error:
                skipped.append((str(path), str(error)))
                continue
            recordings.append(Recording(name, start, length))
            start, peak = start + length, max(peak, own_peak)
    if on_file is not None:
        on_file(len(files), len(files), "")
    if not recordings:
        first = f"{printable(skipped[0][0])} {skipped[0][1]}"
        more = f" (and {len(skipped) - 1} more)" if len(skipped) > 1 else ""
        raise DataError(f"no usable recording: {first}{more}")
    if peak < _SILENT_PEAK:
        raise DataError("silence only: nothing in the recordings is above -80 dB of full scale")
    _write_audio(work, filtered, [recording.length for recording in recordings], gain=_PEAK / peak)
    index = {
        "sample_rate": sample_rate,
        "gain": _PEAK / peak,
        "recordings": [dataclasses.asdict(recording) for recording in recordings],
        "skipped": skipped,
    }
    (work / _INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")
    write_skipped(work, tuple(skipped))


def _common_folder(files: list[Path]) -> str:
    """The folder that holds all files; links to nowhere have no say in it."""
    there = [path for path in files if os.path.isfile(path)] or files
    return os.path.commonpath([os.path.dirname(os.path.realpath(path)) for path in there])


def _filtered(
    path: Path, sample_rate: int, band: tuple[float, float] | None
) -> Iterator[np.ndarray]:
    blocks = resampled_blocks(path, sample_rate)
    return blocks if band is None else lowpass(blocks, *band, sample_rate)


def _write_filtered(sink: BinaryIO, blocks: Iterator[np.ndarray]) -> tuple[int, float]:
    """Append a recording: its length and largest sample. A bad one is overwritten by the next."""
    start, length, peak = sink.tell(), 0, 0.0
    try:
        for block in blocks:
            sink.write(block.astype(np.float32, copy=False).data)
            length += len(block)
            peak = max(peak, float(np.abs(block).max(initial=0)))
    except DataError:
        sink.seek(start)
        raise
    return length, peak


def _write_audio(work: Path, filtered: Path, lengths: list[int], gain: float) -> None:
    """Scale the float32 samples to int16 piece by piece, with each block's power."""
    header = {"descr": "<i2", "fortran_order": False, "shape": (sum(lengths),)}
    powers = []
    # Written as a stream: a full disk is an error then, which in a memory map it is not.
    with filtered.open("rb") as source, (work / "audio.npy").open("wb") as sink:
        np.lib.format.write_array_header_1_0(sink, header)
        pieces = (
            min(_SCALED_LENGTH, length - start)
            for length in lengths
            for start in range(0, length, _SCALED_LENGTH)
        )
        for length in pieces:
            samples = np.fromfile(source, dtype=np.float32, count=length)
            scaled = to_int16(samples * np.float32(gain)).astype("<i2")
            scaled.tofile(sink)
            squares = (scaled / np.float32(FULL_SCALE_INT16)) ** 2
            sums = np.add.reduceat(squares, np.arange(0, length, BLOCK))
            powers.append((sums / block_lengths(length)).astype(np.float32))
    filtered.unlink()
    np.save(work / "block_power.npy", np.concatenate(powers))


def open_corpus(entry: Path) -> Corpus:
    """Open a folder that `prepare_corpus` has made, or a copy. Needs NumPy alone."""
    try:
        index = json.loads((entry / _INDEX).read_text(encoding="utf-8"))
        corpus = Corpus(
            audio=np.load(entry / "audio.npy", mmap_mode="r", allow_pickle=False),
            block_power=np.load(entry / "block_power.npy", allow_pickle=False),
            recordings=tuple(Recording(**recording) for recording in index["recordings"]),
            sample_rate=index["sample_rate"],
            skipped=tuple((file, reason) for file, reason in index["skipped"]),
        )
    except (OSError, ValueError, EOFError, KeyError, TypeError) as error:
        raise DataError(f"prepared corpus is damaged; delete {entry}: {error}") from None
    if corpus.skipped:
        count = len(corpus.recordings) + len(corpus.skipped)
        file, reason = corpus.skipped[0]
        message = (
            f"skipped {len(corpus.skipped)} of {count} files, the first: {printable(file)} "
            f"{reason}; all are in {entry / _SKIPPED}"
        )
        warnings.warn(message, WaveganWarning, stacklevel=3)
    return corpus
