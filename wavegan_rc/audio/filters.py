"""The low-pass for recordings: above its stopband edge they hold nothing."""

from collections.abc import Iterable, Iterator

import numpy as np
from scipy import signal

# 10 dB more than the 80 dB promised: Kaiser's formula for the length is an estimate.
STOPBAND_ATTENUATION_DB = 90.0
# Samples filtered at a time: 4 minutes at 16 kHz, about 100 MB of memory.
_BLOCK_LENGTH = 2**22


def design_lowpass(cutoff_hz: float, stopband_hz: float, sample_rate: int) -> np.ndarray:
    """Design a linear-phase FIR low-pass by the Kaiser window method.

    Args:
        cutoff_hz: Highest frequency kept, in Hz.
        stopband_hz: Lowest frequency attenuated by at least 80 dB, in Hz; below sample_rate / 2.
        sample_rate: Sample rate, in Hz.

    Returns:
        Symmetric kernel of odd length with unit gain at 0 Hz, shape (taps,).

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
    blocks: Iterable[np.ndarray], cutoff_hz: float, stopband_hz: float, sample_rate: int
) -> Iterator[np.ndarray]:
    """Apply `design_lowpass` to a signal in blocks, without delay; the total length is kept.

    Blocks are float32 and may have any lengths; the result does not depend on where they end.

    Source:
        Overlap-add: A. V. Oppenheim and R. W. Schafer, "Discrete-Time Signal Processing",
        section 8.7.3.
    """
    kernel = design_lowpass(cutoff_hz, stopband_hz, sample_rate).astype(np.float32)
    delay = len(kernel) // 2
    to_drop = delay
    # The response of the blocks so far in the samples after them.
    tail = np.zeros(len(kernel) - 1, np.float32)
    for block in _in_equal_blocks(blocks):
        filtered = signal.oaconvolve(block, kernel, mode="full")
        filtered[: len(tail)] += tail
        tail = filtered[len(block) :]
        yield filtered[: len(block)][to_drop:]
        to_drop = max(0, to_drop - len(block))
    yield tail[to_drop:delay]


def _in_equal_blocks(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the same signal in blocks of `_BLOCK_LENGTH`; the last may be shorter."""
    held = np.empty(0, np.float32)
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= _BLOCK_LENGTH:
            yield held[:_BLOCK_LENGTH]
            held = held[_BLOCK_LENGTH:]
    if len(held):
        yield held
