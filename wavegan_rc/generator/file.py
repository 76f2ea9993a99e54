"""The file of a trained generator: a Keras archive with what its audio needs.

A file may come from a stranger. Only arrays and our own settings are read from it; the network is
built by this package, so that nothing named in the file is ever called or imported.
"""

import io
import json
import math
import zipfile
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from wavegan_rc.config.choices import ACTIVATIONS, PADDINGS
from wavegan_rc.errors import DataError
from wavegan_rc.generator.folding import (
    ConvolutionWeights,
    GeneratorWeights,
    StageWeights,
    folded_model,
)
from wavegan_rc.generator.shapes import MOST_VALUES, check_shapes, is_whole
from wavegan_rc.nn.activations import NORM
from wavegan_rc.nn.generator import DILATIONS, LAST, POST_FILTER
from wavegan_rc.runs.run import Run, similar_name
from wavegan_rc.runs.weights_file import check_weights
from wavegan_rc.utils.atomic_files import whole_file
from wavegan_rc.utils.text import one_line

# A .keras file is a zip archive; Keras ignores members that it does not know.
SETTINGS_MEMBER = "wavegan_rc.json"
_WEIGHTS_MEMBER = "model.weights.h5"
_MOST_TEXT = 2**16
# The largest rate that a WAV file can state.
_HIGHEST_RATE = 2**31 - 1
_MOST_STAGES = 20
_ENDS = ([], ["head"], ["tail"], ["head", "tail"])


@dataclass(frozen=True, eq=False)
class Generator:
    """A trained generator.

    Attributes:
        weights: Weights, with each stage's interpolation folded into its kernel.
        sample_rate: Sample rate of the audio, in Hz.
        stopband_hz: Frequency above which the training audio holds nothing, in Hz. None: no limit.
    """

    weights: GeneratorWeights
    sample_rate: int
    stopband_hz: float | None = None

    @cached_property
    def model(self) -> keras.Model:
        """Model from latents (batch, latent_dim) in -1..1 to audio (batch, samples, 1)."""
        return folded_model(self.weights)

    @property
    def latent_dim(self) -> int:
        """Length of a latent vector."""
        return len(self.weights.kernel)

    @property
    def segment_length(self) -> int:
        """Length of the audio of one latent, in samples."""
        initial = self.weights.kernel.shape[1] // self.weights.stages[0].kernel.shape[1]
        return initial * math.prod(self.upsampling_factors)

    @property
    def upsampling_factors(self) -> tuple[int, ...]:
        """Upsampling factor of each stage."""
        return tuple(stage.factor for stage in self.weights.stages)


def save_generator(generator: Generator, path: Path) -> None:
    """Write a generator as a file that Keras can load too; it appears whole or not at all.

    Args:
        generator: Generator.
        path: Output file, ending in `.keras`.
    """
    weights = generator.weights
    settings = {
        "sample_rate": generator.sample_rate,
        "stopband_hz": generator.stopband_hz,
        "padding": weights.padding,
        "activation": weights.activation,
        "stages": [
            _upsampling_settings(stage)
            | ({} if stage.skip is None else {"skip": _upsampling_settings(stage.skip)})
            for stage in weights.stages
        ],
        "arrays": _groups(generator.model),
    }
    with whole_file(path) as partial:
        generator.model.save(partial)
        with zipfile.ZipFile(partial, "a") as archive:
            archive.writestr(SETTINGS_MEMBER, json.dumps(settings))


def _upsampling_settings(upsampling: StageWeights) -> dict[str, Any]:
    ends = [end for end in ("head", "tail") if getattr(upsampling, end) is not None]
    return {"factor": upsampling.factor, "before": upsampling.before, "ends": ends}


def _groups(model: keras.Model) -> dict[str, str]:
    """Return the group of each layer's arrays, which Keras names by class and numbers."""
    counts: Counter[str] = Counter()
    groups = {}
    for layer in model.layers:
        kind = type(layer).__name__.lower()
        groups[layer.name] = f"{kind}_{counts[kind]}" if counts[kind] else kind
        counts[kind] += 1
    return {layer.name: groups[layer.name] for layer in model.layers if layer.weights}


