"""Findings of the search without knowing the factors, in words and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from wavegan_rc.measurement.blind.comb import FoundComb
from wavegan_rc.measurement.blind.evidence import FEWEST_BINS_APART
from wavegan_rc.measurement.blind.images import LONGEST_PERIOD, FoundImages
from wavegan_rc.measurement.blind.narrow_peaks import NarrowPeak
from wavegan_rc.spectrogram import StageComb
from wavegan_rc.utils.atomic_files import json_ready


@dataclass(frozen=True)
class Findings:
    """Patterns of a set that were found without knowing the factors.

    Attributes:
        images: Images of the whole signal, longest period first.
        combs: Evenly spaced tones, widest spacing first.
        peaks: Strongest narrow peaks at any frequency, strongest first.
    """

    images: tuple[FoundImages, ...] = ()
    combs: tuple[FoundComb, ...] = ()
    peaks: tuple[NarrowPeak, ...] = ()

    def in_words(self, stages: Sequence[StageComb]) -> list[str]:
        """Return a sentence for each image and comb, with the stage that can make it."""
        return [
            each.in_words() + (f"; {_origin_in_words(each.period, stages)}" if stages else "")
            for each in (*self.images, *self.combs)
        ]

    @property
    def count(self) -> int:
        """Number of images and combs, without images that real audio has too."""
        return len(self.combs) + sum(not image.in_real_audio for image in self.images)

    def to_json(self, stages: Sequence[StageComb]) -> dict[str, Any]:
        """Return the entries of `artifacts.json`; an infinite prominence, in silence, is null."""
        named = {"found_images": self.images, "found_combs": self.combs}
        return {
            name: [
                json_ready(asdict(each) | {"stage": _stage_of(each.period, stages)})
                for each in found
            ]
            for name, found in named.items()
        } | {"peaks": [json_ready(asdict(peak)) for peak in self.peaks]}


def _stage_of(period: int | None, stages: Sequence[StageComb]) -> int | None:
    """Return the last stage whose period is a multiple of a pattern's; None without one."""
    if period is None:
        return None
    return max((stage.stage for stage in stages if stage.period % period == 0), default=None)


def _origin_in_words(period: int | None, stages: Sequence[StageComb]) -> str:
    """Return the stage that can make a pattern, or other causes, in words."""
    stage = _stage_of(period, stages)
    if stage is None:
        return (
            "no stage has this period, so it is no image of upsampling; evenly spaced tones of the "
            "sound itself, such as a voice's pitch or mains hum, make such a pattern"
        )
    return f"stage {stage} repeats every {stages[stage - 1].period} samples and can make them"


def searched_in_words(sample_rate: int, segment_length: int) -> str:
    """Return the range of the search in words."""
    closest = FEWEST_BINS_APART * sample_rate / segment_length
    longest = min(LONGEST_PERIOD, segment_length // FEWEST_BINS_APART)
    return f"tones {closest:.4g} Hz or more apart, images at periods of 2 to {longest} samples"
