"""Combs in the spectrum of segments whose generator is not known: which spacings, and how sure.

What a stage does repeats every `period` output samples. From a constant it makes tones at the
multiples of `sample_rate / period`, from a tone at `f` images at the multiples plus and minus `f`.
The search tries every integer period, with all multiples and with the images of any `f`.

Each bin gets a score, how far it stands above both sides: once by its power, once by how firmly its
phase is locked to the start of the segment (`spectral_peaks`). Without a comb the highest scores
may stand anywhere. Bets on every comb, that they stand on its lines, give p-values for the whole
search (`comb_evidence`), doubled for the two scores. The best comb is reported, its lines are left
out, and the search begins anew while it finds p < 0.05.

So beside a wider spacing a narrower one is reported only if it explains further peaks. The
multiples of a wider one within a found comb are reported only if they stand out among its lines
(rank-sum test of the power scores).

What it cannot do:

- A single line can be told from chance only at half the rate (in segments of 4096 samples also at a
  third), and only if hardly any bin stands out more: each frequency is near a line of some comb.
- Any evenly spaced tones count, also harmonics of a steady note or of mains hum.
- The spacing may be a multiple of the true one, if the lines between do not show, or a part of it,
  if a peak of the noise happens to lie between few lines.
- Levels of a few lines do not tell nested spacings apart: of 8 lines any 2 are the strongest by
  chance once in 28 times.
- Of segments that were cut at hops other than multiples of the period, phases say nothing: the
  power alone must show it.
"""

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

from wavegan_rc.errors import ParameterError
from wavegan_rc.measure.blind.evidence import MIDWAY, Evidence, line_bins, strongest_evidence
from wavegan_rc.measure.blind.peaks import locking_scores, power_scores, strongest_first
from wavegan_rc.measure.grouped_spectra import StageComb
from wavegan_rc.spectrogram import line_prominence_db

_LEVEL = 0.05
_SHORTEST_SEGMENT = 64
# Fainter bins, relative to all power, are rounding.
_FAINTEST = 1e-12

Score = Literal["power", "locking"]


@dataclass(frozen=True)
class FoundComb:
    """Evenly spaced tones that chance does not explain.

    Attributes:
        spacing_hz: `sample_rate / period`.
        period: Output samples after which the stage that leaves them repeats.
        image_of_hz: The tones lie so far above and below the multiples of the spacing, to the
            nearest bin: they are images of this frequency. 0: they are the multiples.
        p_value: Probability that the search finds so much evidence where there is no comb; with
            `within`, that these lines outrank the other ones so much by chance.
        lines_hz: The peaks that speak for it, ascending.
        prominence_db: Median of their `line_prominence_db`.
        score: Which one showed it.
        within: Period of the found comb that has these lines, and weaker ones between; None: it
            stands for itself.
    """

    spacing_hz: float
    period: int
    image_of_hz: float
    p_value: float
    lines_hz: tuple[float, ...]
    prominence_db: float
    score: Score
    within: int | None = None

    def in_words(self) -> str:
        """Where the tones stand, how surely, and how strong they are."""
        place = f"multiples of {self.spacing_hz:g} Hz"
        if self.image_of_hz:
            place = f"images of {self.image_of_hz:g} Hz around the {place}"
        if self.within is not None:
            place += f", stronger than the other lines of period {self.within}"
        by = "power" if self.score == "power" else "phase"
        return (
            f"{place} (period {self.period}): {len(self.lines_hz)} lines by their {by}, "
            f"p = {self.p_value:.1g}, median prominence {self.prominence_db:.1f} dB"
        )


def stage_of(comb: FoundComb, stages: Sequence[StageComb]) -> int | None:
    """The last stage that repeats with the period of a comb or a multiple of it; None: none does.

    Example:
        >>> from dataclasses import replace
        >>> from wavegan_rc.measure.grouped_spectra import stage_combs
        >>> comb = FoundComb(1000.0, 16, 0.0, 1e-9, (1000.0, 2000.0, 3000.0), 9.0, "power")
        >>> stage_of(comb, stage_combs([2] * 7, 16000))
        4
        >>> stage_of(replace(comb, period=48), stage_combs([2] * 7, 16000)) is None
        True
    """
    fitting = (stage.stage for stage in stages if stage.period % comb.period == 0)
    return max(fitting, default=None)


def origin_in_words(comb: FoundComb, stages: Sequence[StageComb]) -> str:
    """Which of the known stages makes such tones, or what else may."""
    stage = stage_of(comb, stages)
    if stage is None:
        return (
            "no stage repeats so: this is no image of upsampling; evenly spaced tones of the sound "
            "itself, as a voice's pitch or mains hum, make such a pattern"
        )
    return f"stage {stage} repeats every {stages[stage - 1].period} samples and can make them"