def load_generator(path: str | Path) -> Generator:
    """Read what `save_generator` wrote, without running code from the file.

    Args:
        path: Generator file, or a run folder that holds one.

    Raises:
        DataError: If the file is missing or not a generator of this version.

    Example:
        >>> import tempfile
        >>> from wavegan_rc.generator.folding import fold_generator
        >>> from wavegan_rc.nn.generator import build_generator
        >>> small = build_generator(segment_length=256, upsampling_factors=(4, 4), filters=8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "generator.keras"
        ...     save_generator(Generator(fold_generator(small), sample_rate=16000), file)
        ...     load_generator(file).upsampling_factors
        (4, 4)
    """
    path = Path(path)
    file = Run(path).generator if path.is_dir() else path
    if not file.is_file():
        if path.is_dir() and Run(path).config.is_file():
            raise DataError(Run(path).without_generator())
        raise DataError(
            f"{file}: no such generator file; name it or its run folder{similar_name(path)}"
        )
    try:
        with zipfile.ZipFile(file) as archive:
            settings = json.loads(_read_member(archive, SETTINGS_MEMBER, _MOST_TEXT))
            weights = _read_member(archive, _WEIGHTS_MEMBER, file.stat().st_size)
        if isinstance(settings, dict) and "arrays" not in settings:
            raise DataError(f"{file}: an earlier version of wavegan_rc wrote it: train again")
        _check_settings(settings)
        check_weights(io.BytesIO(weights), len(weights))
        with h5py.File(io.BytesIO(weights), "r") as arrays:
            found = _read_weights(settings, arrays["layers"])
        check_shapes(found)
    except DataError:
        raise
    except Exception as error:  # zipfile, json and h5py raise many kinds on damaged files
        raise DataError(f"{file}: not a generator file: {one_line(error)}") from None
    return Generator(found, settings["sample_rate"], settings["stopband_hz"])


def _read_member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED or member.file_size > most:
        raise ValueError(f"{name} must be uncompressed and have at most {most} bytes")
    return archive.read(member)


def _check_settings(settings: Any) -> None:
    rate, stopband_hz = settings["sample_rate"], settings["stopband_hz"]
    if not is_whole(rate, 1, _HIGHEST_RATE):
        raise ValueError(
            f"sample_rate must be a whole number from 1 to {_HIGHEST_RATE}. Received: {rate!r:.40}"
        )
    if stopband_hz is not None and not (
        type(stopband_hz) in (int, float) and 0 < stopband_hz < math.inf
    ):
        raise ValueError(f"stopband_hz must be a positive number. Received: {stopband_hz!r:.40}")
    for name, words in (("padding", PADDINGS), ("activation", ACTIVATIONS)):
        if settings[name] not in words:
            raise ValueError(
                f"{name} must be one of {', '.join(words)}. Received: {settings[name]!r:.40}"
            )
    stages = settings["stages"]
    if not isinstance(stages, list) or not 1 <= len(stages) <= _MOST_STAGES:
        raise ValueError(f"stages must be a list of 1 to {_MOST_STAGES} stages")
    if len({"skip" in stage for stage in stages}) > 1:
        raise ValueError("stages must be all plain or all residual")
    for stage in stages:
        for each in (stage, stage.get("skip", stage)):
            if not is_whole(each["factor"], 2, MOST_VALUES) or each["ends"] not in _ENDS:
                raise ValueError(f"a stage must have a factor and ends. Received: {stage!r:.80}")


def _read_weights(settings: dict[str, Any], layers: h5py.Group) -> GeneratorWeights:
    """Read the arrays of a weights file, by the names of layers."""
    names = settings["arrays"]

    def arrays(name: str) -> tuple[np.ndarray, np.ndarray | None]:
        found = [np.asarray(array, np.float32) for array in layers[names[name]]["vars"].values()]
        if len(found) not in (1, 2) or not all(a.size and np.isfinite(a).all() for a in found):
            raise ValueError(f"weights of {name} must be a kernel and a bias, both finite")
        return found[0], found[1] if len(found) == 2 else None

    def upsampling(name: str, given: dict[str, Any]) -> StageWeights:
        ends = {end: arrays(f"{name}_{end}")[0] for end in given["ends"]}
        head, tail = ends.pop("head", None), ends.pop("tail", None)
        if ends:
            raise ValueError(f"ends must be head or tail. Received: {', '.join(ends)}")
        return StageWeights(given["factor"], given["before"], *arrays(name), head, tail)

    def stage(name: str, given: dict[str, Any]) -> StageWeights:
        path = upsampling(name, given)
        if "skip" not in given:
            return path
        dilated = (ConvolutionWeights(*arrays(f"{name}_dilation_{each}")) for each in DILATIONS)
        skip = upsampling(f"{name}_skip", given["skip"])
        return replace(path, skip=skip, dilated=tuple(dilated))

    return GeneratorWeights(
        *arrays("dense"),
        tuple(stage(f"stage_{i}", given) for i, given in enumerate(settings["stages"], start=1)),
        arrays(POST_FILTER)[0] if POST_FILTER in names else None,
        settings["padding"],
        settings["activation"],
        any(name.endswith(NORM) for name in names),
        ConvolutionWeights(*arrays(LAST)) if LAST in names else None,
    )
