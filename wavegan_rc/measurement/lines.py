"""Power of lines above their surroundings, and what many lines have together."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from wavegan_rc.measurement.grouped_spectra import HANN_NOISE_BANDWIDTH, GroupedSpectra
from wavegan_rc.theory.lines import line_bins, line_neighbours, line_reach

# In standard errors: noise seldom makes deeper dips.
_DEEPEST_NOISE = 3
# In standard errors of the sum: noise alone seldom adds up to more.
_FLOOR = 2


def bins_of(spectra: GroupedSpectra, lines_hz: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the bin index of each line."""
    return line_bins(lines_hz, spectra.frequencies_hz[1])


def over_lines(values: np.ndarray, kind: Callable[..., np.ndarray]) -> np.ndarray:
    """Return the mean or median over the lines that can be measured; NaN without any.

    Args:
        values: Array of shape (resamples, lines), NaN where a line cannot be measured.
        kind: `np.mean` or `np.median`.

    Example:
        >>> over_lines(np.array([[1.0, np.nan, 3.0]]), np.median).tolist()
        [2.0]
    """
    measured = values[:, ~np.isnan(values[0])]
    return kind(measured, axis=1) if measured.size else np.full(len(values), np.nan)


class LinePowers(NamedTuple):
    """Powers of lines above the median of the bins around them.

    Attributes:
        powers: Powers, shape (resamples, lines): negative for dips, NaN without bins around.
        errors: Their standard errors over groups, shape (lines,); 0 for a single group.
    """

    powers: np.ndarray
    errors: np.ndarray

    def of(self, own: Sequence[int] | np.ndarray) -> "LinePowers":
        """Return some of the lines, given their indices or a mask."""
        return LinePowers(self.powers[:, own], self.errors[own])

    def together(self) -> tuple[np.ndarray, float]:
        """Return the sum of the lines, and the least power distinguishable from noise.

        A dip at one line takes nothing from others: powers more than 3 standard errors below 0 are
        left out. Other negative powers stay, so that noise cancels.

        Returns:
            Sum of shape (resamples,), at least the floor, NaN if no line can be measured; and the
            floor, 2 standard errors of the sum.

        Example:
            >>> lines = LinePowers(np.array([[9.0, -8.0, np.nan]]), np.array([0.1, 0.1, 0.1]))
            >>> total, floor = lines.together()
            >>> total.tolist(), round(floor, 3)
            ([9.0], 0.283)
        """
        powers, errors = self.of(~np.isnan(self.powers[0]))
        if not errors.size:
            return np.full(len(powers), np.nan), np.nan
        floor = float(_FLOOR * np.sqrt(np.sum(errors**2)))
        summed = np.where(powers < -_DEEPEST_NOISE * errors, 0, powers)
        return np.maximum(np.nansum(summed, axis=1), floor), floor


def line_powers(
    spectra: GroupedSpectra, power: np.ndarray, lines_hz: Sequence[float]
) -> LinePowers:
    """Return the powers of lines above the bins around.

    A line is a band of 10 Hz on either side, in whole bins, since a tone that swells as syllables
    do spreads so far. So neither the power nor its error depends on the length of the segments.

    Args:
        spectra: Sums of the set.
        power: Mean power in each bin, shape (resamples, bins).
        lines_hz: All predicted frequencies in Hz.

    Source:
        T. Houtgast, H. J. M. Steeneken, "A review of the MTF concept in room acoustics" (1985), on
        the modulation of speech: most of it is below 10 Hz.
    """
    bins, count = bins_of(spectra, lines_hz), len(spectra.frequencies_hz)
    reach = line_reach(bins, spectra.frequencies_hz[1])
    around = line_neighbours(bins, count, reach)
    groups = len(spectra.counts)
    # Of a tone's 1.5 times its power under a Hann window, its own bin has 1.
    share = HANN_NOISE_BANDWIDTH if reach else 1.0
    # The bins at 0 Hz and at half the rate are half as wide as others.
    width = np.ones(count)
    width[[0, -1]] = 0.5
    powers, errors = np.full((len(power), len(bins)), np.nan), np.zeros(len(bins))
    for i, (line, neighbours) in enumerate(zip(bins, around, strict=True)):
        if not len(neighbours):
            continue
        band = slice(max(0, line - reach), line + reach + 1)
        floor = np.median(power[:, neighbours] / width[neighbours], axis=1)
        powers[:, i] = (power[:, band].sum(axis=1) - floor * width[band].sum()) / share
        if groups > 1:
            each = spectra.power[:, band].sum(axis=1) / share
            deviations = each - spectra.counts * (each.sum() / spectra.count)
            errors[i] = deviations.std(ddof=1) * np.sqrt(groups) / spectra.count
    return LinePowers(powers, errors)
