"""Audio of a trained generator: latents, batches, WAV files."""

import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np

from wavegan_rc.audio.files import write_wav
from wavegan_rc.errors import DataError, ParameterError, WaveganWarning
from wavegan_rc.generator.file import Generator, load_generator
from wavegan_rc.runs.begin import numbered_folder
from wavegan_rc.runs.run import JOINED_FILE, LATENTS_FILE, Run
from wavegan_rc.utils.atomic_files import whole_path, writing

_GENERATED = Path("generated")
# Every batch has this size (the last one is padded), so that the audio of a latent does not depend
# on the number of latents.
BATCH_SIZE = 64
# In bytes. Latents hardly compress (float64 to half), so a file that inflates beyond this and to
# more than four times its size holds something else.
_ROOM_FOR_LATENTS = 2**26


def draw_latents(count: int, latent_dim: int, seed: int) -> np.ndarray:
    """Draw latents uniformly from [-1, 1], as in training.

    Args:
        count: Number of latents; a larger count begins with the same latents.
        latent_dim: Length of a latent vector.
        seed: Seed, at least 0.

    Returns:
        Latents, float32 array of shape (count, latent_dim).

    Example:
        >>> bool((draw_latents(5, 3, seed=1)[:2] == draw_latents(2, 3, seed=1)).all())
        True
    """
    return 2 * np.random.default_rng(seed).random((count, latent_dim), np.float32) - 1


def _batches(latents: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(latents), BATCH_SIZE):
        yield latents[start : start + BATCH_SIZE]


def synthesize(generator: keras.Model, latents: np.ndarray) -> np.ndarray:
    """Generate the audio of latents.

    Args:
        generator: Model from (batch, latent_dim) to (batch, samples, 1).
        latents: Latents, shape (count, latent_dim).

    Returns:
        Audio, float32 array of shape (count, samples).
    """
    return np.concatenate([_synthesize_batch(generator, batch) for batch in _batches(latents)])


def _synthesize_batch(generator: keras.Model, latents: np.ndarray) -> np.ndarray:
    missing = BATCH_SIZE - len(latents)
    audio = generator.predict_on_batch(np.pad(latents, [(0, missing), (0, 0)]))
    return np.asarray(audio)[: len(latents), :, 0]


def write_samples(
    generator: keras.Model, latents: np.ndarray, sample_rate: int, folder: Path
) -> None:
    """Write a numbered WAV for each latent, the first 64 joined, and the latents.

    Warns:
        WaveganWarning: If samples beyond full scale are clipped.
    """
    np.savez(folder / LATENTS_FILE, latents=latents)
    digits = max(4, len(str(len(latents) - 1)))
    index = clipped = 0
    for batch in _batches(latents):
        segments = _synthesize_batch(generator, batch)
        if index == 0:
            write_wav(folder / JOINED_FILE, segments.ravel(), sample_rate)
        for audio in segments:
            write_wav(folder / f"{index:0{digits}d}.wav", audio, sample_rate)
            index += 1
            clipped += int((np.abs(audio) > 1).sum())
    if clipped:
        message = f"{clipped} samples beyond full scale were clipped in the WAVs"
        warnings.warn(message, WaveganWarning, stacklevel=2)


def generate(source: str | Path | Run | Generator, count: int = 64, *, seed: int = 0) -> np.ndarray:
    """Generate audio with a trained generator.

    Args:
        source: Run, its folder, generator file, or loaded generator.
        count: Number of segments, at least 1; a larger count begins with the same segments.
        seed: Seed of the latents, at least 0.

    Returns:
        Audio, float32 array of shape (count, samples), at full scale 1.

    Raises:
        ParameterError: If `count` or `seed` is out of range.
        DataError: If the source cannot be used.

    Example:
        >>> from wavegan_rc.generator.folding import fold_generator
        >>> from wavegan_rc.nn.generator import build_generator
        >>> small = build_generator(segment_length=256, upsampling_factors=(4, 4), filters=8)
        >>> generate(Generator(fold_generator(small), sample_rate=16000), count=3).shape
        (3, 256)
    """
    _check_range(count, seed)
    if isinstance(source, Run):
        source = source.path
    generator = source if isinstance(source, Generator) else load_generator(source)
    return synthesize(generator.model, draw_latents(count, generator.latent_dim, seed))


def write_generated(
    source: Path,
    out: Path | None,
    *,
    count: int = 64,
    seed: int = 0,
    latents_file: Path | None = None,
    interpolate: bool = False,
) -> Path:
    """Write WAVs of a trained generator into a new folder, which appears whole or not at all.

    Without `out` that is `generated/` and the next number with the name of the run or the file. All
    latents of `latents_file` are used. With `interpolate`, `count` steps lead from the first latent
    to the second.

    Returns:
        The output folder.

    Raises:
        ParameterError: If `count` or `seed` is out of range, or there is no second latent.
        DataError: If a file cannot be used, or `out` cannot be written or is not empty.
    """
    _check_range(count, seed)
    generator = load_generator(source)
    latent_dim = generator.latent_dim
    if latents_file is None:
        latents = draw_latents(2 if interpolate else count, latent_dim, seed)
    else:
        latents = _read_latents(latents_file, latent_dim)
    if interpolate:
        if len(latents) < 2:
            raise ParameterError(
                f"interpolate must have two latents. Received: one, from {latents_file}"
            )
        # A straight line stays inside the cube from which latents are drawn.
        share = np.arange(count, dtype=np.float32)[:, None] / max(count - 1, 1)
        latents = (1 - share) * latents[0] + share * latents[1]
    with writing(), _new_folder(source, out) as (folder, partial):
        write_samples(generator.model, latents, generator.sample_rate, partial)
    return folder


def _check_range(count: int, seed: int) -> None:
    if count < 1 or seed < 0:
        raise ParameterError(
            f"count must be at least 1 and seed at least 0. Received: {count}, {seed}"
        )


@contextmanager
def _new_folder(source: Path, out: Path | None) -> Iterator[tuple[Path, Path]]:
    """Provide an output folder and the one to fill, which takes its place at the end."""
    numbered = out is None
    if out is None:
        name = source.resolve().name if source.is_dir() else source.stem
        _GENERATED.mkdir(exist_ok=True)
        out = numbered_folder(_GENERATED, re.sub(r"^\d+-", "", name))
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"out must be a new or an empty folder. Received: {out}")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with whole_path(out) as partial:
            partial.mkdir()
            yield out, partial
    except BaseException:
        if numbered:
            out.rmdir()
        raise


def _read_latents(path: Path, latent_dim: int) -> np.ndarray:
    try:
        if not path.is_file():
            raise FileNotFoundError
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > max(_ROOM_FOR_LATENTS, 4 * path.stat().st_size):
            raise ValueError
        with np.load(path, allow_pickle=False) as file:
            found = file["latents"]
        if found.dtype.kind not in "fiu":
            raise TypeError
    except Exception:  # zipfile and NumPy raise many kinds on damaged files
        raise DataError(
            f"{path}: not a latents file (.npz with an array of numbers `latents`)"
        ) from None
    with np.errstate(over="ignore"):  # values too large for float32 become infinite
        latents = found.astype(np.float32)
    right_shape = latents.ndim == 2 and len(latents) > 0 and latents.shape[1] == latent_dim
    if not right_shape or not np.isfinite(latents).all():
        raise DataError(
            f"{path}: latents must be finite, of shape (count, {latent_dim}). "
            f"Received shape: {latents.shape}"
        )
    return latents
