"""The generator: a latent vector becomes a segment of audio."""

import math
from collections.abc import Sequence
from typing import Literal

import keras
from keras import layers

from wavegan_rc.errors import ParameterError
from wavegan_rc.nn.shared import MINIMUM_FILTERS, initial_seeds
from wavegan_rc.nn.upsampling import UpsampleConv1D

Implementation = Literal["polyphase", "keras"]


def build_generator(
    *,
    segment_length: int = 2048,
    latent_dim: int = 64,
    upsampling_factors: Sequence[int] = (2,) * 7,
    kernel_size: int = 22,
    filters: int = 128,
    channels: int = 1,
    upsampler: str = "resize",
    implementation: Implementation = "polyphase",
    seed: int | None = None,
) -> keras.Model:
    """Build latents -> Dense -> reshape -> upsampling stages with ReLU -> tanh.

    Args:
        segment_length: Output length in samples, a multiple of the product of the factors.
        latent_dim: Length of the latent vector.
        upsampling_factors: One integer per stage.
        kernel_size: Of every stage, in output samples of the stage.
        filters: Channels of the first feature map; each stage but the last halves them, down to 16.
        channels: Of the audio.
        upsampler: `transposed` (Conv1DTranspose) or `resize` (nearest upsampling, then Conv1D).
        implementation: `polyphase` computes the stages at the low rate; `keras` is made of Keras's
            own layers, and loads without this package. Both take the same list of weights
            (`get_weights`) and give the same output.
        seed: Of the initial weights; None draws one.

    Returns:
        Model from (batch, latent_dim) to (batch, segment_length, channels), values in [-1, 1].

    Raises:
        ParameterError: If the factors do not divide the segment length, or the upsampler is
            unknown.

    Source:
        C. Donahue, J. McAuley, M. Puckette, "Adversarial Audio Synthesis" (ICLR 2019), Table 3.

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
    seeds = initial_seeds(seed)
    length = segment_length // product
    latents = layers.Input((latent_dim,), name="latents")
    x = layers.Dense(
        length * filters,
        kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
        name="dense",
    )(latents)
    x = layers.Reshape((length, filters), name="feature_map")(x)
    x = layers.ReLU(name="dense_relu")(x)
    floor = min(MINIMUM_FILTERS, filters)
    for stage, factor in enumerate(upsampling_factors, start=1):
        last = stage == len(upsampling_factors)
        width = channels if last else max(floor, filters >> stage)
        for layer in _stage(
            f"stage_{stage}", width, kernel_size, factor, upsampler, implementation, next(seeds)
        ):
            x = layer(x)
        x = (
            layers.Activation("tanh", name="audio")(x)
            if last
            else layers.ReLU(name=f"stage_{stage}_relu")(x)
        )
    return keras.Model(latents, x, name="generator")


def _stage(
    name: str,
    width: int,
    kernel_size: int,
    factor: int,
    upsampler: str,
    implementation: str,
    seed: int,
) -> list[keras.layers.Layer]:
    if implementation == "polyphase":
        return [UpsampleConv1D(width, kernel_size, factor, upsampler, seed=seed, name=name)]
    options = {
        "padding": "same",
        "data_format": "channels_last",
        "kernel_initializer": keras.initializers.GlorotUniform(seed),
        "name": name,
    }
    if upsampler == "transposed":
        return [layers.Conv1DTranspose(width, kernel_size, strides=factor, **options)]
    if upsampler == "resize":
        return [
            layers.UpSampling1D(factor, name=f"{name}_nearest"),
            layers.Conv1D(width, kernel_size, **options),
        ]
    raise ParameterError(f"upsampler must be transposed or resize. Received: {upsampler}")
