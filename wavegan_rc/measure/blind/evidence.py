"""Evidence for a comb in the positions of the strongest peaks, for all combs at once.

Without a comb, every bin that no stronger peak has closed is equally likely to hold the next peak.
So a peak meets a line of a given comb with probability `q`, the share of its lines in the open
bins, whatever the distribution of the scores. One bets on the comb: with the share
`a = (1 + hits) / (2 + peaks)` of the peaks so far, the wealth is multiplied by `a / q` at a hit and
by `(1 - a) / (1 - q)` otherwise, 1 on average. It ever passes `x` with probability `1 / x` at most
(Ville), so no number of peaks need be chosen.

A stake of 1 is divided: `1 / (P (P - 1))` to period P (these add up to 1); 0.9 of that to the
multiples of its spacing, the rest evenly to the images of each bin up to half the spacing. Since
the stakes add up to 1, `1 / (stake * wealth)` is a p-value for the search among all combs.

Source:
    J. Ville, "Étude critique de la notion de collectif" (1939); G. Shafer et al., "Test
    martingales, Bayes factors and p-values" (2011), section 2. The share is Laplace's rule of
    succession.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from wavegan_rc.measure.blind.peaks import LOWEST_BIN, closed_by

# A tone so near to the middle of two bins may show in either.
MIDWAY = 0.25
# So that a line and the bins that it is compared with fit between others.
_FEWEST_BINS_APART = 16
_SHARE_OF_MULTIPLES = 0.9
# Images are looked for at the places, relative to the multiples, of so many strongest peaks.
_IMAGES_TRIED = 8
# Of long segments there are ten thousand combs: too many lines for memory.
_COMBS_AT_ONCE = 512


class Comb(NamedTuple):
    """Tones at the multiples of a spacing, or so many bins above and below them.

    Attributes:
        period: Sample rate over spacing, in samples.
        image: Distance from the multiples, in bins; 0: the multiples themselves.
        log_stake: Logarithm of the stake on it.
    """

    period: int
    image: int
    log_stake: float


class Evidence(NamedTuple):
    """For the comb whose stake grew most.

    Attributes:
        log_wealth: Logarithm of what the stake became, at most; minus it is that of the p-value.
        comb: The comb.
        hits: Bins of the peaks on its lines until then.
    """

    log_wealth: float
    comb: Comb
    hits: np.ndarray


def strongest_evidence(peaks: np.ndarray, explained: np.ndarray) -> Evidence:
    """Search all combs for the one that the peaks speak for most.

    Args:
        peaks: Bins, strongest first; see `spectral_peaks.strongest_first`.
        explained: Whether a bin is left out, with its peak, shape (bins,).

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
    """Whether each of `count` bins may show a line: the nearest bin, or both of two almost so.

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
    """The multiples of each spacing, and the images on which one of some peaks lies.

    There is a stake on the images of every bin; those of others have little evidence.
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
    """Highest log wealth of the bets on each comb, and after how many peaks it was reached.

    Args:
        peaks: Bins, strongest first.
        lines: Whether a bin is on a comb's line, shape (combs, bins).
        explained: Bins that are left out, with their peaks.
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
            # Where no open bin is on a line, or each is, nothing can be won or lost.
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
