"""Evidence for all combs at once, from the positions of the strongest peaks.

Without a comb, every open bin (not closed by a stronger peak) is equally likely to hold the next
peak. A peak meets a line of a given comb with probability `q`, the share of its lines in the open
bins, whatever the distribution of the scores. A bet on the comb with the share
`a = (1 + hits) / (2 + peaks)` multiplies the wealth by `a / q` at a hit and `(1 - a) / (1 - q)`
otherwise, 1 on average. It ever passes `x` with probability at most `1 / x` (Ville), so the number
of peaks need not be chosen.

A stake of 1 is divided: 0.9 to the multiples of the spacing of whole periods, `1 / (P (P - 1))` of
it to period P (these add up to 1); 0.05 to their images, for each period evenly among the bins up
to half the spacing; 0.05 evenly to spacings of any size, in steps that move the highest line by
half a bin. Hence `1 / (stake * wealth)` is a p-value for the search among all combs. Only combs
that meet many of the strongest peaks are followed; others would have less evidence.

Source:
    J. Ville, "Étude critique de la notion de collectif" (1939); G. Shafer et al., "Test
    martingales, Bayes factors and p-values" (2011), section 2. The share is Laplace's rule of
    succession.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import special

from wavegan_rc.measurement.blind.peaks import LOWEST_BIN, closed_by

# In bins; a tone this near to the middle of two bins may show in either.
MIDWAY = 0.25
# Space for a line and its neighbours; the lines that closer combs have would hide one another.
FEWEST_BINS_APART = 8
_STAKES = {"multiples": 0.9, "images": 0.05, "any spacing": 0.05}
# Number of strongest peaks whose distances from the multiples are tried as images.
_IMAGES_TRIED = 8
# Numbers of strongest peaks by which combs are chosen, and number of combs followed.
_STRONGEST = (3, 6, 12, 24, 48)
_COMBS_FOLLOWED = 32


class Comb(NamedTuple):
    """Tones at the multiples of a spacing, or `image` bins above and below them.

    Attributes:
        spacing: Spacing in bins.
        image: Distance from the multiples in bins.
        period: Sample rate over spacing, in samples. 0: no whole number.
    """

    spacing: float
    image: int = 0
    period: int = 0


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


class _Candidates(NamedTuple):
    """Combs with their stakes, each an array of shape (combs,)."""

    spacing: np.ndarray
    image: np.ndarray
    period: np.ndarray
    log_stake: np.ndarray


def strongest_evidence(peaks: np.ndarray, explained: np.ndarray) -> Evidence:
    """Return the comb with the most evidence."""
    unexplained = peaks[~explained[peaks]]
    followed = _chosen(unexplained, len(explained))
    lines = _lines_of(followed.spacing, followed.image, len(explained))
    log_wealth, depths = _highest_wealth(peaks, lines, explained)
    log_wealth += followed.log_stake
    best = int(log_wealth.argmax())
    met = peaks[: depths[best]]
    hits = met[lines[best, met] & ~explained[met]]
    comb = Comb(
        float(followed.spacing[best]), int(followed.image[best]), int(followed.period[best])
    )
    return Evidence(float(log_wealth[best]), comb, hits)


def comb_bins(comb: Comb, count: int) -> np.ndarray:
    """Return a mask of the bins, of `count`, that may show a line of a comb."""
    return _lines_of(np.array([comb.spacing]), np.array([comb.image]), count)[0]


def _lines_of(spacing: np.ndarray, image: np.ndarray, count: int) -> np.ndarray:
    """Return a mask of the bins that may show a line of each comb, shape (combs, count)."""
    lines = _meets(np.arange(count), spacing, image)
    lines[:, :LOWEST_BIN] = False
    return lines


def _meets(bins: np.ndarray, spacing: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Return whether bins may show a line of each comb, shape (combs, bins)."""
    spacing = spacing[:, None]
    from_multiple = np.abs(bins - np.rint(bins / spacing) * spacing)
    return np.abs(from_multiple - image[:, None]) <= 0.5 + MIDWAY


