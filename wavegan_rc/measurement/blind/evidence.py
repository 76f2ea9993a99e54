"""Evidence for all combs at once, from the positions of the strongest peaks.

Without a comb, every open bin (not closed by a stronger peak) is equally likely to hold the next
peak. A peak meets a line of a given comb with probability `q`, the share of its lines in the open
bins, whatever the distribution of the scores. A bet on the comb with the share
`a = (1 + hits) / (2 + peaks)` multiplies the wealth by `a / q` at a hit and `(1 - a) / (1 - q)`
otherwise, 1 on average. It ever passes `x` with probability at most `1 / x` (Ville), so the number
of peaks need not be chosen.

A stake of 1 is divided: `1 / (P (P - 1))` to period P (these add up to 1); 0.9 of that to the
multiples of its spacing, the rest evenly to the images of each bin up to half the spacing. Hence
`1 / (stake * wealth)` is a p-value for the search among all combs.

Source:
    J. Ville, "Étude critique de la notion de collectif" (1939); G. Shafer et al., "Test
    martingales, Bayes factors and p-values" (2011), section 2. The share is Laplace's rule of
    succession.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from wavegan_rc.measurement.blind.peaks import LOWEST_BIN, closed_by

# In bins; a tone this near to the middle of two bins may show in either.
MIDWAY = 0.25
# Space for a line and its neighbours.
_FEWEST_BINS_APART = 16
_SHARE_OF_MULTIPLES = 0.9
# Number of strongest peaks whose distances from the multiples are tried as images.
_IMAGES_TRIED = 8
# Bounds the memory: long segments have ten thousand combs.
_COMBS_AT_ONCE = 512


class Comb(NamedTuple):
    """Tones at the multiples of a spacing, or `image` bins above and below them.

    Attributes:
        period: Sample rate over spacing, in samples.
        image: Distance from the multiples in bins.
        log_stake: Logarithm of the stake.
    """

    period: int
    image: int
    log_stake: float


class Evidence(NamedTuple):
    """The comb whose stake grew most.

    Attributes:
        log_wealth: Logarithm of the highest wealth, minus the logarithm of the p-value.
        comb: The comb.
        hits: Bins of the peaks on its lines, up to the highest wealth.
    """

    log_wealth: float
    comb: Comb
    hits: np.ndarray


def strongest_evidence(peaks: np.ndarray, explained: np.ndarray) -> Evidence:
    """Return the comb with the most evidence.

    Args:
        peaks: Bins of the peaks, strongest first; see `peaks.strongest_first`.
        explained: Mask of bins to leave out, shape (bins,).

    Example:
        >>> peaks = np.array([64, 128, 32, 96, 192, 224, 160, 107])
        >>> evidence = strongest_evidence(peaks, np.zeros(257, dtype=bool))
        >>> evidence.comb.period, len(evidence.hits), evidence.log_wealth > 10
        (16, 7, True)
    """
    unexplained = peaks[~explained[peaks]]
    combs = list(_candidates(unexplained[:_IMAGES_TRIED], len(explained)))
    best = Evidence(-math.inf, combs[0], peaks[:0])
    for start in range(0, len(combs), _COMBS_AT_ONCE):
        block = combs[start : start + _COMBS_AT_ONCE]
        lines = np.stack([line_bins(comb, len(explained)) for comb in block])
        log_wealth, depths = _highest_wealth(peaks, lines, explained)
        log_wealth += [comb.log_stake for comb in block]
        i = int(log_wealth.argmax())
        if log_wealth[i] > best.log_wealth:
            followed = peaks[: depths[i]]
            hits = followed[lines[i, followed] & ~explained[followed]]
            best = Evidence(float(log_wealth[i]), block[i], hits)
    return best


def line_bins(comb: Comb, count: int) -> np.ndarray:
    """Return a mask of the bins, of `count`, that may show a line of a comb.

    Example:
        >>> np.flatnonzero(line_bins(Comb(7, 0, 0.0), 129)).tolist()  # 256 / 7 = 36.57
        [36, 37, 73, 109, 110]
    """
    multiples = np.arange(comb.period // 2 + 2) * (2 * (count - 1) / comb.period)
    lines = np.concatenate([multiples - comb.image, multiples + comb.image])
    lines = lines[(lines > 0) & (lines < count - 0.5)]
    reached = np.zeros(count, dtype=bool)
    for side in (-MIDWAY, MIDWAY):
        reached[np.minimum(np.rint(lines + side).astype(int), count - 1)] = True
    reached[:LOWEST_BIN] = False
    return reached


def _candidates(peaks: np.ndarray, count: int) -> Iterator[Comb]:
    """Yield the multiples of each spacing, and images on which a peak lies.

    The images of other bins have a stake too, but little evidence.
    """
    for period in range(2, 2 * (count - 1) // _FEWEST_BINS_APART + 1):
        stake = 1 / (period * (period - 1))
        yield Comb(period, 0, math.log(_SHARE_OF_MULTIPLES * stake))
        spacing = 2 * (count - 1) / period
        farthest = int(spacing / 2)
        each = math.log((1 - _SHARE_OF_MULTIPLES) * stake / farthest)
        beside = np.rint(np.abs(peaks - np.rint(peaks / spacing) * spacing))
        for image in np.unique(beside.astype(int)).tolist():
            if 1 < image <= farthest:
                yield Comb(period, image, each)


def _highest_wealth(
    peaks: np.ndarray, lines: np.ndarray, explained: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest log wealth of each comb and the number of peaks at which it was reached.

    `lines` masks the bins of each comb's lines, shape (combs, bins).
    """
    is_open = ~explained
    is_open[:LOWEST_BIN] = False
    by_bin = np.ascontiguousarray(lines.T)
    on_lines, open_bins = by_bin[is_open].sum(axis=0), int(is_open.sum())
    log_wealth, hits = np.zeros(len(lines)), np.zeros(len(lines))
    highest, depths = np.zeros(len(lines)), np.zeros(len(lines), dtype=int)
    bets = 0
    for depth, peak in enumerate(peaks, start=1):
        if not explained[peak]:
            hit = by_bin[peak]
            share, chance = (1 + hits) / (2 + bets), on_lines / open_bins
            # If none or all of the open bins are on lines, nothing can be won or lost.
            chance = np.where((chance > 0) & (chance < 1), chance, share)
            log_wealth += np.log(np.where(hit, share / chance, (1 - share) / (1 - chance)))
            hits += hit
            bets += 1
            higher = log_wealth > highest
            highest[higher], depths[higher] = log_wealth[higher], depth
        closing = np.arange(len(is_open))[closed_by(peak)]
        closing = closing[is_open[closing]]
        on_lines -= by_bin[closing].sum(axis=0)
        open_bins -= len(closing)
        is_open[closing] = False
    return highest, depths
