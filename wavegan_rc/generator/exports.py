"""A trained generator in the formats of other programs."""

import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Literal

from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.generator.file import GENERATOR_FILE, load_generator
from wavegan_rc.utils.extras import require

Format = Literal["savedmodel", "onnx", "litert"]
# What Keras calls them, and how their files' names end: its own converters insist on that.
_KERAS_FORMATS = {"savedmodel": "tf_saved_model", "onnx": "onnx", "litert": "litert"}
_SUFFIXES = {"savedmodel": ".savedmodel", "onnx": ".onnx", "litert": ".tflite"}


def export(source: Path, kind: Format, out: Path | None = None) -> tuple[Path, str]:
    """Write the generator of a run for TensorFlow Serving, ONNX Runtime or LiteRT.

    Keras must run on TensorFlow.

    Args:
        source: Run folder, or generator file.
        kind: `savedmodel` (a folder), `onnx` or `litert` (a file each).
        out: What to write, which must not exist; None: `generator` beside the generator file, with
            the format's suffix.

    Returns:
        What was written, and in words what goes in and comes out. The batch can have any size.

    Raises:
        ParameterError: If the format needs packages that are not installed, or `out` ends in
            another suffix.
        DataError: If there is no generator, or `out` exists or cannot be written.
    """
    if kind == "onnx":
        require("tf2onnx", extra="onnx", asked="format onnx")
    if out is None:
        file = source / GENERATOR_FILE if source.is_dir() else source
        out = file.with_suffix(_SUFFIXES[kind])
    if kind != "savedmodel" and out.suffix != _SUFFIXES[kind]:
        raise ParameterError(f"out must end in {_SUFFIXES[kind]}. Received: {out}")
    if os.path.lexists(out):
        raise DataError(f"{out} exists: give another out")
    generator = load_generator(source)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".partial-", dir=out.parent))
        try:
            with warnings.catch_warnings():
                # Keras 3.15 makes up for what tf2onnx takes from a NumPy of before 2.
                warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
                generator.model.export(work / out.name, format=_KERAS_FORMATS[kind], verbose=False)
            os.rename(work / out.name, out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise DataError(f"out cannot be written: {error}") from None
    return out, (
        f"latents (batch, {generator.latent_dim}) in -1..1 -> "
        f"audio (batch, {generator.segment_length}, 1), {generator.sample_rate} Hz"
    )
