"""Search for combs of an unknown generator: evenly spaced tones, with p-values.

A stage repeats every `period` output samples. From a constant it makes tones at multiples of
`sample_rate / period`, from a tone at `f` images at the multiples plus and minus `f`. The search
tries every integer period, with all multiples and with the images of any `f`.

Each bin gets two scores relative to both sides: by power, and by phase locking (`peaks`). Without a
comb the highest scores may stand anywhere; betting that they stand on a comb's lines gives p-values
for the whole search (`evidence`), doubled for the two scores. The best comb is reported, its lines
are left out, and the search repeats while p < 0.05. Within a found comb, the multiples of a wider
spacing are reported if they stand out among its lines (rank-sum test of the power scores).

Limits:

- A single line is found only at half the sample rate (with 4096 samples also at a third), and only
  if hardly any bin stands out more: each frequency is near a line of some comb.
- Any evenly spaced tones count, also harmonics of a steady note or of mains hum.
- The spacing may be a multiple of the true one, if the lines between do not show, or a fraction of
  it, if a peak of the noise lies between few lines.
- Levels of a few lines do not separate nested spacings: of 8 lines, any 2 are the strongest by
  chance once in 28 times.
- Phases carry no information if segments were cut at hops other than multiples of the period.
"""

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

from wavegan_rc.errors import ParameterError
from wavegan_rc.measurement.blind.evidence import MIDWAY, Evidence, line_bins, strongest_evidence
from wavegan_rc.measurement.blind.peaks import locking_scores, power_scores, strongest_first
from wavegan_rc.spectrogram import StageComb, line_prominence_db

_LEVEL = 0.05
_SHORTEST_SEGMENT = 64
# Relative to all power; fainter bins are rounding.
_FAINTEST = 1e-12

Score = Literal["power", "locking"]


@dataclass(frozen=True)
class FoundComb:
    """Evenly spaced tones that chance does not explain.

    Attributes:
        spacing_hz: Spacing in Hz, `sample_rate / period`.
        period: Period of the stage's pattern in output samples.
        image_of_hz: Distance in Hz of the tones from the multiples of the spacing, to the nearest
            bin: they are images of this frequency. 0: they are the multiples.
        p_value: Probability of so much evidence without a comb; with `within`, of so high ranks
            among its lines by chance.
        lines_hz: Peaks on its lines in Hz, ascending.
        prominence_db: Median prominence of the peaks in dB.
        score: Score with the evidence.
        within: Period of the found comb that has these lines and weaker ones. None: independent.
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
        """Return the place, the p-value and the prominence of the tones in words."""
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
    """Return the last stage whose period is a multiple of a comb's; None without one.

    Example:
        >>> from dataclasses import replace
        >>> from wavegan_rc.spectrogram import stage_combs
        >>> comb = FoundComb(1000.0, 16, 0.0, 1e-9, (1000.0, 2000.0, 3000.0), 9.0, "power")
        >>> stage_of(comb, stage_combs([2] * 7, 16000))
        4
        >>> stage_of(replace(comb, period=48), stage_combs([2] * 7, 16000)) is None
        True
    """
    fitting = (stage.stage for stage in stages if stage.period % comb.period == 0)
    return max(fitting, default=None)


def origin_in_words(comb: FoundComb, stages: Sequence[StageComb]) -> str:
    """Return the stage that can make such tones, or other causes, in words."""
    stage = stage_of(comb, stages)
    if stage is None:
        return (
            "no stage has this period, so it is no image of upsampling; evenly spaced tones of the "
            "sound itself, such as a voice's pitch or mains hum, make such a pattern"
        )
    return f"stage {stage} repeats every {stages[stage - 1].period} samples and can make them"


class _Lines(NamedTuple):
    """A found comb in bins."""

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
    """Find evenly spaced tones of unknown spacing, as described in the module's docstring.

    Periods from 2 to a sixteenth of the segment length are tried. The search is deterministic.

    Args:
        frequencies_hz: Frequencies of the bins in Hz, shape (bins,), up to half the sample rate;
            the FFT length is the even segment length.
        power: Mean power spectrum under a Hann window, one-sided, any scale, shape (bins,).
        sample_rate: Sample rate in Hz.
        locking: Phase locking of each bin (`statistics.phase_locking`), 0 to 1, shape (bins,).
        count: Number of segments with phases, at least 1.

    Returns:
        Combs with p < 0.05, widest spacing first. At most 5 % of sets without a comb have one.

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
    # All bins but 0 Hz and half the sample rate include the power of a negative twin.
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
    """Yield the comb with the most evidence by either score, then repeat without its lines."""
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
        # Never 0: the evidence of many lines underflows.
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
    # NaN fails every comparison.
    for name, values, highest in (("power", power, math.inf), ("locking", locking, 1 + 1e-6)):
        wrong = ~((values >= 0) & (values <= highest) & np.isfinite(values))
        if wrong.any():
            raise ParameterError(
                f"{name} must be finite, from 0 to {highest:.0f}. Received: {values[wrong][0]}"
            )
    if not 1 <= count < math.inf:
        raise ParameterError(f"count of segments must be at least 1. Received: {count}")


def _standing_out(period: int, scores: np.ndarray) -> Iterator[tuple[int, float, np.ndarray]]:
    """Yield period, p-value and bins of wider spacings whose lines outrank others of a comb.

    P-values are multiplied by the number of spacings. Lines of a found spacing are left out next.
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
