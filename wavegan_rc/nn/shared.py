"""What the generator and the critic share."""

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


def convolve(inputs: Any, kernel: Any, before: int, after: int) -> Any:
    """Convolve after adding `before` and `after` zeros in time.

    Where that is what "same" padding adds, the convolution does it, which saves a copy.

    Args:
        inputs: Shape (batch, time, channels).
        kernel: Shape (taps, channels, filters).
        before: Zeros before the first sample.
        after: Zeros after the last sample.

    Returns:
        Shape (batch, time + before + after - taps + 1, filters).
    """
    taps = kernel.shape[0]
    if (before, after) == ((taps - 1) // 2, taps // 2):
        return ops.conv(inputs, kernel, padding="same", data_format="channels_last")
    padded = ops.pad(inputs, [[0, 0], [before, after], [0, 0]])
    return ops.conv(padded, kernel, padding="valid", data_format="channels_last")
