"""The fixed filter applied to the critic's input."""

from typing import Any

import keras
import numpy as np
from keras import ops

from wavegan_rc.nn.shared import convolve


@keras.saving.register_keras_serializable("wavegan_rc")
class FixedFilter(keras.layers.Layer):
    """Filter of each channel whose taps are not trained.

    Segments are padded by reflection: zeros would turn the cut at each end into a click. The filter
    does nothing until `taps` is assigned.

    Args:
        taps: Number of taps. The centre tap, or the later of two, is aligned with the output
            sample.

    Input shape:
        (batch, time, channels); time must be greater than the number of taps.

    Output shape:
        The input shape, float32.

    Example:
        >>> difference = FixedFilter(2)
        >>> difference.build((None, 4, 1))
        >>> difference.set_weights([np.array([1.0, -1.0])])
        >>> np.asarray(difference(np.array([[[1.0], [2.0], [4.0], [4.0]]])))[0, :, 0].tolist()
        [-1.0, 1.0, 2.0, 0.0]
    """

    def __init__(self, taps: int, **kwargs: Any) -> None:
        super().__init__(trainable=False, dtype="float32", **kwargs)
        self.count = taps

    def build(self, input_shape: tuple) -> None:  # noqa: ARG002
        self.taps = self.add_weight(name="taps", shape=(self.count,), initializer=_impulse)

    def call(self, inputs: Any) -> Any:
        before = self.count // 2
        padded = ops.pad(inputs, [[0, 0], [before, self.count - 1 - before], [0, 0]], "reflect")
        # A convolution of neural networks does not reverse its kernel; a filter does.
        kernel = ops.reshape(ops.flip(self.taps), (-1, 1, 1))
        channels = [
            convolve(padded[:, :, channel : channel + 1], kernel, 0, 0)
            for channel in range(inputs.shape[-1])
        ]
        return ops.concatenate(channels, axis=2)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {"taps": self.count, "name": self.name}


def _impulse(shape: tuple[int], dtype: str | None = None) -> np.ndarray:  # noqa: ARG001
    return np.eye(1, shape[0], (shape[0] - 1) // 2, dtype=np.float32)[0]
