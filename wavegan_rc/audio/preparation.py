"""Prepare recordings once: mono, resampled, low-passed, one gain, cached."""

import hashlib
import json
import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import TypeVar

import numpy as np

from wavegan_rc.audio.corpus import (
    AUDIO,
    BLOCK,
    INDEX,
    POWERS,
    Corpus,
    block_count,
    open_corpus,
    write_skipped,
)
from wavegan_rc.audio.files import find_audio_files
from wavegan_rc.audio.named_corpora import NAMED_CORPORA, recordings_of
from wavegan_rc.audio.segments import SPLIT_VERSION
from wavegan_rc.audio.units import (
    ENTRY,
    Filtered,
    Unit,
    filter_unit,
    scale_unit,
    split_into_units,
)
from wavegan_rc.audio.use import warn_of_lengths
from wavegan_rc.audio.work_folder import work_folder
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError
from wavegan_rc.utils.cache import cache_path
from wavegan_rc.utils.cores import usable_cores
from wavegan_rc.utils.standard_error import without_standard_error
from wavegan_rc.utils.text import did_you_mean, printable

# Raised with every change to prepared or unfinished files, so that those of before are not used.
_FORMAT = 8
# Louder float mixes have not been met. Recordings beyond are most likely at the scale of integers.
_LARGEST_IN_SCALE = 8.0
_SILENT_PEAK = 1e-4

# Called with the number done, the number in all, and words for what is counted or waited for.
OnProgress = Callable[[int, int, str], None]
_Result = TypeVar("_Result")


def corpus_of(config: Config, on_progress: OnProgress | None = None) -> Corpus:
    """Call `prepare_corpus` with the values of a configuration."""
    return prepare_corpus(
        config.data,
        sample_rate=config.sample_rate,
        cutoff_hz=config.cutoff_hz,
        stopband_hz=config.stopband_hz,
        on_progress=on_progress,
    )


def prepare_corpus(
    data: str | None,
    *,
    sample_rate: int,
    cutoff_hz: float | None,
    stopband_hz: float | None,
    on_progress: OnProgress | None = None,
) -> Corpus:
    """Open prepared recordings; prepare them first if that has not been done.

    Each file is mixed to mono, resampled and low-passed. Then one gain brings the loudest sample of
    all files to 0.9 of full scale. Where most recordings keep to full scale, those far beyond it
    are skipped: one gain for all would leave nothing of the others.

    Files are processed in blocks, on all cores; only the list of recordings is held in memory. The
    result lies in the user's cache folder, under a hash of the files (name, path, size,
    modification time) and the settings. Preparation takes twice its size on the disk. If it is
    interrupted, the next call resumes it.

    Args:
        data: Folder, glob, file, or a name in `NAMED_CORPORA`; such a name wins over a folder of
            the same name. None uses the bundled speech.
        sample_rate: Sample rate of the corpus, in Hz.
        cutoff_hz: Highest frequency that the low-pass keeps, in Hz. None applies no low-pass.
        stopband_hz: Lowest frequency that the low-pass removes, in Hz.
        on_progress: Function called with (files done, files in all, ""). While downloading, the
            numbers are MiB; while another process prepares the same, the words say so.

    Returns:
        The prepared corpus. Its `skipped` lists the files that could not be used.

    Raises:
        DataError: If there is no usable recording, or the cache folder cannot be written.

    Warns:
        WaveganWarning: If recordings are longer than their headers declare.
    """
    on_progress = on_progress or (lambda *_: None)
    if data in NAMED_CORPORA:
        data = str(recordings_of(data, on_progress))
    try:
        files = find_audio_files(data)
    except DataError as error:
        raise DataError(f"{error}{did_you_mean(data or '', NAMED_CORPORA)}") from None
    root = _common_folder(files)
    # The path as found: the target of a link differs from machine to machine.
    named = [(path, os.path.relpath(os.path.abspath(path), root)) for path in files]
    band = None if cutoff_hz is None or stopband_hz is None else (cutoff_hz, stopband_hz)
    identity = [[name, *_identity(path)] for path, name in named]
    key = json.dumps([[_FORMAT, sample_rate, band], identity]).encode()
    name = hashlib.sha256(key).hexdigest()[:20]
    entry = cache_path("corpora", name)
    if not entry.exists():
        _fill_entry(entry, root, named, sample_rate, band, on_progress)
    return open_corpus(entry)


def _common_folder(files: list[Path]) -> str:
    """Return the folder that holds all files; links to nowhere do not count."""
    there = [path for path in files if os.path.isfile(path)] or files
    return os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in there])


