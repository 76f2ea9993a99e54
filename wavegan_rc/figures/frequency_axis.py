"""Frequencies in words and on axes: linear, or in mel, where a voice fills the lower half."""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

Scale = Literal["mel", "linear"]
# Frequency in Hz below which the mel scale is about linear.
_CORNER_HZ = 700


def height(frequency_hz: float, sample_rate: int, scale: Scale) -> float:
    """Return the height of a frequency on an axis: 0 at 0 Hz, 1 at half the sample rate.

    Source:
        D. O'Shaughnessy, "Speech Communication" (1987), p. 150: mel = 2595 lg(1 + f / 700).

    Example:
        >>> height(2000, 16000, "linear"), round(height(2000, 16000, "mel"), 2)
        (0.25, 0.54)
    """
    if scale == "linear":
        return 2 * frequency_hz / sample_rate
    return math.log1p(frequency_hz / _CORNER_HZ) / math.log1p(sample_rate / 2 / _CORNER_HZ)


def ticks_hz(sample_rate: int, scale: Scale) -> list[float]:
    """Return frequencies in Hz to write beside an axis: equal steps, or octaves on a mel axis.

    Example:
        >>> ticks_hz(16000, "linear"), ticks_hz(16000, "mel")
        ([0, 2000, 4000, 6000, 8000], [0, 500, 1000, 2000, 4000, 8000])
    """
    highest = sample_rate / 2
    if scale == "mel":
        return [0, *(tick for k in range(10) if (tick := 500 * 2**k) <= highest)]
    spacing = 10 ** math.floor(math.log10(highest / 2))
    step = next(m * spacing for m in (1, 2, 5, 10) if highest / (m * spacing) <= 5)
    return [i * step for i in range(math.floor(highest / step) + 1)]


def on_scale(levels: np.ndarray, sample_rate: int, scale: Scale) -> np.ndarray:
    """Return levels of shape (bins, frames) with rows at equal steps of an axis.

    On a mel axis, a row shows the loudest bin from its frequency to that of the next row, so that
    no line is lost between rows.

    Example:
        >>> on_scale(np.arange(5.0)[:, None], 16000, "mel").ravel()
        array([0., 0., 0., 3., 4.])
    """
    if scale == "linear":
        return levels
    highest = sample_rate / 2
    rows = np.linspace(0, math.log1p(highest / _CORNER_HZ), len(levels))
    bins = _CORNER_HZ * np.expm1(rows) / highest * (len(levels) - 1)
    # Rounding may put the last frequency a hair below its bin.
    return np.maximum.reduceat(levels, (bins + 1e-9).astype(int), axis=0)


def hz_text(frequency_hz: float) -> str:
    """Return a frequency with its unit.

    Example:
        >>> hz_text(1700.0), hz_text(125.0)
        ('1.7 kHz', '125 Hz')
    """
    return f"{frequency_hz / 1000:g} kHz" if frequency_hz >= 1000 else f"{frequency_hz:g} Hz"


def frequencies_text(frequencies_hz: Sequence[float]) -> str:
    """Return frequencies with their units; of many, the first two.

    Example:
        >>> frequencies_text([4000.0]), frequencies_text([500.0, 1500.0, 2500.0])
        ('4 kHz', '500 Hz, 1.5 kHz, ...')
    """
    words = [hz_text(each) for each in frequencies_hz]
    return ", ".join(words if len(words) <= 2 else [*words[:2], "..."])
