"""Open a run, a generator, recordings or an array as a segment set."""

import os
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from wavegan_rc.audio.files import find_audio_files
from wavegan_rc.audio.streams import mono_blocks, open_recording, resampled_blocks
from wavegan_rc.audio.use import warn_of_lengths
from wavegan_rc.errors import DataError, ParameterError, WaveganWarning
from wavegan_rc.measurement.segments import SegmentSet, check_at_least, consecutive
from wavegan_rc.runs.run import JOINED_FILES, LATENTS_FILE, Run, similar_name
from wavegan_rc.theory.lines import suited_length
from wavegan_rc.utils.text import one_line, printable

JOINS_SEGMENTS = "joins segments of a run, whose samples are there one by one"

# Shorter spectra have too few bins for a line and its neighbours.
_SHORTEST_SEGMENT = 64
# soundfile divides 16-bit samples by this.
_FULL_SCALE_INT16 = np.float32(32768)
# Samples read at a time, to within a segment.
_READ_LENGTH = 2**16
# NumPy's exceptions for damaged or foreign .npy files.
_NOT_NPY = (OSError, ValueError, TypeError, ArithmeticError, SyntaxError, tokenize.TokenError)

Source = str | Path | np.ndarray


def is_generator(path: str | Path) -> bool:
    """Return whether a path is a `.keras` file or a run that has one."""
    try:
        place = Path(path).expanduser()
        return (place.suffix == ".keras" and place.is_file()) or Run(place).generator.is_file()
    except (OSError, RuntimeError):  # no permission, too long a name, ~nobody
        return False


def open_segments(
    source: Source,
    *,
    segment_length: int | None = None,
    upsampling_factors: Sequence[int] | None = None,
    sample_rate: int | None = None,
    count: int = 512,
    seed: int = 0,
    resample: bool = False,
) -> SegmentSet:
    """Open a source of segments and check all of it.

    Recordings are cut into segments from the start of each file, without the rest; channels are
    averaged. They are read to the end here, since damage may lie anywhere, and again by `blocks`.

    Args:
        source: Run folder; `generator.keras`; folder (searched recursively), glob or file of
            audio; `.npy` file or array, float or int16 (full scale 32768), of shape (segments,
            samples), or (samples,) with `segment_length`.
        segment_length: Segment length in samples, at least 64. None: the generator's or the
            array's own; for recordings the least that suits the factors, 2048 without any.
        upsampling_factors: Upsampling factors of the generator, each at least 1. None: not known.
        sample_rate: Sample rate in Hz; required for arrays. None: the generator's own, or that of
            the first usable recording. Recordings of another rate are skipped or resampled.
        count: Number of segments drawn from a generator, at least 1.
        seed: Seed of the generator's latents, at least 0.
        resample: Whether recordings of another rate are resampled.

    Raises:
        ParameterError: If an argument is out of range, missing or contradicts the source.
        DataError: If the source is missing or unusable.

    Warns:
        WaveganWarning: Once if files are skipped, once if files are resampled.

    Example:
        >>> from wavegan_rc.audio.files import bundled_speech
        >>> speech = open_segments(bundled_speech() / "prompts_en_06.ogg", segment_length=16000)
        >>> speech.sample_rate, next(speech.blocks(size=4)).shape
        (16000, (4, 16000))
    """
    check_at_least("segment_length", segment_length, _SHORTEST_SEGMENT)
    check_at_least("sample_rate", sample_rate, 1)
    check_at_least("count", count, 1)
    check_at_least("seed", seed, 0)
    if not isinstance(source, (str, Path)):
        return _open_array("array", np.asarray(source), segment_length, sample_rate)
    if is_generator(source):
        return _open_generator(str(source), segment_length, sample_rate, count, seed)
    if Path(source).suffix == ".npy":
        array = _read_npy(str(source))
        return _open_array(str(source), array, segment_length, sample_rate)
    length = segment_length or suited_length(upsampling_factors or ())
    return _open_recordings(str(source), length, sample_rate, resample)


def _check_agrees(name: str, argument: str, own: int, received: int | None) -> None:
    if received not in (None, own):
        raise ParameterError(f"{argument} of {name} is {own}. Received: {received}")


def _open_generator(
    name: str, segment_length: int | None, sample_rate: int | None, count: int, seed: int
) -> SegmentSet:
    from wavegan_rc.generator.file import load_generator
    from wavegan_rc.generator.generation import BATCH_SIZE, draw_latents, synthesize

    generator = load_generator(Path(name).expanduser())
    own_rate, own_length = generator.sample_rate, generator.segment_length
    check_at_least(f"segment_length of {name}", own_length, _SHORTEST_SEGMENT)
    _check_agrees(name, "segment_length", own_length, segment_length)
    _check_agrees(name, "sample_rate", own_rate, sample_rate)
    latents = draw_latents(count, generator.latent_dim, seed)

    def source() -> Iterator[np.ndarray]:
        for start in range(0, count, BATCH_SIZE):
            segments = synthesize(generator.model, latents[start : start + BATCH_SIZE])
            if not np.isfinite(segments).all():
                raise DataError(f"{name}: the generator makes NaN or infinite samples")
            yield segments

    return SegmentSet(
        name,
        own_rate,
        own_length,
        count,
        source,
        generator.upsampling_factors,
        generator.stopband_hz,
    )


def _read_npy(name: str) -> np.ndarray:
    try:  # never unpickles
        with np.errstate(over="raise"):  # a shape that no number of bytes can hold
            return np.lib.format.open_memmap(Path(name).expanduser(), mode="r")
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except (*_NOT_NPY, RuntimeError) as error:  # ~nobody
        raise DataError(f"{name}: not a usable .npy file: {one_line(error)}") from None


