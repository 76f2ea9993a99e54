"""What the generator and the critic share."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from keras import ops

# Channels are halved towards the audio, but not below this.
MINIMUM_FILTERS = 16


def initial_seeds(seed: int | None) -> Iterator[int]:
    """Endless different seeds, one for each layer, fixed by `seed`.

    Two layers of the same shape and seed would start with the same weights.

    Example:
        >>> first, second = initial_seeds(0), initial_seeds(0)
        >>> next(first) == next(second), next(first) == next(first)
        (True, False)
    """
    generator = np.random.default_rng(seed)
    while True:
        yield int(generator.integers(2**31))


# Measured on 2 CPU cores (TensorFlow 2.21, oneDNN), 16 positions of 1024 channels, 7 taps, 2048
# filters: 1/2.8 of the convolution's time with batch 8, 1/2.5 with batch 64, gradients alike. The
# two are even near 32 filters per position, and the product loses below.
_FILTERS_PER_POSITION = 64


# Measured on 2 CPU cores without AVX-512 (TensorFlow 2.21, oneDNN), filters 64, batch 16: with
# blocks for the layers next to the audio, a training step takes 0.8 of the time. Larger blocks, and
# blocks for wider layers, gain less.
_CHANNELS_OF_BLOCK = 16


def is_same_padding(taps: int, before: int, after: int) -> bool:
    """Whether "same" adds just these zeros to the input of an unstrided convolution."""
    return (before, after) == ((taps - 1) // 2, taps // 2)


def convolve(inputs: Any, kernel: Any, before: int, after: int) -> Any:
    """Convolve after adding `before` and `after` zeros in time.

    Where that is what "same" padding adds, the convolution does it, which saves a copy. Few
    positions with many filters are one matrix product. Few channels are joined to blocks.

    Args:
        inputs: Shape (batch, time, channels).
        kernel: Shape (taps, channels, filters).
        before: Zeros before the first sample.
        after: Zeros after the last sample.

    Returns:
        Shape (batch, time + before + after - taps + 1, filters).
    """
    taps, channels, filters = kernel.shape
    length = inputs.shape[1] + before + after - taps + 1
    as_product = filters >= _FILTERS_PER_POSITION * length
    block = _block(channels, filters, length)
    if block > 1:
        return _convolve_blocks(inputs, kernel, before, length, block)
    if is_same_padding(taps, before, after) and not as_product:
        return ops.conv(inputs, kernel, padding="same", data_format="channels_last")
    padded = ops.pad(inputs, [[0, 0], [before, after], [0, 0]])
    if not as_product:
        return ops.conv(padded, kernel, padding="valid", data_format="channels_last")
    columns = ops.concatenate([padded[:, tap : tap + length] for tap in range(taps)], axis=2)
    return ops.matmul(columns, ops.reshape(kernel, (taps * channels, filters)))


def _block(channels: int, filters: int, length: int) -> int:
    """Samples to join, a power of two: 16 channels of a block, or as many as divide the length."""
    block = max(1, _CHANNELS_OF_BLOCK // min(channels, filters))
    return math.gcd(2 ** (block.bit_length() - 1), length)


def _convolve_blocks(inputs: Any, kernel: Any, before: int, length: int, block: int) -> Any:
    """Convolve blocks of samples, which serve as channels.

    With `t = block * n + p`, output sample `t` sums tap `k` times padded input sample `t + k`: that
    is sample `i = p + k` counted from block `n`. So the kernel of blocks has tap `i - p` of the
    kernel at row `i` and column `p`.
    """
    taps, channels, filters = kernel.shape
    wide = -(-(block + taps - 1) // block)
    # Row p of the kernels in a row, each one zero longer than a row, is shifted by p.
    rows = wide * block
    skewed = ops.tile(ops.pad(kernel, [[0, rows + 1 - taps], [0, 0], [0, 0]]), (block, 1, 1))
    skewed = ops.reshape(skewed[: block * rows], (block, rows * channels, filters))
    of_blocks = ops.reshape(
        ops.transpose(skewed, (1, 0, 2)), (wide, block * channels, block * filters)
    )
    padded_length = length + (wide - 1) * block
    # What the last block reads beyond the padding meets zeros of the kernel.
    after = padded_length - before - inputs.shape[1]
    padded = ops.pad(inputs, [[0, 0], [before, max(after, 0)], [0, 0]])[:, :padded_length]
    blocks = ops.reshape(padded, (-1, padded_length // block, block * channels))
    outputs = ops.conv(blocks, of_blocks, padding="valid", data_format="channels_last")
    return ops.reshape(outputs, (-1, length, filters))
