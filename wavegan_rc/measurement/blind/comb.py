"""Search for combs of an unknown generator: evenly spaced tones, with p-values.

A stage repeats every `period` output samples. From a constant it makes tones at multiples of
`sample_rate / period`, from a tone at `f` images at the multiples plus and minus `f`. The search
tries the multiples of every spacing of at least 8 bins, and for whole periods the images of any
`f`.

Each bin gets two scores relative to both sides: by power, and by phase locking (`peaks`). Without a
comb the highest scores may stand anywhere; betting that they stand on a comb's lines gives p-values
for the whole search (`evidence`), doubled for the two scores. The best comb is reported, its lines
are left out, and the search repeats while p < 0.05. Within a found comb of a whole period, the
multiples of wider spacings are reported if they stand out among its lines, and so on within those
(t-test of the prominences).

Limits:

- A single line is found only at half the sample rate (with 4096 samples also at a third), and only
  if hardly any bin stands out more: each frequency is near a line of some comb.
- Any evenly spaced tones count, also harmonics of a steady note or of mains hum.
- The spacing may be a multiple of the true one, if the lines between do not show, or a fraction of
  it, if a peak of the noise lies between few lines.
- Phases carry no information if segments were cut at hops other than multiples of the period.
"""

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
from scipy import special

from wavegan_rc.measurement.blind.evidence import (
    MIDWAY,
    Comb,
    Evidence,
    comb_bins,
    strongest_evidence,
)
from wavegan_rc.measurement.blind.peaks import (
    PLACE_ERROR,
    locking_scores,
    power_scores,
    prominences_db,
    refined,
    strongest_first,
    with_its_digits,
)
from wavegan_rc.measurement.significance import SIGNIFICANCE

# Relative to all power; fainter bins are rounding.
_FAINTEST = 1e-12
# Least standard deviation of prominences in dB: smaller differences are not heard.
_LEAST_SPREAD_DB = 0.5


Score = Literal["power", "locking"]


@dataclass(frozen=True)
class FoundComb:
    """Evenly spaced tones that chance does not explain.

    Attributes:
        spacing_hz: Spacing in Hz, with the digits that it has.
        period: Period of the stage's pattern in output samples. None: no whole number.
        image_of_hz: Distance in Hz of the tones from the multiples of the spacing, to the nearest
            bin: they are images of this frequency. 0: they are the multiples.
        p_value: Probability of so much evidence without a comb; with `within`, of so high lines
            among its lines by chance.
        lines_hz: Tones on its lines in Hz, ascending.
        prominence_db: Median prominence of the tones in dB.
        strongest_hz: Most prominent tone in Hz.
        strongest_db: Its prominence in dB.
        score: Score with the evidence.
        within: Period of the found comb that has these lines and weaker ones. None: independent.
    """

    spacing_hz: float
    period: int | None
    image_of_hz: float
    p_value: float
    lines_hz: tuple[float, ...]
    prominence_db: float
    strongest_hz: float
    strongest_db: float
    score: Score
    within: int | None = None

    def in_words(self) -> str:
        """Return the place, the p-value and the prominence of the tones in words."""
        place = f"multiples of {self.spacing_hz:.6g} Hz"
        if self.image_of_hz:
            place = f"images of {self.image_of_hz:.5g} Hz around the {place}"
        if self.period is not None:
            place += f" (period {self.period})"
        if self.within is not None:
            place += f", stronger than the other lines of period {self.within}"
        by = "power" if self.score == "power" else "phase"
        return (
            f"{place}: {len(self.lines_hz)} line(s) by their {by}, p = {self.p_value:.1g}, "
            f"strongest {self.strongest_db:.1f} dB out at {self.strongest_hz:.6g} Hz, "
            f"median {self.prominence_db:.1f} dB"
        )


class _Lines(NamedTuple):
    """A found comb in bins."""

    comb: Comb
    p_value: float
    bins: np.ndarray
    score: Score
    within: int | None = None


def find_combs(
    frequencies_hz: np.ndarray,
    power: np.ndarray,
    sample_rate: int,
    *,
    locking: np.ndarray,
    count: float,
    repeats_every: int | None = None,
) -> tuple[FoundComb, ...]:
    """Find evenly spaced tones of unknown spacing, as described in the module's docstring.

    Spacings of at least 8 bins are tried. The search is deterministic.
    """
    if not np.any(power):
        return ()
    density, scores = scores_of(power, locking, count)
    explained = np.zeros(len(density), dtype=bool)
    if repeats_every is not None:
        explained[round((len(density) - 1) / repeats_every) + 1 :] = True
    bin_hz = float(frequencies_hz[1])
    found = []
    one_sided = density.copy()
    one_sided[[0, -1]] /= 2
    prominence_db = partial(prominences_db, one_sided, frequencies_hz)
    for lines in _search(scores, density, explained, prominence_db):
        comb = lines.comb
        multiples = comb.spacing * np.rint(lines.bins / comb.spacing)
        lines_hz = (lines.bins if comb.image else multiples) * bin_hz
        prominence = prominence_db(lines.bins)
        strongest = int(prominence.argmax())
        found.append(
            FoundComb(
                sample_rate / comb.period if comb.period else comb.spacing * bin_hz,
                comb.period or None,
                comb.image * bin_hz,
                lines.p_value,
                tuple(sorted(lines_hz.tolist())),
                float(np.median(prominence)),
                float(lines_hz[strongest]),
                float(prominence[strongest]),
                lines.score,
                lines.within,
            )
        )
    return tuple(sorted(found, key=lambda comb: (-comb.spacing_hz, comb.image_of_hz)))


