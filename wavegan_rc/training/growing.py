"""Progressive growing: the schedule of its levels, and real audio that suits them."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from wavegan_rc.audio.filters import design_lowpass
from wavegan_rc.errors import ParameterError
from wavegan_rc.nn.levels import LEVEL, LEVELS, level_weights

# Share of a level's band that the low-pass keeps whole; at the band's end it leaves nothing.
_KEPT = 0.8


def progress_at(step: Any, growing_steps: int, levels: int) -> Any:
    """Return the progress of growing (see `level_weights`) after so many steps.

    Each level but the last has `growing_steps`. It trains alone for half of them, and the next one
    fades in for the other half.

    Source:
        T. Karras et al., "Progressive Growing of GANs" (ICLR 2018), appendix A.

    Example:
        >>> [float(progress_at(step, growing_steps=8, levels=3)) for step in (4, 6, 8, 14, 99)]
        [0.0, 0.5, 1.0, 1.5, 2.0]
    """
    level = step // growing_steps
    fading = ops.maximum(2 * (step - level * growing_steps) - growing_steps, 0)
    progress = ops.cast(level, "float32") + ops.cast(fading, "float32") / growing_steps
    return ops.minimum(progress, levels - 1.0)


def level_filters(factors: Sequence[int]) -> np.ndarray:
    """Design the low-pass of each level at the audio's rate; that of the highest is an impulse.

    `factors` are the ratios of the audio's rate to that of each level but the highest.

    Example:
        >>> level_filters([4, 2]).shape
        (3, 231)
    """
    lowpasses = [design_lowpass(_KEPT / factor, 1 / factor, sample_rate=2) for factor in factors]
    longest = max(map(len, lowpasses))
    return np.stack(
        [
            np.pad(taps, (longest - len(taps)) // 2).astype(np.float32)
            for taps in (*lowpasses, np.ones(1))
        ]
    )


def check_segment_length(segment_length: int, factor: int) -> None:
    """Raise a ParameterError if the low-pass of the lowest level reaches farther than a segment.

    `factor` is the ratio of the audio's rate to that of the lowest level.
    """
    reach = level_filters([factor]).shape[1] // 2
    if reach >= segment_length:
        raise ParameterError(
            f"segment_length must be at least {reach + 1} for the low-pass of the lowest level "
            f"of growing. Received: {segment_length}"
        )


class Growth:
    """The growing of a generator with levels, each but the last of `growing_steps` steps."""

    def __init__(self, generator: keras.Model, growing_steps: int) -> None:
        factors = [layer.factor for layer in generator.layers if layer.name.startswith(LEVEL)]
        if not factors:
            raise ParameterError(
                f"growing_steps must be 0 for a generator of one level. Received: {growing_steps}"
            )
        length = generator.output_shape[1]
        check_segment_length(length, max(factors))
        filters = level_filters(sorted(factors, reverse=True))
        reach = filters.shape[1] // 2
        self.growing_steps, self.highest = growing_steps, len(factors)
        self._reach, self._size = reach, length + 2 * reach
        # Symmetric filters have real responses.
        kernels = np.pad(filters, ((0, 0), (0, length - 1)))
        self._gains = np.fft.rfft(np.roll(kernels, -reach, axis=1)).real.astype(np.float32)

    def advance(self, step: Any, generators: Sequence[keras.Model], real: Any) -> Any:
        """Set generators of the same levels to the progress of a step; return its real segments."""
        progress = progress_at(step, self.growing_steps, self.highest + 1)
        for generator in generators:
            generator.get_layer(LEVELS).progress.assign(progress)
        return self.band_limited(real, progress)

    def band_limited(self, segments: Any, progress: Any) -> Any:
        """Return real segments as far as the present levels reach, cross-faded between them.

        The ends are padded by reflection. Convolutions would round to 10 bits on some GPUs.
        """
        reach, weights = self._reach, level_weights(progress, self.highest + 1)
        gain = ops.sum(weights[:, None] * self._gains, axis=0)
        channels = ops.transpose(segments, (0, 2, 1))
        padded = ops.pad(channels, [[0, 0], [0, 0], [reach, reach]], "reflect")
        real, imaginary = ops.rfft(padded)
        limited = ops.irfft((gain * real, gain * imaginary), self._size)[:, :, reach:-reach]
        limited = ops.transpose(limited, (0, 2, 1))
        return ops.where(progress < self.highest, limited, segments)
