"""Find out from the bytes of an audio file how much of it is samples, whatever its header says."""

import os
import struct

import soundfile

# Some programs append tags and padding: this share of a file may follow the sound.
_HARMLESS_REST_BYTES = 1024
_HARMLESS_REST_SHARE = 0.1
# Formats made of chunks: the byte of the first chunk, and the format of the header of each.
_CHUNKED = {b"RIFF": (12, "<4sI"), b"RF64": (12, "<4sI")}
_CHUNKED |= {b"FORM": (12, ">4sI"), b"caff": (8, ">4sQ")}

# Bytes of a sample by kind, and the usual order of bytes by format, of files of plain samples.
_SAMPLE_BYTES = {"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4}
_SAMPLE_BYTES |= {"FLOAT": 4, "DOUBLE": 8, "ULAW": 1, "ALAW": 1}
BYTE_ORDERS = dict.fromkeys(("WAV", "WAVEX", "RF64"), "LITTLE")
BYTE_ORDERS |= dict.fromkeys(("AIFF", "AU", "CAF"), "BIG")

# Above 4 GB, the sizes in a WAV file are modulo this number. Some programs never fill them in.
_SIZES = 2**32


def undeclared_samples(
    opened: soundfile.SoundFile, size: int, declared: int | None
) -> tuple[int, int] | None:
    """Find plain samples beyond a declared length.

    Args:
        opened: File of which no sample was read yet; its name is a descriptor.
        size: Size of the file in bytes.
        declared: Number of samples that it declares in each channel.

    Returns:
        The first byte of the samples and their number in each channel. None if no more than tags
        or chunks follow those declared, another file does, or samples are coded.
    """
    bytes_each = _SAMPLE_BYTES.get(opened.subtype, 0) * opened.channels
    if declared is None or opened.format not in BYTE_ORDERS or not bytes_each:
        return None
    file = opened.name
    start = os.lseek(file, 0, os.SEEK_CUR)
    end = start + declared * bytes_each
    is_followed = os.pread(file, 4, end) == os.pread(file, 4, 0)
    if is_followed or not is_much(size - max(end, end_of_chunks(file, size)), size):
        return None
    end += (size - end) // _SIZES * _SIZES
    # A chunk of odd length has a byte of padding.
    if size not in (end_of_chunks(file, size, at) for at in (end, end + end % 2)):
        end = size
    length = (end - start) // bytes_each
    return None if length == declared else (start, length)


def tag_length(start: bytes) -> int:
    """Return the bytes of the ID3v2 tag of an MP3; libsndfile does not skip long ones in a pipe."""
    if start[:3] != b"ID3":
        return 0
    length = 0
    for byte in start[6:]:
        length = length << 7 | byte & 127
    return len(start) + length


def is_much(rest: int, size: int) -> bool:
    """Return whether the rest of a file is more than tags and padding."""
    return rest > max(_HARMLESS_REST_BYTES, _HARMLESS_REST_SHARE * size)


def end_of_chunks(descriptor: int, size: int, start: int | None = None) -> int:
    """Return the byte up to which a file consists of well-formed chunks, from one at `start`."""
    first, header = _CHUNKED.get(os.pread(descriptor, 4, 0), (0, ""))
    at = first if start is None else start
    while header and at + struct.calcsize(header) <= size:
        name, length = struct.unpack(header, os.pread(descriptor, struct.calcsize(header), at))
        following = at + struct.calcsize(header) + length
        if not all(32 <= letter < 127 for letter in name) or following > size:
            break
        at = following + (length % 2 if "I" in header else 0)
    return at