def scores_of(
    power: np.ndarray, locking: np.ndarray, count: float
) -> tuple[np.ndarray, dict[Score, np.ndarray]]:
    """Return the two-sided power in each bin, and the bins' scores by power and by locking."""
    # All bins but 0 Hz and half the sample rate include the power of a negative twin.
    twins = np.ones(len(power))
    twins[[0, -1]] = 2
    faint = _FAINTEST * np.sum(power, dtype=np.float64)
    density = power * twins + faint
    return density, {
        "power": power_scores(density),
        "locking": locking_scores(np.where(density > 2 * faint, locking, 0), count),
    }


def _fitted(comb: Comb, bins: np.ndarray, density: np.ndarray) -> Comb:
    """Fit the spacing to tones by least squares, to a whole period if it agrees with one.

    The spacing is rounded to a tenth of its standard error.
    """
    number = np.rint(bins / comb.spacing)
    spacing = float((number * refined(bins, density)).sum() / (number**2).sum())
    error = PLACE_ERROR / math.sqrt((number**2).sum())
    period = round(2 * (len(density) - 1) / spacing)
    exact = 2 * (len(density) - 1) / period
    if abs(exact - spacing) < 2 * error:
        return Comb(exact, 0, period)
    return Comb(with_its_digits(spacing, 1.0, error / 10))


def _search(
    scores: dict[Score, np.ndarray],
    density: np.ndarray,
    explained: np.ndarray,
    prominence_db: Callable[[np.ndarray], np.ndarray],
) -> Iterator[_Lines]:
    """Yield the comb with the most evidence by either score, then repeat without its lines."""
    peaks: dict[Score, np.ndarray] = {
        name: strongest_first(values, density) for name, values in scores.items()
    }
    while True:
        tried: dict[Score, Evidence] = {
            name: strongest_evidence(bins, explained) for name, bins in peaks.items()
        }
        score = max(tried, key=lambda name: tried[name].log_wealth)
        log_wealth, comb, hits = tried[score]
        # Never 0: the evidence of many lines underflows.
        p_value = max(len(tried) * math.exp(-log_wealth), sys.float_info.min)
        if p_value >= SIGNIFICANCE:
            return
        if not comb.period:
            comb = _fitted(comb, hits, density)
        yield _Lines(comb, p_value, hits, score)
        if comb.period and not comb.image:
            number = np.arange(1, comb.period // 2 + 1)
            exact = number * comb.spacing
            below, above = np.rint(exact - MIDWAY).astype(int), np.rint(exact + MIDWAY).astype(int)
            bins = np.where(density[below] >= density[above], below, above)
            open_lines = ~explained[bins]
            number, bins = number[open_lines], bins[open_lines]
            prominence = prominence_db(bins)
            # A bin at half the rate is half as wide, so an equal tone stands out 3 dB more.
            prominence[bins == len(density) - 1] -= 10 * math.log10(2)
            yield from _standing_out(comb, number, bins, prominence)
        explained = explained | comb_bins(comb, len(explained))
        explained[hits] = True


def _standing_out(
    comb: Comb, number: np.ndarray, bins: np.ndarray, prominence_db: np.ndarray
) -> Iterator[_Lines]:
    """Yield wider spacings whose lines are more prominent than the others of a comb.

    P-values are multiplied by the number of spacings. The search continues within the found
    lines, and among the others.

    Source:
        Student's t-test of two samples of equal variance, with a least standard deviation.
    """
    wider = [p for p in range(2, comb.period) if comb.period % p == 0]
    tried = []
    for p in wider:
        own = number % (comb.period // p) == 0
        if own.any() and not own.all() and len(own) > 3:
            sides = prominence_db[own], prominence_db[~own]
            freedom = len(own) - 2
            variance = sum(((side - side.mean()) ** 2).sum() for side in sides) / freedom
            error = max(math.sqrt(variance), _LEAST_SPREAD_DB) * math.sqrt(
                sum(1 / len(side) for side in sides)
            )
            statistic = (sides[0].mean() - sides[1].mean()) / error
            tried.append((len(wider) * float(special.stdtr(freedom, -statistic)), p, own))
    p_value, period, own = min(tried, key=lambda test: test[:2], default=(1.0, 0, number))
    if p_value >= SIGNIFICANCE:
        return
    narrower = comb.period // period
    inner = Comb(comb.spacing * narrower, 0, period)
    p_value = max(p_value, sys.float_info.min)
    yield _Lines(inner, p_value, bins[own], "power", within=comb.period)
    yield from _standing_out(inner, number[own] // narrower, bins[own], prominence_db[own])
    yield from _standing_out(comb, number[~own], bins[~own], prominence_db[~own])
