"""Artifact statistics as functions of weights over groups of segments.

`weights` has shape (resamples, groups), each row adding up to 1. Uniform weights give the statistic
itself, multinomial ones its bootstrap distribution. The first axis of all results is `resamples`.
`power` is the result of `mean_power`.
"""

from collections.abc import Sequence

import numpy as np

from wavegan_rc.measurement.bootstrap import first_of_each
from wavegan_rc.measurement.grouped_spectra import HANN_NOISE_BANDWIDTH, GroupedSpectra
from wavegan_rc.measurement.lines import LinePowers, bins_of
from wavegan_rc.spectrogram import StageComb
from wavegan_rc.theory.lines import line_neighbours


def mean_power(spectra: GroupedSpectra, weights: np.ndarray) -> np.ndarray:
    """Return the mean power in each bin, shape (resamples, bins)."""
    return (weights @ spectra.power) / (weights @ spectra.counts)[:, None]


def out_of_band_db(
    spectra: GroupedSpectra, power: np.ndarray, stopband_hz: float, above: LinePowers | None = None
) -> dict[str, np.ndarray]:
    """Return the power above the stopband edge over all power, total and in parts, in dB.

    Args:
        spectra: Sums of the set.
        power: Mean power in each bin, shape (resamples, bins).
        stopband_hz: Frequency in Hz above which the data is empty.
        above: Predicted lines above the edge. None are needed for the total.

    Returns:
        `total`, `lines` and `rest`, each of shape (resamples,): -inf without power, NaN for
        silence. All but `total` are NaN if no line above the edge can be measured.
    """
    outside = spectra.frequencies_hz > stopband_hz
    total = whole_power(power[:, outside])
    lines = np.full(len(power), np.nan) if above is None else above.together()[0]
    parts = {"total": total, "lines": lines, "rest": np.maximum(total - lines, 0)}
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


def image_coherence(spectra: GroupedSpectra, stage: int) -> np.ndarray:
    """Return the coherence of the phases at `f` and `f - spacing`, 0 to 1, shape (bins,).

    An image repeats the signal at a multiple of the stage's input rate and moves with it. The mean
    spectrum blurs it; the phase between the two bins stays. All segments count alike, so unrelated
    bins have about `1 / sqrt(segments)`. Stages are numbered from 1.

    Source:
        W. A. Gardner, "Exploitation of spectral redundancy in cyclostationary signals" (1991),
        on spectral correlation; J.-P. Lachaux et al., "Measuring phase synchrony in brain signals"
        (1999), on the phase alone.
    """
    return np.abs(spectra.images[:, stage - 1].sum(axis=0)) / max(spectra.sounding.sum(), 1)


def locking_square(spectra: GroupedSpectra, weights: np.ndarray) -> np.ndarray:
    """Return the squared phase locking, without the bias of unrelated phases.

    An artifact has a fixed phase relative to the start of the segment. The square of a mean vector
    is a sum over pairs of segments. Those of one recording may agree because a tone outlasts them,
    and a segment agrees with itself. Over pairs from different recordings unrelated phases have 0
    on average, and equal ones 1, in a resample too.

    Returns:
        Array of shape (resamples, bins); NaN without two recordings.

    Source:
        K. V. Mardia, P. E. Jupp, "Directional Statistics" (2000), section 2.3.1; M. Vinck et al.,
        "The pairwise phase consistency" (2010), equation 14, over pairs of recordings.
    """
    phasors, sounding = np.ascontiguousarray(spectra.phasors), spectra.sounding
    # Real products take half the time of complex ones.
    vectors = (weights.astype(np.float32) @ phasors.view(np.float32)).view(np.complex64)
    first = first_of_each(spectra.recordings)
    if len(first) == len(sounding):
        within = weights**2 @ np.abs(phasors) ** 2
        pairs_within = weights**2 @ sounding**2
    else:
        within, pairs_within = np.zeros(vectors.shape), np.zeros(len(weights))
        for own in np.split(np.arange(len(sounding)), first[1:]):
            within += np.abs(weights[:, own] @ phasors[own]) ** 2
            pairs_within += (weights[:, own] @ sounding[own]) ** 2
    pairs = _pairs_between(weights @ sounding, pairs_within)
    return (np.abs(vectors) ** 2 - within) / pairs[:, None]


def mean_coherence_square(spectra: GroupedSpectra, weights: np.ndarray, stage: int) -> np.ndarray:
    """Return the squared image coherence, mean over bins, without the bias of unrelated phases.

    Only pairs of segments from different groups count; see `locking_square`. At 0 Hz and half the
    sample rate phases are only 0 or pi, so these two bins are left out.
    """
    images = np.ascontiguousarray(spectra.images[:, stage - 1, 1:-1])
    # The sum over bins is a quadratic form of the weights.
    parts = images.view(np.float32)
    products = parts @ parts.T
    np.fill_diagonal(products, 0)
    squares = np.einsum("rg,rg->r", weights @ products, weights)
    pairs = _pairs_between(weights @ spectra.sounding, weights**2 @ spectra.sounding**2)
    return squares / pairs / images.shape[1]


def _pairs_between(counts: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Return the weight of pairs from different units; NaN without any."""
    pairs = counts**2 - within
    return np.where(pairs > 1e-6 * counts**2, pairs, np.nan)


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
    frequencies_hz: np.ndarray, power: np.ndarray, highest_hz: float
) -> np.ndarray:
    """Return the levels of third-octave bands in dB relative to all of them.

    The shape is (resamples, bands), lowest band first; bands end at `highest_hz`.

    Source:
        IEC 61260-1 (2014), base-ten centres `1000 * 10**(k / 10)`.
    """
    half_band, levels = 10**0.05, []
    for centre in 1000 * 10 ** (np.arange(-13, 14) / 10):
        inside = (frequencies_hz >= centre / half_band) & (frequencies_hz < centre * half_band)
        inside &= frequencies_hz <= highest_hz
        if inside.any():
            levels.append(power[:, inside].sum(axis=1))
    levels = np.stack(levels, axis=1) if levels else np.zeros((len(power), 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return 10 * np.log10(levels / levels.sum(axis=1, keepdims=True))


def filtering_db(
    frequencies_hz: np.ndarray, power: np.ndarray, of_real: np.ndarray, highest_hz: float
) -> np.ndarray:
    """Return the RMS difference of relative third-octave levels to real audio in dB.

    The shape is (resamples,); NaN for silence. Bands end at `highest_hz`; `of_real` is the mean
    power of real audio, shape (1, bins).
    """
    ours = third_octave_levels_db(frequencies_hz, power, highest_hz)
    theirs = third_octave_levels_db(frequencies_hz, of_real, highest_hz)
    if not ours.shape[1]:
        return np.full(len(power), np.nan)
    with np.errstate(invalid="ignore"):
        return np.sqrt(np.mean((ours - theirs) ** 2, axis=1))
