"""The moving average of a generator's weights, whose horizon grows with the steps made."""

from typing import Any

import keras
from keras import ops

# Exponent of the weights t**_POWER over steps t: a relative width (standard deviation over age) of
# 5 %, the sharper of the two that Karras et al. store.
_POWER = 16.97


def float32_copy(generator: keras.Model) -> keras.Model:
    """Return a copy of a generator in float32: an average adds up small changes."""

    def copy_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
        return type(layer).from_config(layer.get_config() | {"dtype": "float32"})

    copy = keras.models.clone_model(generator, clone_function=copy_layer)
    copy.set_weights(generator.get_weights())
    return copy


def update_average(average: keras.Model, generator: keras.Model, step: Any) -> None:
    """Move a `float32_copy` towards its generator after so many updates.

    Source:
        T. Karras et al., "Analyzing and Improving the Training Dynamics of Diffusion Models"
        (2024), section 3.1.
    """
    # Weights proportional to t**p: the new value's share is 1 - (1 - 1 / t)**(p + 1).
    share = 1 - (1 - 1 / ops.cast(step, "float32")) ** (_POWER + 1)
    pairs = zip(average.trainable_variables, generator.trainable_variables, strict=True)
    for mean, current in pairs:
        mean.assign_add(share * (ops.convert_to_tensor(current) - mean))