@lru_cache(maxsize=8)
def _multiples(count: int) -> _Candidates:
    """Return the multiples of each whole period's spacing, then those of any spacing."""
    last = count - 1
    period = np.arange(2, 2 * last // FEWEST_BINS_APART + 1)
    # A step moves the line nearest to the last bin by half a bin; three lines are the fewest.
    steps = math.floor(math.log(last / 3 / FEWEST_BINS_APART) / math.log1p(0.5 / last))
    free = FEWEST_BINS_APART * (1 + 0.5 / last) ** np.arange(max(steps, 0))
    whole = math.log(_STAKES["multiples"]) - np.log(period * (period - 1))
    each = np.full(len(free), math.log(_STAKES["any spacing"] / max(len(free), 1)))
    return _Candidates(
        np.concatenate([2 * last / period, free]),
        np.zeros(len(period) + len(free), int),
        np.concatenate([period, np.zeros(len(free), int)]),
        np.concatenate([whole, each]),
    )


def _images(peaks: np.ndarray, count: int) -> _Candidates:
    """Return images at whole periods on which a peak lies; others have little evidence."""
    period = np.arange(2, 2 * (count - 1) // FEWEST_BINS_APART + 1)[:, None]
    spacing = 2 * (count - 1) / period
    image = np.rint(np.abs(peaks - np.rint(peaks / spacing) * spacing)).astype(int)
    row, column = np.nonzero((image > 1) & (image <= spacing // 2))
    period, image = np.divmod(np.unique(period[row, 0] * count + image[row, column]), count)
    spacing = 2 * (count - 1) / period
    stake = _STAKES["images"] / (period * (period - 1)) / (spacing // 2)
    return _Candidates(spacing, image, period, np.log(stake))


def _chosen(peaks: np.ndarray, count: int) -> _Candidates:
    """Return the combs that meet the strongest peaks most often, for their number of lines."""
    parts = zip(_multiples(count), _images(peaks[:_IMAGES_TRIED], count), strict=True)
    every = _Candidates(*(np.concatenate(columns) for columns in parts))
    strongest = peaks[: _STRONGEST[-1]]
    hits = np.cumsum(_meets(strongest, every.spacing, every.image), axis=1)
    chance = np.minimum(np.where(every.image > 0, 2, 1) * (1 + MIDWAY) / every.spacing, 0.9)
    promise = np.zeros(len(chance))
    for depth in {min(depth, len(strongest)) for depth in _STRONGEST} - {0}:
        share = hits[:, depth - 1] / depth
        gain = depth * (special.rel_entr(share, chance) + special.rel_entr(1 - share, 1 - chance))
        promise = np.maximum(promise, np.where(share > chance, gain, 0))
    order = np.argsort(-(promise + every.log_stake), kind="stable")[:_COMBS_FOLLOWED]
    return _Candidates(*(column[order] for column in every))


def _highest_wealth(
    peaks: np.ndarray, lines: np.ndarray, explained: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest log wealth of each comb and the number of peaks at which it was reached.

    `lines` masks the bins of each comb's lines, shape (combs, bins).
    """
    closed_after = np.full(len(explained), len(peaks))
    for depth in range(len(peaks))[::-1]:
        closed_after[closed_by(peaks[depth])] = depth
    is_open = ~explained
    is_open[:LOWEST_BIN] = False
    order = np.flatnonzero(is_open)[np.argsort(closed_after[is_open], kind="stable")]
    bets = np.flatnonzero(~explained[peaks])
    if not len(bets):
        return np.zeros(len(lines)), np.zeros(len(lines), dtype=int)
    closed = np.searchsorted(closed_after[order], bets)
    # Bins of lines that are closed before each bet.
    met = np.cumsum(np.pad(lines[:, order], ((0, 0), (1, 0))), axis=1)
    chance = (met[:, -1:] - met[:, closed]) / np.maximum(len(order) - closed, 1)
    hit = lines[:, peaks[bets]]
    share = (1 + np.cumsum(hit, axis=1) - hit) / (2 + np.arange(len(bets)))
    # If none or all of the open bins are on lines, nothing can be won or lost.
    chance = np.where((chance > 0) & (chance < 1), chance, share)
    gains = np.log(np.where(hit, share / chance, (1 - share) / (1 - chance)))
    log_wealth = np.cumsum(gains, axis=1)
    best = log_wealth.argmax(axis=1)
    highest = log_wealth[np.arange(len(lines)), best]
    return np.maximum(highest, 0), np.where(highest > 0, bets[best] + 1, 0)
