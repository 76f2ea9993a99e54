"""The comb in a critic's gradients, with and without phase shuffle.

The backward pass of a strided convolution is a transposed convolution, with the same artifacts: the
pattern of layer `i`, with strides `s_1 ... s_i` up to it, repeats every `s_1 * ... * s_i` samples.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import signal

from wavegan_rc.measurement import statistics as st
from wavegan_rc.measurement.bootstrap import Estimate, bootstrap_weights, estimate
from wavegan_rc.measurement.grouped_spectra import group_spectra
from wavegan_rc.measurement.lines import bins_of, line_powers, over_lines
from wavegan_rc.measurement.quantities import side
from wavegan_rc.network_audit.kernels import shuffle_factors
from wavegan_rc.spectrogram import StageComb, line_prominence_db, places_of_stage, stage_combs

# Reach of a line in bins under a Hann window.
_REACH = 2


@dataclass(frozen=True)
class GradientQuantity:
    """A quantity of the gradients at one set of segments.

    Attributes:
        origin: Segments at which gradients are taken, `generated` or `real`.
        name: Name of the quantity, see `Gradients`.
        layer: Critic layer, from 1 at the audio, whose stride makes the lines. None: all lines.
        frequency_hz: Frequency of a line in Hz. None: all lines of the layer.
        plain: Estimate without phase shuffle. None if it cannot be measured.
        shuffled: Estimate with phase shuffle. None without it.
        difference: Shuffled minus plain, resampled alike. None without phase shuffle.
        predicted: Value predicted from the shifts alone. None without a prediction.
    """

    origin: str
    name: str
    layer: int | None
    frequency_hz: float | None
    plain: Estimate | None
    shuffled: Estimate | None = None
    difference: Estimate | None = None
    predicted: float | None = None

    @property
    def verdict(self) -> str:
        """Verdict on the difference in words; see `side`."""
        if self.difference is None or np.isnan(self.difference.low):
            return ""
        words = {"below": "less with shuffle", "above": "more with shuffle"}
        found = side(self.name, self.difference)
        return words.get(found, found)


@dataclass(frozen=True)
class Gradients:
    """The comb in a critic's gradients.

    Attributes:
        strides: Strides of the critic's layers, first layer first.
        radius: Radius of its phase shuffle; 0 without.
        quantities: Quantities by origin and name: of all lines, by layer, by line:

            - `line_level_db`: power of lines above the bins around, relative to all power; at
              least twice its standard error.
            - `fixed_level_db`: the same for the part that is alike in all segments and adds up over
              a batch: the unbiased power of the mean gradient.
            - `line_prominence_db`: as for audio; by layer, the median.
            - `phase_locking`: unbiased mean square over lines, 0 to 1; also `between` lines.
            - `energy_modulation`: variance of the energy by position over the squared mean.
        arrays: `gradient_frequencies_hz`; for each origin, `plain` and `shuffled`: mean power
            (value, low, high) and phase locking of each bin.
    """

    strides: tuple[int, ...]
    radius: int
    quantities: tuple[GradientQuantity, ...]
    arrays: Mapping[str, np.ndarray]


class _Key(NamedTuple):
    name: str
    layer: int | None = None
    frequency_hz: float | None = None


def gradient_audit(
    gradients_of: Callable[[np.ndarray, bool], np.ndarray],
    segments: Mapping[str, np.ndarray],
    *,
    strides: Sequence[int],
    radius: int,
    sample_rate: int,
    seed: int,
) -> Gradients:
    """Measure a critic's gradients at sets of segments."""
    combs = stage_combs(tuple(strides)[::-1], sample_rate)
    quantities: list[GradientQuantity] = []
    arrays: dict[str, np.ndarray] = {}
    for number, (origin, audio) in enumerate(segments.items()):
        # Independent resamples for each origin, the same ones with and without shuffle.
        weights = bootstrap_weights(len(audio), seed=2 * seed + number)
        passes: dict[str, dict[_Key, np.ndarray]] = {}
        for mode in ("plain", "shuffled") if radius else ("plain",):
            gradients = gradients_of(audio, mode == "shuffled")
            passes[mode], curves = _values(gradients, weights, combs, sample_rate)
            arrays["gradient_frequencies_hz"] = curves.pop("frequencies_hz")
            arrays |= {f"{origin}_{mode}_{name}": curve for name, curve in curves.items()}
        predicted = _predicted(passes["plain"], sample_rate, strides, radius) if radius else {}
        for key in passes["plain"]:
            values = {mode: of_mode[key] for mode, of_mode in passes.items()}
            quantities.append(_quantity(origin, key, values, len(audio), predicted.get(key)))
    return Gradients(tuple(strides), radius, tuple(quantities), arrays)


