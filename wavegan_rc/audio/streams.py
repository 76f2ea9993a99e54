"""Read recordings in every format of libsndfile, to the end, whatever length a header claims.

libsndfile stops at the length that the header declares, or that it estimates. Here nothing is
estimated. Of plain samples, those beyond a wrong length are read too; in other formats, the part of
the file that was not read is compared with its size at the end.
"""

import contextlib
import os
import re
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from soundfile import LibsndfileError

from wavegan_rc.audio.files import LARGEST_SAMPLE
from wavegan_rc.audio.lengths import (
    BYTE_ORDERS,
    end_of_chunks,
    is_much,
    tag_length,
    undeclared_samples,
)
from wavegan_rc.errors import DataError
from wavegan_rc.utils.standard_error import without_standard_error

# A damaged header that says 1 Hz would be resampled without end.
_SAMPLE_RATES = range(1000, 1_000_001)
# Samples of all channels read at a time; there may be a thousand channels.
_READ_SAMPLES = 2**20
# Samples resampled at a time.
_BLOCK_LENGTH = 2**20

# The length that libsndfile gives if the header declares none.
_UNKNOWN = 2**63 - 1

# libsndfile reads the rest of a damaged file without an error, but notes the damage in its log.
_DAMAGED_OGG = re.compile(
    # It calls a damaged last page junk.
    "without an End-Of-Stream|lacks an end-of-stream|Corrupted bitstream|reports a hole|Junk after",
    re.IGNORECASE,
)
_DECLARED_SIZE = re.compile(r": (\d+) \(should be (\d+)\)")
# Some programs miscount their headers by a padding byte or two.
_HARMLESS_BYTES = 8
# Programs that write to a pipe do not know the size and declare the largest (sox: 0x7FFFxxxx).
_UNKNOWN_SIZE = 0x7FFF0000

# libsndfile keeps the reason why a file cannot be opened in one place for all threads.
_OPENING = threading.Lock()


class Stream(soundfile.SoundFile):
    """An audio file, `size` bytes long, that is read from its start to its end.

    The position of the descriptor, of a file or a pipe, says where reading ended.

    Attributes:
        length: Number of samples in each channel. None: not declared.
        note: Words that say that more samples are there than the header declares, or nothing.
    """

    def __init__(self, descriptor: int, size: int, **form: Any) -> None:
        # The MP3 decoder of libsndfile writes notes there, also on good files.
        with _OPENING, without_standard_error():
            super().__init__(descriptor, closefd=False, **form)
        self.size = size
        self.length = None if self.frames == _UNKNOWN else self.frames
        self.note = ""

    def seekable(self) -> bool:
        """Return False, since soundfile would seek after each read, which a pipe cannot."""
        return False

    def read_next(self, count: int) -> np.ndarray:
        """Return the next samples, float32 of shape (count or fewer, channels)."""
        with without_standard_error():
            return self.read(count, dtype="float32", always_2d=True)


@contextlib.contextmanager
def open_recording(path: Path) -> Iterator[Stream]:
    """Open an audio file. Errors of reading, also inside the block, become a `DataError`.

    Raises:
        DataError: If the path is not a readable file, or the file is not audio, has a sample rate
            below 1 kHz or above 1 MHz, or is damaged.
    """
    try:
        # Opening a pipe would wait for a writer for ever.
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise DataError("is a folder that cannot be searched")
        if not stat.S_ISREG(mode):
            raise DataError("is not a regular file")
        with _open(path) as stream:
            if stream.samplerate not in _SAMPLE_RATES:
                raise DataError(f"has a sample rate of {stream.samplerate} Hz, which none has")
            _check_complete(stream)
            yield stream
    except LibsndfileError as error:
        raise DataError(f"is not readable as audio: {_reason(error)}") from None
    except OSError as error:
        raise DataError(f"is not readable: {error.strerror or error}") from None


