"""The two steps of preparation, each on a unit: some of the files.

Step one filters the files to float32. The gain depends on the loudest sample of all files, so step
two scales to int16 once step one is done for all. A finished step is not repeated.
"""

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wavegan_rc.audio.corpus import AUDIO, BLOCK, POWERS, block_count
from wavegan_rc.audio.files import FULL_SCALE_INT16, to_int16
from wavegan_rc.audio.filters import lowpass
from wavegan_rc.audio.streams import resampled_blocks
from wavegan_rc.errors import DataError

# Name of the corpus in the work folder.
ENTRY = "entry"
# Magnitude of the loudest sample of a corpus.
PEAK = 0.9

# A unit has this many bytes of files, or 1/128 of all. 1 MiB is 3 minutes of Ogg Vorbis, or 30 s of
# WAV.
UNIT_BYTES = 2**20
MOST_UNITS = 128
# Samples scaled at a time; a multiple of BLOCK.
_PIECE = 8192 * BLOCK


@dataclass(frozen=True)
class Unit:
    """Files, each with its name, that are prepared together in a work folder.

    Attributes:
        band: Edges of the low-pass, in Hz. None applies no low-pass.
        stop: Event that ends the work on all units.
    """

    folder: Path
    number: int
    files: tuple[tuple[Path, str], ...]
    sample_rate: int
    band: tuple[float, float] | None
    stop: threading.Event

    @property
    def samples(self) -> Path:
        """Path of the filtered recordings, one after another in float32; removed by step two."""
        return self.folder / f"unit-{self.number:05}.float32"

    @property
    def description(self) -> Path:
        """Path of the `Filtered` of this unit, written when step one is complete."""
        return self.folder / f"unit-{self.number:05}.json"

    def check_stop(self) -> None:
        """Raise an InterruptedError if the work on another unit has failed."""
        if self.stop.is_set():
            raise InterruptedError("preparation was stopped")


class FilteredRecording(NamedTuple):
    """A usable file after step one: length in samples, largest magnitude, note of its stream."""

    name: str
    length: int
    peak: float
    note: str


class Filtered(NamedTuple):
    """The outcome of step one for a unit: usable files, and (name, reason) of the others."""

    recordings: list[FilteredRecording]
    skipped: list[tuple[str, str]]


def split_into_units(files: list[tuple[Path, str]]) -> Iterator[tuple[tuple[Path, str], ...]]:
    """Split files, given with their names, into consecutive parts of about equal size in bytes."""
    sizes = [os.path.getsize(path) if os.path.isfile(path) else 0 for path, _ in files]
    enough = max(UNIT_BYTES, sum(sizes) / MOST_UNITS)
    unit, filled = [], 0
    for file, size in zip(files, sizes, strict=True):
        unit.append(file)
        filled += size
        if filled >= enough:
            yield tuple(unit)
            unit, filled = [], 0
    if unit:
        yield tuple(unit)


def filter_unit(unit: Unit) -> Filtered:
    """Step one: read, resample and low-pass the files of a unit."""
    done = _read_filtered(unit)
    if done is not None:
        return done
    filtered = Filtered([], [])
    try:
        with unit.samples.open("wb") as sink:
            for path, name in unit.files:
                start, peak, notes = sink.tell(), 0.0, []
                try:
                    for block in _filtered_blocks(path, unit, notes):
                        unit.check_stop()
                        sink.write(block.astype(np.float32, copy=False).data)
                        peak = max(peak, float(np.abs(block).max(initial=0)))
                except DataError as error:
                    filtered.skipped.append((name, str(error)))
                    sink.seek(start)
                    sink.truncate()
                else:
                    length = (sink.tell() - start) // 4
                    note = "".join(notes)
                    filtered.recordings.append(FilteredRecording(name, length, peak, note))
    except BaseException:
        unit.samples.unlink(missing_ok=True)
        raise
    unit.description.write_text(json.dumps(filtered), encoding="utf-8")
    return filtered


def _filtered_blocks(path: Path, unit: Unit, notes: list[str]) -> Iterator[np.ndarray]:
    blocks = resampled_blocks(path, unit.sample_rate, notes)
    return blocks if unit.band is None else lowpass(blocks, *unit.band, unit.sample_rate)


def _read_filtered(unit: Unit) -> Filtered | None:
    """Read the outcome of an earlier step one. Returns None if it is missing or damaged."""
    try:
        recordings, skipped = json.loads(unit.description.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    filtered = Filtered(
        [FilteredRecording(*each) for each in recordings],
        [(name, reason) for name, reason in skipped],
    )
    # A loss of power may have cut the samples short; step two removes them.
    size = 4 * sum(recording.length for recording in filtered.recordings)
    samples = unit.samples
    return filtered if not samples.exists() or samples.stat().st_size == size else None


def scale_unit(unit: Unit, filtered: Filtered, largest_peak: float, start: tuple[int, int]) -> None:
    """Step two: write the unit's part of the corpus, samples and powers; remove its samples.

    `largest_peak` is scaled to `PEAK`, and louder recordings are left out. `start` holds the
    numbers of samples and of blocks in the units before.
    """
    if not unit.samples.exists():
        return
    # Streams report a full disk; a memory map does not.
    with (
        unit.samples.open("rb") as source,
        (unit.folder / ENTRY / AUDIO).open("r+b") as audio,
        (unit.folder / ENTRY / POWERS).open("r+b") as powers,
    ):
        audio.seek(2 * start[0])
        powers.seek(4 * start[1])
        for recording in filtered.recordings:
            if recording.peak > largest_peak:
                source.seek(4 * recording.length, os.SEEK_CUR)
                continue
            for done in range(0, recording.length, _PIECE):
                unit.check_stop()
                count = min(_PIECE, recording.length - done)
                samples = np.fromfile(source, np.float32, count) * np.float32(PEAK / largest_peak)
                scaled = to_int16(samples).astype("<i2")
                audio.write(scaled.data)
                squares = (scaled / np.float32(FULL_SCALE_INT16)) ** 2
                sums = np.add.reduceat(squares, np.arange(0, count, BLOCK))
                lengths = np.full(block_count(count), BLOCK)
                lengths[-1] -= BLOCK * len(lengths) - count
                powers.write((sums / lengths).astype("<f4").data)
    unit.samples.unlink()
