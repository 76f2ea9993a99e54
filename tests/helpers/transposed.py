"""Transposed convolution in NumPy, computed in three ways, as a reference for other code.

Signals have shape (length, channels). Kernels are laid out as in Keras: (kernel_size, input
channels, filters) for a convolution, (kernel_size, filters, input channels) for a transposed one.
The same array therefore serves a convolution and its transpose.
"""

from dataclasses import dataclass

import numpy as np

from wavegan_rc.errors import ParameterError


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Kernel size, stride, padding and dilation of a convolution and its transpose.

    Attributes:
        kernel_size: Number of taps K, at least 1.
        stride: Samples s between neighbouring kernel positions, at least 1.
        padding: Zeros P on both sides of the convolution's input, at least 0. The transpose removes
            as many samples from both ends of its output.
        dilation: Samples D between neighbouring taps, at least 1.
        output_padding: Samples added at the end of the transpose's output, from 0 to `stride - 1`.
            A convolution maps `stride` different input lengths to one output length; this chooses
            one of them.

    Raises:
        ParameterError: If a value is out of range; `output_padding` must be smaller than `stride`.

    Source:
        V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning" (2016),
        chapter 4.
    """

    kernel_size: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    output_padding: int = 0

    def __post_init__(self) -> None:
        for name, low in {"kernel_size": 1, "stride": 1, "padding": 0, "dilation": 1}.items():
            if getattr(self, name) < low:
                raise ParameterError(
                    f"{name} must be at least {low}. Received: {getattr(self, name)}"
                )
        if not 0 <= self.output_padding < self.stride:
            raise ParameterError(
                f"output_padding must be at least 0 and smaller than stride, {self.stride}. "
                f"Received: {self.output_padding}"
            )

    @property
    def reach(self) -> int:
        """Number of samples from the first to the last tap, both included."""
        return self.dilation * (self.kernel_size - 1) + 1

    def convolved_length(self, length: int) -> int:
        """Return the output length of the convolution for an input of `length` samples.

        Example:
            >>> Geometry(kernel_size=4, stride=2, padding=1).convolved_length(16)
            8
        """
        return _positive((length + 2 * self.padding - self.reach) // self.stride + 1, length)

    def transposed_length(self, length: int) -> int:
        """Return the output length of the transposed convolution for `length` input samples.

        Example:
            >>> Geometry(kernel_size=4, stride=2, padding=1).transposed_length(8)
            16
        """
        whole = (length - 1) * self.stride + self.reach
        return _positive(whole - 2 * self.padding + self.output_padding, length)


def _positive(result: int, length: int) -> int:
    if length < 1 or result < 1:
        raise ParameterError(f"length must be greater for this geometry. Received: {length}")
    return result


def _check_kernel(kernel: np.ndarray, geometry: Geometry) -> None:
    if len(kernel) != geometry.kernel_size:
        raise ParameterError(
            f"kernel must have {geometry.kernel_size} taps, as geometry says. "
            f"Received: {len(kernel)}"
        )


def convolution_matrix(kernel: np.ndarray, length: int, geometry: Geometry) -> np.ndarray:
    """Return the matrix of a strided convolution.

    Args:
        kernel: Array of shape (kernel_size, channels, filters).
        length: Input length in samples.
        geometry: Stride, padding and dilation.

    Returns:
        Matrix of shape (convolved length * filters, length * channels); time is the slower index
        of both axes.

    Example:
        >>> kernel = np.array([1.0, 2.0]).reshape(2, 1, 1)
        >>> convolution_matrix(kernel, 4, Geometry(kernel_size=2, stride=2))
        array([[1., 2., 0., 0.],
               [0., 0., 1., 2.]])
    """
    _check_kernel(kernel, geometry)
    taps, channels, filters = kernel.shape
    rows = geometry.convolved_length(length)
    matrix = np.zeros((rows, filters, length, channels))
    for row in range(rows):
        for tap in range(taps):
            column = row * geometry.stride + tap * geometry.dilation - geometry.padding
            if 0 <= column < length:
                matrix[row, :, column] = kernel[tap].T
    return matrix.reshape(rows * filters, length * channels)


def convolve(signal: np.ndarray, kernel: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Compute a strided convolution, with the kernel not reversed, as in neural networks.

    Args:
        signal: Array of shape (length, channels).
        kernel: Array of shape (kernel_size, channels, filters).
        geometry: Stride, padding and dilation.

    Returns:
        Array of shape (convolved length, filters).

    Example:
        >>> signal = np.arange(4.0).reshape(4, 1)
        >>> convolve(signal, np.ones((2, 1, 1)), Geometry(kernel_size=2, stride=2)).ravel()
        array([1., 5.])
    """
    matrix = convolution_matrix(kernel, len(signal), geometry)
    return (matrix @ signal.ravel()).reshape(-1, kernel.shape[2])


def scatter_add(signal: np.ndarray, kernel: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Compute a transposed convolution by adding one weighted kernel copy per input sample.

    Args:
        signal: Array of shape (length, channels).
        kernel: Array of shape (kernel_size, filters, channels).
        geometry: Stride, padding, dilation and output padding.

    Returns:
        Array of shape (transposed length, filters).

    Example:
        >>> signal = np.array([[1.0], [10.0]])
        >>> scatter_add(signal, np.ones((3, 1, 1)), Geometry(kernel_size=3, stride=2)).ravel()
        array([ 1.,  1., 11., 10., 10.])
    """
    _check_kernel(kernel, geometry)
    taps, filters, _ = kernel.shape
    length = geometry.transposed_length(len(signal))
    output = np.zeros((length, filters))
    for n, sample in enumerate(signal):
        for tap in range(taps):
            m = n * geometry.stride + tap * geometry.dilation - geometry.padding
            if 0 <= m < length:
                output[m] += kernel[tap] @ sample
    return output


def matrix_transpose(signal: np.ndarray, kernel: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Compute a transposed convolution by the transpose of the matrix; see `scatter_add`.

    Example:
        >>> signal = np.array([[1.0], [10.0]])
        >>> matrix_transpose(signal, np.ones((3, 1, 1)), Geometry(kernel_size=3, stride=2)).ravel()
        array([ 1.,  1., 11., 10., 10.])
    """
    length = geometry.transposed_length(len(signal))
    matrix = convolution_matrix(kernel, length, geometry)
    return (matrix.T @ signal.ravel()).reshape(length, -1)


def zero_insertion(signal: np.ndarray, kernel: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Compute a transposed convolution by zero insertion and convolution; see `scatter_add`.

    Example:
        >>> signal = np.array([[1.0], [10.0]])
        >>> zero_insertion(signal, np.ones((3, 1, 1)), Geometry(kernel_size=3, stride=2)).ravel()
        array([ 1.,  1., 11., 10., 10.])
    """
    _check_kernel(kernel, geometry)
    _, filters, channels = kernel.shape
    stuffed = np.zeros(((len(signal) - 1) * geometry.stride + 1, channels))
    stuffed[:: geometry.stride] = signal
    spread = np.zeros((geometry.reach, filters, channels))
    spread[:: geometry.dilation] = kernel
    whole = np.zeros((len(stuffed) + geometry.reach - 1 + geometry.output_padding, filters))
    for filter_ in range(filters):
        for channel in range(channels):
            part = np.convolve(stuffed[:, channel], spread[:, filter_, channel])
            whole[: len(part), filter_] += part
    start = geometry.padding
    return whole[start : start + geometry.transposed_length(len(signal))]
