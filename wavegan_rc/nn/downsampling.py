"""The critic's convolution, which lowers the rate by an integer factor."""

from typing import Any

import keras
from keras import ops

from wavegan_rc.errors import ParameterError
from wavegan_rc.nn.shared import convolve


@keras.saving.register_keras_serializable("wavegan_rc")
class StridedConv1D(keras.layers.Layer):
    """Strided convolution, computed as an unstrided one on blocks of `strides` samples.

    The layer equals `keras.layers.Conv1D(filters, kernel_size, strides, padding="same")`, with
    weights of the same shapes. Output sample `n` sums tap `k` times input sample
    `strides * n + k - left`. With `k - left = strides * q + r` and `0 <= r < strides`, that is
    sample `r` of input block `n + q`. So the layer is a convolution over blocks, with the samples
    of a block as channels. This makes a training step faster on a CPU, above all the second
    derivatives of the gradient penalty.

    Args:
        filters: Output channels.
        kernel_size: Kernel length in input samples.
        strides: Downsampling factor.
        seed: Seed of the initial kernel (Glorot uniform); None draws one.

    Input shape:
        (batch, time, channels); time must be known.

    Output shape:
        (batch, ceil(time / strides), filters)

    Example:
        >>> StridedConv1D(16, kernel_size=25, strides=4).compute_output_shape((None, 2048, 1))
        (None, 512, 16)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.seed = seed

    def build(self, input_shape: tuple) -> None:
        if input_shape[1] is None:
            raise ParameterError(
                f"input of StridedConv1D must have a known length. Received shape: {input_shape}"
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, input_shape[-1], self.filters),
            initializer=keras.initializers.GlorotUniform(self.seed),
        )
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        _, length, channels = inputs.shape
        blocks = -(-length // self.strides)
        # "same" padding, aligned as in Keras and TensorFlow.
        padding = max((blocks - 1) * self.strides + self.kernel_size - length, 0)
        left = padding // 2
        blocks_before = -(-left // self.strides)
        zeros_first = blocks_before * self.strides - left
        taps = -(-(zeros_first + self.kernel_size) // self.strides)
        zeros_last = taps * self.strides - zeros_first - self.kernel_size
        kernel = ops.convert_to_tensor(self.kernel)
        kernel = ops.reshape(
            ops.pad(kernel, [[zeros_first, zeros_last], [0, 0], [0, 0]]),
            (taps, self.strides * channels, self.filters),
        )
        whole = ops.pad(inputs, [[0, 0], [0, blocks * self.strides - length], [0, 0]])
        as_blocks = ops.reshape(whole, (-1, blocks, self.strides * channels))
        blocks_after = max(taps - 1 - blocks_before, 0)
        return convolve(as_blocks, kernel, blocks_before, blocks_after) + self.bias

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, length, _ = input_shape
        return (batch, -(-length // self.strides), self.filters)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "seed": self.seed,
        }
