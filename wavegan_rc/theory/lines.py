"""Bins of predicted lines, the bins around them, and segments that separate them."""

import math
from collections.abc import Sequence

import numpy as np

# A Hann window spreads a tone over two bins on either side. Neighbours begin beyond, and end
# halfway to the next line if lines are 16 bins apart (a generator that starts from 16 samples).
_TONE_REACH = 2
_FEWEST_NEIGHBOURS = 4
# On either side of a line: syllables swell and fade less often.
_REACH_HZ = 10.0
# Lines this many bins apart have all their neighbours.
_BINS_APART = 16
# Length of a segment without predicted lines, in samples.
_SHORTEST_SUITED = 2048


def line_bins(lines_hz: Sequence[float] | np.ndarray, spacing_hz: float) -> np.ndarray:
    """Return the index of each line's bin, for bins so far apart."""
    return np.rint(np.asarray(lines_hz) / spacing_hz).astype(int)


def line_reach(line_bins: np.ndarray, spacing_hz: float) -> int:
    """Return the number of bins on either side of a line that belong to it: 10 Hz, or fewer.

    Args:
        line_bins: Bin indices of all lines; the reaches of two never meet.
        spacing_hz: Spacing of the bins in Hz.

    Example:
        >>> [line_reach(np.array([64, 128]), 16000 / length) for length in (512, 2048, 8192)]
        [0, 1, 5]
    """
    apart = int(np.diff(np.unique(line_bins)).min(initial=np.iinfo(int).max))
    return min(round(_REACH_HZ / spacing_hz), max(0, (apart - 4) // 2))


def line_neighbours(line_bins: np.ndarray, bins: int, reach: int = 0) -> list[np.ndarray]:
    """Return the bins around each line that no other line reaches.

    They are 3 to 8 bins away; for a reach of 2 bins or more, up to 4 times as far as it. Beyond
    half the sample rate the spectrum is mirrored, so a line there has neighbours on both sides.
    Where fewer than 4 bins remain, twice the distance is tried.

    Args:
        line_bins: Bin indices of all lines.
        bins: Number of bins in the spectrum.
        reach: Result of `line_reach`.

    Returns:
        Bin indices for each line; empty where fewer than 4 remain: lines less than 6 bins apart.

    Example:
        >>> line_neighbours(np.array([10]), 14)[0].tolist()
        [2, 3, 4, 5, 6, 7, 13]
    """
    reached, reach = np.zeros(bins, dtype=bool), max(_TONE_REACH, reach)
    for shift in range(-reach, reach + 1):
        reached[_mirrored(line_bins + shift, bins)] = True
    found = []
    for centre in line_bins:
        neighbours = line_bins[:0]
        for farthest in (4 * reach, 8 * reach):
            if len(neighbours) < _FEWEST_NEIGHBOURS:
                nearby = np.arange(max(0, centre - farthest), centre + farthest + 1)
                nearby = _mirrored(nearby, bins)
                neighbours = nearby[~reached[nearby]]
        found.append(np.unique(neighbours if len(neighbours) >= _FEWEST_NEIGHBOURS else []))
    return [neighbours.astype(int) for neighbours in found]


def _mirrored(places: np.ndarray, bins: int) -> np.ndarray:
    """Mirror bins beyond the last one, at half the sample rate."""
    return np.clip(np.minimum(places, 2 * (bins - 1) - places), 0, bins - 1)


def suited_length(upsampling_factors: Sequence[int]) -> int:
    """Return a segment length in samples that separates the lines of a generator.

    It is the least multiple of 16 periods with at least 2048 samples: lines fall on bins, 16 or
    more apart.

    Example:
        >>> suited_length([2] * 7), suited_length([8, 8, 4]), suited_length([])
        (2048, 4096, 2048)
    """
    step = _BINS_APART * math.prod(upsampling_factors)
    return step * -(-_SHORTEST_SUITED // step)
