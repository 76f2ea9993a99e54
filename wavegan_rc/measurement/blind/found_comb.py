"""A comb that was found, in words, and the stage that can make it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wavegan_rc.spectrogram import StageComb

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


def stage_of(period: int | None, stages: Sequence[StageComb]) -> int | None:
    """Return the last stage whose period is a multiple of a pattern's; None without one.

    Example:
        >>> from wavegan_rc.spectrogram import stage_combs
        >>> [stage_of(period, stage_combs([2] * 7, 16000)) for period in (16, 48, None)]
        [4, None, None]
    """
    if period is None:
        return None
    return max((stage.stage for stage in stages if stage.period % period == 0), default=None)


def origin_in_words(period: int | None, stages: Sequence[StageComb]) -> str:
    """Return the stage that can make a pattern, or other causes, in words."""
    stage = stage_of(period, stages)
    if stage is None:
        return (
            "no stage has this period, so it is no image of upsampling; evenly spaced tones of the "
            "sound itself, such as a voice's pitch or mains hum, make such a pattern"
        )
    return f"stage {stage} repeats every {stages[stage - 1].period} samples and can make them"
