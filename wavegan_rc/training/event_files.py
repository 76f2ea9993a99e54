"""Whether TensorBoard's event files hold what was written to them."""

import errno
import os
import struct
from collections.abc import Iterable
from pathlib import Path

# Length, its checksum; then the event and its checksum.
_HEADER = struct.Struct("<QI")
_OVERHEAD = _HEADER.size + 4


class EventFiles:
    """See that event files are sequences of whole records.

    TensorFlow's writer says nothing when it cannot write (seen with 2.21 on a full disk), and
    TensorBoard reads no further than the first record that is cut off. What was seen to be whole is
    not read again.

    Source:
        TensorFlow, "TFRecord and tf.train.Example", TFRecords format details.
    """

    def __init__(self) -> None:
        self._whole: dict[Path, int] = {}

    def check(self, paths: Iterable[Path]) -> None:
        """See that files, flushed, are whole.

        Raises:
            OSError: If one is not: the disk was full, or took no more for another reason.
        """
        for path in paths:
            size = path.stat().st_size
            end = self._end(path, size)
            if end != size:
                raise OSError(errno.EIO, "events were lost, the disk may be full", os.fspath(path))
            self._whole[path] = end

    def _end(self, path: Path, size: int) -> int:
        """Where the record ends that reaches the file's end, or lies beyond or has no length."""
        position = self._whole.get(path, 0)
        with path.open("rb") as file:
            while position < size:
                file.seek(position)
                header = file.read(_HEADER.size)
                if len(header) < _HEADER.size or not any(header[:8]):
                    return -1
                position += _OVERHEAD + _HEADER.unpack(header)[0]
        return position
