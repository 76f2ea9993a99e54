"""The file of a trained generator: a Keras archive with what its audio needs.

A file may come from a stranger. Only arrays and our own settings are read from it; the network is
built by this package, so that nothing named in the file is ever called or imported.
"""

import io
import json
import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from wavegan_rc.config.choices import PADDINGS
from wavegan_rc.errors import DataError
from wavegan_rc.generator.folding import GeneratorWeights, StageWeights, folded_model
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
# Of one feature map: TensorFlow computes batches of 64, here 8 GiB.
_MOST_VALUES = 2**25
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
    stages = [
        {
            "factor": stage.factor,
            "before": stage.before,
            "ends": [end for end in ("head", "tail") if getattr(stage, end) is not None],
        }
        for stage in generator.weights.stages
    ]
    settings = {
        "sample_rate": generator.sample_rate,
        "stopband_hz": generator.stopband_hz,
        "padding": generator.weights.padding,
        "stages": stages,
    }
    with whole_file(path) as partial:
        generator.model.save(partial)
        with zipfile.ZipFile(partial, "a") as archive:
            archive.writestr(SETTINGS_MEMBER, json.dumps(settings))


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
        raise DataError(
            f"{file}: no such generator file; name it or its run folder{similar_name(path)}"
        )
    try:
        with zipfile.ZipFile(file) as archive:
            settings = json.loads(_read_member(archive, SETTINGS_MEMBER, _MOST_TEXT))
            weights = _read_member(archive, _WEIGHTS_MEMBER, file.stat().st_size)
        if isinstance(settings, dict) and "stages" not in settings:
            raise DataError(f"{file}: an earlier version of wavegan_rc wrote it: train again")
        _check_settings(settings)
        check_weights(io.BytesIO(weights), len(weights))
        with h5py.File(io.BytesIO(weights), "r") as arrays:
            found = _weights(settings, arrays["layers"])
        _check_shapes(found)
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
    if not _is_whole(rate, 1, _HIGHEST_RATE):
        raise ValueError(
            f"sample_rate must be a whole number from 1 to {_HIGHEST_RATE}. Received: {rate!r:.40}"
        )
    if stopband_hz is not None and not (
        type(stopband_hz) in (int, float) and 0 < stopband_hz < math.inf
    ):
        raise ValueError(f"stopband_hz must be a positive number. Received: {stopband_hz!r:.40}")
    padding = settings["padding"]
    if padding not in PADDINGS:
        raise ValueError(f"padding must be one of {', '.join(PADDINGS)}. Received: {padding!r:.40}")
    stages = settings["stages"]
    if not isinstance(stages, list) or not 1 <= len(stages) <= _MOST_STAGES:
        raise ValueError(f"stages must be a list of 1 to {_MOST_STAGES} stages")
    for stage in stages:
        if not _is_whole(stage["factor"], 2, _MOST_VALUES) or stage["ends"] not in _ENDS:
            raise ValueError(f"a stage must have a factor and ends. Received: {stage!r:.80}")


def _is_whole(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _weights(settings: dict[str, Any], layers: h5py.Group) -> GeneratorWeights:
    """Read the arrays of a weights file, named as Keras names them: by class, numbered."""
    dense, convolutions = _numbered(layers, "dense"), _numbered(layers, "conv1d")
    kernel, bias = next(dense)
    stages = []
    for stage in settings["stages"]:
        weights = next(convolutions)
        ends = {end: next(dense)[0] for end in stage["ends"]}
        stages.append(StageWeights(stage["factor"], stage["before"], *weights, **ends))
    post_filter, _ = next(convolutions, (None, None))
    return GeneratorWeights(kernel, bias, tuple(stages), post_filter, settings["padding"])


def _numbered(layers: h5py.Group, kind: str) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Yield kernel and bias of each layer of a kind."""
    name, number = kind, 0
    while name in layers:
        arrays = [np.asarray(array, np.float32) for array in layers[name]["vars"].values()]
        if len(arrays) not in (1, 2) or not all(a.size and np.isfinite(a).all() for a in arrays):
            raise ValueError(f"weights of {name} must be a kernel and a bias, both finite")
        yield arrays[0], arrays[1] if len(arrays) == 2 else None
        number += 1
        name = f"{kind}_{number}"


def _check_shapes(weights: GeneratorWeights) -> None:
    """Refuse arrays that do not suit one another, before a layer is made of them."""
    units, channels = weights.kernel.shape[1], weights.stages[0].kernel.shape[1]
    length = units // channels
    _check(weights.kernel.ndim == 2 and length * channels == units, "dense")
    _check(weights.bias is None or weights.bias.shape == (units,), "dense")
    for number, stage in enumerate(weights.stages, start=1):
        taps, inputs, outputs = stage.kernel.shape
        _check(inputs == channels and outputs % stage.factor == 0, f"stage {number}")
        bias_shape = None if stage.bias is None else stage.bias.shape
        _check(bias_shape == (None if weights.bias is None else (outputs,)), f"stage {number}")
        _check(_is_whole(stage.before, 0, taps - 1), f"stage {number}")
        for end in (stage.head, stage.tail):
            rows, columns = (inputs, outputs) if end is None else end.shape
            whole = rows % inputs == columns % outputs == 0
            samples, blocks = rows // inputs, columns // outputs
            _check(whole and max(samples, blocks) <= length, f"an end of stage {number}")
        length, channels = length * stage.factor, outputs // stage.factor
        _check(length * channels <= _MOST_VALUES, f"stage {number}")
    _check(channels == 1, "the last stage")
    if weights.post_filter is not None:
        _check(weights.post_filter.shape[1:] == (1, 1), "the post filter")


def _check(right: bool, where: str) -> None:
    if not right:
        raise ValueError(f"arrays of {where} must suit the other arrays and the settings")
