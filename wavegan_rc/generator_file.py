"""The file of a trained generator: a Keras archive with the settings that its audio needs."""

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import keras

from wavegan_rc.errors import DataError
from wavegan_rc.whole_files import whole_file

GENERATOR_FILE = "generator.keras"
# A .keras file is a zip archive; Keras passes over members that it does not know.
_SETTINGS_MEMBER = "wavegan_rc.json"
# What zip, JSON, NumPy and Keras raise on archives that were damaged or made to be.
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    RuntimeError,  # NotImplementedError is one: an unknown compression method
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
)


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
            archive.writestr(_SETTINGS_MEMBER, json.dumps(settings))


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
        with zipfile.ZipFile(file) as archive:
            settings = json.loads(archive.read(_SETTINGS_MEMBER))
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
        latents, audio = model.input_shape, model.output_shape
        usable = len(latents) == 2 and len(audio) == 3 and audio[-1] == 1
        if not usable or not isinstance(settings["sample_rate"], int):
            raise ValueError("its input is not (batch, latent_dim), or its output not mono audio")
    except UNREADABLE as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{file}: not a generator file: {reason:.200}") from None
    return model, settings
