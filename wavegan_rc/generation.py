"""From a trained generator to audio: latents, batches, WAV files, and the generator's own file."""

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from wavegan_rc.audio.files import write_wav
from wavegan_rc.errors import DataError, ParameterError

GENERATOR_FILE = "generator.keras"
LATENTS_FILE = "latents.npz"
# A .keras file is a zip archive; Keras passes over members that it does not know.
_SETTINGS_MEMBER = "wavegan_rc.json"
# Every batch has this size (the last is filled up), so that what a latent gives does not depend on
# how many others are asked for.
_BATCH_SIZE = 64


def save_generator(generator: keras.Model, path: Path, settings: dict[str, Any]) -> None:
    """Write a generator with the settings that its audio needs; the file appears whole or not.

    Args:
        generator: Model from latents to audio.
        path: Of the file, ending in `.keras`.
        settings: `sample_rate` and whatever else shall travel with it; JSON values.
    """
    partial = path.with_name(f".partial-{path.name}")
    generator.save(partial)
    with zipfile.ZipFile(partial, "a") as archive:
        archive.writestr(_SETTINGS_MEMBER, json.dumps(settings))
    os.replace(partial, path)


def load_generator(path: Path) -> tuple[keras.Model, dict[str, Any]]:
    """Read what `save_generator` wrote, without running code from the file.

    Args:
        path: A generator file, or a run folder that holds one.

    Returns:
        The model and its settings.

    Raises:
        DataError: If there is no such file, or it is not a generator.
    """
    file = path / GENERATOR_FILE if path.is_dir() else path
    if not file.is_file():
        raise DataError(f"{file}: no such generator file")
    try:
        with zipfile.ZipFile(file) as archive:
            settings = json.loads(archive.read(_SETTINGS_MEMBER))
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
        latents, audio = model.input_shape, model.output_shape
        usable = len(latents) == 2 and len(audio) == 3 and audio[-1] == 1
        if not usable or not isinstance(settings["sample_rate"], int):
            raise ValueError("its input is not (batch, latent_dim), or its output not mono audio")
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{file}: not a generator file: {reason:.200}") from None
    return model, settings


def draw_latents(count: int, latent_dim: int, seed: int) -> np.ndarray:
    """Latents uniform on [-1, 1], as in training; a larger count begins with the same ones.

    Args:
        count: Number of latents.
        latent_dim: Length of each.
        seed: Non-negative.

    Returns:
        float32 array of shape (count, latent_dim).

    Example:
        >>> bool((draw_latents(5, 3, seed=1)[:2] == draw_latents(2, 3, seed=1)).all())
        True
    """
    return np.concatenate(list(_draw_batches(count, latent_dim, seed)))


def _draw_batches(count: int, latent_dim: int, seed: int) -> Iterator[np.ndarray]:
    random = np.random.default_rng(seed)
    for start in range(0, count, _BATCH_SIZE):
        size = min(_BATCH_SIZE, count - start)
        yield 2 * random.random((size, latent_dim), np.float32) - 1


def _batches(latents: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(latents), _BATCH_SIZE):
        yield latents[start : start + _BATCH_SIZE]


def interpolate_latents(first: np.ndarray, last: np.ndarray, count: int) -> np.ndarray:
    """Evenly spaced latents on the straight line from one to another, both included.

    A straight line stays inside the cube that latents are drawn from.

    Args:
        first: Shape (latent_dim,).
        last: Shape (latent_dim,).
        count: Number of latents; a single one is the first.

    Returns:
        Array of shape (count, latent_dim).

    Example:
        >>> interpolate_latents(np.zeros(2), np.ones(2), 3).tolist()
        [[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]]
    """
    return np.linspace(first, last, count, dtype=first.dtype)


def synthesize(generator: keras.Model, latents: np.ndarray) -> np.ndarray:
    """What a generator makes of some latents.

    Args:
        generator: Model from (batch, latent_dim) to (batch, samples, 1).
        latents: Shape (count, latent_dim).

    Returns:
        float32 array of shape (count, samples).
    """
    return np.concatenate([_synthesize_batch(generator, batch) for batch in _batches(latents)])