def _identity(path: Path) -> tuple[str, int | None, int | None]:
    """Return values that change if a file changes or becomes readable."""
    real = os.path.realpath(path)
    if not os.access(real, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
        return real, None, None
    stat = path.stat()
    return real, stat.st_size, stat.st_mtime_ns


def _fill_entry(
    entry: Path,
    root: str,
    files: list[tuple[Path, str]],
    sample_rate: int,
    band: tuple[float, float] | None,
    on_progress: OnProgress,
) -> None:
    failures: list[Exception] = []

    def tell(done: int, total: int, note: str) -> None:
        try:
            on_progress(done, total, note)
        except Exception as error:
            failures.append(error)
            raise

    def on_wait() -> None:
        tell(0, len(files), "(another process prepares them)")

    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with work_folder(entry.parent, entry.name, on_wait) as work:
            if not entry.exists():  # otherwise the other process has made it
                parts, stop = enumerate(split_into_units(files)), threading.Event()
                units = [Unit(work, i, part, sample_rate, band, stop) for i, part in parts]
                os.rename(_prepare(root, units, tell), entry)
    except OSError as error:
        if error in failures:  # of the caller's function, not of the cache
            raise
        if not entry.exists():  # otherwise another process has made it, without locks
            kept = "; finished work is kept there for a week" if entry.parent.is_dir() else ""
            raise DataError(
                f"recordings cannot be prepared in the cache folder {entry.parent} (set "
                f"XDG_CACHE_HOME to use another): {error}{kept}"
            ) from None


def _prepare(root: str, units: list[Unit], on_progress: OnProgress) -> Path:
    """Do what is left of both steps for all units. Returns the folder of the corpus."""
    entry = units[0].folder / ENTRY
    entry.mkdir(exist_ok=True)
    filtered = _filter_all(units, on_progress)
    every = [recording for each in filtered for recording in each.recordings]
    skipped = [(os.path.join(root, name), why) for each in filtered for name, why in each.skipped]
    if not every:
        more = f" (and {len(skipped) - 1} more)" if len(skipped) > 1 else ""
        raise DataError(f"no usable recording: {printable(' '.join(skipped[0]))}{more}")
    largest = _largest_in_scale([recording.peak for recording in every])
    if largest < _SILENT_PEAK:
        raise DataError("silence only: nothing in the recordings is above -80 dB of full scale")
    for recording in every:
        if recording.peak > largest:
            reason = f"has samples of {recording.peak:g}, where full scale is 1"
            skipped.append((os.path.join(root, recording.name), reason))
    warn_of_lengths([(os.path.join(root, r.name), r.note) for r in every if r.note])
    _scale_all(units, filtered, largest)
    recordings = [(r.name, r.length) for r in every if r.peak <= largest]
    power, fingerprint = _summary(np.asarray(np.memmap(entry / POWERS, "<f4", "r")), recordings)
    index = {"sample_rate": units[0].sample_rate, "power": power, "fingerprint": fingerprint}
    index |= {"recordings": recordings, "skipped": skipped, "root": root}
    (entry / INDEX).write_text(json.dumps(index), encoding="utf-8")
    write_skipped(entry, skipped)
    return entry


def _filter_all(units: list[Unit], on_progress: OnProgress) -> list[Filtered]:
    count, done, results = sum(len(unit.files) for unit in units), 0, []
    for filtered in _in_threads(filter_unit, units):
        results.append(filtered)
        done += len(filtered.recordings) + len(filtered.skipped)
        on_progress(done, count, "")
    return results


def _scale_all(units: list[Unit], filtered: list[Filtered], largest: float) -> None:
    """Write the parts of all units, each where those before it end."""
    for name in (AUDIO, POWERS):
        (units[0].folder / ENTRY / name).touch()
    starts, samples, blocks = [], 0, 0
    for each in filtered:
        starts.append((samples, blocks))
        lengths = [recording.length for recording in each.recordings if recording.peak <= largest]
        samples, blocks = samples + sum(lengths), blocks + sum(map(block_count, lengths))
    for _ in _in_threads(scale_unit, units, filtered, repeat(largest), starts):
        pass


def _in_threads(
    work: Callable[..., _Result], units: list[Unit], *arguments: Iterable
) -> Iterator[_Result]:
    """Yield the results of `work` for all units, in order, from threads on all cores.

    An error, also of the caller while it has a result, stops all units.
    """
    # Decoders write notes to the standard error, also on good files.
    with without_standard_error(), ThreadPoolExecutor(usable_cores()) as pool:
        try:
            yield from pool.map(work, units, *arguments)
        except BaseException:
            units[0].stop.set()
            raise


def _largest_in_scale(peaks: list[float]) -> float:
    """Return the largest sample of recordings at the scale that most audible ones have."""
    usual = [peak for peak in peaks if _SILENT_PEAK <= peak <= _LARGEST_IN_SCALE]
    beyond = sum(peak > _LARGEST_IN_SCALE for peak in peaks)
    return max(usual) if usual and len(usual) >= beyond else max(peaks)


def _summary(powers: np.ndarray, recordings: Sequence[tuple[str, int]]) -> tuple[float, str]:
    """Return the mean square and the fingerprint."""
    digest = hashlib.sha256(f"split {SPLIT_VERSION}".encode())
    digest.update(powers.data)
    digest.update(repr(recordings).encode())
    lengths = np.array([length for _, length in recordings])
    blocks = -(-lengths // BLOCK)
    ends = np.cumsum(blocks)
    sums = [BLOCK * float(own.sum(dtype=np.float64)) for own in np.split(powers, ends[:-1])]
    beyond = (BLOCK * blocks - lengths) * powers[ends - 1]  # of the last blocks
    return math.fsum([*sums, *-beyond]) / int(lengths.sum()), digest.hexdigest()