def _open_array(
    name: str, array: np.ndarray, segment_length: int | None, sample_rate: int | None
) -> SegmentSet:
    is_signal = array.ndim == 1
    if array.ndim == 1 and segment_length is not None:
        array = array[: len(array) // segment_length * segment_length].reshape(-1, segment_length)
    if array.ndim != 2 or not array.size:
        raise DataError(
            f"{name}: must have shape (segments, samples), neither of them zero, or (samples,) "
            f"with segment_length. Received shape: {array.shape}"
        )
    if array.dtype.kind != "f" and array.dtype.newbyteorder("=") != np.int16:
        raise DataError(f"{name}: samples must be float or int16. Received: {array.dtype}")
    count, own_length = array.shape
    check_at_least(f"segment_length of {name}", own_length, _SHORTEST_SEGMENT)
    _check_agrees(name, "segment_length", own_length, segment_length)
    if sample_rate is None:
        raise ParameterError(f"sample_rate must be given for {name}: an array has none")
    source = partial(_rows, array)
    if not all(np.isfinite(rows).all() for rows in source()):
        raise DataError(f"{name}: has NaN or infinite samples (as float32)")
    places = consecutive([count], own_length) if is_signal else None
    return SegmentSet(name, sample_rate, own_length, count, source, places=places)


def _rows(array: np.ndarray) -> Iterator[np.ndarray]:
    rows = max(1, _READ_LENGTH // array.shape[1])
    for start in range(0, len(array), rows):
        with np.errstate(over="ignore"):  # too large for float32: infinite, which is refused
            samples = array[start : start + rows].astype(np.float32)
        yield samples if array.dtype.kind == "f" else samples / _FULL_SCALE_INT16


def _open_recordings(
    name: str, segment_length: int, sample_rate: int | None, resample: bool
) -> SegmentSet:
    try:
        files = find_audio_files(name)
    except DataError as error:
        run = Run(name)
        # Of a name that is too long, `Path.is_file` raises an error.
        known = run.without_generator() if os.path.isfile(run.config) else None
        raise DataError(known or f"{error}{similar_name(run.path)}") from None
    joined = {file for file in files if _is_joined(file)}
    usable: dict[Path, int] = {}
    rates: dict[Path, int] = {}
    skipped: list[tuple[str, str]] = []
    notes: list[tuple[str, str]] = []
    for file in files:
        try:
            if file in joined and len(joined) < len(files):
                raise DataError(JOINS_SEGMENTS)
            with open_recording(file) as opened:
                own_rate, note = opened.samplerate, opened.note
            if sample_rate not in (None, own_rate) and not resample:
                raise DataError(f"has a sample rate of {own_rate} Hz, not {sample_rate} Hz")
            usable[file] = _count_segments(file, segment_length, sample_rate or own_rate)
            sample_rate, rates[file] = sample_rate or own_rate, own_rate
            if note:
                notes.append((str(file), note))
        except DataError as error:
            skipped.append((str(file), str(error)))
    what = ""
    if skipped:
        first = printable(" ".join(skipped[0]))
        what = f"skipped {len(skipped)} of {len(files)} files, the first: {first}"
    if sample_rate is None or not usable:
        raise DataError(f"{name}: no usable audio; {what}")
    if skipped:
        warnings.warn(f"{name}: {what}", WaveganWarning, stacklevel=3)
    warn_of_lengths(notes)
    others = [rate for rate in rates.values() if rate != sample_rate]
    if others:
        message = f"{name}: {len(others)} of {len(usable)} files are resampled to {sample_rate} Hz"
        if min(others) < sample_rate:
            message += f"; those of {min(others)} Hz hold nothing above {min(others) / 2:g} Hz"
        warnings.warn(message, WaveganWarning, stacklevel=3)
    return SegmentSet(
        name,
        sample_rate,
        segment_length,
        sum(usable.values()),
        partial(_cut, usable, segment_length, sample_rate),
        skipped=tuple(skipped),
        places=consecutive(list(usable.values()), segment_length),
    )


def _is_joined(file: Path) -> bool:
    return file.name in JOINED_FILES and file.with_name(LATENTS_FILE).is_file()


def _count_segments(path: Path, segment_length: int, sample_rate: int) -> int:
    length = sum(len(block) for block in _blocks(path, segment_length, sample_rate))
    if length < segment_length:
        raise DataError(f"is shorter than a segment: {length} of {segment_length} samples")
    return length // segment_length


def _blocks(path: Path, segment_length: int, sample_rate: int) -> Iterator[np.ndarray]:
    with open_recording(path) as file:
        if file.samplerate == sample_rate:
            block_length = segment_length * max(1, _READ_LENGTH // segment_length)
            yield from mono_blocks(file, block_length)
            return
    yield from resampled_blocks(path, sample_rate)


def _cut(usable: dict[Path, int], segment_length: int, sample_rate: int) -> Iterator[np.ndarray]:
    for path, expected in usable.items():
        found, rest = 0, np.empty(0, np.float32)
        try:
            for block in _blocks(path, segment_length, sample_rate):
                samples = np.concatenate([rest, block]) if len(rest) else block
                whole = len(samples) // segment_length
                found += whole
                rest = samples[whole * segment_length :]
                yield samples[: whole * segment_length].reshape(whole, segment_length)
            if found != expected:
                raise DataError(f"has {found} segments instead of {expected}")
        except DataError as error:
            raise DataError(f"{path}: changed while it was measured: {error}") from None