def _values(
    gradients: np.ndarray, weights: np.ndarray, combs: Sequence[StageComb], sample_rate: int
) -> tuple[dict[_Key, np.ndarray], dict[str, np.ndarray]]:
    """Return statistics under bootstrap weights (levels as powers), and curves for the figure."""
    # Whole periods, so that lines fall on bins.
    length = gradients.shape[1] // combs[0].period * combs[0].period
    gradients = gradients[:, :length]
    spectra = group_spectra(
        [gradients], len(gradients), segment_length=length, sample_rate=sample_rate, combs=combs
    )
    lines = [line for comb in combs for line in comb.lines]
    lines_hz = [line.frequency_hz for line in lines]
    bins = bins_of(spectra, lines_hz)
    power = st.mean_power(spectra, weights)
    whole = st.whole_power(power)[:, None]
    # A constant critic has no gradient, and nothing is relative to it.
    whole = np.where(whole > 0, whole, np.nan)
    prominence = line_prominence_db(spectra.frequencies_hz, power, lines_hz, sample_rate)
    powers = line_powers(spectra, power, lines_hz)
    fixed = _fixed_powers(gradients, weights, bins) / whole
    locking = st.locking_square(spectra, weights)
    modulation = st.energy_modulation(spectra, weights, combs)
    values: dict[_Key, np.ndarray] = {
        _Key("line_level_db"): powers.together()[0] / whole[:, 0],
        _Key("fixed_level_db"): fixed.sum(axis=1),
        _Key("phase_locking_between"): locking[:, _between(bins, power.shape[1])].mean(1),
    }
    for comb in combs[::-1]:
        layer, own = len(combs) + 1 - comb.stage, places_of_stage(lines, comb.stage)
        values[_Key("line_level_db", layer)] = powers.of(own).together()[0] / whole[:, 0]
        values[_Key("fixed_level_db", layer)] = fixed[:, own].sum(axis=1)
        values[_Key("line_prominence_db", layer)] = over_lines(prominence[:, own], np.median)
        values[_Key("phase_locking", layer)] = locking[:, bins[own]].mean(axis=1)
        values[_Key("energy_modulation", layer)] = modulation[:, comb.stage - 1]
    for j, line in enumerate(lines):
        layer, hz = len(combs) + 1 - line.stage, line.frequency_hz
        values[_Key("fixed_level_db", layer, hz)] = fixed[:, j]
        values[_Key("line_prominence_db", layer, hz)] = prominence[:, j]
        values[_Key("phase_locking", layer, hz)] = locking[:, bins[j]]
    arrays = {
        "frequencies_hz": spectra.frequencies_hz,
        "power": np.stack(estimate(power, len(gradients))),
        "phase_locking": spectra.locking_of_recordings()[0],
    }
    return values, arrays


def _between(bins: np.ndarray, count: int) -> np.ndarray:
    """Return a mask of the bins that no line reaches, without 0 Hz and half the sample rate."""
    near = np.zeros(count, bool)
    for shift in range(-_REACH, _REACH + 1):
        near[np.clip(np.append(bins, 0) + shift, 0, count - 1)] = True
    return ~near


def _fixed_powers(gradients: np.ndarray, weights: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Return the power of the mean gradient at lines, over pairs of different segments.

    `|sum of w X|^2 - sum of w^2 |X|^2` over `1 - sum of w^2` is 0 on average for unrelated
    segments, in a resample too.
    """
    length = gradients.shape[1]
    window = signal.get_window("hann", length)
    lines = np.fft.rfft(gradients * window, axis=1)[:, bins]
    scale = np.where(bins == length // 2, 1, 2) / window.sum() ** 2
    of_mean = np.abs(weights @ lines) ** 2 - weights**2 @ np.abs(lines) ** 2
    return scale * of_mean / (1 - (weights**2).sum(axis=1, keepdims=True))


def _predicted(
    plain: Mapping[_Key, np.ndarray], sample_rate: int, strides: Sequence[int], radius: int
) -> dict[_Key, float]:
    """Return the fixed level predicted from the shifts alone, by line and added up."""
    found = {key: 0.0 for key in plain if key.name == "fixed_level_db"}
    for key in [key for key in found if key.frequency_hz is not None]:
        (factor,) = shuffle_factors([key.frequency_hz or 0], sample_rate, strides, radius)
        found[key] = float(plain[key][0] * factor**2)
        for sums in (_Key("fixed_level_db", key.layer), _Key("fixed_level_db")):
            found[sums] += found[key]
    with np.errstate(divide="ignore"):
        return {key: float(10 * np.log10(max(power, 0))) for key, power in found.items()}


def _quantity(
    origin: str,
    key: _Key,
    values: Mapping[str, np.ndarray],
    units: int,
    predicted: float | None,
) -> GradientQuantity:
    if np.isnan(values["plain"][0]):
        return GradientQuantity(origin, *key, None)
    if key.name.endswith("level_db"):
        with np.errstate(divide="ignore"):
            values = {mode: 10 * np.log10(np.maximum(v, 0)) for mode, v in values.items()}
    estimates = [estimate(of_mode, units) for of_mode in values.values()]
    if len(estimates) > 1:
        with np.errstate(invalid="ignore"):
            estimates.append(estimate(values["shuffled"] - values["plain"], units))
    return GradientQuantity(origin, *key, *estimates, predicted=predicted)
