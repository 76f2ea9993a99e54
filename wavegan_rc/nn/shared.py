"""Seeds, widths and the convolution of both networks."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from keras import ops

# Channels are halved towards the audio, down to this number.
MINIMUM_FILTERS = 16


def initial_seeds(seed: int | None) -> Iterator[int]:
    """Yield a different seed for each layer, without end; `seed` determines them all.

    Layers of the same shape and seed would have the same initial weights.

    Example:
        >>> first, second = initial_seeds(0), initial_seeds(0)
        >>> next(first) == next(second), next(first) == next(first)
        (True, False)
    """
    generator = np.random.default_rng(seed)
    while True:
        yield int(generator.integers(2**31))


# A matrix product, measured on 2 CPU cores (TensorFlow 2.21, oneDNN) with 16 positions, 1024
# channels, 7 taps and 2048 filters, takes 1/2.8 of the convolution's time with batch 8 and 1/2.5
# with batch 64; the same holds for gradients. Both are equally fast near 32 filters per position,
# and the product is slower below.
_FILTERS_PER_POSITION = 64
# Blocks for the layers next to the audio reduce a training step to 0.8 of its time, measured on 2
# CPU cores without AVX-512 (TensorFlow 2.21, oneDNN) with 64 filters and batch 16. Larger blocks,
# and blocks for wider layers, gain less.
_CHANNELS_OF_BLOCK = 16


def is_same_padding(taps: int, before: int, after: int) -> bool:
    """Return True if "same" padding of an unstrided convolution adds exactly these zeros."""
    return (before, after) == ((taps - 1) // 2, taps // 2)


def convolve(inputs: Any, kernel: Any, before: int, after: int) -> Any:
    """Convolve with stride 1 after zero padding in time, in the fastest of four ways.

    Few channels are joined to blocks. Few positions with many filters become one matrix product.
    Padding equal to "same" is left to the convolution, which saves a copy.

    Shapes of inputs (batch, time, channels) and of a kernel (taps, channels, filters) give outputs
    of shape (batch, time + before + after - taps + 1, filters).
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
    """Return the samples per block: the greatest power of two that gives at most 16 channels.

    It must also divide the length.
    """
    block = max(1, _CHANNELS_OF_BLOCK // min(channels, filters))
    return math.gcd(2 ** (block.bit_length() - 1), length)


def _convolve_blocks(inputs: Any, kernel: Any, before: int, length: int, block: int) -> Any:
    """Convolve blocks of samples, with the samples of a block as channels.

    With `t = block * n + p`, output sample `t` sums tap `k` times padded input sample `t + k`. That
    is sample `i = p + k` counted from the start of block `n`. So the block kernel holds tap `i - p`
    at row `i` and column `p`.
    """
    taps, channels, filters = kernel.shape
    wide = -(-(block + taps - 1) // block)
    # Copies of the kernel, each one zero longer than a row, lie in sequence: row p is shifted by p.
    rows = wide * block
    skewed = ops.tile(ops.pad(kernel, [[0, rows + 1 - taps], [0, 0], [0, 0]]), (block, 1, 1))
    skewed = ops.reshape(skewed[: block * rows], (block, rows * channels, filters))
    of_blocks = ops.reshape(
        ops.transpose(skewed, (1, 0, 2)), (wide, block * channels, block * filters)
    )
    padded_length = length + (wide - 1) * block
    # Samples that the last block reads beyond the padding are multiplied by zeros of the kernel.
    after = padded_length - before - inputs.shape[1]
    padded = ops.pad(inputs, [[0, 0], [before, max(after, 0)], [0, 0]])[:, :padded_length]
    blocks = ops.reshape(padded, (-1, padded_length // block, block * channels))
    outputs = ops.conv(blocks, of_blocks, padding="valid", data_format="channels_last")
    return ops.reshape(outputs, (-1, length, filters))
