"""Export of a trained generator to the formats of other programs."""

import os
import warnings
from pathlib import Path
from typing import Literal

import numpy as np

from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.generator.file import load_generator
from wavegan_rc.runs.run import Run
from wavegan_rc.utils.atomic_files import whole_path, writing
from wavegan_rc.utils.extras import require

Format = Literal["savedmodel", "onnx", "litert"]
# Keras's names of the formats, and the suffixes that its converters insist on.
_KERAS_FORMATS = {"savedmodel": "tf_saved_model", "onnx": "onnx", "litert": "litert"}
_SUFFIXES = {"savedmodel": ".savedmodel", "onnx": ".onnx", "litert": ".tflite"}


def export(source: Path, kind: Format, out: Path | None = None) -> tuple[Path, str]:
    """Write a generator for TensorFlow Serving (a folder), ONNX Runtime or LiteRT (a file each).

    Keras must run on TensorFlow. `out` must not exist; None uses `generator` beside the generator
    file, with the format's suffix.

    Returns:
        Output path, and the shapes of input and output in words. The batch size is free.

    Raises:
        ParameterError: If the format needs packages that are not installed, or `out` has another
            suffix.
        DataError: If there is no generator, or `out` exists or cannot be written.
    """
    if kind == "onnx":
        require("tf2onnx", extra="onnx", asked="format onnx")
    if out is None:
        file = Run(source).generator if source.is_dir() else source
        out = file.with_suffix(_SUFFIXES[kind])
    if kind != "savedmodel" and out.suffix != _SUFFIXES[kind]:
        raise ParameterError(f"out must end in {_SUFFIXES[kind]}. Received: {out}")
    if os.path.lexists(out):
        raise DataError(f"out must not exist. Received: {out}")
    generator = load_generator(source)
    with writing():
        out.parent.mkdir(parents=True, exist_ok=True)
        with whole_path(out) as partial, warnings.catch_warnings():
            # Keras 3.15 replaces the NumPy 1 names that tf2onnx uses.
            warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
            model = generator.model
            model(np.zeros((1, generator.latent_dim), np.float32))  # Keras's ONNX export needs it
            model.export(partial, format=_KERAS_FORMATS[kind], verbose=False)
            if kind == "onnx":
                _describe(partial, generator.sample_rate)
    return out, (
        f"latents (batch, {generator.latent_dim}) in -1..1 -> "
        f"audio (batch, {generator.segment_length}, 1), {generator.sample_rate} Hz"
    )


def _describe(file: Path, sample_rate: int) -> None:
    """Name the output of an ONNX file, and add what a program must know as its metadata."""
    import onnx

    model = onnx.load(file)
    (output,) = model.graph.output
    for node in model.graph.node:
        node.output[:] = ["audio" if name == output.name else name for name in node.output]
    output.name = "audio"
    facts = {"sample_rate": str(sample_rate), "latents": "uniform in -1..1"}
    onnx.helper.set_model_props(model, facts)
    onnx.save(model, file)
