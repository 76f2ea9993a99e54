"""Measure the spectra that upsampling stages with random weights give white noise."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from wavegan_rc.config.choices import UPSAMPLERS
from wavegan_rc.errors import ParameterError
from wavegan_rc.explain.explanation import Stages
from wavegan_rc.figures.drawing import save_figure
from wavegan_rc.figures.theory_figures import initial_spectra_figure, theory_figure
from wavegan_rc.measurement.bootstrap import Estimate
from wavegan_rc.nn.upsampling import UpsampleConv1D
from wavegan_rc.spectrogram import (
    CombLine,
    line_prominence_db,
    mean_power_spectrum,
    places_of_stage,
    predicted_comb,
)
from wavegan_rc.theory.lines import line_bins
from wavegan_rc.utils.atomic_files import json_ready, write_json, writing

# Channels of every feature map; with fewer, a handful of them would dominate a draw.
_FILTERS = 32
# With fewer bins, noise in a line's bin would hide the line.
_BINS_BETWEEN_LINES = 64
# Rounding error of float32 sums; lower powers are not measured.
_FLOOR_DB = -120.0
_RESAMPLES = 300


class LineLevels(NamedTuple):
    """Medians over a stage's lines: beside the neighbouring bins, and relative to the total."""

    prominence_db: Estimate
    power_db: Estimate


@dataclass(frozen=True)
class InitialSpectra:
    """Power spectra of random networks, shape (draws, bins), each with a total power of 1.

    `comb` holds the predicted lines, and `seed` is that of the bootstrap over draws.
    """

    frequencies_hz: np.ndarray
    power: np.ndarray
    sample_rate: int
    comb: tuple[CombLine, ...]
    seed: int

    def mean_db(self) -> Estimate:
        """Return the mean power of each bin in dB relative to the total, shape (bins,)."""
        return _estimate(_db(self.power.mean(axis=0)), _db(self._resampled_means()))

    def line_levels(self) -> dict[int, LineLevels | None]:
        """Return the line levels by stage; None for powers below -120 dB, the float32 rounding."""
        means = self._lines_db(self.power.mean(axis=0))
        resampled = self._lines_db(self._resampled_means())
        levels: dict[int, LineLevels | None] = {}
        for stage in sorted({line.stage for line in self.comb}):
            own = places_of_stage(self.comb, stage)
            prominence, power = (
                _estimate(np.median(mean[own]), np.median(others[:, own], axis=-1))
                for mean, others in zip(means, resampled, strict=True)
            )
            levels[stage] = None if power.value < _FLOOR_DB else LineLevels(prominence, power)
        return levels

    def _lines_db(self, power: np.ndarray) -> np.ndarray:
        """Return the prominence and the power of each line, shape (2, ..., lines)."""
        lines_hz = [line.frequency_hz for line in self.comb]
        bins = line_bins(lines_hz, self.frequencies_hz[1])
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


def initial_spectra(stages: Stages, *, draws: int = 100, seed: int = 0) -> InitialSpectra:
    """Measure the spectrum of white noise after upsampling stages with random kernels.

    As in a generator, a ReLU precedes each stage. Each draw has new weights (He) and new noise;
    biases are zero, their initial value. Samples near the ends are left out. The seed is that of
    the weights, the noise and the bootstrap.

    Source:
        J. Pons et al., "Upsampling artifacts in neural audio synthesis" (ICASSP 2021), figures 1
        and 6, which show such layers for white noise.
    """
    product = math.prod(stages.factors)
    margin = _margin(stages)
    length = _BINS_BETWEEN_LINES + 2 * margin
    frequencies, power = np.empty(0), []
    for draw in range(draws):
        seeds = np.random.default_rng([seed, draw])
        x = seeds.standard_normal((1, length, _FILTERS)).astype(np.float32)
        for number, upsampler, factor in stages.numbered():
            layer = UpsampleConv1D(
                1 if number == len(stages.factors) else _FILTERS,
                stages.kernel_size,
                factor,
                upsampler,
                use_bias=False,
                seed=int(seeds.integers(2**31)),
            )
            x = layer(np.maximum(x, 0))
        audio = np.asarray(x)[:, margin * product : -margin * product, 0]
        frequencies, spectrum = mean_power_spectrum(audio, stages.sample_rate)
        power.append(spectrum / spectrum.sum())
    comb = predicted_comb(stages.factors, stages.sample_rate)
    return InitialSpectra(frequencies, np.array(power), stages.sample_rate, comb, seed)


