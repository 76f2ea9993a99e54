"""Minibatch standard deviation, by which a critic hears how varied a batch is."""

from typing import Any

import keras
from keras import ops

# Added inside the root, whose derivative is infinite at 0.
_EPSILON = 1e-8


@keras.saving.register_keras_serializable("wavegan_rc")
class MinibatchStd(keras.layers.Layer):
    """One more channel, which holds the mean standard deviation over the batch everywhere.

    The standard deviation over the batch is computed for each time and channel, and their mean is
    the same for all segments. It lets the critic recognize a generator that makes the same sound
    for all latents. The whole batch counts; the program of Karras et al. takes groups of 4.

    Input shape:
        (batch, time, channels)

    Output shape:
        (batch, time, channels + 1)

    Source:
        T. Karras et al., "Progressive Growing of GANs" (ICLR 2018), section 3.

    Example:
        >>> import numpy as np
        >>> batch = np.array([[[3.0]], [[5.0]]], np.float32)
        >>> np.asarray(MinibatchStd()(batch)).round(4).tolist()
        [[[3.0, 1.0]], [[5.0, 1.0]]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.built = True

    def call(self, inputs: Any) -> Any:
        variance = ops.var(ops.cast(inputs, "float32"), axis=0)
        deviation = ops.cast(ops.mean(ops.sqrt(variance + _EPSILON)), inputs.dtype)
        channel = ops.broadcast_to(deviation, (*ops.shape(inputs)[:2], 1))
        return ops.concatenate([inputs, channel], axis=-1)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], input_shape[-1] + 1)