class _Lines(NamedTuple):
    """What was found, in bins."""

    period: int
    image: int
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
) -> tuple[FoundComb, ...]:
    """Find evenly spaced tones of unknown spacing; the head of this module has method and limits.

    Periods from 2 to a sixteenth of the segment length are tried. Nothing is drawn at random.

    Args:
        frequencies_hz: Of the bins, shape (bins,), from 0 Hz to half the sample rate: the FFT
            length is that of the segments, and even.
        power: Mean power spectrum under a Hann window, one-sided, any scale, shape (bins,).
        sample_rate: In Hz.
        locking: Length of the mean phase vector of each bin (`statistics.phase_locking`), 0 to 1,
            shape (bins,).
        count: Segments that have phases, at least 1.

    Returns:
        Combs with p < 0.05, widest spacing first. Where there is no comb, 5 % of the sets at most
        have one.

    Raises:
        ParameterError: If an argument is out of range, or the arrays do not fit each other.

    Example:
        Lines every 32 bins, 6 dB above a rough floor:

        >>> rng = np.random.default_rng(0)
        >>> locking = np.sqrt(rng.exponential(size=513) / 100)
        >>> power = rng.gamma(100, size=513)
        >>> power[32::32] *= 4
        >>> found = find_combs(np.arange(513) * 15.625, power, 16000, locking=locking, count=100)
        >>> [(comb.period, comb.spacing_hz, comb.p_value < 1e-6) for comb in found]
        [(32, 500.0, True)]
    """
    _check(frequencies_hz, power, sample_rate, locking, count)
    if not np.any(power):
        return ()
    # A one-sided spectrum has the power of two twins, which 0 Hz and half the sample rate lack.
    twins = np.ones(len(power))
    twins[[0, -1]] = 2
    faint = _FAINTEST * np.sum(power, dtype=np.float64)
    density = power * twins + faint
    scores: dict[Score, np.ndarray] = {
        "power": power_scores(density),
        "locking": locking_scores(np.where(density > 2 * faint, locking, 0), count),
    }
    found = []
    for lines in _search(scores, density):
        lines_hz = np.sort(frequencies_hz[lines.bins]).tolist()
        prominence = line_prominence_db(frequencies_hz, density / twins, lines_hz, sample_rate)
        found.append(
            FoundComb(
                sample_rate / lines.period,
                lines.period,
                float(frequencies_hz[lines.image]),
                lines.p_value,
                tuple(lines_hz),
                float(np.median(prominence)),
                lines.score,
                lines.within,
            )
        )
    return tuple(sorted(found, key=lambda comb: (comb.period, comb.image_of_hz)))


def _search(scores: dict[Score, np.ndarray], density: np.ndarray) -> Iterator[_Lines]:
    """The comb that either score speaks for most, and again without its lines."""
    peaks: dict[Score, np.ndarray] = {
        name: strongest_first(values, density) for name, values in scores.items()
    }
    explained = np.zeros(len(density), dtype=bool)
    while True:
        tried: dict[Score, Evidence] = {
            name: strongest_evidence(bins, explained) for name, bins in peaks.items()
        }
        score = max(tried, key=lambda name: tried[name].log_wealth)
        log_wealth, comb, hits = tried[score]
        # Never 0: the evidence of many lines is beyond what a float can hold.
        p_value = max(len(tried) * math.exp(-log_wealth), sys.float_info.min)
        if p_value >= _LEVEL:
            return
        yield _Lines(comb.period, comb.image, p_value, hits, score)
        explained |= line_bins(comb, len(explained))
        if comb.image == 0:
            for period, by_rank, bins in _standing_out(comb.period, scores["power"]):
                yield _Lines(period, 0, by_rank, bins, "power", within=comb.period)


def _check(
    frequencies_hz: np.ndarray,
    power: np.ndarray,
    sample_rate: int,
    locking: np.ndarray,
    count: float,
) -> None:
    shapes = [np.shape(array) for array in (frequencies_hz, power, locking)]
    if len(shapes[0]) != 1 or len(set(shapes)) > 1:
        raise ParameterError(
            "frequencies_hz, power and locking must have the same shape (bins,). "
            f"Received shapes: {', '.join(str(shape) for shape in shapes)}"
        )
    if 2 * (len(power) - 1) < _SHORTEST_SEGMENT:
        raise ParameterError(
            f"power must have at least {_SHORTEST_SEGMENT // 2 + 1} bins. Received: {len(power)}"
        )
    if not math.isclose(frequencies_hz[-1], sample_rate / 2, rel_tol=1e-6):
        raise ParameterError(
            f"frequencies_hz must end at half the sample rate, {sample_rate / 2:g} Hz. "
            f"Received: {frequencies_hz[-1]:g}"
        )
    # What is not finite is not within bounds either.
    for name, values, highest in (("power", power, math.inf), ("locking", locking, 1 + 1e-6)):
        wrong = ~((values >= 0) & (values <= highest) & np.isfinite(values))
        if wrong.any():
            raise ParameterError(
                f"{name} must be finite, from 0 to {highest:.0f}. Received: {values[wrong][0]}"
            )
    if not 1 <= count < math.inf:
        raise ParameterError(f"count of segments must be at least 1. Received: {count}")


def _standing_out(period: int, scores: np.ndarray) -> Iterator[tuple[int, float, np.ndarray]]:
    """Wider spacings whose lines outrank the other ones of a comb: period, p-value and bins.

    P-values are multiplied by the number of spacings tried. The best is taken, its lines are left
    out, and so on.
    """
    number = np.arange(1, period // 2 + 1)
    exact = number * 2 * (len(scores) - 1) / period
    below, above = np.rint(exact - MIDWAY).astype(int), np.rint(exact + MIDWAY).astype(int)
    bins = np.where(scores[below] >= scores[above], below, above)
    wider = [p for p in range(2, period) if period % p == 0]
    while True:
        tried = []
        for p in wider:
            own = number % (period // p) == 0
            if own.any() and not own.all():
                test = stats.mannwhitneyu(
                    scores[bins[own]], scores[bins[~own]], alternative="greater"
                )
                tried.append((len(wider) * float(test.pvalue), p, own))
        p_value, best, own = min(tried, key=lambda test: test[:2], default=(1.0, 0, number))
        if p_value >= _LEVEL:
            return
        yield best, p_value, bins[own]
        number, bins = number[~own], bins[~own]
