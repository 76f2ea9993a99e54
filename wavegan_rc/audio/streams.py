"""Read an audio file to its end, whatever length its header claims.

libsndfile reads no further than a header says, or than it estimates. So nothing is estimated here,
and once all is read, what is left of the file is compared with its size.
"""

import contextlib
import os
import re
import shutil
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from soundfile import LibsndfileError

from wavegan_rc.errors import DataError
from wavegan_rc.utils.standard_error import without_standard_error

# What libsndfile calls a length that nothing declares.
_UNKNOWN = 2**63 - 1

# libsndfile reads what is left of a damaged file without an error, but notes it in its log.
_DAMAGED_OGG = re.compile(
    # Of a last page that is damaged, it only says that it is junk.
    "without an End-Of-Stream|lacks an end-of-stream|Corrupted bitstream|reports a hole|Junk after",
    re.IGNORECASE,
)
_DECLARED_SIZE = re.compile(r": (\d+) \(should be (\d+)\)")
# Some programs miscount their headers by a padding byte or two.
_HARMLESS_BYTES = 8
# Programs that write to a pipe cannot know the size and declare the largest (sox: 0x7FFFxxxx).
_UNKNOWN_SIZE = 0x7FFF0000

# Some programs append tags and padding: this much of a file may follow the sound.
_HARMLESS_REST_BYTES = 1024
_HARMLESS_REST_SHARE = 0.1
# Files that consist of chunks: the byte at which the first begins, and the header of each chunk.
_CHUNKED = {b"RIFF": (12, "<4sI"), b"FORM": (12, ">4sI"), b"caff": (8, ">4sQ")}


class Stream(soundfile.SoundFile):
    """An audio file that is read from its start to its end.

    Args:
        descriptor: Open file or pipe, which says where reading ended.
        size: Bytes of the file.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        # libsndfile's MP3 decoder writes notes there, also on files that it reads well.
        with without_standard_error():
            super().__init__(descriptor, closefd=False)
        self.size = size

    def seekable(self) -> bool:
        """Return False: soundfile would seek after each read, which not every stream can."""
        return False

    @property
    def declared_length(self) -> int | None:
        """Samples of each channel that the header declares; None if it declares none."""
        return None if self.frames == _UNKNOWN else self.frames

    def read_next(self, count: int) -> np.ndarray:
        """Return the next samples, float32 of shape (count or fewer, channels)."""
        with without_standard_error():
            return self.read(count, dtype="float32", always_2d=True)


def reason(error: LibsndfileError) -> str:
    """Say why a file that exists could not be decoded.

    Of a damaged MP3, libsndfile says that it does not exist, or that an internal error happened.
    """
    text = error.error_string
    is_true = "does not exist" not in text and "internal error" not in text
    return text if is_true else "it is damaged and cannot be decoded"


@contextlib.contextmanager
def open_stream(path: Path) -> Iterator[Stream]:
    """Open an audio file that exists and may be read.

    Args:
        path: Regular file.

    Raises:
        soundfile.LibsndfileError: If the file is not audio.
        OSError: If it cannot be read.
    """
    with contextlib.ExitStack() as opened:
        source = opened.enter_context(path.open("rb", buffering=0))
        size = os.fstat(source.fileno()).st_size
        stream = opened.enter_context(Stream(source.fileno(), size))
        if stream.format == "MP3":
            # Without a Xing frame, its length is an estimate; of a pipe, none is made.
            with contextlib.ExitStack() as attempt:
                piped = attempt.enter_context(Stream(attempt.enter_context(_pipe(path)), size))
                if piped.declared_length is None:
                    stream = piped
                    opened.push(attempt.pop_all())
        yield stream


@contextlib.contextmanager
def _pipe(path: Path) -> Iterator[int]:
    """Send a file through a pipe, whose length no decoder asks for.

    Yields:
        Descriptor to read from.
    """
    failures: list[OSError] = []
    out, into = os.pipe()

    def send() -> None:
        try:
            with open(into, "wb") as sink, path.open("rb") as source:
                source.seek(_tag_length(source.read(10)))
                shutil.copyfileobj(source, sink)
        except BrokenPipeError:  # not all of it was wanted
            pass
        except OSError as error:
            failures.append(error)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    try:
        yield out
    finally:
        os.close(out)
        sender.join()
    if failures:
        raise failures[0]


def _tag_length(start: bytes) -> int:
    """Bytes of the ID3v2 tag before an MP3: libsndfile skips no long one in a pipe."""
    if start[:3] != b"ID3":
        return 0
    length = 0
    for byte in start[6:]:
        length = length << 7 | byte & 127
    return len(start) + length


def check_complete(stream: Stream) -> None:
    """See that libsndfile's log does not say that the file is damaged.

    Raises:
        DataError: If it does.
    """
    if _DAMAGED_OGG.search(stream.extra_info):
        raise DataError("is cut short or damaged: its stream has a hole or no end")
    for declared, there in _DECLARED_SIZE.findall(stream.extra_info):
        if int(there) + _HARMLESS_BYTES < int(declared) < _UNKNOWN_SIZE:
            raise DataError(f"is cut short: {there} of {declared} bytes are there")


def check_nothing_follows(stream: Stream) -> None:
    """See that what was read of a file, to its end or to its declared length, is about all of it.

    Otherwise the header is wrong (above 4 GB, the sizes in a WAV file are kept modulo 2**32),
    several files were put one after the other, or the decoder gave up.

    Args:
        stream: Read so far.

    Raises:
        DataError: If more than a tenth of the file follows, well-formed chunks apart.
    """
    try:
        end = os.lseek(stream.name, 0, os.SEEK_CUR)
    except OSError:  # a pipe
        end = stream.size - sum(map(len, iter(lambda: os.read(stream.name, 2**16), b"")))
    else:
        end = max(end, _end_of_chunks(stream.name, stream.size))
    if stream.size - end > max(_HARMLESS_REST_BYTES, _HARMLESS_REST_SHARE * stream.size):
        length = stream.declared_length
        what = "can be decoded up to" if length is None else f"declares {length} samples, up to"
        raise DataError(
            f"{what} byte {end} of {stream.size}: it is damaged, or its header is wrong"
        )


def _end_of_chunks(descriptor: int, size: int) -> int:
    """Byte up to which a file consists of well-formed chunks."""
    at, header = _CHUNKED.get(os.pread(descriptor, 4, 0), (0, ""))
    while at and at + struct.calcsize(header) <= size:
        name, length = struct.unpack(header, os.pread(descriptor, struct.calcsize(header), at))
        following = at + struct.calcsize(header) + length
        if not all(32 <= letter < 127 for letter in name) or following > size:
            break
        at = following + (length % 2 if "I" in header else 0)
    return at
