"""Frequency responses of kernels, and the tones that they make from a constant."""

import numpy as np
from scipy import signal

from wavegan_rc.config.choices import Upsampler
from wavegan_rc.theory.interpolation import interpolation_kernel
from wavegan_rc.theory.polyphase import polyphase_fold

# Far below any response that matters; a drawn curve needs finite values.
_FLOOR_DB = -150.0


def frequency_response_db(
    kernel: np.ndarray, frequencies_hz: np.ndarray, sample_rate: float
) -> np.ndarray:
    """Return a filter's gain at given frequencies.

    Args:
        kernel: Filter taps, shape (taps,).
        frequencies_hz: Frequencies in Hz, any shape.
        sample_rate: Sample rate of the taps, in Hz.

    Returns:
        Gains in dB, at least -150, shape of `frequencies_hz`.

    Source:
        A. V. Oppenheim, R. W. Schafer, "Discrete-Time Signal Processing" (2010), chapter 2.

    Example:
        >>> frequency_response_db(np.ones(4) / 4, np.array([1000, 4000]), 16000).round(1)
        array([  -0.9, -150. ])
    """
    _, response = signal.freqz(kernel, worN=np.asarray(frequencies_hz), fs=sample_rate)
    return np.maximum(20 * np.log10(np.maximum(np.abs(response), 1e-30)), _FLOOR_DB)


def phase_gains(upsampler: Upsampler, kernel: np.ndarray, factor: int) -> np.ndarray:
    """Return the gain of each output phase for a constant input, from the weights alone.

    For a constant input, the output of an upsampling layer repeats every `factor` samples. Phase
    `p` is the sum of all taps of the folded kernel that contribute to it.
    """
    matrix = polyphase_fold(upsampler, len(kernel), factor).matrix
    return np.tensordot(matrix.sum(axis=1), kernel, axes=1)


def dc_image_levels_db(gains: np.ndarray) -> np.ndarray:
    """Return the levels of the images of a constant, relative to the constant's own output level.

    The output repeats the phase gains `g`. Its spectrum is their discrete Fourier transform `G`:
    the constant has amplitude `|G[0]|`, and the image at `k / factor` of the sample rate `|G[k]|`.

    Source:
        A. V. Oppenheim, R. W. Schafer, "Discrete-Time Signal Processing" (2010), chapter 8
        (Fourier series of periodic sequences).
    """
    spectrum = np.abs(np.fft.fft(gains, axis=0))
    images = spectrum[1 : len(gains) // 2 + 1]
    # Rounding errors of a sum that is 0 are no image.
    images = np.where(images < 1e-12 * np.abs(gains).sum(axis=0), 0, images)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 20 * np.log10(images / spectrum[0])


def tone_levels_db(gains: np.ndarray) -> np.ndarray:
    """Return the power of the real tones that a constant becomes, relative to the constant's."""
    levels = dc_image_levels_db(gains)
    mirrored = 2 * np.arange(1, len(levels) + 1) < len(gains)
    return levels + 10 * np.log10(1 + mirrored.reshape(-1, *[1] * (levels.ndim - 1)))


def interpolation_image_levels_db(upsampler: Upsampler, factor: int) -> np.ndarray:
    """Return the levels of a constant's images after the fixed filter, before a learned kernel."""
    taps, first = interpolation_kernel(upsampler, factor)
    phase = (np.arange(len(taps)) + first) % factor
    return dc_image_levels_db(np.bincount(phase, weights=taps, minlength=factor))
