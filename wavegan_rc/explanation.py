"""What theory says of a configuration of upsampling stages before anything is trained."""

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wavegan_rc.choices import UPSAMPLERS, Upsampler
from wavegan_rc.errors import DataError, ParameterError, WaveganWarning
from wavegan_rc.report.figures import save_figure
from wavegan_rc.report.theory_figures import initial_spectra_figure, theory_figure
from wavegan_rc.spectrogram import predicted_comb
from wavegan_rc.theory.interpolation import check_upsampler, interpolation_kernel
from wavegan_rc.theory.overlap import overlap_counts, overlap_is_uniform, overlap_level_db
from wavegan_rc.theory.response import frequency_response_db, interpolation_image_levels_db

# Of one upsampler, by stage: `InitialSpectra.line_levels`.
Levels = Mapping[int, Mapping[str, Mapping[str, float]]]

_SHOWN_LINES = 8
# Where the image of low-frequency content is looked at, as a share of a stage's input rate.
_LOW = 0.1


def describe(
    *, upsamplers: Sequence[Upsampler], kernel_size: int, factors: Sequence[int], sample_rate: int
) -> str:
    """The stages, how far each one's fixed filter lets images through, and the lines to expect.

    Args:
        upsamplers: One for all stages, or one per stage.
        kernel_size: In output samples of each stage.
        factors: Upsampling factor of each stage.
        sample_rate: Of the output, in Hz.

    Returns:
        Text.

    Raises:
        ParameterError: If an argument is out of range.
    """
    stages = _per_stage(upsamplers, kernel_size, factors, sample_rate)
    lines = [
        f"{' '.join(dict.fromkeys(stages))}, kernel size {kernel_size}, factors "
        f"{' x '.join(map(str, factors))} = {math.prod(factors)}, {sample_rate} Hz",
        "",
        f"stage upsampler  factor  output rate  images of 0 Hz  of {_LOW:g} x input rate  "
        "taps on each output phase",
    ]
    for stage, (upsampler, factor) in enumerate(zip(stages, factors, strict=True), start=1):
        rate = f"{sample_rate / math.prod(factors[stage:]):g} Hz"
        images = _strongest(interpolation_image_levels_db(upsampler, factor))
        low = f"{_low_image_db(upsampler, factor):.1f} dB"
        taps = _overlap(upsampler, kernel_size, factor)
        lines.append(
            f"{stage:5} {upsampler:10} {factor:6} {rate:>12} {images:>15} {low:>20}  {taps}"
        )
    lines += [
        "",
        "Images: what the stage's fixed filter leaves of the strongest image of 0 Hz, and of the",
        "lowest of a tone at a tenth of its input rate, relative to the original; a random kernel",
        "does not change the former's expected level. none: the filter is zero there.",
    ]
    for factor in sorted({f for u, f in zip(stages, factors, strict=True) if u == "transposed"}):
        if not overlap_is_uniform(kernel_size, factor):
            message = (
                f"kernel_size {kernel_size} is not a multiple of factor {factor}: output phases "
                f"get {_overlap('transposed', kernel_size, factor)} taps; equal taps would make "
                f"a tone {-overlap_level_db(kernel_size, factor):.1f} dB below a constant"
            )
            warnings.warn(message, WaveganWarning, stacklevel=2)
    return "\n".join([*lines, "", *_line_list(stages, factors, sample_rate)])


