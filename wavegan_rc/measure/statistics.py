"""Artifact statistics as functions of weights over groups of segments.

`weights` has shape (resamples, groups), each row adding up to 1: the share of each group in one
resample of the set. Uniform weights give the statistic itself, multinomial ones its bootstrap
distribution. All results have a leading axis of resamples.
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from wavegan_rc.measure.grouped_spectra import HANN_NOISE_BANDWIDTH, GroupedSpectra, StageComb
from wavegan_rc.measure.line_powers import line_powers, standard_errors, sum_of_lines
from wavegan_rc.spectrogram import line_neighbours, line_prominence_db


def _mean(sums: np.ndarray, spectra: GroupedSpectra, weights: np.ndarray) -> np.ndarray:
    """Mean over segments: sums and counts are resampled alike."""
    return (weights @ sums) / (weights @ spectra.counts)[:, None]


def _mean_phasor(sums: np.ndarray, spectra: GroupedSpectra, weights: np.ndarray) -> np.ndarray:
    """Mean unit vector over the segments that have phases; 0 if none has."""
    return (weights @ sums) / _sounding(spectra, weights)


def _sounding(spectra: GroupedSpectra, weights: np.ndarray) -> np.ndarray:
    """Mean number of segments with phases in a group, shape (resamples, 1); 1 if there is none."""
    sounding = (weights @ spectra.sounding)[:, None]
    return np.where(sounding > 0, sounding, 1)


def mean_power(spectra: GroupedSpectra, weights: np.ndarray) -> np.ndarray:
    """Mean power in each bin, shape (resamples, bins)."""
    return _mean(spectra.power, spectra, weights)


def out_of_band_db(
    spectra: GroupedSpectra, weights: np.ndarray, stopband_hz: float, lines_hz: Sequence[float]
) -> dict[str, np.ndarray]:
    """Power above the stopband edge relative to all power, whole and in parts, in dB.

    A tone of power `p` on a bin puts `p` into it and `p / 4` into each neighbour, noise of density
    `d` puts 1.5 `d` into every bin: either way the power is the sum of the bins over 1.5. The part
    of the lines is what their bins hold above the median of the bins around; see `sum_of_lines`.

    Args:
        spectra: Of the set.
        weights: Shape (resamples, groups).
        stopband_hz: Above it the data holds nothing.
        lines_hz: Predicted lines.

    Returns:
        `total`, `lines`, `rest` and `floor` (the faintest lines that can be told from noise), each
        of shape (resamples,): -inf where there is nothing, NaN for silence. All but `total` are NaN
        where no line above the edge can be measured.
    """
    power = mean_power(spectra, weights)
    outside = spectra.frequencies_hz > stopband_hz
    whole = power.sum(axis=1) / HANN_NOISE_BANDWIDTH
    total = power[:, outside].sum(axis=1) / HANN_NOISE_BANDWIDTH
    above = np.asarray(lines_hz) > stopband_hz
    lines, floor = np.full(len(power), np.nan), np.nan
    if above.any():
        bins = bins_of(spectra, np.asarray(lines_hz)[above])
        prominence = _prominences(spectra, power, lines_hz)[:, above]
        powers = line_powers(power[:, bins], prominence)
        lines, floor = sum_of_lines(powers, standard_errors(spectra, bins))
    parts = {"total": total, "lines": lines, "rest": np.maximum(total - lines, 0), "floor": floor}
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            name: np.where(whole > 0, 10 * np.log10(part / whole), np.nan)
            for name, part in parts.items()
        }


def prominence_db(
    spectra: GroupedSpectra, weights: np.ndarray, lines_hz: Sequence[float]
) -> np.ndarray:
    """Prominence of each line, shape (resamples, lines); see `line_prominence_db`."""
    return _prominences(spectra, mean_power(spectra, weights), lines_hz)


def _prominences(
    spectra: GroupedSpectra, power: np.ndarray, lines_hz: Sequence[float]
) -> np.ndarray:
    return line_prominence_db(
        spectra.frequencies_hz, power, lines_hz, 2 * spectra.frequencies_hz[-1]
    )


def phase_locking(spectra: GroupedSpectra, weights: np.ndarray) -> np.ndarray:
    """Length of the mean phase vector of each bin, shape (resamples, bins), 0 to 1.

    An artifact stands at a fixed phase relative to the start of the segment; speech cut at random
    does not: its bins have about `1 / sqrt(segments)`.

    Source:
        K. V. Mardia, P. E. Jupp, "Directional Statistics" (2000), section 2.3.1.
    """
    return np.abs(_mean_phasor(spectra.phasors, spectra, weights))


def rayleigh_p_values(locking: np.ndarray, count: float) -> np.ndarray:
    """Probability of at least this locking if phases were uniform and independent.

    Not for 0 Hz and half the sampling rate, where spectra are real: see `sign_p_values`.

    Args:
        locking: Lengths of mean phase vectors.
        count: Segments that have phases, at least 1.

    Source:
        K. V. Mardia, P. E. Jupp, "Directional Statistics" (2000), section 6.3.1: `exp(-n R^2)` with
        its first correction.

    Example:
        >>> rayleigh_p_values(np.array([0.0, 0.1, 1.0]), 100).round(3)
        array([1.   , 0.369, 0.   ])
    """
    z = count * np.asarray(locking) ** 2
    correction = 1 + (2 * z - z**2) / (4 * count)
    return np.clip(np.exp(-z) * correction, 0, 1)


def sign_p_values(locking: np.ndarray, count: float) -> np.ndarray:
    """As `rayleigh_p_values` where phases are 0 or pi: the mean of random signs.

    Source:
        The central limit theorem: `n R^2` is chi-squared with one degree of freedom.

    Example:
        >>> sign_p_values(np.array([0.0, 0.196]), 100).round(3)
        array([1.  , 0.05])
    """
    return stats.chi2.sf(count * np.asarray(locking) ** 2, 1)


def unbiased_square(
    lengths: np.ndarray, spectra: GroupedSpectra, weights: np.ndarray
) -> np.ndarray:
    """Squares of mean vectors' lengths, less what unrelated phases would give.

    With weights `w` on segments, the square of the mean vector is a sum over pairs of segments; the
    pairs of a segment with itself give `q`, the sum of `w**2`, whatever the phases. Leaving them
    out, unrelated phases have 0 on average and equal ones 1, in a resample as in the set.

    Args:
        lengths: From `phase_locking` or `image_coherence`, shape (resamples, bins).
        spectra: Of the set.
        weights: Shape (resamples, groups).

    Source:
        M. Vinck et al., "The pairwise phase consistency" (2010), equation 14.
    """
    shares = weights / _sounding(spectra, weights)
    with_itself = (shares**2 @ spectra.sounding)[:, None]
    several = with_itself < 1 - 1e-9
    return np.where(
        several, (lengths**2 - with_itself) / np.where(several, 1 - with_itself, 1), np.nan
    )


def means_around(
    spectra: GroupedSpectra, values: np.ndarray, lines_hz: Sequence[float]
) -> np.ndarray:
    """Means over the bins beside each line, shape (resamples, lines); NaN if they are too few.

    A generator whose segments all begin alike locks all bins: what a line has beyond those around
    it is its own.

    Args:
        spectra: Of the set.
        values: Shape (resamples, bins).
        lines_hz: All predicted lines.
    """
    around = line_neighbours(bins_of(spectra, lines_hz), values.shape[1])
    columns = [
        values[:, bins].mean(axis=1) if len(bins) else values[:, 0] * np.nan for bins in around
    ]
    return np.stack(columns, axis=1)


def image_coherence(spectra: GroupedSpectra, weights: np.ndarray, stage: int) -> np.ndarray:
    """How firmly the phase at `f` is tied to that at `f - spacing`, for every bin.

    An image repeats the signal a multiple of the stage's input rate away, and moves with it: the
    mean spectrum blurs it, the phase between the two bins does not. Each segment counts alike,
    however loud, so that unrelated bins have about `1 / sqrt(segments)`, as in `phase_locking`.

    Args:
        spectra: Of the set.
        weights: Shape (resamples, groups).
        stage: Counted from 1.

    Returns:
        Shape (resamples, bins), 0 to 1.

    Source:
        W. A. Gardner, "Exploitation of spectral redundancy in cyclostationary signals" (1991),
        on spectral correlation; J.-P. Lachaux et al., "Measuring phase synchrony in brain signals"
        (1999), on the phase alone.
    """
    return np.abs(_mean_phasor(spectra.images[:, stage - 1], spectra, weights))


def energy_modulation(
    spectra: GroupedSpectra, weights: np.ndarray, combs: Sequence[StageComb]
) -> np.ndarray:
    """How much the energy varies with the position of a sample within a stage's period.

    The mean square by position modulo the longest period is a periodic sequence; its harmonics are
    given to stages as the lines of the comb are. The squares of a stage's harmonics add up to the
    variance over positions that the stage makes. Noise would bias them: only products of different
    groups are taken.

    Returns:
        Variance relative to the squared mean, shape (resamples, stages), without bias and so at
        times below 0; NaN for silence.
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
    """Levels in third-octave bands, relative to the level in all of them.

    Args:
        spectra: Of the set.
        weights: Shape (resamples, groups).
        highest_hz: Bands end here.

    Returns:
        Centres in Hz, shape (bands,), and dB, shape (resamples, bands).

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
    """Root mean square over third-octave bands of the difference to real long-term levels, in dB.

    Each band's level is relative to all bands', so that loudness does not count.

    Args:
        spectra: Of the set.
        baseline: Of real segments.
        weights: Shape (resamples, groups) over the set.
        highest_hz: Bands end here.

    Returns:
        Shape (resamples,); NaN for silence.
    """
    uniform = np.full((1, len(baseline.counts)), 1 / len(baseline.counts))
    _, ours = third_octave_levels_db(spectra, weights, highest_hz)
    _, theirs = third_octave_levels_db(baseline, uniform, highest_hz)
    if not ours.shape[1]:
        return np.full(len(weights), np.nan)
    with np.errstate(invalid="ignore"):
        return np.sqrt(np.mean((ours - theirs) ** 2, axis=1))


def bins_of(spectra: GroupedSpectra, lines_hz: Sequence[float] | np.ndarray) -> np.ndarray:
    """Index of the bin of each line."""
    return np.rint(np.asarray(lines_hz) / spectra.frequencies_hz[1]).astype(int)
