"""Which files are filtered together, and what makes a shard."""

import os
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from wavegan_rc.audio.units import Filtered, FilterTask, Span

# Samples in a shard: 256 MiB, 2.3 hours at 16 kHz. That is small enough to be lost by a kill, and
# large enough that 60,000 hours are 26,000 files.
SHARD_LENGTH = 2**27
# Bytes of recordings filtered in one unit: of Ogg Vorbis 50 minutes, of WAV 9.
UNIT_BYTES = 2**24


def in_units(files: list[Path], root: str) -> Iterator[tuple[tuple[Path, str], ...]]:
    """Put files into stretches of about equal size.

    Args:
        files: In order.
        root: Folder that names are relative to.

    Yields:
        The paths of some with their names.
    """
    unit, size = [], 0
    for path in files:
        unit.append((path, name_of(path, root)))
        size += os.path.getsize(path) if os.path.isfile(path) else 0
        if size >= UNIT_BYTES:
            yield tuple(unit)
            unit, size = [], 0
    if unit:
        yield tuple(unit)


def name_of(path: Path, root: str) -> str:
    """Name of a file: its path from a folder, as it was found.

    Where links on the way lead to has no say in it: that differs from machine to machine.
    """
    return os.path.relpath(os.path.abspath(path), root)


def common_folder(files: list[Path]) -> str:
    """The folder that holds all files; links to nowhere have no say in it."""
    there = [path for path in files if os.path.isfile(path)] or files
    return os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in there])


def in_shards(
    units: Sequence[FilterTask], filtered: Sequence[Filtered], largest_peak: float
) -> Iterator[tuple[Span, ...]]:
    """Put recordings into shards in turn, as many as go into each; longer ones are cut.

    Args:
        units: All of them.
        filtered: What each became; at least one recording in all.
        largest_peak: Recordings with a larger one are left out.

    Yields:
        What makes a shard.
    """
    shard, room = [], SHARD_LENGTH
    for unit, done in zip(units, filtered, strict=True):
        starts = accumulate((length for _, length, _ in done.recordings), initial=0)
        for (_, length, peak), first in zip(done.recordings, starts, strict=False):
            if peak > largest_peak:
                continue
            for start in range(0, length, SHARD_LENGTH):
                part = min(SHARD_LENGTH, length - start)
                if part > room:
                    yield tuple(shard)
                    shard, room = [], SHARD_LENGTH
                shard.append(Span(unit.number, unit.samples, first + start, part))
                room -= part
    yield tuple(shard)
