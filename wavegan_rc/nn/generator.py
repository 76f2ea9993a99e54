"""The generator: it maps a latent vector to a segment of audio."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from wavegan_rc.config.choices import (
    KernelInitializer,
    Padding,
    Upsampler,
    initializers_per_stage,
    per_stage,
)
from wavegan_rc.config.settings import Settings
from wavegan_rc.errors import ParameterError
from wavegan_rc.nn.shared import MINIMUM_FILTERS, initial_seeds
from wavegan_rc.nn.upsampling import Implementation, UpsampleConv1D

POST_FILTER = "post_filter"


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
    padding: Padding = Settings.padding,
    kernel_initializer: KernelInitializer = Settings.kernel_initializer,
    use_bias: bool = Settings.use_bias,
    post_filter_length: int = Settings.post_filter_length,
    implementation: Implementation = "polyphase",
    precision: str = Settings.precision,
    seed: int | None = None,
) -> keras.Model:
    """Build the generator: Dense, reshape, upsampling stages with ReLU, tanh, optional filter.

    Args:
        segment_length: Output length in samples, a multiple of the product of the factors.
        latent_dim: Length of the latent vector.
        upsampling_factors: Upsampling factor of each stage.
        kernel_size: Kernel length of every stage, in output samples of the stage.
        filters: Channels of the first feature map. Each stage but the last halves the channels,
            down to 16 (or `filters`, if that is less).
        channels: Audio channels.
        upsampler: Upsampler of all stages, or one per stage; see `UpsampleConv1D`.
        padding: Padding of the feature maps; see `UpsampleConv1D`.
        kernel_initializer: Initializer of the stages whose upsampler it suits; other stages use
            `he`. See `initial_kernel`.
        use_bias: Biases in the dense layer and the stages.
        post_filter_length: Taps of a learned filter after tanh, initially an identity; 0 means no
            filter. With a filter, audio can exceed [-1, 1].
        implementation: Implementation of the stages; see `UpsampleConv1D`.
        precision: Dtype policy of all layers before the last stage. The last stage has few
            multiplications, and it and all that follows stay float32.
        seed: Seed of the initial weights; None draws one.

    Returns:
        Model from latents of shape (batch, latent_dim) to audio of shape
        (batch, segment_length, channels) with full scale 1.

    Raises:
        ParameterError: If the segment length is not a multiple of the product of the factors, the
            number of upsamplers is neither 1 nor the number of stages, or an upsampler, padding or
            initializer is unknown.

    Source:
        C. Donahue, J. McAuley, M. Puckette, "Adversarial Audio Synthesis" (ICLR 2019), Table 3 and
        Appendix A (post-processing filter).

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
    stages = len(upsampling_factors)
    upsamplers = per_stage(upsampler, stages)
    initializers = initializers_per_stage(kernel_initializer, upsamplers)
    seeds = initial_seeds(seed)
    length = segment_length // product
    latents = layers.Input((latent_dim,), dtype="float32", name="latents")
    x = layers.Dense(
        length * filters,
        use_bias=use_bias,
        kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
        dtype=precision,
        name="dense",
    )(latents)
    x = layers.Reshape((length, filters), dtype=precision, name="feature_map")(x)
    x = layers.ReLU(dtype=precision, name="dense_relu")(x)
    widths = generator_widths(stages, filters, channels)
    for stage, (factor, width) in enumerate(zip(upsampling_factors, widths, strict=True), start=1):
        last = stage == stages
        x = UpsampleConv1D(
            width,
            kernel_size,
            factor,
            upsamplers[stage - 1],
            padding=padding,
            kernel_initializer=initializers[stage - 1],
            use_bias=use_bias,
            implementation=implementation,
            seed=next(seeds),
            dtype="float32" if last else precision,
            name=f"stage_{stage}",
        )(x)
        if not last:
            x = layers.ReLU(dtype=precision, name=f"stage_{stage}_relu")(x)
    x = layers.Activation("tanh", dtype="float32", name="audio")(x)
    if post_filter_length:
        x = _post_filter(x, channels, post_filter_length)
    return keras.Model(latents, x, name="generator")


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