def _synthesize_batch(generator: keras.Model, latents: np.ndarray) -> np.ndarray:
    missing = _BATCH_SIZE - len(latents)
    audio = generator.predict_on_batch(np.pad(latents, [(0, missing), (0, 0)]))
    return np.asarray(audio)[: len(latents), :, 0]


def _write_samples(
    generator: keras.Model,
    batches: Iterable[np.ndarray],
    count: int,
    sample_rate: int,
    folder: Path,
) -> None:
    """Write a WAV for each latent, numbered in their order, and the latents beside them.

    Audio and latents are written as they come: memory holds one batch, whatever the count.
    """
    shape = (count, generator.input_shape[-1])
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    digits = max(4, len(str(count - 1)))
    index = 0
    with (
        zipfile.ZipFile(folder / LATENTS_FILE, "w") as archive,
        archive.open("latents.npy", "w", force_zip64=True) as latents_file,
    ):
        np.lib.format.write_array_header_1_0(latents_file, header)
        for batch in batches:
            latents_file.write(batch.astype("<f4").tobytes())
            for audio in _synthesize_batch(generator, batch):
                write_wav(folder / f"{index:0{digits}d}.wav", audio, sample_rate)
                index += 1


def write_samples(
    generator: keras.Model, folder: Path, *, count: int, seed: int, sample_rate: int
) -> None:
    """Write `count` numbered WAVs of drawn latents into a folder, and the latents beside them.

    Args:
        generator: Model from latents to audio.
        folder: Existing folder.
        count: Number of WAVs.
        seed: Of the latents.
        sample_rate: In Hz.
    """
    batches = _draw_batches(count, generator.input_shape[-1], seed)
    _write_samples(generator, batches, count, sample_rate, folder)


def generate(
    source: Path,
    out: Path,
    *,
    count: int = 64,
    seed: int = 0,
    latents_file: Path | None = None,
    interpolate: bool = False,
) -> Path:
    """Write WAVs of a trained generator into a new folder, which appears whole or not at all.

    Args:
        source: Run folder or generator file.
        out: Folder to make; an existing one must be empty.
        count: Number of WAVs; with `latents_file` and without `interpolate`, the file's own.
        seed: Of the latents, if they are drawn.
        latents_file: Recall the latents in this `.npz` file instead of drawing them.
        interpolate: Walk in `count` steps from the first latent to the second.

    Returns:
        The folder.

    Raises:
        ParameterError: If `count` or `seed` is out of range, or there is nothing to walk to.
        DataError: If a file cannot be used, or `out` cannot be written or is not empty.
    """
    if count < 1 or seed < 0:
        raise ParameterError(
            f"count must be at least 1 and seed at least 0. Received: {count}, {seed}"
        )
    generator, settings = load_generator(source)
    latent_dim = generator.input_shape[-1]
    batches = _draw_batches(count, latent_dim, seed)
    if latents_file is not None or interpolate:
        latents = (
            draw_latents(2, latent_dim, seed)
            if latents_file is None
            else _read_latents(latents_file, latent_dim)
        )
        if interpolate and len(latents) < 2:
            raise ParameterError(f"interpolate needs two latents. {latents_file} holds one")
        if interpolate:
            latents = interpolate_latents(latents[0], latents[1], count)
        count, batches = len(latents), _batches(latents)
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise DataError(f"out must be a new or an empty folder. Received: {out}")
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".partial-{out.name}-", dir=out.parent))
        try:
            work.chmod(0o755)
            _write_samples(generator, batches, count, settings["sample_rate"], work)
            os.replace(work, out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise DataError(f"out cannot be written: {error}") from None
    return out


def _read_latents(path: Path, latent_dim: int) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as file:
            latents = np.asarray(file["latents"], np.float32)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: not a latents file: {error}") from None
    right_shape = latents.ndim == 2 and len(latents) > 0 and latents.shape[1] == latent_dim
    if not right_shape or not np.isfinite(latents).all():
        raise DataError(
            f"{path}: latents must be finite, of shape (count, {latent_dim}). "
            f"Received shape: {latents.shape}"
        )
    return latents
