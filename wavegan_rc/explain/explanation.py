"""Predict images and tonal lines of upsampling stages from theory alone."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from wavegan_rc.config.choices import Upsampler, per_stage
from wavegan_rc.errors import ParameterError
from wavegan_rc.spectrogram import predicted_comb
from wavegan_rc.theory.interpolation import interpolation_kernel
from wavegan_rc.theory.overlap import overlap_counts, warn_of_uneven_overlap
from wavegan_rc.theory.response import frequency_response_db, interpolation_image_levels_db

# Greater values are typing errors and would exhaust the memory.
_LARGEST_PRODUCT, _LARGEST_KERNEL = 2**16, 2**12
_SHOWN_LINES = 8
# Frequency of the tone whose lowest image is shown, as a fraction of the stage's input rate.
_LOW = 0.1


@dataclass(frozen=True)
class Stages:
    """Settings of a generator's upsampling stages.

    Attributes:
        upsamplers: Upsampler of all stages, or one per stage; stored as one per stage.
        kernel_size: Kernel length of every stage, in its output samples, from 1 to 4096.
        factors: Upsampling factor of each stage, at least 2, with a product of at most 65536.
        sample_rate: Sample rate of the last stage's output, in Hz, at least 1.

    Raises:
        ParameterError: If a value is out of range.
    """

    upsamplers: Sequence[Upsampler]
    kernel_size: int
    factors: Sequence[int]
    sample_rate: int

    def __post_init__(self) -> None:
        if not self.factors or min(self.factors) < 2 or math.prod(self.factors) > _LARGEST_PRODUCT:
            raise ParameterError(
                "factors must be integers of at least 2, one per stage, with a product of at most "
                f"{_LARGEST_PRODUCT}. Received: {list(self.factors)}"
            )
        if not 1 <= self.kernel_size <= _LARGEST_KERNEL or self.sample_rate < 1:
            raise ParameterError(
                f"kernel_size must be between 1 and {_LARGEST_KERNEL}, sample_rate at least 1. "
                f"Received: {self.kernel_size}, {self.sample_rate}"
            )
        object.__setattr__(self, "upsamplers", per_stage(self.upsamplers, len(self.factors)))

    def numbered(self) -> Iterator[tuple[int, Upsampler, int]]:
        """Yield each stage's number, from 1, its upsampler and its factor."""
        pairs = zip(self.upsamplers, self.factors, strict=True)
        for number, (upsampler, factor) in enumerate(pairs, start=1):
            yield number, upsampler, factor


def describe(stages: Stages) -> str:
    """Return tables of the images that each stage's fixed filter leaves and of the expected lines.

    Warns:
        WaveganWarning: If a transposed kernel is not a multiple of its factor.
    """
    warn_of_uneven_overlap(stages.upsamplers, stages.factors, stages.kernel_size)
    title = (
        f"{' '.join(dict.fromkeys(stages.upsamplers))}, kernel size {stages.kernel_size}, factors "
        f"{' x '.join(map(str, stages.factors))} = {math.prod(stages.factors)}, "
        f"{stages.sample_rate} Hz"
    )
    return "\n".join([title, "", *_image_table(stages), "", *_line_table(stages)])


def _image_table(stages: Stages) -> list[str]:
    rows = [
        f"{'':37}image left by the fixed filter",
        f"stage upsampler  factor  output rate  {'of 0 Hz':>12} "
        f"{f'of {_LOW:g} x input rate':>20}  taps on each output phase",
    ]
    for number, upsampler, factor in stages.numbered():
        rate = f"{stages.sample_rate / math.prod(stages.factors[number:]):g} Hz"
        taps, _ = interpolation_kernel(upsampler, factor)
        tone, image = frequency_response_db(taps, np.array([_LOW, 1 - _LOW]), factor)
        rows.append(
            f"{number:5} {upsampler:10} {factor:6} {rate:>12}  "
            f"{_strongest_image(upsampler, factor):>12} {f'{image - tone:.1f} dB':>20}  "
            f"{_overlap(upsampler, stages.kernel_size, factor)}"
        )
    return [
        *rows,
        "",
        "Levels are relative to the original. On average, a random kernel keeps the level of an",
        "image of 0 Hz. Only 'none' is an exact zero, and a following ReLU can restore the line.",
    ]


def _strongest_image(upsampler: Upsampler, factor: int) -> str:
    strongest = interpolation_image_levels_db(upsampler, factor).max()
    return "none" if np.isneginf(strongest) else f"{strongest:.1f} dB"


def _overlap(upsampler: Upsampler, kernel_size: int, factor: int) -> str:
    if upsampler == "transposed":
        counts = overlap_counts(kernel_size, factor)
        if len(set(counts)) == 1:
            return str(counts[0])
        most = counts.max()
        return f"{most} on {(counts == most).sum()}, {most - 1} on {(counts < most).sum()}"
    return str(-(-kernel_size // factor) if upsampler == "subpixel" else kernel_size)


def _line_table(stages: Stages) -> list[str]:
    comb = predicted_comb(stages.factors, stages.sample_rate)
    rows = ["Predicted lines (a line of several stages is listed under the last):"]
    for number, upsampler, factor in stages.numbered():
        own = [line.frequency_hz for line in comb if line.stage == number]
        spacing = stages.sample_rate / math.prod(stages.factors[number - 1 :])
        shown = ", ".join(f"{hz:g}" for hz in own[:_SHOWN_LINES])
        more = f", ... ({len(own)} lines)" if len(own) > _SHOWN_LINES else ""
        level = _strongest_image(upsampler, factor)
        if level != "none":
            level += " relative to the constant"
        elif number < len(stages.factors):
            level += " from the filter; a ReLU may add it"
        rows.append(f"{number:5}  multiples of {spacing:g} Hz: {shown}{more} - {level}")
    return rows
