"""The low-pass that makes the ground truth: above its stopband edge the data holds nothing."""

import numpy as np
from scipy import signal

# 10 dB more than the 80 dB promised, since Kaiser's formula for the length is an estimate.
STOPBAND_ATTENUATION_DB = 90.0


def design_lowpass(cutoff_hz: float, stopband_hz: float, sample_rate: int) -> np.ndarray:
    """Linear-phase FIR by the Kaiser window method.

    Args:
        cutoff_hz: Highest frequency kept, in Hz.
        stopband_hz: Lowest frequency removed by at least 80 dB, in Hz; below sample_rate / 2.
        sample_rate: In Hz.

    Returns:
        Odd-length symmetric kernel with unit gain at 0 Hz, shape (taps,).

    Source:
        J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function",
        ISCAS 1974; A. V. Oppenheim and R. W. Schafer, "Discrete-Time Signal Processing",
        section 7.6 (length and beta from attenuation and transition width).

    Example:
        >>> kernel = design_lowpass(1500, 1700, 16000)
        >>> len(kernel) % 2, round(float(kernel.sum()), 6)
        (1, 1.0)
    """
    nyquist = sample_rate / 2
    taps, beta = signal.kaiserord(STOPBAND_ATTENUATION_DB, (stopband_hz - cutoff_hz) / nyquist)
    return signal.firwin(
        taps | 1, (cutoff_hz + stopband_hz) / 2, window=("kaiser", beta), fs=sample_rate
    )


def lowpass(
    audio: np.ndarray, cutoff_hz: float, stopband_hz: float, sample_rate: int
) -> np.ndarray:
    """Remove what lies above `stopband_hz`, without delay; the length is kept.

    Args:
        audio: float32 array of shape (samples,); taken as zero beyond its ends.
        cutoff_hz: Highest frequency kept, in Hz.
        stopband_hz: Lowest frequency removed, in Hz.
        sample_rate: In Hz.

    Returns:
        float32 array of shape (samples,).
    """
    kernel = design_lowpass(cutoff_hz, stopband_hz, sample_rate).astype(np.float32)
    # "same" centres on the first argument's length only if it is the longer one.
    start = len(kernel) // 2
    return signal.oaconvolve(audio, kernel, mode="full")[start : start + len(audio)]
