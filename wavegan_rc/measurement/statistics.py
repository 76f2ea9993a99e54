"""Artifact statistics as functions of weights over groups of segments.

`weights` has shape (resamples, groups), each row adding up to 1. Uniform weights give the statistic
itself, multinomial ones its bootstrap distribution. The first axis of all results is `resamples`.
"""

from collections.abc import Sequence

import numpy as np

from wavegan_rc.measurement.grouped_spectra import HANN_NOISE_BANDWIDTH, GroupedSpectra
from wavegan_rc.measurement.lines import bins_of, line_powers, sum_of_lines
from wavegan_rc.spectrogram import StageComb, line_prominence_db
from wavegan_rc.theory.lines import line_neighbours


def _mean(sums: np.ndarray, spectra: GroupedSpectra, weights: np.ndarray) -> np.ndarray:
    return (weights @ sums) / (weights @ spectra.counts)[:, None]


def _mean_phasor(sums: np.ndarray, spectra: GroupedSpectra, weights: np.ndarray) -> np.ndarray:
    """Return the mean unit vector over sounding segments; 0 without any."""
    return (weights @ sums) / _sounding(spectra, weights)


def _sounding(spectra: GroupedSpectra, weights: np.ndarray) -> np.ndarray:
    """Return the mean number of sounding segments in a group, shape (resamples, 1); 1 for none."""
    sounding = (weights @ spectra.sounding)[:, None]
    return np.where(sounding > 0, sounding, 1)


def mean_power(spectra: GroupedSpectra, weights: np.ndarray) -> np.ndarray:
    """Return the mean power in each bin, shape (resamples, bins)."""
    return _mean(spectra.power, spectra, weights)


def out_of_band_db(
    spectra: GroupedSpectra, weights: np.ndarray, stopband_hz: float, lines_hz: Sequence[float]
) -> dict[str, np.ndarray]:
    """Return the power above the stopband edge over all power, total and in parts, in dB.

    Args:
        spectra: Sums of the set.
        weights: Array of shape (resamples, groups).
        stopband_hz: Frequency in Hz above which the data is empty.
        lines_hz: All predicted frequencies in Hz.

    Returns:
        `total`, `lines`, `rest` and `floor` (faintest lines distinguishable from noise), each of
        shape (resamples,): -inf without power, NaN for silence. All but `total` are NaN if no line
        above the edge can be measured.
    """
    power = mean_power(spectra, weights)
    outside = spectra.frequencies_hz > stopband_hz
    total = power[:, outside].sum(axis=1) / HANN_NOISE_BANDWIDTH
    above = np.asarray(lines_hz) > stopband_hz
    lines, floor = np.full(len(power), np.nan), np.nan
    if above.any():
        powers, errors = line_powers(spectra, power, lines_hz)
        lines, floor = sum_of_lines(powers[:, above], errors[above])
    parts = {"total": total, "lines": lines, "rest": np.maximum(total - lines, 0), "floor": floor}
    whole = whole_power(power)
    return {name: relative_db(part, whole) for name, part in parts.items()}


def whole_power(power: np.ndarray) -> np.ndarray:
    """Return the mean square of the signal, shape (resamples,), from the power in all bins.

    Under a Hann window noise of density `d` has `1.5 d` in every bin, and a tone of power `p` has
    `p` in its bin and `p / 4` in each neighbour: the power is the sum of the bins over 1.5.
    """
    return power.sum(axis=1) / HANN_NOISE_BANDWIDTH


