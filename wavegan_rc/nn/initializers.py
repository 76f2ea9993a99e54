"""How the kernel of an upsampling layer starts."""

import math
import random

import numpy as np

from wavegan_rc.config.choices import KernelInitializer, Upsampler, initializers_per_stage
from wavegan_rc.errors import ParameterError
from wavegan_rc.theory.interpolation import interpolation_kernel


def initial_kernel(
    initializer: KernelInitializer,
    upsampler: Upsampler,
    *,
    kernel_size: int,
    factor: int,
    channels: int,
    filters: int,
    seed: int | None,
) -> np.ndarray:
    """Random numbers, scaled or arranged for an upsampler.

    - `he`: normal, with variance 2 / fan-in, which keeps the mean square of what follows a ReLU.
      Fan-in counts the taps that meet data: of a transposed kernel only K / factor do, the others
      meet the inserted zeros. Interpolation is taken to keep the mean square of its input, as it
      does for a signal that is slow beside the low rate.
    - `linear_interpolation` (for `transposed`): interpolates linearly, then mixes the channels at
      random (He-scaled); a kernel of FCN decoders, whose channels are not mixed.
    - `icnr` (for `subpixel`): `he`, with the same weights for every phase, which therefore starts
      as nearest upsampling.

    Args:
        initializer: One of the above.
        upsampler: That the kernel is for.
        kernel_size: K, in output samples; for `subpixel` a multiple of `factor`.
        factor: Upsampling factor.
        channels: Of the input.
        filters: Channels of the output.
        seed: None draws one.

    Returns:
        float32 array of shape (kernel_size, channels, filters); tap `factor * t + p` of `subpixel`
        is low-rate tap `t` of phase `p`.

    Raises:
        ParameterError: If the initializer is unknown or does not suit the upsampler, or the kernel
            is too short for it.

    Source:
        K. He et al., "Delving Deep into Rectifiers" (2015), section 2.2;
        J. Long, E. Shelhamer, T. Darrell, "Fully Convolutional Networks for Semantic Segmentation"
        (2015), section 4.2;
        A. Aitken et al., "Checkerboard artifact free sub-pixel convolution" (2017), section 3.

    Example:
        >>> kernel = initial_kernel("icnr", "subpixel", kernel_size=4, factor=2, channels=1,
        ...                         filters=1, seed=0).ravel()
        >>> bool(kernel[0] == kernel[1] and kernel[2] == kernel[3])
        True
    """
    (initializer,) = initializers_per_stage(initializer, [upsampler])
    # As in Keras, `keras.utils.set_random_seed` fixes what is drawn without a seed.
    rng = np.random.default_rng(random.getrandbits(32) if seed is None else seed)

    def he(taps: int, fan_taps: float) -> np.ndarray:
        scale = math.sqrt(2 / (fan_taps * channels))
        return rng.normal(0, scale, (taps, channels, filters)).astype(np.float32)

    if initializer == "he":
        zeros_between = upsampler in ("transposed", "subpixel")
        return he(kernel_size, kernel_size / factor if zeros_between else kernel_size)
    if initializer == "icnr":
        return np.repeat(he(kernel_size // factor, kernel_size / factor), factor, axis=0)
    triangle, first = interpolation_kernel("linear", factor)
    start = max(kernel_size - factor, 0) // 2 + first
    if start < 0 or start + len(triangle) > kernel_size:
        raise ParameterError(
            f"kernel_initializer linear_interpolation needs a kernel_size of at least "
            f"{len(triangle)} for a factor of {factor}. Received: {kernel_size}"
        )
    envelope = np.zeros((kernel_size, 1, 1), np.float32)
    envelope[start : start + len(triangle), 0, 0] = triangle
    return envelope * he(1, 1)
