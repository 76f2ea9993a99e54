"""Prepare recordings once: mono, resampled, low-passed, one gain, in shards, cached."""

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import platformdirs

from wavegan_rc.audio.corpus import (
    BLOCK,
    Corpus,
    block_count,
    open_corpus,
    shard_paths,
    write_index,
)
from wavegan_rc.audio.files import find_audio_files
from wavegan_rc.audio.named_corpora import NAMED_CORPORA, recordings_of
from wavegan_rc.audio.plan import common_folder, in_shards, in_units, name_of
from wavegan_rc.audio.shards import Shards
from wavegan_rc.audio.units import (
    Filtered,
    FilterTask,
    ScaleTask,
    filter_unit,
    has_samples,
    is_scaled,
    read_filtered,
    scale_shard,
)
from wavegan_rc.audio.work_folder import remove_abandoned, work_folder
from wavegan_rc.audio.workers import Workers
from wavegan_rc.errors import DataError
from wavegan_rc.utils.atomic_files import remove_partial_files
from wavegan_rc.utils.cores import usable_cores
from wavegan_rc.utils.text import printable

# Raised whenever prepared files, or those of the work, would come out differently, so that old
# ones are not used.
_FORMAT = 5
_PEAK = 0.9
# Of float samples where full scale is 1; louder mixes have not been met. Recordings beyond are most
# likely kept at the scale of integers, such as 32768.
_LARGEST_IN_SCALE = 8.0
_SILENT_PEAK = 1e-4

# Worker processes take about a second to start, in which one process does as much.
_FEWEST_UNITS = 4

# Blocks whose powers are added up at a time.
_SUMMED = 2**20

# Called with (files begun before this one, files in all, name); at the end with an empty name.
OnFile = Callable[[int, int, str], None]


def prepare_corpus(
    data: str | None,
    *,
    sample_rate: int,
    cutoff_hz: float | None,
    stopband_hz: float | None,
    on_file: OnFile | None = None,
) -> Corpus:
    """Open the prepared form of some recordings, preparing them first if that was not done yet.

    Each file is mixed to mono, resampled and low-passed; then one gain brings the loudest sample
    of all to 0.9 of full scale. Where most recordings keep to full scale, those far beyond it are
    skipped: one gain for all would leave nothing of the others. Files are read in blocks, on all
    cores: memory holds their list, and does not grow with their length. The result is cached in the
    user's cache folder under a hash of the files (name, path, size, modification time) and the
    settings; it appears there whole or not at all, with a list of the files that were skipped.
    Meanwhile it takes twice its size on the disk. If preparing is interrupted, the next time goes
    on from there.

    Args:
        data: Folder, glob or file, or a name in `NAMED_CORPORA`, which wins over a folder that is
            called the same; None: the bundled speech.
        sample_rate: In Hz.
        cutoff_hz: Highest frequency that the low-pass keeps, in Hz; None: no low-pass.
        stopband_hz: Lowest frequency that it removes, in Hz.
        on_file: Called while preparing with (files done, files in all, name), and while downloading
            with MiB.

    Raises:
        DataError: If there is no usable recording, or the cache folder cannot be written.
    """
    if data in NAMED_CORPORA:
        data = str(recordings_of(data, on_file or (lambda *_: None)))
    files = find_audio_files(data)
    band = None if cutoff_hz is None or stopband_hz is None else (cutoff_hz, stopband_hz)
    cache = platformdirs.user_cache_path("wavegan_rc") / "corpora"
    entry = cache / _fingerprint(files, [_FORMAT, sample_rate, band])
    remove_abandoned(cache, keep=entry.name)
    if not entry.exists():
        _fill_entry(entry, files, sample_rate, band, on_file or (lambda *_: None))
    return open_corpus(entry)


def _fingerprint(files: list[Path], settings: list) -> str:
    root = common_folder(files)
    identity = [[name_of(path, root), *_identity(path)] for path in files]
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
    on_file: OnFile,
) -> None:
    def on_wait() -> None:
        on_file(0, len(files), "(another process is at it)")

    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with work_folder(entry.parent, entry.name, on_wait) as work:
            if not entry.exists():  # else the process that was waited for made it
                try:
                    done = _prepare(work, files, sample_rate, band, on_file)
                finally:
                    remove_partial_files(work)  # of workers that were killed
                os.rename(done, entry)
    except BrokenPipeError:  # it is no file that cannot be written, but what is printed
        raise
    except OSError as error:
        if not entry.exists():  # else another process prepared the same meanwhile
            kept = "; what is done is kept there for a week" if entry.parent.is_dir() else ""
            raise DataError(
                f"recordings cannot be prepared in the cache folder {entry.parent}: {error}{kept}"
            ) from None


