"""What upsampling stages do to white noise before they have learned anything."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from wavegan_rc.config.choices import UPSAMPLERS, Upsampler, per_stage
from wavegan_rc.errors import DataError
from wavegan_rc.explain.explanation import Stages
from wavegan_rc.figures.drawing import save_figure
from wavegan_rc.figures.theory_figures import initial_spectra_figure, theory_figure
from wavegan_rc.nn.upsampling import UpsampleConv1D
from wavegan_rc.spectrogram import CombLine, line_prominence_db, mean_power_spectrum, predicted_comb
from wavegan_rc.utils.atomic_files import write_whole

# Of every feature map. Enough that a draw is not ruled by a handful of channels.
_FILTERS = 32
# Fine enough that a line is not drowned in the noise of its bin.
_BINS_BETWEEN_LINES = 64
# What float32 leaves of a sum: nothing below is measured.
_FLOOR_DB = -120.0
_RESAMPLES = 300


# Of one upsampler, by stage: `InitialSpectra.line_levels`.
Levels = Mapping[int, Mapping[str, Mapping[str, float] | None]]


class Estimate(NamedTuple):
    """A number, or an array of them, with the ends of its 95 % bootstrap interval."""

    value: Any
    low: Any
    high: Any


@dataclass(frozen=True)
class InitialSpectra:
    """Spectra of random networks, each scaled to a total power of 1.

    Attributes:
        frequencies_hz: Shape (bins,).
        power: Shape (draws, bins).
        sample_rate: In Hz.
        comb: Lines that the upsampling factors predict.
        seed: Of the bootstrap over draws.
    """

    frequencies_hz: np.ndarray
    power: np.ndarray
    sample_rate: int
    comb: tuple[CombLine, ...]
    seed: int

    def mean_db(self) -> Estimate:
        """Mean power of each bin in dB relative to the total."""
        return _estimate(_db(self.power.mean(axis=0)), _db(self._resampled_means()))

    def line_levels(self) -> dict[int, dict[str, dict[str, float] | None]]:
        """By stage, the medians over its lines of `prominence_db` and `power_db`.

        Prominence is over the bins around the line, power relative to the total. Each has a
        `value`, and `low` and `high`, the ends of its 95 % interval; None where the power is below
        -120 dB, where rounding takes over.
        """
        stages = np.array([line.stage for line in self.comb])
        whole = self._lines_db(self.power.mean(axis=0))
        resampled = self._lines_db(self._resampled_means())
        levels: dict[int, dict[str, dict[str, float] | None]] = {}
        for stage in sorted(set(stages.tolist())):
            of_stage = stages == stage
            levels[stage] = {"prominence_db": None, "power_db": None}
            if np.median(whole[1, of_stage]) < _FLOOR_DB:
                continue
            for i, name in enumerate(levels[stage]):
                estimate = _estimate(
                    np.median(whole[i, of_stage]), np.median(resampled[i][:, of_stage], axis=-1)
                )
                levels[stage][name] = {k: float(v) for k, v in estimate._asdict().items()}
        return levels

    def _lines_db(self, power: np.ndarray) -> np.ndarray:
        """Prominence and power of each line, shape (2, ..., lines)."""
        lines_hz = [line.frequency_hz for line in self.comb]
        bins = np.rint(np.asarray(lines_hz) / self.frequencies_hz[1]).astype(int)
        prominence = line_prominence_db(self.frequencies_hz, power, lines_hz, self.sample_rate)
        return np.stack([prominence, _db(power[..., bins])])

    def _resampled_means(self) -> np.ndarray:
        draws = len(self.power)
        rng = np.random.default_rng(self.seed)
        picks = rng.multinomial(draws, np.full(draws, 1 / draws), _RESAMPLES)
        return picks / draws @ self.power


def _estimate(value: Any, resampled: np.ndarray) -> Estimate:
    return Estimate(value, *np.percentile(resampled, [2.5, 97.5], axis=0))


def _db(power: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.maximum(power, 1e-15))


def initial_spectra(
    upsamplers: Sequence[Upsampler],
    *,
    kernel_size: int,
    factors: Sequence[int],
    sample_rate: int,
    draws: int = 100,
    seed: int = 0,
) -> InitialSpectra:
    """Spectra of white noise after upsampling stages with random kernels, as a generator has them.

    A ReLU comes before each stage. Weights (He) and noise are drawn anew each time; biases are
    zero, as they start. What comes near the ends is left out.

    Args:
        upsamplers: One per stage.
        kernel_size: In output samples of each stage.
        factors: One per stage.
        sample_rate: Of the output, in Hz.
        draws: Random networks, each with its noise.
        seed: Of both, and of the bootstrap.

    Source:
        J. Pons et al., "Upsampling artifacts in neural audio synthesis" (ICASSP 2021), figures 1
        and 6, which show such layers for white noise.
    """
    product = math.prod(factors)
    beyond = _reach(upsamplers, kernel_size, factors)
    length = _BINS_BETWEEN_LINES + 2 * beyond
    power = []
    for draw in range(draws):
        seeds = np.random.default_rng([seed, draw])
        x = seeds.standard_normal((1, length, _FILTERS)).astype(np.float32)
        for stage, (upsampler, factor) in enumerate(zip(upsamplers, factors, strict=True), start=1):
            layer = UpsampleConv1D(
                1 if stage == len(factors) else _FILTERS,
                kernel_size,
                factor,
                upsampler,
                use_bias=False,
                seed=int(seeds.integers(2**31)),
            )
            x = layer(np.maximum(x, 0))
        audio = np.asarray(x)[:, beyond * product : -beyond * product, 0]
        frequencies, spectrum = mean_power_spectrum(audio, sample_rate)
        power.append(spectrum / spectrum.sum())
    return InitialSpectra(
        frequencies, np.array(power), sample_rate, predicted_comb(factors, sample_rate), seed
    )


def _reach(upsamplers: Sequence[Upsampler], kernel_size: int, factors: Sequence[int]) -> int:
    """Samples of the first stage's input from which an end of it can change an output."""
    reach, rate = 0.0, 1
    for upsampler, factor in zip(upsamplers, factors, strict=True):
        layer = UpsampleConv1D(1, kernel_size, factor, upsampler)
        reach += max(layer.fold.before, layer.fold.after) / rate
        rate *= factor
    return math.ceil(reach) + 1


