"""Find recordings, and write audio files."""

import contextlib
import glob
import os
import warnings
import wave
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import BinaryIO

import numpy as np

from wavegan_rc.errors import DataError, WaveganWarning
from wavegan_rc.runs.run import holds_generated
from wavegan_rc.utils.text import printable

# Suffixes of recordings: those of libsndfile (but .mat, which mostly holds other arrays), and those
# of the formats and films that it does not read; such files are reported, not ignored.
AUDIO_SUFFIXES = frozenset(
    {".8svx", ".16sv", ".aif", ".aifc", ".aiff", ".au", ".avr", ".bwf", ".caf", ".fap"}
    | {".flac", ".htk", ".iff", ".ircam", ".m1a", ".mp1", ".mp2", ".mp3", ".mpa", ".mpc"}
    | {".mpga", ".nist", ".oga", ".ogg", ".opus", ".paf", ".pvf", ".rf64", ".sd2", ".sds"}
    | {".sf", ".snd", ".sph", ".svx", ".voc", ".w64", ".wav", ".wave", ".wve", ".xi"}
    | {".3g2", ".3gp", ".aa", ".aac", ".aax", ".ac3", ".amr", ".ape", ".asf", ".avi", ".dff"}
    | {".dsf", ".dts", ".eac3", ".f4v", ".flv", ".gsm", ".m2ts", ".m4a", ".m4b", ".m4r"}
    | {".m4v", ".mka", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ogx"}
    | {".pcm", ".qt", ".ra", ".raw", ".rm", ".shn", ".spx", ".tak", ".tta", ".vob", ".vox"}
    | {".webm", ".wma", ".wmv", ".wv"}
)
FULL_SCALE_INT16 = 32767
# Larger than any scale of audio; sums of larger squares would overflow.
LARGEST_SAMPLE = 2.0**31


def to_int16(audio: np.ndarray) -> np.ndarray:
    """Round samples in [-1, 1] to 16-bit integers; clip samples beyond.

    Example:
        >>> to_int16(np.array([-1.0, 0.5, 2.0])).tolist()
        [-32767, 16384, 32767]
    """
    return np.round(np.clip(audio, -1, 1) * FULL_SCALE_INT16).astype(np.int16)


def bundled_speech() -> Path:
    """Return the folder of the speech in this package (see its ATTRIBUTION.md)."""
    return Path(str(resources.files("wavegan_rc.audio") / "speech"))


def find_audio_files(data: str | None) -> list[Path]:
    """Find the audio files of a folder (searched recursively), a glob or a file name.

    Links to folders are followed, into each real folder once. Hidden folders, run folders and other
    folders of generated audio are left out, with a warning.

    Args:
        data: Folder, glob (`**` allowed) or file. None uses the bundled speech.

    Returns:
        Sorted paths with an audio suffix, each file once whatever links lead to it, and folders
        that may not be searched; `open_recording` raises the reason for unreadable ones. A file
        named directly may have any suffix.

    Raises:
        DataError: If `data` does not exist or holds no audio file.
    """
    closed: list[Path] = []
    try:
        place = bundled_speech() if data is None else Path(data).expanduser()
        if place.is_file():
            return [place]
        found, parts = [place], ["**", "*"]
        if not place.is_dir() and glob.has_magic(str(place)):
            found = [Path(place.anchor)]
            parts = [*place.relative_to(place.anchor).parts] + ["*"] * (place.name == "**")
        elif not place.is_dir() and place.exists():
            raise DataError(f"{data}: is neither a folder nor a regular file")
        elif not place.is_dir():
            raise DataError(f"{data}: no such folder, glob or file")
        for part in parts:
            if part == "**":  # that of glob does not end where two links loop
                found = [inner for one in found for inner in _folders_in(one, closed)]
            else:
                found = [path for one in found for path in one.glob(part)]
        audio = [
            path
            for path in found
            if path.suffix.lower() in AUDIO_SUFFIXES and not os.path.isdir(path)
        ]
        audio = _without_generated(audio + closed, place)
        once = {os.path.realpath(path): path for path in sorted(audio, reverse=True)}
    # Missing permission or too long a name; ~nobody; ** as part of a name.
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{data} cannot be searched: {error}") from None
    if not once:
        raise DataError(f"{data}: no audio file (.wav, .flac, .ogg, .mp3, ...) in it")
    return sorted(once.values())


def _without_generated(paths: list[Path], place: Path) -> list[Path]:
    """Leave out files in hidden folders, and in folders of runs and of generated audio."""
    parts = place.parts
    if not place.is_dir():
        if "**" not in parts:  # every folder is named
            return paths
        place = Path(*parts[: next(i for i, part in enumerate(parts) if glob.has_magic(part))])

    @cache
    def left_out(path: Path) -> bool:
        return path != place and (
            path.name.startswith(".")
            or holds_generated(path)
            or (path != path.parent and left_out(path.parent))
        )

    kept = [path for path in paths if not left_out(path)]
    if len(kept) < len(paths):
        first = next(path for path in paths if left_out(path))
        count = len(paths) - len(kept)
        message = (
            f"{printable(str(place))}: left out {count} file{'s' * (count > 1)} in run folders, "
            f"folders of generated audio and hidden folders, the first: {printable(str(first))}"
        )
        warnings.warn(message, WaveganWarning, stacklevel=3)
    return kept


def _folders_in(place: Path, closed: list[Path]) -> Iterator[Path]:
    """Yield a folder and all in it, also by links, each once; add unsearchable ones to `closed`."""
    seen = set()
    walk = os.walk(
        place, onerror=lambda error: closed.append(Path(error.filename)), followlinks=True
    )
    for folder, inner, _ in walk:
        real = os.path.realpath(folder)
        if real in seen:
            inner.clear()
            continue
        seen.add(real)
        inner.sort()
        yield Path(folder)


def write_wav(file: Path | BinaryIO, audio: np.ndarray, sample_rate: int) -> None:
    """Write samples in [-1, 1], shape (samples,), as a 16-bit PCM WAV file."""
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(file.open("wb")) if isinstance(file, Path) else file
        writer = stack.enter_context(wave.open(opened, "wb"))
        writer.setparams((1, 2, sample_rate, len(audio), "NONE", ""))
        writer.writeframes(to_int16(audio).astype("<i2").tobytes())
