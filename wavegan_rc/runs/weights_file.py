"""Check of a weights file before it is read; the file may come from a stranger."""

from pathlib import Path
from typing import BinaryIO

import h5py

from wavegan_rc.errors import DataError
from wavegan_rc.utils.text import one_line

# A checkpoint of the default networks has about 150 groups and arrays, 5 deep. HDF5's own walk
# overflows the stack at some ten thousand nested groups, and a group may contain itself.
_MOST_OBJECTS = 10_000
_LARGEST_DEPTH = 16
# Real numbers, whole numbers and booleans.
_NUMBER_KINDS = "fiub"


def check_weights_file(path: Path) -> None:
    """Raise a DataError if a weights file is missing or damaged, or `check_weights` refuses it."""
    if not path.is_file():
        raise DataError(f"{path}: no such weights file")
    try:
        with path.open("rb") as file:
            check_weights(file, path.stat().st_size)
    except Exception as error:  # h5py raises many kinds on damaged files
        raise DataError(f"{path}: damaged, or not a weights file: {one_line(error)}") from None


def check_weights(source: BinaryIO, size: int) -> None:
    """Refuse an open HDF5 file of `size` bytes that holds anything but plain arrays of numbers.

    That is links, virtual, external, compressed or unwritten arrays, other values than numbers, and
    too many or too deep groups. Keras follows links before it refuses them, and inflates compressed
    arrays to 4 GiB each before it compares shapes.

    Raises:
        Exception: `ValueError` if something is not allowed; errors of h5py if it is damaged.
    """
    with h5py.File(source, "r") as file:
        waiting: list[tuple[h5py.Group, int]] = [(file, 1)]
        objects = claimed = 0
        while waiting:
            group, depth = waiting.pop()
            for name in group:
                objects += 1
                if objects > _MOST_OBJECTS or depth > _LARGEST_DEPTH:
                    raise ValueError("more groups and arrays, or deeper ones, than weights have")
                # The link is read first: to follow it may open another file.
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise ValueError(f"{name!r} is a link to somewhere else")
                found = group[name]
                if isinstance(found, h5py.Group):
                    waiting.append((found, depth + 1))
                else:
                    claimed += _bytes_of_array(name, found)
        if claimed > size:
            raise ValueError(f"its arrays claim {claimed} bytes, but it has {size}")


def _bytes_of_array(name: str, found: h5py.Dataset) -> int:
    # The shape comes last: that of a virtual array may be read from another file.
    if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external:
        raise ValueError(f"{name!r} is no array of this file's own")
    if found.chunks is not None or found.attrs or found.dtype.kind not in _NUMBER_KINDS:
        raise ValueError(f"{name!r} is no plain array of numbers")
    if found.id.get_storage_size() != found.nbytes:
        raise ValueError(f"{name!r} claims {found.nbytes} bytes, but they are not there")
    return found.nbytes