def _prepare(
    work: Path,
    files: list[Path],
    sample_rate: int,
    band: tuple[float, float] | None,
    on_file: OnFile,
) -> Path:
    """Do what is not done yet; the folder that holds the result."""
    done = work / "entry"
    done.mkdir(exist_ok=True)
    root = common_folder(files)
    remove_partial_files(work)  # of a process that was killed
    units = [
        FilterTask(work, number, unit, sample_rate, band)
        for number, unit in enumerate(in_units(files, root))
    ]
    count = min(usable_cores(), len(units)) if len(units) >= _FEWEST_UNITS else 1
    with Workers(count) as workers:
        filtered = _filter(workers, units, len(files), on_file)
        on_file(len(files), len(files), "")
        skipped = [(os.path.join(root, n), why) for unit in filtered for n, why in unit.skipped]
        recordings = [recording for unit in filtered for recording in unit.recordings]
        if not recordings:
            first = f"{printable(skipped[0][0])} {skipped[0][1]}"
            more = f" (and {len(skipped) - 1} more)" if len(skipped) > 1 else ""
            raise DataError(f"no usable recording: {first}{more}")
        peak = _largest_in_scale([peak for *_, peak in recordings])
        if peak < _SILENT_PEAK:
            raise DataError("silence only: nothing in the recordings is above -80 dB of full scale")
        skipped += [
            (os.path.join(root, name), f"has samples of {own:g}, where full scale is 1")
            for name, _, own in recordings
            if own > peak
        ]
        recordings = [(name, length) for name, length, own in recordings if own <= peak]
        gain = _PEAK / peak
        shards = [
            ScaleTask(done, number, spans, gain)
            for number, spans in enumerate(in_shards(units, filtered, peak))
        ]
        _scale(workers, units, filtered, shards)
    sizes = [shard.size for shard in shards]
    powers = Shards(
        [shard_paths(done, i)[1] for i in range(len(sizes))], [b for _, b in sizes], "<f4"
    )
    power, fingerprint = _summary(powers, recordings)
    index = {"sample_rate": sample_rate, "gain": gain, "power": power, "fingerprint": fingerprint}
    index |= {"shards": sizes, "recordings": recordings, "skipped": skipped, "root": root}
    write_index(done, index)
    return done


def _largest_in_scale(peaks: list[float]) -> float:
    """The largest sample of recordings of the scale that most audible ones have."""
    usual = [peak for peak in peaks if _SILENT_PEAK <= peak <= _LARGEST_IN_SCALE]
    beyond = sum(peak > _LARGEST_IN_SCALE for peak in peaks)
    return max(usual) if usual and len(usual) >= beyond else max(peaks)


def _filter(
    workers: Workers, units: list[FilterTask], count: int, on_file: OnFile
) -> list[Filtered]:
    """Do the first step for the units that it is not done for."""
    filtered = [read_filtered(unit) for unit in units]
    # Once all are described, shards may be there, and samples may be gone that they were made of.
    missing = [unit for unit, done in zip(units, filtered, strict=True) if done is None]
    begun = count - sum(len(unit.files) for unit in missing)

    def on_progress(name: str) -> None:
        nonlocal begun
        on_file(begun, count, name)
        begun += 1

    workers.run(filter_unit, missing, on_progress, on_done=lambda _: None)
    filtered = [read_filtered(unit) for unit in units]
    if None in filtered:
        raise OSError("something removes files from the cache folder")
    return [done for done in filtered if done is not None]


def _scale(
    workers: Workers, units: list[FilterTask], filtered: list[Filtered], shards: list[ScaleTask]
) -> None:
    """Do the second step; a unit's samples go as soon as no shard needs them any more."""
    missing = [shard for shard in shards if not is_scaled(shard)]
    needed_by = {unit.number: 0 for unit in units}
    for shard in missing:
        for number in {span.unit for span in shard.spans}:
            needed_by[number] += 1
    needed = [unit for unit in units if needed_by[unit.number]]
    again = [unit for unit in needed if not has_samples(unit, filtered[unit.number])]
    workers.run(filter_unit, again, on_progress=lambda _: None, on_done=lambda _: None)
    if not all(has_samples(unit, filtered[unit.number]) for unit in again):
        raise OSError("something changes the recordings meanwhile")

    def on_done(shard: ScaleTask) -> None:
        for number in {span.unit for span in shard.spans}:
            needed_by[number] -= 1
            if not needed_by[number]:
                units[number].samples.unlink()

    workers.run(scale_shard, missing, on_progress=lambda _: None, on_done=on_done)


def _summary(powers: Shards, recordings: Iterable[tuple[str, int]]) -> tuple[float, str]:
    """Mean square and fingerprint, which do not depend on where shards end."""
    digest = hashlib.sha256()
    sums = []
    block = samples = 0
    for _, length in recordings:
        end = block + block_count(length)
        while block < end:
            own = powers[block : min(end, block + _SUMMED)]
            digest.update(own.data)
            sums.append(BLOCK * float(own.sum(dtype=np.float64)))
            block += len(own)
        missing = BLOCK * block_count(length) - length  # of the last block
        sums.append(-missing * float(own[-1]))
        samples += length
    digest.update(repr([(name, length) for name, length in recordings]).encode())
    return math.fsum(sums) / samples, digest.hexdigest()
