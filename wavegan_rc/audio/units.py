"""The two steps of preparing, in units that can be done side by side and kept one by one.

First some files are filtered, to float32, since the loudest sample of all is not known yet; then
a shard is scaled to int16 from what belongs to it. Results appear whole or not at all.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wavegan_rc.audio.corpus import BLOCK, block_count, block_lengths, shard_paths
from wavegan_rc.audio.files import resampled_blocks
from wavegan_rc.audio.filters import lowpass
from wavegan_rc.audio.int16 import FULL_SCALE_INT16, to_int16
from wavegan_rc.errors import DataError
from wavegan_rc.utils.atomic_files import whole_path
from wavegan_rc.utils.text import printable

# Samples scaled at a time.
_PIECE = 8192 * BLOCK


@dataclass(frozen=True)
class FilterTask:
    """Filter some files.

    Attributes:
        folder: To write to.
        number: Of the unit.
        files: Path and name of each.
        sample_rate: In Hz.
        band: Edges of the low-pass, in Hz; None: no low-pass.
    """

    folder: Path
    number: int
    files: tuple[tuple[Path, str], ...]
    sample_rate: int
    band: tuple[float, float] | None

    @property
    def samples(self) -> Path:
        """The filtered recordings one after the other, float32."""
        return self.folder / f"unit-{self.number:05}.float32"

    @property
    def description(self) -> Path:
        """What `samples` holds; written last."""
        return self.folder / f"unit-{self.number:05}.json"


@dataclass(frozen=True)
class Filtered:
    """What a unit's files became.

    Attributes:
        recordings: (name, length, largest sample) of each.
        skipped: (name, reason) of each that could not be used.
    """

    recordings: tuple[tuple[str, int, float], ...]
    skipped: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Span:
    """Part of a recording, or all of it, in a unit's samples.

    Attributes:
        unit: Number of the unit.
        file: The unit's samples.
        start: First sample in it.
        length: In samples.
    """

    unit: int
    file: Path
    start: int
    length: int


@dataclass(frozen=True)
class ScaleTask:
    """Scale what makes one shard.

    Attributes:
        folder: To write to.
        number: Of the shard.
        spans: What it is made of; where a recording is cut, at a multiple of `BLOCK`.
        gain: To scale by.
    """

    folder: Path
    number: int
    spans: tuple[Span, ...]
    gain: float

    @property
    def size(self) -> tuple[int, int]:
        """Samples and blocks."""
        lengths = [span.length for span in self.spans]
        return sum(lengths), sum(map(block_count, lengths))


def filter_unit(task: FilterTask, on_progress: Callable[[str], None]) -> None:
    """Read, resample and low-pass the files of a unit.

    Args:
        task: What to do.
        on_progress: Called with the name of each file before it is read.

    Raises:
        OSError: If the result cannot be written.
    """
    recordings, skipped = [], []
    with whole_path(task.samples) as partial, partial.open("wb") as sink:
        for path, name in task.files:
            on_progress(printable(name))
            start, length, peak = sink.tell(), 0, 0.0
            try:
                for block in _filtered(path, task.sample_rate, task.band):
                    sink.write(block.astype(np.float32, copy=False).data)
                    length += len(block)
                    peak = max(peak, float(np.abs(block).max(initial=0)))
            except DataError as error:
                skipped.append((name, str(error)))
                sink.seek(start)
                sink.truncate()
                continue
            recordings.append((name, length, peak))
    with whole_path(task.description) as partial:
        description = {"recordings": recordings, "skipped": skipped}
        partial.write_text(json.dumps(description), encoding="utf-8")


def _filtered(
    path: Path, sample_rate: int, band: tuple[float, float] | None
) -> Iterator[np.ndarray]:
    blocks = resampled_blocks(path, sample_rate)
    return blocks if band is None else lowpass(blocks, *band, sample_rate)


def read_filtered(task: FilterTask) -> Filtered | None:
    """What a unit's files became; None: that is not done yet."""
    try:
        found = json.loads(task.description.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    recordings, skipped = (tuple(map(tuple, found[key])) for key in ("recordings", "skipped"))
    return Filtered(recordings, skipped)


def has_samples(task: FilterTask, filtered: Filtered) -> bool:
    """Whether a unit's samples are there, all of them."""
    return _has_size(task.samples, 4 * sum(length for _, length, _ in filtered.recordings))


def scale_shard(task: ScaleTask, on_progress: Callable[[str], None]) -> None:  # noqa: ARG001
    """Write a shard's samples as int16, with each block's power.

    Args:
        task: What to do.
        on_progress: Not called.

    Raises:
        OSError: If the result cannot be written.
    """
    audio, power = shard_paths(task.folder, task.number)
    # Written as streams: a full disk is an error then, which in a memory map it is not.
    with (
        whole_path(audio) as partial_audio,
        whole_path(power) as partial_power,
        partial_audio.open("wb") as audio_sink,
        partial_power.open("wb") as power_sink,
    ):
        for samples in _pieces(task.spans):
            scaled = to_int16(samples * np.float32(task.gain)).astype("<i2")
            audio_sink.write(scaled.data)
            squares = (scaled / np.float32(FULL_SCALE_INT16)) ** 2
            sums = np.add.reduceat(squares, np.arange(0, len(scaled), BLOCK))
            power_sink.write((sums / block_lengths(len(scaled))).astype("<f4").data)


def _pieces(spans: tuple[Span, ...]) -> Iterator[np.ndarray]:
    for span in spans:
        with span.file.open("rb") as source:
            source.seek(4 * span.start)
            for start in range(0, span.length, _PIECE):
                count = min(_PIECE, span.length - start)
                yield np.fromfile(source, dtype=np.float32, count=count)


def is_scaled(task: ScaleTask) -> bool:
    """Whether a shard is there, all of it."""
    audio, power = shard_paths(task.folder, task.number)
    samples, blocks = task.size
    return _has_size(audio, 2 * samples) and _has_size(power, 4 * blocks)


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
