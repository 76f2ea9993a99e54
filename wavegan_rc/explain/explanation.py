"""What theory says of upsampling stages before anything is trained."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wavegan_rc.config.choices import Upsampler, per_stage
from wavegan_rc.errors import ParameterError, WaveganWarning
from wavegan_rc.spectrogram import predicted_comb
from wavegan_rc.theory.interpolation import interpolation_kernel
from wavegan_rc.theory.overlap import overlap_counts, uneven_overlap_message
from wavegan_rc.theory.response import frequency_response_db, interpolation_image_levels_db

# Longer outputs and kernels are typing errors; they would only exhaust the memory.
_LARGEST_PRODUCT, _LARGEST_KERNEL = 2**16, 2**12
_SHOWN_LINES = 8
# Where the image of low-frequency content is looked at, as a share of a stage's input rate.
_LOW = 0.1


@dataclass(frozen=True)
class Stages:
    """A configuration of upsampling stages.

    Attributes:
        upsamplers: One for all stages or one per stage; kept as one per stage.
        kernel_size: In output samples of each stage.
        factors: Upsampling factor of each stage.
        sample_rate: Of the output, in Hz.

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


def describe(stages: Stages) -> str:
    """How far each stage's fixed filter lets images through, and the lines to expect.

    Warns of transposed kernels that are no multiple of their factor.
    """
    factors, kernel_size = stages.factors, stages.kernel_size
    lines = [
        f"{' '.join(dict.fromkeys(stages.upsamplers))}, kernel size {kernel_size}, factors "
        f"{' x '.join(map(str, factors))} = {math.prod(factors)}, {stages.sample_rate} Hz",
        "",
        f"{'':37}its fixed filter leaves of an image",
        f"stage upsampler  factor  output rate  {'of 0 Hz':>12} "
        f"{f'of {_LOW:g} x input rate':>20}  taps on each output phase",
    ]
    for stage, (upsampler, factor) in enumerate(
        zip(stages.upsamplers, factors, strict=True), start=1
    ):
        rate = f"{stages.sample_rate / math.prod(factors[stage:]):g} Hz"
        images = _strongest(interpolation_image_levels_db(upsampler, factor))
        low = f"{_low_image_db(upsampler, factor):.1f} dB"
        taps = _overlap(upsampler, kernel_size, factor)
        lines.append(
            f"{stage:5} {upsampler:10} {factor:6} {rate:>12}  {images:>12} {low:>20}  {taps}"
        )
    transposed = {f for u, f in zip(stages.upsamplers, factors, strict=True) if u == "transposed"}
    for factor in sorted(transposed):
        message = uneven_overlap_message(kernel_size, factor)
        if message:
            warnings.warn(message, WaveganWarning, stacklevel=2)
    lines += [
        "",
        "Relative to the original. A random kernel leaves the level of images of 0 Hz as it is, on",
        "average. Only 'none' is an exact zero; but a ReLU that follows can make the line again.",
    ]
    return "\n".join([*lines, "", *_line_list(stages)])


def _strongest(levels_db: np.ndarray) -> str:
    strongest = levels_db.max()
    return "none" if np.isneginf(strongest) else f"{strongest:.1f} dB"


def _low_image_db(upsampler: Upsampler, factor: int) -> float:
    """Level of the lowest image of a tone at 0.1 of the input rate, relative to the tone."""
    taps, _ = interpolation_kernel(upsampler, factor)
    kept, image = frequency_response_db(taps, np.array([_LOW, 1 - _LOW]), factor)
    return image - kept


def _overlap(upsampler: Upsampler, kernel_size: int, factor: int) -> str:
    if upsampler == "transposed":
        counts = overlap_counts(kernel_size, factor)
        if len(set(counts)) == 1:
            return str(counts[0])
        most = counts.max()
        return f"{most} on {(counts == most).sum()}, {most - 1} on {(counts < most).sum()}"
    return str(-(-kernel_size // factor) if upsampler == "subpixel" else kernel_size)


def _line_list(stages: Stages) -> list[str]:
    """The comb by stage, and what is left of its lines."""
    factors, sample_rate = stages.factors, stages.sample_rate
    comb = predicted_comb(factors, sample_rate)
    rows = ["Predicted lines (one shared by several stages is the last one's):"]
    for stage, (upsampler, factor) in enumerate(
        zip(stages.upsamplers, factors, strict=True), start=1
    ):
        own = [line.frequency_hz for line in comb if line.stage == stage]
        spacing = sample_rate / math.prod(factors[stage - 1 :])
        shown = ", ".join(f"{hz:g}" for hz in own[:_SHOWN_LINES])
        more = f", ... ({len(own)} lines)" if len(own) > _SHOWN_LINES else ""
        level = _strongest(interpolation_image_levels_db(upsampler, factor))
        after = " by the filter; by ReLU perhaps" if stage < len(factors) else ""
        verdict = f"none{after}" if level == "none" else f"{level} of the constant"
        rows.append(f"{stage:5}  multiples of {spacing:g} Hz: {shown}{more} - {verdict}")
    return rows
