"""Whether a weights file is what Keras writes, before Keras reads it: it may be a stranger's."""

from pathlib import Path
from typing import BinaryIO

import h5py

from wavegan_rc.errors import DataError

# A checkpoint of the default networks has about 150 groups and arrays, 5 deep. HDF5's own walk
# overflows the stack at some ten thousand groups in one another, and a group may hold itself.
_MOST_OBJECTS = 10_000
_LARGEST_DEPTH = 16
# Real numbers, whole numbers and booleans.
_NUMBER_KINDS = "fiub"


def check_weights_file(path: Path) -> None:
    """Refuse a weights file that reads other files, or claims to hold more than it does.

    Keras refuses links, but follows them first to see whether they lead anywhere; and it lets
    compressed arrays inflate to 4 GiB each before it compares shapes.

    Args:
        path: `*.weights.h5`, about to be loaded.

    Raises:
        DataError: If it is not a file of plain arrays: it has a link, an array kept elsewhere,
            compressed, partly missing or of something else than numbers, too many or too deep
            groups, or is damaged where that can be seen without reading the numbers.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such weights file")
    try:
        with path.open("rb") as file:
            check_weights(file, path.stat().st_size)
    except Exception as error:  # what h5py raises on damage is of many kinds
        raise DataError(f"{path}: damaged, or not a weights file: {one_line(error)}") from None


def check_weights(source: BinaryIO, size: int) -> None:
    """The same for an open file.

    Args:
        source: Opened for reading.
        size: Its length in bytes.

    Raises:
        Exception: `ValueError` if something is not allowed; whatever h5py raises on damage.
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
                # Asked for the link itself: opening what it leads to may open another file.
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
    # Not its shape first: that of a virtual array may be looked up in other files.
    if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external:
        raise ValueError(f"{name!r} is no array of this file's own")
    if found.chunks is not None or found.attrs or found.dtype.kind not in _NUMBER_KINDS:
        raise ValueError(f"{name!r} is no plain array of numbers")
    if found.id.get_storage_size() != found.nbytes:
        raise ValueError(f"{name!r} claims {found.nbytes} bytes, but they are not there")
    return found.nbytes


def one_line(error: Exception) -> str:
    r"""What an error says, fit for one line of a terminal whatever a file's names hold.

    Example:
        >>> one_line(ValueError("first\n  second \x1b[31m"))
        'first second [31m'
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return "".join(filter(str.isprintable, text))[:300]
