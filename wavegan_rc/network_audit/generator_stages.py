"""Stages of an exported generator: their weights, their inputs, and the audio from there on."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from wavegan_rc.errors import DataError
from wavegan_rc.generator.generation import BATCH_SIZE
from wavegan_rc.network_audit.kernels import FoldedStage
from wavegan_rc.nn.generator import POST_FILTER

_OURS_ONLY = "only generators exported by this package are audited"


@dataclass(frozen=True)
class Stages:
    """An exported generator with access to its stages.

    Attributes:
        model: Model from latents to audio.
        folded: Weights of the stages, first stage first.
        post_filter: Taps of the learned filter after tanh. None without one.
    """

    model: keras.Model
    folded: tuple[FoldedStage, ...]
    post_filter: np.ndarray | None

    @property
    def factors(self) -> tuple[int, ...]:
        """Upsampling factors, first stage first."""
        return tuple(stage.factor for stage in self.folded)

    def period(self, stage: int) -> int:
        """Return the period of a stage's pattern (stages from 1) in samples of audio."""
        return math.prod(self.factors[stage - 1 :])

    def maps(self, latents: np.ndarray) -> Iterator[list[np.ndarray]]:
        """Yield each stage's input, of shape (latents, time, channels), for batches of latents."""
        inputs = [_input_of(self.model, stage) for stage in range(1, len(self.folded) + 1)]
        model = keras.Model(self.model.input, inputs)
        for start in range(0, len(latents), BATCH_SIZE):
            maps = model(latents[start : start + BATCH_SIZE], training=False)
            yield [np.asarray(each) for each in maps]

    def mean_maps(self, latents: np.ndarray) -> list[np.ndarray]:
        """Return means over latents and time of each stage's input, each of shape (channels,)."""
        sums = [0.0] * len(self.folded)
        for maps in self.maps(latents):
            means = [each.mean(axis=1, dtype=np.float64).sum(axis=0) for each in maps]
            sums = [total + mean for total, mean in zip(sums, means, strict=True)]
        return [np.asarray(total / len(latents)) for total in sums]

    def audio_from(self, stage: int, means: np.ndarray) -> np.ndarray:
        """Return the audio for constant maps as a stage's input, shape (1, samples)."""
        entry = _input_of(self.model, stage)
        rest = keras.Model(entry, self.model.output)
        maps = np.broadcast_to(means.astype(np.float32), (1, *entry.shape[1:]))
        return np.asarray(rest(maps, training=False))[:, :, 0]


def _input_of(model: keras.Model, stage: int) -> keras.KerasTensor:
    before = "dense_relu" if stage == 1 else f"stage_{stage - 1}_relu"
    return model.get_layer(before).output


def open_stages(name: str, model: keras.Model) -> Stages:
    """Find the stages of a generator exported by this package.

    Args:
        name: File name for messages.
        model: Result of `load_generator`.

    Raises:
        DataError: If it is another network, or its weights are not finite.
    """
    found = {layer.name: layer for layer in model.layers}
    count = 0
    while f"stage_{count + 1}" in found:
        count += 1
    try:
        folded = tuple(_folded(found, number) for number in range(1, max(count, 1) + 1))
        if folded[-1].kernel.shape[2] != folded[-1].factor:
            raise ValueError(f"stage_{count} does not end in audio")
    except KeyError as error:
        raise DataError(f"{name}: {_OURS_ONLY}: it has no layer named {error.args[0]}") from None
    except ValueError as error:
        raise DataError(f"{name}: {_OURS_ONLY}: {error}") from None
    post_filter = None
    if POST_FILTER in found:
        post_filter = found[POST_FILTER].get_weights()[0][:, 0, 0].astype(np.float64)
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        raise DataError(f"{name}: weights must be finite. Received: NaN or infinite ones")
    return Stages(model, folded, post_filter)


def _folded(found: dict[str, keras.Layer], number: int) -> FoldedStage:
    """Return the weights of `stage_<number>`, checked to be a folded stage."""
    name = f"stage_{number}"
    relu = found["dense_relu" if number == 1 else f"stage_{number - 1}_relu"]
    layer, phases = found[name], found[f"{name}_phases"]
    if not isinstance(relu, layers.ReLU) or not isinstance(phases, layers.Reshape):
        raise ValueError(f"{name} does not stand between a ReLU and a Reshape")
    if not isinstance(layer, layers.Conv1D) or (
        (layer.strides, layer.dilation_rate, layer.groups, layer.activation.__name__)
        != ((1,), (1,), 1, "linear")
    ):
        raise ValueError(f"{name} is not a plain convolution")
    kernel, *bias = layer.get_weights()
    (_, length, channels), (_, raised, filters) = _shape(relu), _shape(phases)
    factor, rest = divmod(kernel.shape[2], filters)
    if rest or factor < 2 or raised != length * factor:
        raise ValueError(f"{name} does not raise the rate by a whole factor")
    if channels != kernel.shape[1]:
        raise ValueError(f"{name} does not read what its ReLU gives")
    return FoldedStage(
        kernel.astype(np.float64),
        (bias[0] if bias else np.zeros(kernel.shape[2])).astype(np.float64),
        factor,
    )


def _shape(layer: keras.Layer) -> tuple:
    output: Any = layer.output
    return output.shape