def _per_stage(
    upsamplers: Sequence[Upsampler], kernel_size: int, factors: Sequence[int], sample_rate: int
) -> list[Upsampler]:
    for upsampler in upsamplers:
        check_upsampler(upsampler)
    if not factors or min(factors) < 2:
        raise ParameterError(
            f"factors must be integers of at least 2, one per stage. Received: {list(factors)}"
        )
    if kernel_size < 1 or sample_rate < 1:
        raise ParameterError(
            "kernel_size and sample_rate must be at least 1. "
            f"Received: {kernel_size}, {sample_rate}"
        )
    stages = list(upsamplers) * (len(factors) if len(upsamplers) == 1 else 1)
    if len(stages) != len(factors):
        raise ParameterError(
            f"upsampler must be one word, or one per stage ({len(factors)}). "
            f"Received: {' '.join(upsamplers)}"
        )
    return stages


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
        return " ".join(map(str, overlap_counts(kernel_size, factor)))
    return str(-(-kernel_size // factor) if upsampler == "subpixel" else kernel_size)


def _line_list(stages: Sequence[Upsampler], factors: Sequence[int], sample_rate: int) -> list[str]:
    """The comb by stage, and which of its lines the fixed filters leave."""
    comb = predicted_comb(factors, sample_rate)
    rows = ["Predicted lines (a line shared by several stages is the last one's):"]
    for stage, (upsampler, factor) in enumerate(zip(stages, factors, strict=True), start=1):
        own = [line.frequency_hz for line in comb if line.stage == stage]
        spacing = sample_rate / math.prod(factors[stage - 1 :])
        shown = ", ".join(f"{hz:g}" for hz in own[:_SHOWN_LINES])
        more = f", ... ({len(own)} lines)" if len(own) > _SHOWN_LINES else ""
        expected = np.isfinite(interpolation_image_levels_db(upsampler, factor)).any()
        verdict = "expected" if expected else f"not expected: {upsampler} has zeros there"
        rows.append(f"{stage:5}  multiples of {spacing:g} Hz: {shown}{more} - {verdict}")
    return rows


def draw(
    *,
    upsamplers: Sequence[Upsampler],
    kernel_size: int,
    factors: Sequence[int],
    sample_rate: int,
    draws: int,
    seed: int,
    out: Path,
) -> str:
    """Draw the theory, and the spectra of every upsampler at random initialization.

    Args:
        upsamplers: One for all stages, or one per stage; marked in the figures.
        kernel_size: In output samples of each stage.
        factors: Upsampling factor of each stage.
        sample_rate: Of the output, in Hz.
        draws: Random networks per upsampler.
        seed: Of the random networks.
        out: Folder, made if missing; files of a former call are replaced.

    Returns:
        A table of line levels, and the paths of the figures.

    Raises:
        ParameterError: If an argument is out of range.
        DataError: If the folder cannot be written.
    """
    from wavegan_rc.initial_spectra import initial_spectra

    stages = _per_stage(upsamplers, kernel_size, factors, sample_rate)
    if draws < 1 or seed < 0:
        raise ParameterError(
            f"draws must be at least 1 and seed at least 0. Received: {draws}, {seed}"
        )
    names = ("theory.png", "initial-spectra.png", "initial-spectra.json")
    try:
        out.mkdir(parents=True, exist_ok=True)
        save_figure(theory_figure(kernel_size, factors), out / names[0])
        compared: dict[str, list[Upsampler]] = {u: [u] * len(factors) for u in UPSAMPLERS}
        if len(set(stages)) > 1:
            compared[" ".join(stages)] = stages
        options = {"kernel_size": kernel_size, "factors": factors, "sample_rate": sample_rate}
        spectra = {
            name: initial_spectra(each, **options, draws=draws, seed=seed)
            for name, each in compared.items()
        }
        figure = initial_spectra_figure(
            spectra["resize"].frequencies_hz,
            {name: each.mean_db() for name, each in spectra.items()},
            spectra["resize"].comb,
        )
        save_figure(figure, out / names[1])
        levels = {name: each.line_levels() for name, each in spectra.items()}
        result = options | {"draws": draws, "seed": seed, "line_levels": levels}
        (out / names[2]).write_text(json.dumps(result, indent=1), encoding="utf-8")
    except OSError as error:
        raise DataError(f"out cannot be written: {error}") from None
    written = [f"wrote {out / name}" for name in names]
    return "\n".join([_level_table(levels, draws), "", *written])


def _level_table(levels: Mapping[str, Levels], draws: int) -> str:
    """The last three stages, whose lines are the strongest."""
    stages = list(levels["resize"])[-3:]
    rows = [
        "",
        f"At random initialization, white noise in, ReLU between stages, {draws} draws: medians",
        "over a stage's lines of prominence [95 % interval] and of power relative to the total, dB",
        f"{'':12}" + "".join(f"{f'stage {stage}':>32}" for stage in stages),
    ]
    for name, each in levels.items():
        row = f"{name:12}"
        for stage in stages:
            prominence, power = each[stage]["prominence_db"], each[stage]["power_db"]
            interval = f"[{prominence['low']:5.1f}, {prominence['high']:5.1f}]"
            row += f"{prominence['value']:10.1f} {interval} {power['value']:6.1f}"
        rows.append(row)
    return "\n".join(rows)