def draw(stages: Stages, *, draws: int, seed: int, out: Path) -> str:
    """Draw the theory, and the spectra of every upsampler at random initialization.

    Args:
        stages: Those that are asked about; marked in the figures.
        draws: Random networks per upsampler.
        seed: Of the random networks.
        out: Folder, made if missing; files of a former call are replaced.

    Returns:
        A table of line levels, and the paths of the figures.

    Raises:
        ParameterError: If an argument is out of range.
        DataError: If the folder cannot be written.
    """
    names = ("theory.png", "initial-spectra.png", "initial-spectra.json")
    try:
        out.mkdir(parents=True, exist_ok=True)
        figure = theory_figure(stages.kernel_size, stages.factors, stages.upsamplers)
        save_figure(figure, out / names[0])
        compared = {u: per_stage(u, len(stages.factors)) for u in UPSAMPLERS}
        if stages.upsamplers not in compared.values():
            compared["as given"] = tuple(stages.upsamplers)
        spectra = {
            name: initial_spectra(
                each,
                kernel_size=stages.kernel_size,
                factors=stages.factors,
                sample_rate=stages.sample_rate,
                draws=draws,
                seed=seed,
            )
            for name, each in compared.items()
        }
        figure = initial_spectra_figure(
            spectra["resize"].frequencies_hz,
            {name: each.mean_db() for name, each in spectra.items()},
            spectra["resize"].comb,
        )
        save_figure(figure, out / names[1])
        levels = {name: each.line_levels() for name, each in spectra.items()}
        result = asdict(stages) | {"draws": draws, "seed": seed, "line_levels": levels}
        write_whole(out / names[2], json.dumps(result, indent=1))
    except OSError as error:
        raise DataError(f"out cannot be written: {error}") from None
    written = [f"wrote {out / name}" for name in names]
    return "\n".join([_level_table(levels, draws), "", *written])


def _level_table(levels: Mapping[str, Levels], draws: int) -> str:
    """The last three stages, whose lines are the strongest."""
    stages = list(levels["resize"])[-3:]
    rows = [
        "",
        f"At random initialization, white noise in, ReLU before each stage, {draws} draws: median",
        "over a stage's lines of their prominence in dB [95 % interval], and of their power in dB",
        "relative to the total",
        f"{'':12}" + "".join(f"{f'stage {stage}':>32}" for stage in stages),
    ]
    for name, each in levels.items():
        row = f"{name:12}"
        for stage in stages:
            prominence, power = each[stage]["prominence_db"], each[stage]["power_db"]
            if prominence is None or power is None:
                row += f"{'below -120 dB, not measured':>32}"
                continue
            interval = f"[{prominence['low']:5.1f}, {prominence['high']:5.1f}]"
            row += f"{prominence['value']:10.1f} {interval} {power['value']:6.1f}"
        rows.append(row)
    return "\n".join(rows)
