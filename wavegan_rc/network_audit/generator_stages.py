"""Stages of an exported generator: their weights, their inputs, and the audio from there on."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np

from wavegan_rc.generator.folding import GeneratorWeights
from wavegan_rc.generator.generation import BATCH_SIZE
from wavegan_rc.network_audit.kernels import FoldedStage


@dataclass(frozen=True, eq=False)
class Stages:
    """An exported generator of plain stages, with access to them.

    Attributes:
        model: Model from latents to audio, with these weights.
        weights: Weights of the generator.
    """

    model: keras.Model
    weights: GeneratorWeights

    @cached_property
    def folded(self) -> tuple[FoldedStage, ...]:
        """Weights of the stages in float64, first stage first."""
        return tuple(
            FoldedStage(
                stage.kernel.astype(np.float64),
                np.asarray(0.0 if stage.bias is None else stage.bias, np.float64),
                stage.factor,
            )
            for stage in self.weights.stages
        )

    @property
    def post_filter(self) -> np.ndarray | None:
        """Taps of the learned filter after tanh. None without one."""
        taps = self.weights.post_filter
        return None if taps is None else taps[:, 0, 0].astype(np.float64)

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
