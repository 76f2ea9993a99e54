"""Initial kernels of upsampling layers."""

import math
import random

import numpy as np

from wavegan_rc.config.choices import KernelInitializer, Upsampler
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
    """Draw an initial kernel that suits an upsampler.

    - `he`: normal, with variance 2 / fan-in, which preserves the mean square from one ReLU to the
      next. Fan-in counts only the taps that read data: K / factor of a transposed kernel, as the
      others read inserted zeros. Interpolation is assumed to preserve the mean square of its input,
      which holds for frequencies well below the low rate.
    - `linear_interpolation` (for `transposed`): linear interpolation, with a random (He-scaled)
      mix of the channels. FCN decoders use the same kernel without mixing channels.
    - `icnr` (for `subpixel`): `he`, with equal weights in all phases. The layer therefore starts as
      nearest-neighbour upsampling.

    The kernel length K is in output samples; for `subpixel` it is a multiple of `factor`. A seed of
    None draws one.

    Returns:
        float32 array of shape (kernel_size, channels, filters). For `subpixel`, tap
        `factor * t + p` is low-rate tap `t` of phase `p`.

    Raises:
        ParameterError: If the kernel is too short for the initializer.

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
    # As in Keras, `keras.utils.set_random_seed` also fixes draws without a seed.
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
            f"kernel_size must be at least {len(triangle)} for kernel_initializer "
            f"linear_interpolation and factor {factor}. Received: {kernel_size}"
        )
    envelope = np.zeros((kernel_size, 1, 1), np.float32)
    envelope[start : start + len(triangle), 0, 0] = triangle
    return envelope * he(1, 1)
