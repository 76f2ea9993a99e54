"""What the generator's and the critic's builders share."""

from collections.abc import Iterator

import numpy as np

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
