"""How many taps of a transposed convolution meet at each output sample."""

import numpy as np

from wavegan_rc.errors import ParameterError
from wavegan_rc.theory.response import dc_image_levels_db


def overlap_counts(kernel_size: int, stride: int) -> np.ndarray:
    """Copies of the kernel that overlap at each phase of the output, away from its ends.

    Kernel copies start every `stride` samples, so at phase `p` those taps meet whose index is `p`
    modulo the stride. If the kernel size is no multiple of the stride, some phases get one more
    than others: on a constant input the output repeats with the period of the stride.

    Args:
        kernel_size: K, in output samples.
        stride: s, the upsampling factor.

    Returns:
        Integers of shape (stride,), from the kernel's first tap on.

    Raises:
        ParameterError: If an argument is smaller than 1.

    Source:
        A. Odena, V. Dumoulin, C. Olah, "Deconvolution and Checkerboard Artifacts" (Distill, 2016),
        "Deconvolution & Overlap".

    Example:
        >>> overlap_counts(25, 4), overlap_counts(24, 4)
        (array([7, 6, 6, 6]), array([6, 6, 6, 6]))
    """
    if kernel_size < 1 or stride < 1:
        raise ParameterError(
            f"kernel_size and stride must be at least 1. Received: {kernel_size}, {stride}"
        )
    return np.bincount(np.arange(kernel_size) % stride, minlength=stride)


def overlap_is_uniform(kernel_size: int, stride: int) -> bool:
    """Whether every output sample gets equally many taps: only if K is a multiple of s.

    Example:
        >>> overlap_is_uniform(24, 4), overlap_is_uniform(25, 4)
        (True, False)
    """
    return kernel_size % stride == 0


def overlap_level_db(kernel_size: int, stride: int) -> float:
    """Strongest tone that uneven overlap makes of a constant if all taps are equal.

    Args:
        kernel_size: K, in output samples.
        stride: s, the upsampling factor.

    Returns:
        dB relative to the constant; -inf if the overlap is uniform.

    Example:
        >>> round(overlap_level_db(25, 4), 1), overlap_level_db(24, 4)
        (-28.0, -inf)
    """
    levels = dc_image_levels_db(overlap_counts(kernel_size, stride))
    return float(levels.max(initial=-np.inf))
