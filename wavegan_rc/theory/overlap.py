"""Overlap of the kernel copies of a transposed convolution."""

import warnings
from collections.abc import Sequence

import numpy as np

from wavegan_rc.config.choices import Upsampler
from wavegan_rc.errors import WaveganWarning
from wavegan_rc.theory.response import tone_levels_db


def overlap_counts(kernel_size: int, stride: int) -> np.ndarray:
    """Count the kernel copies that overlap at each output phase, shape (stride,).

    Taps `p`, `p + stride`, `p + 2 * stride` and so on add up at phase `p`, away from the ends.

    Source:
        A. Odena, V. Dumoulin, C. Olah, "Deconvolution and Checkerboard Artifacts" (Distill, 2016),
        "Deconvolution & Overlap".

    Example:
        >>> overlap_counts(25, 4), overlap_counts(24, 4)
        (array([7, 6, 6, 6]), array([6, 6, 6, 6]))
    """
    return np.bincount(np.arange(kernel_size) % stride, minlength=stride)


def overlap_level_db(kernel_size: int, stride: int) -> float:
    """Return the power of the strongest tone that a kernel of equal taps makes from a constant."""
    levels = tone_levels_db(overlap_counts(kernel_size, stride))
    return float(levels.max(initial=-np.inf))


def uneven_overlap_message(kernel_size: int, stride: int) -> str | None:
    """Return a warning text if a transposed convolution overlaps unevenly, else None.

    Example:
        >>> print(uneven_overlap_message(25, 4))
        kernel_size 25 is not a multiple of factor 4: transposed convolution gives 1 of 4 output \
phases 7 taps, the others 6; even equal taps would make a tone of -24.9 dB relative to a constant
    """
    fewest, more = divmod(kernel_size, stride)
    if not more:
        return None
    return (
        f"kernel_size {kernel_size} is not a multiple of factor {stride}: transposed convolution "
        f"gives {more} of {stride} output phases {fewest + 1} taps, the others {fewest}; even "
        f"equal taps would make a tone of {overlap_level_db(kernel_size, stride):.1f} dB relative "
        "to a constant"
    )


def warn_of_uneven_overlap(
    upsamplers: Sequence[Upsampler], factors: Sequence[int], kernel_size: int
) -> None:
    """Warn once for each factor of a transposed stage that overlaps unevenly."""
    stages = zip(upsamplers, factors, strict=True)
    for factor in sorted({factor for upsampler, factor in stages if upsampler == "transposed"}):
        message = uneven_overlap_message(kernel_size, factor)
        if message:
            warnings.warn(message, WaveganWarning, stacklevel=3)
