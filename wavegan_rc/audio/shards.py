"""Arrays in files of bounded size, of which only what is read comes into memory."""

import functools
import mmap
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np

# Each mapped file keeps a file descriptor, of which a process usually has 1024.
_MOST_MAPPED = 256


class Shards:
    """A one-dimensional array whose items lie in several files, one after the other.

    A file is memory-mapped when something in it is read first.

    Args:
        paths: Of the files; they hold the bare items, lowest byte first.
        lengths: Items in each, at least 1.
        dtype: Of the items.
        scattered: Little is read here and there, by `windows`: so the system need not read more
            than it is asked for, 128 KiB at a time on Linux.

    Attributes:
        dtype: Of the items.

    Raises:
        OSError: If a file is missing.
        ValueError: If a file is longer or shorter than it should be.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     paths = [Path(folder) / name for name in "ab"]
        ...     for path, items in zip(paths, ([1, 2, 3], [4, 5]), strict=True):
        ...         np.array(items, "<i2").tofile(path)
        ...     shards = Shards(paths, [3, 2], "<i2")
        ...     len(shards), shards[1:4].tolist()
        (5, [2, 3, 4])
    """

    def __init__(
        self, paths: Sequence[Path], lengths: Sequence[int], dtype: str, *, scattered: bool = False
    ) -> None:
        self.dtype = np.dtype(dtype)
        self._scattered = scattered
        self._paths = list(paths)
        self._ends = list(accumulate(lengths))
        for path, length in zip(paths, lengths, strict=True):
            size, expected = path.stat().st_size, length * self.dtype.itemsize
            if size != expected:
                raise ValueError(f"{path.name} has {size} bytes instead of {expected}")
        self._mapped = functools.lru_cache(_MOST_MAPPED)(self._map)

    def _map(self, shard: int) -> tuple[mmap.mmap, np.ndarray]:
        with self._paths[shard].open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self._scattered:
            mapped.madvise(mmap.MADV_RANDOM)
        return mapped, np.frombuffer(mapped, self.dtype)

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, items: slice) -> np.ndarray:
        """The items from one to another, by steps of 1: of one file without copying them."""
        start, stop, _ = items.indices(len(self))
        parts = []
        shard = bisect_right(self._ends, start)
        while start < stop:
            first = self._ends[shard - 1] if shard else 0
            parts.append(self._mapped(shard)[1][start - first : stop - first])
            start = self._ends[shard]
            shard += 1
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([np.empty(0, self.dtype), *parts])

    def expect(self, starts: list[int], length: int) -> None:
        """Have the system fetch stretches side by side, before they are read one by one.

        Args:
            starts: Of the stretches.
            length: Of each.
        """
        for start in starts if self._scattered else []:
            shard = bisect_right(self._ends, start)
            first = self._ends[shard - 1] if shard else 0
            mapped, _ = self._mapped(shard)
            begin, end = ((i - first) * self.dtype.itemsize for i in (start, start + length))
            begin -= begin % mmap.PAGESIZE
            mapped.madvise(mmap.MADV_WILLNEED, begin, min(end, len(mapped)) - begin)

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """All of it, in memory unless it is one file."""
        return np.array(self[:], dtype=dtype, copy=copy)


def windows(array: np.ndarray | Shards, starts: np.ndarray, length: int) -> np.ndarray:
    """Stretches of equal length.

    Args:
        array: One-dimensional.
        starts: Of each stretch, shape (count,).
        length: Of each; what lies beyond the end of the array is 0.

    Returns:
        A copy, shape (count, length).

    Example:
        >>> windows(np.arange(9), np.array([1, 7]), 3).tolist()
        [[1, 2, 3], [7, 8, 0]]
    """
    out = np.zeros((len(starts), length), array.dtype)
    if isinstance(array, Shards):
        array.expect(starts.tolist(), length)
    for row, start in zip(out, starts.tolist(), strict=True):
        found = array[start : start + length]
        row[: len(found)] = found
    return out
