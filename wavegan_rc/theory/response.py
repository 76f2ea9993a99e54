"""What kernels do to frequencies: responses, and the tones that they make of a constant."""

import numpy as np
from scipy import signal

from wavegan_rc.config.choices import Upsampler
from wavegan_rc.theory.interpolation import interpolation_kernel
from wavegan_rc.theory.polyphase import polyphase_fold

# Far below any response that matters; keeps zeros out of logarithms where a curve is drawn.
_FLOOR_DB = -150.0


def frequency_response_db(
    kernel: np.ndarray, frequencies_hz: np.ndarray, sample_rate: float
) -> np.ndarray:
    """Gain of a filter at some frequencies.

    Args:
        kernel: Its taps, shape (taps,).
        frequencies_hz: In Hz.
        sample_rate: Of the taps, in Hz.

    Returns:
        dB, shape of `frequencies_hz`; not below -150.

    Source:
        A. V. Oppenheim, R. W. Schafer, "Discrete-Time Signal Processing" (2010), chapter 2.

    Example:
        >>> frequency_response_db(np.ones(4) / 4, np.array([1000, 4000]), 16000).round(1)
        array([  -0.9, -150. ])
    """
    _, response = signal.freqz(kernel, worN=np.asarray(frequencies_hz), fs=sample_rate)
    return np.maximum(20 * np.log10(np.maximum(np.abs(response), 1e-30)), _FLOOR_DB)


def phase_gains(upsampler: Upsampler, kernel: np.ndarray, factor: int) -> np.ndarray:
    """Gain of each output phase for a constant input, from the weights alone.

    The output of an upsampling layer for a constant input repeats every `factor` samples: phase
    `p` is the sum of all composite taps that meet data there.

    Args:
        upsampler: One of the upsamplers.
        kernel: Shape (kernel_size, ...), tap first; for `subpixel`, tap `factor * t + p` is
            low-rate tap `t` of phase `p`.
        factor: Upsampling factor.

    Returns:
        Shape (factor, ...).

    Example:
        >>> phase_gains("transposed", np.ones(5), 2), phase_gains("resize", np.ones(5), 2)
        (array([2., 3.]), array([5., 5.]))
    """
    matrix = polyphase_fold(upsampler, len(kernel), factor).matrix
    return np.tensordot(matrix.sum(axis=1), kernel, axes=1)


def dc_image_levels_db(gains: np.ndarray) -> np.ndarray:
    """Level of the tones that a constant becomes, relative to what is left of the constant.

    The output repeats the phase gains `g`; its spectrum is their discrete Fourier transform `G`:
    the constant has amplitude `|G[0]|`, the image at `k / factor` of the sampling rate `|G[k]|`.

    Args:
        gains: Shape (factor, ...), from `phase_gains`.

    Returns:
        `20 * log10(|G[k] / G[0]|)` in dB for k = 1 ... factor // 2, shape (factor // 2, ...);
        -inf where there is no image, NaN and +inf where nothing is left of the constant. The other
        images mirror these: as a real tone, image and mirror have 3 dB more power together.

    Source:
        A. V. Oppenheim, R. W. Schafer, "Discrete-Time Signal Processing" (2010), chapter 8
        (Fourier series of periodic sequences).

    Example:
        >>> dc_image_levels_db(np.array([2.0, 3.0])).round(2), dc_image_levels_db(np.ones(2))
        (array([-13.98]), array([-inf]))
    """
    spectrum = np.abs(np.fft.fft(gains, axis=0))
    images = spectrum[1 : len(gains) // 2 + 1]
    # What only rounding leaves of a sum of equal terms is no image.
    images = np.where(images < 1e-12 * np.abs(gains).sum(axis=0), 0, images)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 20 * np.log10(images / spectrum[0])


def tone_levels_db(gains: np.ndarray) -> np.ndarray:
    """Power of the real tones that a constant becomes, relative to the constant's.

    Args:
        gains: Shape (factor, ...), from `phase_gains`.

    Returns:
        dB, shape (factor // 2, ...): `dc_image_levels_db`, and 3 dB for the mirror image, which a
        tone at half the sampling rate does not have.

    Example:
        >>> tone_levels_db(np.array([7.0, 6.0, 6.0, 6.0])).round(2)
        array([-24.95, -27.96])
    """
    levels = dc_image_levels_db(gains)
    mirrored = 2 * np.arange(1, len(levels) + 1) < len(gains)
    return levels + 10 * np.log10(1 + mirrored.reshape(-1, *[1] * (levels.ndim - 1)))


def interpolation_image_levels_db(upsampler: Upsampler, factor: int) -> np.ndarray:
    """Level of the images of a constant that the fixed filter leaves, before any learned kernel.

    Args:
        upsampler: One of the upsamplers.
        factor: Upsampling factor.

    Returns:
        dB relative to the constant, shape (factor // 2,), as from `dc_image_levels_db`: 0 dB for
        inserted zeros, -inf for nearest and linear.

    Example:
        >>> interpolation_image_levels_db("transposed", 4)
        array([0., 0.])
        >>> interpolation_image_levels_db("resize", 4)
        array([-inf, -inf])
    """
    taps, first = interpolation_kernel(upsampler, factor)
    phase = (np.arange(len(taps)) + first) % factor
    return dc_image_levels_db(np.bincount(phase, weights=taps, minlength=factor))
