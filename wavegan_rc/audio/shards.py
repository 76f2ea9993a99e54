"""One-dimensional arrays in several memory-mapped files."""

import mmap
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np


class Shards:
    """A one-dimensional array whose items lie in several memory-mapped files.

    Args:
        paths: Files of bare items, lowest byte first.
        lengths: Number of items in each file.
        dtype: Type of the items.
        scattered: Whether little is read here and there, by `windows`. Then the system reads only
            what is asked for; otherwise it reads ahead, 128 KiB at a time on Linux.

    Attributes:
        dtype: Type of the items.

    Raises:
        OSError: If a file is missing.
        ValueError: If a file has another size.

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
        # An empty file cannot be mapped, and has nothing to read.
        filled = [(path, n) for path, n in zip(paths, lengths, strict=True) if n]
        self._ends = list(accumulate(length for _, length in filled))
        self._mapped: list[mmap.mmap] = []
        for path, length in filled:
            size, expected = path.stat().st_size, length * self.dtype.itemsize
            if size != expected:
                raise ValueError(f"{path.name} has {size} bytes instead of {expected}")
            with path.open("rb") as file:
                # An empty file cannot be mapped; nothing is ever read from it.
                mapped = mmap.mmap(
                    file.fileno() if size else -1, size or 1, access=mmap.ACCESS_READ
                )
            if scattered:
                mapped.madvise(mmap.MADV_RANDOM)
            self._mapped.append(mapped)

    def __len__(self) -> int:
        return self._ends[-1]

    def _parts(self, start: int, stop: int) -> Iterator[tuple[mmap.mmap, int, int]]:
        """Yield the files that hold a stretch, with the first item and the number of items."""
        while start < stop:
            shard = bisect_right(self._ends, start)
            first = self._ends[shard - 1] if shard else 0
            end = min(stop, self._ends[shard])
            yield self._mapped[shard], start - first, end - start
            start = end

    def __getitem__(self, items: slice) -> np.ndarray:
        """Return consecutive items; those of one file are not copied."""
        start, stop, _ = items.indices(len(self))
        parts = [
            np.frombuffer(mapped, self.dtype, count, first * self.dtype.itemsize)
            for mapped, first, count in self._parts(start, stop)
        ]
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, self.dtype), *parts])

    def prefetch(self, starts: list[int], length: int) -> None:
        """Ask the system to read stretches of `length` items side by side, before they are used."""
        for start in starts if self._scattered else []:
            for mapped, first, count in self._parts(start, min(start + length, len(self))):
                begin = first * self.dtype.itemsize
                extra = begin % mmap.PAGESIZE
                size = count * self.dtype.itemsize + extra
                mapped.madvise(mmap.MADV_WILLNEED, begin - extra, size)

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """Return all items, in memory unless they lie in one file."""
        return np.array(self[:], dtype=dtype, copy=copy)


def windows(array: np.ndarray | Shards, starts: np.ndarray, length: int) -> np.ndarray:
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
    out = np.zeros((len(starts), length), array.dtype)
    if isinstance(array, Shards):
        array.prefetch(starts.tolist(), length)
    for row, start in zip(out, starts.tolist(), strict=True):
        found = array[start : start + length]
        row[: len(found)] = found
    return out
