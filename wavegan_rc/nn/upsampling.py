"""The generator's stage: raise the rate by an integer factor, then a learned kernel."""

from typing import Any

import keras
import numpy as np
from keras import ops

from wavegan_rc.errors import ParameterError
from wavegan_rc.nn.shared import convolve


def polyphase_fold(upsampler: str, kernel_size: int, factor: int) -> tuple[np.ndarray, int, int]:
    """The constant matrix that turns a kernel into its low-rate, polyphase form.

    Output sample `m = factor * n + p` is a sum over kernel taps `k`, each meeting the low-rate
    input sample `n + q`. With "same" alignment as in Keras:

    - `resize`: the nearest-upsampled input at `m + k - (K - 1) // 2` is the low-rate input at that
      index divided by `factor`, so `q = (p + k - (K - 1) // 2) // factor` for every tap.
    - `transposed`: tap `k` carries low-rate sample `n'` to `m = factor * n' + k - left`, with
      `left = max(K - factor, 0) // 2`, so only the taps with `(p + left - k) % factor == 0` meet
      data, at `q = (p + left - k) // factor`.

    Collecting the taps by `(p, q)` gives a kernel at the low rate with `factor` times the
    channels: fewer multiplications, and none on repeated or zero samples.

    Args:
        upsampler: `transposed` or `resize`.
        kernel_size: K, in output samples.
        factor: Upsampling factor.

    Returns:
        Matrix of zeros and ones of shape (factor, taps, kernel_size), and the number of zeros that
        the low-rate input needs before its start and after its end.

    Raises:
        ParameterError: If `upsampler` is unknown.

    Source:
        P. P. Vaidyanathan, "Multirate Systems and Filter Banks" (1993), section 4.3 (polyphase
        interpolation), applied to the composite of a fixed and a learned kernel.

    Example:
        >>> matrix, before, after = polyphase_fold("resize", kernel_size=3, factor=2)
        >>> matrix.astype(int).tolist(), before, after
        ([[[1, 0, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 1, 0], [0, 0, 1]]], 1, 1)
    """
    phase = np.arange(factor)[:, None]
    tap = np.arange(kernel_size)[None, :]
    if upsampler == "resize":
        lag = phase + tap - (kernel_size - 1) // 2
        meets_data = np.ones_like(lag, dtype=bool)
    elif upsampler == "transposed":
        lag = phase + max(kernel_size - factor, 0) // 2 - tap
        meets_data = lag % factor == 0
    else:
        raise ParameterError(f"upsampler must be transposed or resize. Received: {upsampler}")
    offset = lag // factor
    p, k = np.nonzero(meets_data)
    before, after = max(0, -offset[p, k].min()), max(0, offset[p, k].max())
    matrix = np.zeros((factor, before + after + 1, kernel_size), np.float32)
    matrix[p, offset[p, k] + before, k] = 1
    return matrix, int(before), int(after)


@keras.saving.register_keras_serializable("wavegan_rc")
class UpsampleConv1D(keras.layers.Layer):
    """Upsample by an integer factor and convolve, as one convolution at the low rate.

    `transposed` equals `Conv1DTranspose(filters, kernel_size, factor, padding="same")`; `resize`
    equals `UpSampling1D(factor)` then `Conv1D(filters, kernel_size, padding="same")`. The weights
    have the same shapes and can be exchanged.

    Args:
        filters: Output channels.
        kernel_size: Length of the learned kernel, in output samples.
        factor: Upsampling factor.
        upsampler: `transposed` or `resize`.
        seed: Of the initial kernel (Glorot uniform).

    Input shape:
        (batch, time, channels)

    Output shape:
        (batch, time * factor, filters)

    Example:
        >>> layer = UpsampleConv1D(8, kernel_size=22, factor=2, upsampler="resize")
        >>> layer.compute_output_shape((None, 16, 4))
        (None, 32, 8)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        factor: int,
        upsampler: str,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.factor = factor
        self.upsampler = upsampler
        self.seed = seed
        self._matrix, self._before, self._after = polyphase_fold(upsampler, kernel_size, factor)

    def build(self, input_shape: tuple) -> None:
        channels = (input_shape[-1], self.filters)
        if self.upsampler == "transposed":
            channels = channels[::-1]  # Conv1DTranspose keeps its output channels first
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, *channels),
            initializer=keras.initializers.GlorotUniform(self.seed),
        )
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        kernel = self._folded_kernel(inputs.shape[-1])
        low_rate = convolve(inputs, kernel, self._before, self._after)
        length = -1 if inputs.shape[1] is None else inputs.shape[1] * self.factor
        return ops.reshape(low_rate, (-1, length, self.filters)) + self.bias

    def _folded_kernel(self, channels: int) -> Any:
        """The kernel at the low rate, shape (taps, channels, factor * filters)."""
        kernel = ops.convert_to_tensor(self.kernel)
        if self.upsampler == "transposed":
            kernel = ops.transpose(kernel, (0, 2, 1))
        factor, taps, _ = self._matrix.shape
        matrix = ops.cast(self._matrix.reshape(factor * taps, -1), kernel.dtype)
        folded = ops.matmul(matrix, ops.reshape(kernel, (self.kernel_size, -1)))
        folded = ops.reshape(folded, (factor, taps, channels, self.filters))
        return ops.reshape(
            ops.transpose(folded, (1, 2, 0, 3)), (taps, channels, factor * self.filters)
        )

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, length, _ = input_shape
        return (batch, None if length is None else length * self.factor, self.filters)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "factor": self.factor,
            "upsampler": self.upsampler,
            "seed": self.seed,
        }