def mono_blocks(stream: Stream, block_length: int) -> Iterator[np.ndarray]:
    """Yield the means of a recording's channels: float32 blocks, full scale 1, the last shorter.

    Raises:
        DataError: If the file is damaged or empty, holds much more or less than it declares, or has
            samples that are not finite or beyond 2**31.
    """
    length, done = stream.length, 0
    step = max(1, _READ_SAMPLES // stream.channels)
    while length is None or done < length:
        # A header may lie, so memory for one block at most is taken.
        block = np.empty(block_length if length is None else min(block_length, length - done), "f4")
        filled = 0
        while filled < len(block):
            channels = stream.read_next(min(step, len(block) - filled))
            if not len(channels):
                break
            part = block[filled : filled + len(channels)]
            with np.errstate(invalid="ignore", over="ignore"):
                channels.mean(axis=1, out=part)
            filled += len(channels)
        done += filled
        if filled < len(block):
            if length is not None:
                raise DataError(f"is cut short or damaged: {done} of {length} samples are there")
            length = done
        if filled:
            peak = np.abs(block[:filled]).max()
            if not np.isfinite(peak):
                raise DataError("has NaN or infinite samples")
            if peak > LARGEST_SAMPLE:
                raise DataError(f"has samples of {peak:g}, where full scale is 1")
            yield block[:filled]
    if not stream.note:
        _check_nothing_follows(stream, done)
    if not done:
        raise DataError("has no samples")


def resampled_blocks(
    path: Path, sample_rate: int, notes: list[str] | None = None
) -> Iterator[np.ndarray]:
    """Yield a recording as one channel at a rate in Hz (soxr, high quality), block by block.

    The float32 blocks have any lengths; together they equal the recording resampled at once. The
    note of the stream, if any, is added to `notes`.

    Raises:
        DataError: If the file cannot be read (see `open_recording`, `mono_blocks`) or no sample is
            left.
    """
    length = 0
    with open_recording(path) as file:
        if notes is not None and file.note:
            notes.append(file.note)
        resampler = soxr.ResampleStream(file.samplerate, sample_rate, 1, "float32", "HQ")
        for block in mono_blocks(file, _BLOCK_LENGTH):
            resampled = resampler.resample_chunk(block)
            length += len(resampled)
            yield resampled
    rest = resampler.resample_chunk(np.empty(0, np.float32), last=True)
    if not length + len(rest):
        raise DataError(f"is too short: nothing is left of it at {sample_rate} Hz")
    yield rest


@contextlib.contextmanager
def _open(path: Path) -> Iterator[Stream]:
    with contextlib.ExitStack() as opened:
        source = opened.enter_context(path.open("rb", buffering=0))
        size = os.fstat(source.fileno()).st_size
        stream = opened.enter_context(Stream(source.fileno(), size))
        if stream.format == "MP3":
            # Without a Xing frame libsndfile estimates the length, but not for a pipe.
            with contextlib.ExitStack() as attempt:
                start = tag_length(os.pread(source.fileno(), 10, 0))
                piped = attempt.enter_context(
                    Stream(attempt.enter_context(_pipe(path, start)), size)
                )
                if piped.length is None:
                    stream = piped
                    opened.push(attempt.pop_all())
        elif (plain := undeclared_samples(stream, size, stream.length)) is not None:
            start, length = plain
            kinds = ("samplerate", "channels", "subtype")
            form = {kind: getattr(stream, kind) for kind in kinds}
            order = BYTE_ORDERS[stream.format] if stream.endian == "FILE" else stream.endian
            pipe = opened.enter_context(_pipe(path, start))
            whole = Stream(pipe, size, format="RAW", endian=order, **form)
            whole.note = f"declares {stream.length} samples but holds {length}; all are used"
            whole.length = length
            stream = opened.enter_context(whole)
        yield stream


def _reason(error: LibsndfileError) -> str:
    """Return the reason why an existing file could not be decoded.

    For a damaged MP3, libsndfile says that it does not exist, or names an internal error.
    """
    text = error.error_string
    is_true = "does not exist" not in text and "internal error" not in text
    return text if is_true else "it is damaged and cannot be decoded"


@contextlib.contextmanager
def _pipe(path: Path, start: int) -> Iterator[int]:
    """Send a file, from a byte on, through a pipe. Yields the descriptor to read from."""
    failures: list[OSError] = []
    out, into = os.pipe()

    def send() -> None:
        try:
            with open(into, "wb") as sink, path.open("rb") as source:
                source.seek(start)
                shutil.copyfileobj(source, sink)
        except BrokenPipeError:  # the reader stopped early
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


def _check_complete(stream: Stream) -> None:
    """Raise a `DataError` if the log of libsndfile says that the file is damaged."""
    if _DAMAGED_OGG.search(stream.extra_info):
        raise DataError("is cut short or damaged: its stream has a hole or no end")
    for declared, there in _DECLARED_SIZE.findall(stream.extra_info):
        if int(there) + _HARMLESS_BYTES < int(declared) < _UNKNOWN_SIZE:
            raise DataError(f"is cut short: {there} of {declared} bytes are there")


def _check_nothing_follows(stream: Stream, done: int) -> None:
    """Raise a `DataError` if more than a tenth of the file follows the `done` samples read of it.

    Then the header is wrong, several files follow one another, or the decoder gave up. Well-formed
    chunks do not count.
    """
    try:
        end = os.lseek(stream.name, 0, os.SEEK_CUR)
    except OSError:  # a pipe
        end = stream.size - sum(map(len, iter(lambda: os.read(stream.name, 2**16), b"")))
    else:
        starts = None, end  # the chunk of RF64 that holds the samples does not say how long it is
        end = max(end, *(end_of_chunks(stream.name, stream.size, start) for start in starts))
    if is_much(stream.size - end, stream.size):
        what = "can be decoded" if stream.length is None else "are declared"
        raise DataError(
            f"is damaged, or its header is wrong: {done} samples {what}, but its size suggests "
            f"about {round(done * stream.size / end)}"
        )
