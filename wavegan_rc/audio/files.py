"""Find, read and write audio files, in every format that libsndfile knows."""

import contextlib
import glob
import os
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np
import soundfile
import soxr

from wavegan_rc.errors import DataError

# Names that libsndfile's formats go by; a folder may hold transcripts and pictures beside them.
AUDIO_SUFFIXES = frozenset(
    {".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus"}
    | {".rf64", ".snd", ".w64", ".wav", ".wave"}
)
FULL_SCALE_INT16 = 32767

# libsndfile reads what is left of a cut file without an error, but notes the cut in its log.
_CUT_OGG = re.compile("without an End-Of-Stream|lacks an end-of-stream", re.IGNORECASE)
_DECLARED_SIZE = re.compile(r": (\d+) \(should be (\d+)\)")
# Some programs miscount their headers by a padding byte or two.
_HARMLESS_BYTES = 8
# Programs that write to a pipe cannot know the size and declare the largest (sox: 0x7FFFxxxx).
_UNKNOWN_SIZE = 0x7FFF0000


def bundled_speech() -> Path:
    """The folder of the speech that comes with the package (see its ATTRIBUTION.md)."""
    return Path(str(resources.files("wavegan_rc.audio") / "speech"))


def find_audio_files(data: str | None) -> list[Path]:
    """List the audio files that a folder, a glob or a file name stands for, sorted by path.

    Args:
        data: Folder (searched recursively), glob (`**` allowed) or file; None: the bundled speech.

    Returns:
        Paths of regular files with an audio suffix, each file once however many links lead to it;
        a file named outright may have any suffix.

    Raises:
        DataError: If nothing is there, or no audio file is in it.

    Example:
        >>> len(find_audio_files(None))
        12
    """
    try:
        place = bundled_speech() if data is None else Path(data).expanduser()
        if place.is_file():
            return [place]
        if place.is_dir():
            found = [Path(folder) / name for folder, _, names in os.walk(place) for name in names]
        elif glob.has_magic(str(place)):
            found = [Path(name) for name in glob.glob(str(place), recursive=True)]
        else:
            raise DataError(f"{data}: no such folder, glob or file")
        audio = {path.resolve(): path for path in sorted(found, reverse=True) if _is_audio(path)}
    except (OSError, RuntimeError) as error:  # no permission, too long a name, ~nobody
        raise DataError(f"{data} cannot be searched: {error}") from None
    if not audio:
        raise DataError(f"{data}: no audio file (.wav, .flac, .ogg, .mp3, ...) in it")
    return sorted(audio.values())


def _is_audio(path: Path) -> bool:
    return path.suffix.lower() in AUDIO_SUFFIXES and path.is_file()


@contextlib.contextmanager
def open_recording(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open an audio file to read from; what cannot be read, then or later, is a `DataError`.

    Args:
        path: Audio file of any rate and channel count.

    Raises:
        DataError: If the file is not audio, or is known to be cut short.
    """
    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:
            _check_complete(file)
            yield file
    except soundfile.LibsndfileError as error:
        raise DataError(f"is not readable as audio: {error.error_string}") from None
    except (OSError, TypeError) as error:
        raise DataError(f"is not readable: {error}") from None


def mono_blocks(file: soundfile.SoundFile, block_length: int) -> Iterator[np.ndarray]:
    """Read a recording to its end as one channel, block by block: memory holds one block.

    Args:
        file: Opened by `open_recording`; channels are averaged.
        block_length: In samples, at least 1.

    Yields:
        float32 arrays of shape (block_length,), the last maybe shorter; full scale is 1.

    Raises:
        DataError: If the file is cut short, is empty or has non-finite samples.
    """
    if not file.frames:
        raise DataError("has no samples")
    done = 0
    while done < file.frames:
        expected = min(block_length, file.frames - done)
        block = file.read(expected, dtype="float32", always_2d=True)
        done += len(block)
        if len(block) != expected:
            raise DataError(f"is cut short or damaged: {done} of {file.frames} samples are there")
        mono = block.mean(axis=1)
        if not np.isfinite(mono).all():
            raise DataError("has NaN or infinite samples")
        yield mono


def read_mono(path: Path, sample_rate: int) -> np.ndarray:
    """Read a whole recording as one channel at the given rate.

    Args:
        path: Audio file of any rate and channel count; channels are averaged.
        sample_rate: Rate to resample to (soxr, high quality), in Hz.

    Returns:
        float32 array of shape (samples,); full scale is 1.

    Raises:
        DataError: If the file is not audio, is cut short, is empty or has non-finite samples.
    """
    with open_recording(path) as file:
        native_rate = file.samplerate
        mono = np.concatenate(list(mono_blocks(file, max(1, file.frames))))
    resampled = soxr.resample(mono, native_rate, sample_rate, quality="HQ").astype(np.float32)
    if not len(resampled):
        raise DataError(f"is too short: nothing is left of it at {sample_rate} Hz")
    return resampled


def _check_complete(file: soundfile.SoundFile) -> None:
    if _CUT_OGG.search(file.extra_info):
        raise DataError("is cut short: the stream has no end")
    for declared, there in _DECLARED_SIZE.findall(file.extra_info):
        if int(there) + _HARMLESS_BYTES < int(declared) < _UNKNOWN_SIZE:
            raise DataError(f"is cut short: {there} of {declared} bytes are there")


def to_int16(audio: np.ndarray) -> np.ndarray:
    """Round samples in [-1, 1] to 16-bit integers; what lies beyond is clipped.

    Example:
        >>> to_int16(np.array([-1.0, 0.5, 2.0])).tolist()
        [-32767, 16384, 32767]
    """
    return np.round(np.clip(audio, -1, 1) * FULL_SCALE_INT16).astype(np.int16)


def write_wav(path: Path, audio: np.ndarray, sample_rate: int) -> None:
    """Write samples in [-1, 1] as a 16-bit PCM WAV file.

    Args:
        path: File to write.
        audio: Array of shape (samples,).
        sample_rate: In Hz.
    """
    soundfile.write(path, to_int16(audio), sample_rate, subtype="PCM_16", format="WAV")