def relative_db(part: np.ndarray | float, whole: np.ndarray) -> np.ndarray:
    """Return a power over the whole power in dB: -inf for 0, NaN for silence."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, 10 * np.log10(part / whole), np.nan)


def prominence_db(
    spectra: GroupedSpectra, weights: np.ndarray, lines_hz: Sequence[float]
) -> np.ndarray:
    """Return the prominence of each line, shape (resamples, lines); see `line_prominence_db`."""
    frequencies_hz = spectra.frequencies_hz
    power = mean_power(spectra, weights)
    return line_prominence_db(frequencies_hz, power, lines_hz, 2 * frequencies_hz[-1])


def phase_locking(spectra: GroupedSpectra, weights: np.ndarray) -> np.ndarray:
    """Return the length of the mean phase vector of each bin, shape (resamples, bins), 0 to 1.

    An artifact has a fixed phase relative to the start of the segment. Speech cut at random
    positions has random phases, and about `1 / sqrt(segments)`.

    Source:
        K. V. Mardia, P. E. Jupp, "Directional Statistics" (2000), section 2.3.1.
    """
    return np.abs(_mean_phasor(spectra.phasors, spectra, weights))


def means_around(
    spectra: GroupedSpectra, values: np.ndarray, lines_hz: Sequence[float]
) -> np.ndarray:
    """Return means over the bins around each line, shape (resamples, lines); NaN for too few.

    A generator whose segments all begin alike locks all bins; only the excess belongs to a line.
    """
    around = line_neighbours(bins_of(spectra, lines_hz), values.shape[1])
    columns = [
        values[:, bins].mean(axis=1) if len(bins) else values[:, 0] * np.nan for bins in around
    ]
    return np.stack(columns, axis=1)


def image_coherence(spectra: GroupedSpectra, weights: np.ndarray, stage: int) -> np.ndarray:
    """Return the coherence of the phases at `f` and `f - spacing`, for every bin.

    An image repeats the signal at a multiple of the stage's input rate and moves with it. The mean
    spectrum blurs it; the phase between the two bins stays. All segments count alike, so unrelated
    bins have about `1 / sqrt(segments)`.

    Args:
        spectra: Sums of the set.
        weights: Array of shape (resamples, groups).
        stage: Stage number, from 1.

    Returns:
        Array of shape (resamples, bins), 0 to 1.

    Source:
        W. A. Gardner, "Exploitation of spectral redundancy in cyclostationary signals" (1991),
        on spectral correlation; J.-P. Lachaux et al., "Measuring phase synchrony in brain signals"
        (1999), on the phase alone.
    """
    return np.abs(_mean_phasor(spectra.images[:, stage - 1], spectra, weights))


def energy_modulation(
    spectra: GroupedSpectra, weights: np.ndarray, combs: Sequence[StageComb]
) -> np.ndarray:
    """Return the variance of the energy over positions within each stage's period.

    The mean square by position modulo the longest period is a periodic sequence. Its harmonics
    belong to stages as the lines of the comb do; their squares add up to the variance. Against
    the bias by noise, only products of different groups are taken.

    Returns:
        Variance over the squared mean, shape (resamples, stages); unbiased, so it can be negative;
        NaN for silence.
    """
    harmonics = np.fft.rfft(spectra.positions, axis=1)
    alone = (weights**2).sum(axis=1, keepdims=True)
    squares = np.abs(weights @ harmonics) ** 2 - weights**2 @ np.abs(harmonics) ** 2
    energy = np.real(weights @ harmonics[:, :1])
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = squares / (1 - alone) / energy**2
    period = spectra.positions.shape[1]
    columns = []
    for comb in combs:
        own = [round(line.frequency_hz / combs[0].spacing_hz) for line in comb.lines]
        # All but the one at half the rate have a mirrored twin.
        twins = [1 if 2 * harmonic == period else 2 for harmonic in own]
        columns.append(relative[:, own] @ np.array(twins, float))
    return np.stack(columns, axis=1)


def third_octave_levels_db(
    spectra: GroupedSpectra, weights: np.ndarray, highest_hz: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return centres in Hz of third-octave bands, and levels in dB relative to all of them.

    The shapes are (bands,) and (resamples, bands); bands end at `highest_hz`.

    Source:
        IEC 61260-1 (2014), base-ten centres `1000 * 10**(k / 10)`.
    """
    frequencies = spectra.frequencies_hz
    centres = 1000 * 10 ** (np.arange(-13, 14) / 10)
    half_band = 10**0.05
    inside = [
        (frequencies >= c / half_band) & (frequencies < c * half_band) & (frequencies <= highest_hz)
        for c in centres
    ]
    kept = [i for i, members in enumerate(inside) if members.any()]
    power = mean_power(spectra, weights)
    if not kept:
        return centres[:0], np.zeros((len(weights), 0))
    levels = np.stack([power[:, inside[i]].sum(axis=1) for i in kept], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return centres[kept], 10 * np.log10(levels / levels.sum(axis=1, keepdims=True))


def filtering_db(
    spectra: GroupedSpectra, baseline: GroupedSpectra, weights: np.ndarray, highest_hz: float
) -> np.ndarray:
    """Return the RMS difference of relative third-octave levels to real audio in dB.

    The shape is (resamples,); NaN for silence. Bands end at `highest_hz`.
    """
    uniform = np.full((1, len(baseline.counts)), 1 / len(baseline.counts))
    _, ours = third_octave_levels_db(spectra, weights, highest_hz)
    _, theirs = third_octave_levels_db(baseline, uniform, highest_hz)
    if not ours.shape[1]:
        return np.full(len(weights), np.nan)
    with np.errstate(invalid="ignore"):
        return np.sqrt(np.mean((ours - theirs) ** 2, axis=1))
