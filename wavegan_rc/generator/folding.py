"""A trained generator in Keras's own layers, its kernels folded once and for all."""

from typing import Any

import keras
import numpy as np
from keras import layers

from wavegan_rc.nn.shared import is_same_padding
from wavegan_rc.nn.upsampling import UpsampleConv1D

# Keras takes what is not stated from the user's keras.json.
_LAST = {"data_format": "channels_last"}


def fold_generator(generator: keras.Model) -> keras.Model:
    """Rebuild a generator so that it loads without this package and computes the same.

    Each stage becomes a `Conv1D` at the low rate, whose kernel holds the interpolation too, and a
    `Reshape`; everything else is copied, in float32. With zeros as padding, `linear` and `sinc`
    take a `Dense` layer for each end besides, which makes their files larger (the default
    generator: 1.8 and 3.4 times the weights).

    Args:
        generator: From `build_generator`; its layers follow one another.

    Returns:
        Model of Keras's own layers, with weights of its own.

    Example:
        >>> from wavegan_rc.nn.generator import build_generator
        >>> generator = build_generator(segment_length=64, upsampling_factors=(4,), filters=8)
        >>> folded = fold_generator(generator)
        >>> tuple(folded.get_layer("stage_1").kernel.shape)  # (taps, channels, factor * filters)
        (7, 8, 4)
    """
    latents = x = layers.Input(generator.input_shape[1:], dtype="float32", name="latents")
    for layer in generator.layers[1:]:
        if isinstance(layer, UpsampleConv1D):
            x = _stage(layer, x)
        else:
            copy = type(layer).from_config(layer.get_config() | {"dtype": "float32"})
            x = copy(x)
            copy.set_weights(layer.get_weights())
    return keras.Model(latents, x, name=generator.name)


def _stage(layer: UpsampleConv1D, inputs: Any) -> Any:
    length = inputs.shape[1]
    before, after = layer.fold.before, layer.fold.after
    weights = [layer.folded_kernel(), *([layer.folded_bias()] if layer.use_bias else [])]
    taps, _, filters = weights[0].shape

    def options(part: str = "") -> dict[str, Any]:
        return {"name": layer.name + part, "dtype": "float32"}

    x, padding = inputs, "valid"
    if layer.padding != "zeros":
        x = layer.extend(inputs, before, after)
    elif is_same_padding(taps, before, after):
        padding = "same"
    else:
        x = layers.ZeroPadding1D((before, after), **_LAST, **options("_zeros"))(inputs)
    convolution = layers.Conv1D(
        filters, taps, padding=padding, use_bias=layer.use_bias, **_LAST, **options()
    )
    x = convolution(x)
    convolution.set_weights([np.asarray(weight) for weight in weights])
    for position, (end, kernel) in enumerate(layer.folded_ends(length)):
        part = f"_end_{position}"
        cropping = (end.samples.start, length - end.samples.stop)
        change = layers.Cropping1D(cropping, **options(f"{part}_samples"))(inputs)
        change = layers.Flatten(**_LAST, **options(f"{part}_flat"))(change)
        matrix = layers.Dense(kernel.shape[1], use_bias=False, **options(part))
        change = matrix(change)
        matrix.set_weights([np.asarray(kernel)])
        change = layers.Reshape((-1, filters), **options(f"{part}_blocks"))(change)
        around = (end.blocks.start, length - end.blocks.stop)
        change = layers.ZeroPadding1D(around, **_LAST, **options(f"{part}_placed"))(change)
        x = layers.Add(**options(f"{part}_added"))([x, change])
    shape = (length * layer.factor, layer.filters)
    return layers.Reshape(shape, **options("_phases"))(x)
