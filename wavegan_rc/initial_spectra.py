"""What upsampling stages do to white noise before they have learned anything."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from wavegan_rc.choices import Upsampler
from wavegan_rc.nn.upsampling import UpsampleConv1D
from wavegan_rc.spectrogram import CombLine, line_prominence_db, mean_power_spectrum, predicted_comb

# Of every feature map. Enough that a draw is not ruled by a handful of channels.
_FILTERS = 32
# Lines 16 bins apart leave enough neighbours to compare them with.
_BINS_BETWEEN_LINES = 16
_SEGMENTS = 4
_RESAMPLES = 300


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

    def line_levels(self) -> dict[int, dict[str, dict[str, float]]]:
        """By stage, the medians over its lines of `prominence_db` and `power_db`.

        Prominence is over the bins around the line, power relative to the total. Each has a
        `value`, and `low` and `high`, the ends of its 95 % interval.
        """
        stages = np.array([line.stage for line in self.comb])
        whole = self._lines_db(self.power.mean(axis=0))
        resampled = self._lines_db(self._resampled_means())
        levels = {}
        for stage in sorted(set(stages.tolist())):
            of_stage = stages == stage
            levels[stage] = {}
            for i, name in enumerate(("prominence_db", "power_db")):
                estimate = _estimate(
                    np.median(whole[i, of_stage]), np.median(resampled[i][:, of_stage], axis=-1)
                )
                levels[stage][name] = {k: float(v) for k, v in estimate._asdict().items()}
        return levels

    def _lines_db(self, power: np.ndarray) -> np.ndarray:
        """Prominence and power of each line, shape (2, ..., lines)."""
        lines_hz = [line.frequency_hz for line in self.comb]
        bins = np.searchsorted(self.frequencies_hz, lines_hz)
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
    """Spectra of white noise after upsampling stages with random kernels and ReLU between them.

    Weights (He) and noise are drawn anew each time; biases are zero, as they start. What comes near
    the ends is left out.

    Args:
        upsamplers: One per stage.
        kernel_size: In output samples of each stage.
        factors: One per stage.
        sample_rate: Of the output, in Hz.
        draws: Random networks, each with its noise.
        seed: Of both, and of the bootstrap.

    Source:
        J. Pons et al., "Upsampling artifacts in neural audio synthesis" (ICASSP 2021), figures 1
        and 5 to 8, which show single draws.
    """
    product = math.prod(factors)
    beyond = 1 + kernel_size // 2
    length = _BINS_BETWEEN_LINES * _SEGMENTS + 2 * beyond
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
            x = layer(x if stage == 1 else np.maximum(x, 0))
        audio = np.asarray(x)[0, beyond * product : -beyond * product, 0]
        segments = audio.reshape(_SEGMENTS, _BINS_BETWEEN_LINES * product)
        frequencies, spectrum = mean_power_spectrum(segments, sample_rate)
        power.append(spectrum / spectrum.sum())
    return InitialSpectra(
        frequencies, np.array(power), sample_rate, predicted_comb(factors, sample_rate), seed
    )
