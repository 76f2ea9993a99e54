"""The generator's convolution, which raises the rate by an integer factor."""

from typing import Any

import keras
import numpy as np
from keras import ops

from wavegan_rc.config.choices import (
    PADDINGS,
    KernelInitializer,
    Padding,
    Upsampler,
    check_word,
    initializers_per_stage,
)
from wavegan_rc.errors import ParameterError
from wavegan_rc.nn.initializers import initial_kernel
from wavegan_rc.nn.shared import convolve
from wavegan_rc.theory.polyphase import EndCorrection, end_corrections, polyphase_fold


@keras.saving.register_keras_serializable("wavegan_rc")
class UpsampleConv1D(keras.layers.Layer):
    """Upsampling by an integer factor and a convolution, computed as one low-rate convolution.

    With zero padding, `linear` and `sinc` add two small matrix products for the ends. The layer
    then equals the following layers with padding="same". Weights have the same shapes and can be
    exchanged.

    - `transposed`: `Conv1DTranspose(filters, kernel_size, factor)`
    - `resize`: `UpSampling1D(factor)`, `Conv1D(filters, kernel_size)`
    - `linear`: half-pixel linear interpolation (`keras.ops.image.resize`), `Conv1D(...)`
    - `sinc`: zero insertion, a Kaiser-windowed sinc (`scipy.signal.firwin`), `Conv1D(...)`
    - `subpixel`: `Conv1D(factor * filters, ceil(kernel_size / factor))`, `Reshape`. It has as many
      kernel weights as `transposed`, and one bias per phase. Channel `p * filters + f` is phase `p`
      of filter `f`.

    In bfloat16, the folded taps are rounded phase by phase. `resize` then also makes images of
    0 Hz, about 50 dB down (K = 22, factor 2); the layers above do not.

    Args:
        filters: Output channels, at least 1.
        kernel_size: Length of the learned kernel in output samples, at least 1.
        factor: Upsampling factor, at least 2.
        upsampler: Name of the upsampler.
        padding: Values beyond the ends of the input: `zeros`, as with "same" in Keras, `reflect`
            (about the first and the last sample) or `edge` (repeated end samples).
        kernel_initializer: Name of the initializer; see `initial_kernel`.
        use_bias: Add a bias to each output channel, initially 0.
        seed: Seed of the initial kernel; None draws one.

    Input shape:
        (batch, time, channels); time must be known.

    Output shape:
        (batch, time * factor, filters)

    Raises:
        ParameterError: If an argument is out of range, or the input length is unknown.

    Source:
        A. Odena, V. Dumoulin, C. Olah, "Deconvolution and Checkerboard Artifacts" (Distill, 2016),
        for `resize` and for `reflect` and `edge` padding; J. Pons et al., "Upsampling
        artifacts in neural audio synthesis" (ICASSP 2021), sections 2 to 4, and "Upsampling layers
        for music source separation" (2021) for the others.

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
        upsampler: Upsampler,
        *,
        padding: Padding = "zeros",
        kernel_initializer: KernelInitializer = "he",
        use_bias: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value, low in (
            ("filters", filters, 1),
            ("kernel_size", kernel_size, 1),
            ("factor", factor, 2),
        ):
            if not isinstance(value, int) or value < low:
                raise ParameterError(
                    f"{name} must be a whole number of at least {low}. Received: {value}"
                )
        check_word("padding", padding, PADDINGS)
        initializers_per_stage(kernel_initializer, [upsampler])
        self.filters = filters
        self.kernel_size = kernel_size
        self.factor = factor
        self.upsampler: Upsampler = upsampler
        self.padding: Padding = padding
        self.kernel_initializer: KernelInitializer = kernel_initializer
        self.use_bias = use_bias
        self.seed = seed
        # A subpixel kernel has a whole number of low-rate taps.
        self._taps = -(-kernel_size // factor) * factor if upsampler == "subpixel" else kernel_size
        self.fold = polyphase_fold(upsampler, self._taps, factor)

    def build(self, input_shape: tuple) -> None:
        _, length, channels = input_shape
        if length is None:
            raise ParameterError(
                f"input of UpsampleConv1D must have a known length. Received shape: {input_shape}"
            )
        kernel = initial_kernel(
            self.kernel_initializer,
            self.upsampler,
            kernel_size=self._taps,
            factor=self.factor,
            channels=channels,
            filters=self.filters,
            seed=self.seed,
        )
        outputs = self.filters
        if self.upsampler == "transposed":
            kernel = kernel.transpose(0, 2, 1)  # as in Conv1DTranspose
        elif self.upsampler == "subpixel":
            outputs *= self.factor
            kernel = kernel.reshape(-1, self.factor, channels, self.filters)
            kernel = kernel.transpose(0, 2, 1, 3).reshape(-1, channels, outputs)
        self.kernel = self.add_weight(
            name="kernel",
            shape=kernel.shape,
            initializer=lambda _, dtype: ops.cast(kernel, dtype),  # JAX does not cast it
        )
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(outputs,), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        length, filters = inputs.shape[1], self.factor * self.filters
        before, after = self.fold.before, self.fold.after
        if self.padding != "zeros":
            extended = extend(inputs, before, after, self.padding)
            outputs = convolve(extended, self.folded_kernel(), 0, 0)
        else:
            outputs = convolve(inputs, self.folded_kernel(), before, after)
            for end, kernel in self.folded_ends(length):
                change = ops.matmul(
                    ops.reshape(inputs[:, end.samples], (-1, kernel.shape[0])), kernel
                )
                change = ops.reshape(change, (-1, end.blocks.stop - end.blocks.start, filters))
                around = [end.blocks.start, length - end.blocks.stop]
                outputs = outputs + ops.pad(change, [[0, 0], around, [0, 0]])
        if self.use_bias:
            outputs = outputs + self.folded_bias()
        return ops.reshape(outputs, (-1, length * self.factor, self.filters))

    def folded_kernel(self) -> Any:
        """Return the low-rate kernel, shape (taps, channels, factor * filters)."""
        if self.upsampler == "subpixel":
            return ops.convert_to_tensor(self.kernel)
        return self._fold(self.fold.matrix)

    def folded_bias(self) -> Any:
        """Return the low-rate bias, shape (factor * filters,)."""
        return self.bias if self.upsampler == "subpixel" else ops.tile(self.bias, [self.factor])

    def folded_ends(self, length: int) -> list[tuple[EndCorrection, Any]]:
        """Return the end corrections of zero padding, each with its folded kernel.

        A kernel has shape (samples * channels, blocks * factor * filters).
        """
        if self.padding != "zeros":
            return []
        ends = []
        for end in end_corrections(self.upsampler, self.kernel_size, self.factor, length):
            outputs = len(end.matrix) * self.filters
            ends.append((end, ops.reshape(self._fold(end.matrix), (-1, outputs))))
        return ends

    def _fold(self, matrix: np.ndarray) -> Any:
        """Apply a matrix (outputs, samples, kernel_size) to the kernel's taps.

        The result has the shape (samples, channels, outputs * filters).
        """
        kernel = ops.convert_to_tensor(self.kernel)
        if self.upsampler == "transposed":
            kernel = ops.transpose(kernel, (0, 2, 1))
        outputs, samples, taps = matrix.shape
        rows = ops.cast(matrix.reshape(-1, taps), kernel.dtype)
        folded = ops.matmul(rows, ops.reshape(kernel, (taps, -1)))
        folded = ops.reshape(folded, (outputs, samples, -1, self.filters))
        folded = ops.transpose(folded, (1, 2, 0, 3))
        return ops.reshape(folded, (samples, -1, outputs * self.filters))

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
            "padding": self.padding,
            "kernel_initializer": self.kernel_initializer,
            "use_bias": self.use_bias,
            "seed": self.seed,
        }


def extend(x: Any, before: int, after: int, padding: Padding) -> Any:
    """Add samples at both ends of a signal (batch, time, channels) by `reflect` or `edge`."""
    length = x.shape[1]
    mode: Any = padding  # NumPy uses the same words
    sources = np.pad(np.arange(length), (before, after), mode=mode).tolist()
    head, tail = sources[:before], sources[before + length :]
    parts = [ops.take(x, head, axis=1)] if head else []
    parts += [x, ops.take(x, tail, axis=1)] if tail else [x]
    return ops.concatenate(parts, axis=1)
