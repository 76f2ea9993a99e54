"""Samples as 16-bit integers."""

import numpy as np

FULL_SCALE_INT16 = 32767


def to_int16(audio: np.ndarray) -> np.ndarray:
    """Round samples in [-1, 1] to 16-bit integers; what lies beyond is clipped.

    Example:
        >>> to_int16(np.array([-1.0, 0.5, 2.0])).tolist()
        [-32767, 16384, 32767]
    """
    return np.round(np.clip(audio, -1, 1) * FULL_SCALE_INT16).astype(np.int16)
