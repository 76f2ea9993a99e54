"""The file of a trained generator: a Keras archive with the settings that its audio needs."""

import json
import math
import warnings
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from wavegan_rc.errors import DataError
from wavegan_rc.generator.archive_checks import SETTINGS_MEMBER, check_archive, check_outputs
from wavegan_rc.runs.weights_file import one_line
from wavegan_rc.utils.atomic_files import whole_file

GENERATOR_FILE = "generator.keras"
# The largest that a WAV file can be written with.
_HIGHEST_RATE = 2**31 - 1


def save_generator(generator: keras.Model, path: Path, settings: dict[str, Any]) -> None:
    """Write a generator with the settings that its audio needs; the file appears whole or not.

    Args:
        generator: Model from latents to audio.
        path: Of the file, ending in `.keras`.
        settings: `sample_rate` and whatever else shall travel with it; JSON values.
    """
    with whole_file(path) as partial:
        generator.save(partial)
        with zipfile.ZipFile(partial, "a") as archive:
            archive.writestr(SETTINGS_MEMBER, json.dumps(settings))


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
        raise DataError(f"{file}: no such generator file; name it or its run folder")
    try:
        settings = check_archive(file)
        model = _load_model(file)
        _check_model(model)
    except Exception as error:  # on damaged or hostile files, libraries raise whatever comes
        raise DataError(f"{file}: not a generator file: {one_line(error)}") from None
    _check_settings(file, settings, model.output_shape[1])
    return model, settings


def _load_model(file: Path) -> keras.Model:
    with warnings.catch_warnings():
        # Of weights that do not fit, Keras warns before it raises the error that says which.
        warnings.simplefilter("ignore", UserWarning)
        return keras.saving.load_model(file, compile=False, safe_mode=True)


def _check_model(model: keras.Model) -> None:
    latents, audio = model.input_shape, model.output_shape
    if len(latents) != 2 or latents[0] is not None or len(audio) != 3 or audio[-1] != 1:
        raise ValueError("its input is not (batch, latent_dim), or its output not mono audio")
    check_outputs(model)
    # A wrong index shows only here: TensorFlow refuses it, JAX takes NaN for what is not there.
    if not np.isfinite(model(np.zeros((1, latents[1]), np.float32))).all():
        raise ValueError("the generator makes NaN or infinite samples")


def _check_settings(file: Path, settings: Any, length: int) -> None:
    if not isinstance(settings, dict):
        raise DataError(f"{file}: its settings must be a JSON object")
    rate, stopband_hz = settings.get("sample_rate"), settings.get("stopband_hz")
    factors = settings.get("upsampling_factors")
    if not (
        _is_whole(rate, 1, _HIGHEST_RATE)
        and (factors is None or _divide(length, factors))
        and (stopband_hz is None or _is_positive(stopband_hz))
    ):
        received = f"{rate!r:.40}, {factors!r:.60}, {stopband_hz!r:.40}"
        raise DataError(
            f"{file}: sample_rate, upsampling_factors and stopband_hz must be positive numbers, "
            f"the rate at most {_HIGHEST_RATE}, the factors whole and at least 2, their product a "
            f"divisor of {length}. Received: {received}"
        )


def _is_whole(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _is_positive(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < math.inf


def _divide(length: int, factors: Any) -> bool:
    """Whether these are upsampling factors that can lead to this length."""
    if not isinstance(factors, list) or not 0 < len(factors) < length.bit_length():
        return False
    return all(_is_whole(f, 2, length) for f in factors) and length % math.prod(factors) == 0