def _margin(stages: Stages) -> int:
    """Return the number of input samples at an end that its padding can affect."""
    reach, rate = 0.0, 1
    for _, upsampler, factor in stages.numbered():
        fold = UpsampleConv1D(1, stages.kernel_size, factor, upsampler).fold
        reach += max(fold.before, fold.after) / rate
        rate *= factor
    return math.ceil(reach) + 1


def draw(stages: Stages, *, draws: int, seed: int, out: Path) -> str:
    """Draw the theory, and the spectra of every upsampler at random initialization.

    Files of an earlier call for the same stages are replaced.

    Returns:
        A table of line levels, and the paths of the files.

    Raises:
        ParameterError: If the folder holds the results of other stages.
        DataError: If the folder cannot be written.
    """
    files = [out / name for name in ("theory.png", "initial-spectra.png", "initial-spectra.json")]
    _check_is_of(stages, files[2])
    compared = {word: replace(stages, upsamplers=(word,)) for word in UPSAMPLERS}
    if stages not in compared.values():
        compared["as given"] = stages
    with writing():
        out.mkdir(parents=True, exist_ok=True)
        figure = theory_figure(stages.kernel_size, stages.factors, stages.upsamplers)
        save_figure(figure, files[0])
        spectra = {
            name: initial_spectra(each, draws=draws, seed=seed) for name, each in compared.items()
        }
        means = {name: tuple(map(np.asarray, each.mean_db())) for name, each in spectra.items()}
        some = spectra["resize"]
        save_figure(initial_spectra_figure(some.frequencies_hz, means, some.comb), files[1])
        levels = {name: each.line_levels() for name, each in spectra.items()}
        unmeasured = dict.fromkeys(LineLevels._fields)
        as_json = {
            name: {stage: own or unmeasured for stage, own in by_stage.items()}
            for name, by_stage in levels.items()
        }
        result = asdict(stages) | {"draws": draws, "seed": seed, "line_levels": as_json}
        write_json(files[2], json_ready(result))
    return "\n".join([_level_table(levels, draws), "", *(f"wrote {file}" for file in files)])


def _check_is_of(stages: Stages, file: Path) -> None:
    """Raise a ParameterError if a file of results is there, but of other stages."""
    try:
        there = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError, RecursionError):
        there = None
    own = json_ready(asdict(stages))
    if not isinstance(there, dict) or own != {name: there.get(name) for name in own}:
        raise ParameterError(
            "out must be a new folder, or one with results of the same settings, which are "
            f"replaced. Received: {file.parent}, where {file.name} is of others"
        )


def _level_table(levels: Mapping[str, Mapping[int, LineLevels | None]], draws: int) -> str:
    """Return a table of the last three stages, whose lines are the strongest."""
    stages = list(levels["resize"])[-3:]
    rows = [
        "",
        f"Random initialization, white noise, ReLU before each stage, {draws} draws. Median over a",
        "stage's lines: prominence in dB [95 % interval], and power in dB relative to the total.",
        f"{'':12}" + "".join(f"{f'stage {stage}':>32}" for stage in stages),
    ]
    for name, by_stage in levels.items():
        cells = "".join(f"{_cell(by_stage[stage]):>32}" for stage in stages)
        rows.append(f"{name:12}{cells}")
    return "\n".join(rows)


def _cell(levels: LineLevels | None) -> str:
    if levels is None:
        return "below -120 dB, not measured"
    prominence, power = levels.prominence_db, levels.power_db
    interval = f"[{prominence.low:5.1f}, {prominence.high:5.1f}]"
    return f"{prominence.value:.1f} {interval} {power.value:6.1f}"
