"""The generator: it maps a latent vector to a segment of audio."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from keras import layers

from wavegan_rc.config.choices import (
    ACTIVATIONS,
    ARCHITECTURES,
    Activation,
    Architecture,
    KernelInitializer,
    Padding,
    Upsampler,
    check_word,
    initializers_per_stage,
    per_stage,
)
from wavegan_rc.config.settings import Settings
from wavegan_rc.errors import ParameterError
from wavegan_rc.nn.activations import activate
from wavegan_rc.nn.levels import LEVEL, LEVELS, LevelBlend
from wavegan_rc.nn.shared import MINIMUM_FILTERS, initial_seeds
from wavegan_rc.nn.upsampling import UpsampleConv1D

# The layer that makes the audio of residual stages, and the learned filter after tanh.
LAST, POST_FILTER = "last", "post_filter"
# Convolutions of a residual block after the upsampling (Binkowski et al. 2020).
DILATIONS = (2, 4, 8)
_DILATED_TAPS = 3


def generator_widths(stages: int, filters: int, channels: int = 1) -> list[int]:
    """Return the number of output channels of each stage.

    Example:
        >>> generator_widths(stages=5, filters=128)
        [64, 32, 16, 16, 1]
    """
    floor = min(MINIMUM_FILTERS, filters)
    return [*(max(floor, filters >> stage) for stage in range(1, stages)), channels]


def build_generator(
    *,
    segment_length: int = Settings.segment_length,
    latent_dim: int = Settings.latent_dim,
    upsampling_factors: Sequence[int] = Settings.upsampling_factors,
    kernel_size: int = Settings.kernel_size,
    filters: int = Settings.filters,
    channels: int = 1,
    upsampler: Upsampler | Sequence[Upsampler] = Settings.upsampler,
    architecture: Architecture = Settings.architecture,
    activation: Activation = Settings.activation,
    pixel_norm: bool = Settings.pixel_norm,
    padding: Padding = Settings.padding,
    kernel_initializer: KernelInitializer = Settings.kernel_initializer,
    use_bias: bool = Settings.use_bias,
    post_filter_length: int = Settings.post_filter_length,
    levels: int = 1,
    precision: str = Settings.precision,
    seed: int | None = None,
) -> keras.Model:
    """Build the generator: Dense, reshape, upsampling stages, tanh, optional filter.

    A `plain` stage is an upsampling convolution; a ReLU stands between two stages. The last stage
    makes the audio. A `residual` stage is a block of GAN-TTS without batch normalization: ReLU,
    upsampling convolution, ReLU, convolution (dilation 2), beside an upsampling skip; then ReLU,
    convolution (dilation 4), ReLU, convolution (dilation 8), beside an identity. After the last
    stage, a ReLU and a convolution make the audio. Dilated kernels have 3 taps.

    Args:
        segment_length: Output length in samples, a multiple of the product of the factors.
        latent_dim: Length of the latent vector.
        upsampling_factors: Upsampling factor of each stage.
        kernel_size: Kernel length of every stage, in output samples of the stage.
        filters: Channels of the first feature map. Each stage halves the channels, down to 16 (or
            `filters`, if that is less).
        channels: Audio channels.
        upsampler: Upsampler of all stages, or one per stage; see `UpsampleConv1D`.
        architecture: Kind of stages, `plain` or `residual`.
        activation: Activation between convolutions: `relu` or `anti_aliased_relu`; see
            `AntiAliasedReLU`.
        pixel_norm: After each activation, divide the channels of a sample by their RMS.
        padding: Padding of the feature maps; see `UpsampleConv1D`. Dilated convolutions pad with
            zeros.
        kernel_initializer: Initializer of the stages whose upsampler it suits; other stages use
            `he`. See `initial_kernel`.
        use_bias: Biases in the dense layer and the stages.
        post_filter_length: Taps of a learned filter after tanh, initially an identity; 0 means no
            filter. With a filter, audio can exceed [-1, 1].
        levels: Number of last stages that have an output each, for progressive growing of a plain
            generator. All outputs but that of the last stage are upsampling convolutions of the
            same kind, straight to the audio's rate; a `LevelBlend` sums them before tanh.
        precision: Dtype policy of all layers before the layer that makes the audio. That layer has
            few multiplications, and it and all that follows stay float32.
        seed: Seed of the initial weights; None draws one.

    Returns:
        Model from latents of shape (batch, latent_dim) to audio of shape
        (batch, segment_length, channels) with full scale 1.

    Raises:
        ParameterError: If the segment length is not a multiple of the product of the factors, the
            number of upsamplers is neither 1 nor the number of stages, a word is unknown, or there
            are more levels than plain stages.

    Source:
        C. Donahue, J. McAuley, M. Puckette, "Adversarial Audio Synthesis" (ICLR 2019), Table 3 and
        Appendix A (post-processing filter); M. Binkowski et al., "High Fidelity Speech Synthesis
        with Adversarial Networks" (ICLR 2020), Figure 1 (residual block); T. Karras et al.,
        "Progressive Growing of GANs" (ICLR 2018), sections 2 (levels) and 4.2 (pixel norm).

    Example:
        >>> build_generator(segment_length=256, upsampling_factors=(4, 4), filters=8).output_shape
        (None, 256, 1)
    """
    product = math.prod(upsampling_factors)
    if segment_length % product:
        raise ParameterError(
            f"segment_length must be a multiple of the product of upsampling_factors, {product}. "
            f"Received: {segment_length}"
        )
    check_word("architecture", architecture, ARCHITECTURES)
    check_word("activation", activation, ACTIVATIONS)
    count = len(upsampling_factors)
    if not 1 <= levels <= (count if architecture == "plain" else 1):
        raise ParameterError(
            f"levels must be 1, or at most the number of plain stages. Received: {levels}"
        )
    upsamplers = per_stage(upsampler, count)
    initializers = initializers_per_stage(kernel_initializer, upsamplers)
    widths = generator_widths(count, filters, channels)
    kinds = zip(upsampling_factors, upsamplers, initializers, widths, strict=True)
    stages = [
        _Stage(f"stage_{number}", factor, word, initializer, width, kernel_size)
        for number, (factor, word, initializer, width) in enumerate(kinds, start=1)
    ]
    parts = _Parts(initial_seeds(seed), precision, use_bias, activation, pixel_norm, padding)
    length = segment_length // product
    latents = layers.Input((latent_dim,), dtype="float32", name="latents")
    x = layers.Dense(
        length * filters,
        use_bias=use_bias,
        kernel_initializer=keras.initializers.GlorotUniform(next(parts.seeds)),
        dtype=precision,
        name="dense",
    )(latents)
    x = layers.Reshape((length, filters), dtype=precision, name="feature_map")(x)
    x = parts.plain(x, stages, levels) if architecture == "plain" else parts.residual(x, stages)
    x = layers.Activation("tanh", dtype="float32", name="audio")(x)
    if post_filter_length:
        x = _post_filter(x, channels, post_filter_length)
    return keras.Model(latents, x, name="generator")


@dataclass(frozen=True)
class _Stage:
    """An upsampling convolution."""

    name: str
    factor: int
    upsampler: Upsampler
    initializer: KernelInitializer
    width: int
    kernel_size: int


@dataclass(frozen=True)
class _Parts:
    """Layers with what all of them share."""

    seeds: Iterator[int]
    precision: str
    use_bias: bool
    kind: Activation
    pixel_norm: bool
    padding: Padding

    def plain(self, x: Any, stages: list[_Stage], levels: int) -> Any:
        """Apply stages with an activation before each; the last one makes the audio."""
        x = self._activation(x, "dense_relu")
        maps = []  # the inputs of all stages but the first
        for stage in stages[:-1]:
            x = self._activation(self._upsampling(x, stage, self.precision), f"{stage.name}_relu")
            maps.append(x)
        x = self._upsampling(x, stages[-1], "float32")
        if levels == 1:
            return x
        outputs = [
            self._upsampling(maps[number - 1], _to_audio(stages, number, level), "float32")
            for level, number in enumerate(range(len(stages) - levels + 1, len(stages)))
        ]
        return LevelBlend(dtype="float32", name=LEVELS)([*outputs, x])

    def residual(self, x: Any, stages: list[_Stage]) -> Any:
        """Apply blocks of GAN-TTS; a convolution after them makes the audio."""
        for stage in stages[:-1]:
            x = self._block(x, stage)
        # All stages but the last halve the channels; the last keeps them.
        x = self._block(x, replace(stages[-1], width=x.shape[2]))
        x = self._activation(x, f"{LAST}_relu")
        return self._convolution(x, stages[-1].width, 1, LAST, "float32")

    def _block(self, x: Any, stage: _Stage) -> Any:
        name = stage.name
        # A 1x1 kernel would leave a transposed convolution's zeros as they are.
        taps = 2 * stage.factor if stage.upsampler == "transposed" else 1
        skip = replace(stage, name=f"{name}_skip", initializer="he", kernel_size=taps)
        skip = self._upsampling(x, skip, self.precision)
        path = self._activation(x, f"{name}_input_relu")
        path = self._upsampling(path, stage, self.precision)
        path = self._activated(path, 2, name)
        x = layers.Add(dtype=self.precision, name=f"{name}_sum")([path, skip])
        path = self._activated(self._activated(x, 4, name), 8, name)
        return layers.Add(dtype=self.precision, name=f"{name}_output")([path, x])

    def _activated(self, x: Any, dilation: int, name: str) -> Any:
        path = self._activation(x, f"{name}_relu_{dilation}")
        dilated = f"{name}_dilation_{dilation}"
        return self._convolution(path, x.shape[2], dilation, dilated, self.precision)

    def _activation(self, x: Any, name: str) -> Any:
        return activate(x, self.kind, self.pixel_norm, name, self.precision)

    def _upsampling(self, x: Any, stage: _Stage, dtype: str) -> Any:
        layer = UpsampleConv1D(
            stage.width,
            stage.kernel_size,
            stage.factor,
            stage.upsampler,
            kernel_initializer=stage.initializer,
            use_bias=self.use_bias,
            seed=next(self.seeds),
            dtype=dtype,
            name=stage.name,
            padding=self.padding,
        )
        return layer(x)

    def _convolution(self, x: Any, width: int, dilation: int, name: str, dtype: str) -> Any:
        layer = layers.Conv1D(
            width,
            _DILATED_TAPS,
            dilation_rate=dilation,
            padding="same",
            data_format="channels_last",
            use_bias=self.use_bias,
            kernel_initializer=keras.initializers.HeNormal(next(self.seeds)),
            dtype=dtype,
            name=name,
        )
        return layer(x)


def _to_audio(stages: list[_Stage], number: int, level: int) -> _Stage:
    """Return the output of a level after so many stages, with the next one's taps per sample."""
    rest = math.prod(stage.factor for stage in stages[number:])
    following = stages[number]
    return replace(
        following,
        name=f"{LEVEL}{level}",
        factor=rest,
        width=stages[-1].width,
        kernel_size=following.kernel_size * rest // following.factor,
    )


def _post_filter(x: Any, channels: int, taps: int) -> Any:
    post_filter = layers.Conv1D(
        channels,
        taps,
        padding="same",
        data_format="channels_last",
        use_bias=False,
        dtype="float32",
        name=POST_FILTER,
    )
    x = post_filter(x)
    impulse = np.zeros(post_filter.kernel.shape)
    impulse[(taps - 1) // 2] = np.eye(channels)
    post_filter.set_weights([impulse])
    return x
