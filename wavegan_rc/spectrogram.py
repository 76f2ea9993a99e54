"""Spectra of segments, the comb predicted by upsampling, and the prominence of its lines.

This module needs no deep-learning library. All powers are mean squares relative to full scale 1:
a full-scale sine has power 0.5.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import signal

from wavegan_rc.errors import ParameterError
from wavegan_rc.theory.lines import line_bins, line_neighbours, line_reach


@dataclass(frozen=True)
class CombLine:
    """A frequency at which upsampling can leave a tone.

    Attributes:
        frequency_hz: Frequency in Hz.
        stage: Last stage, from 1, with an image of 0 Hz here.
    """

    frequency_hz: float
    stage: int


def predicted_comb(upsampling_factors: Sequence[int], sample_rate: int) -> tuple[CombLine, ...]:
    """Return the frequencies of the images of 0 Hz that the stages of a generator can leave.

    The pattern of stage `i` repeats every `P_i = s_i * ... * s_n` output samples, so its lines are
    the multiples of `sample_rate / P_i`. A line of several stages is assigned to the last.

    Args:
        upsampling_factors: Factors `s_1 ... s_n`, first stage first, each at least 1.
        sample_rate: Sample rate in Hz.

    Returns:
        Lines above 0 Hz up to half the sample rate, in ascending order.

    Raises:
        ParameterError: If a factor is smaller than 1.

    Source:
        A. Odena, V. Dumoulin, C. Olah, "Deconvolution and Checkerboard Artifacts" (Distill, 2016);
        J. Pons et al., "Upsampling artifacts in neural audio synthesis" (ICASSP 2021), section 2.

    Example:
        >>> [(line.frequency_hz, line.stage) for line in predicted_comb([2, 2], 16000)]
        [(4000.0, 1), (8000.0, 2)]
    """
    lines = (line for comb in stage_combs(upsampling_factors, sample_rate) for line in comb.lines)
    return tuple(sorted(lines, key=lambda line: line.frequency_hz))


@dataclass(frozen=True)
class StageComb:
    """The lines of one upsampling stage.

    Attributes:
        stage: Stage number, from 1.
        spacing_hz: Input rate of the stage in Hz; its images of 0 Hz fall on multiples of it.
        period: Period of the stage's pattern in output samples.
        lines: Images of 0 Hz that no later stage shares.
        shared_hz: Images of 0 Hz in Hz that belong to later stages.
    """

    stage: int
    spacing_hz: float
    period: int
    lines: tuple[CombLine, ...]
    shared_hz: tuple[float, ...] = ()


def stage_combs(upsampling_factors: Sequence[int], sample_rate: int) -> tuple[StageComb, ...]:
    """Return the predicted comb by stage.

    Example:
        >>> [(comb.spacing_hz, len(comb.lines)) for comb in stage_combs([2, 4], 16000)]
        [(2000.0, 2), (4000.0, 2)]
        >>> stage_combs([2, 4], 16000)[0].shared_hz
        (4000.0, 8000.0)
    """
    if min(upsampling_factors, default=0) < 1:
        raise ParameterError(
            f"upsampling_factors must be at least 1. Received: {list(upsampling_factors)}"
        )
    combs = []
    for stage, factor in enumerate(upsampling_factors, start=1):
        period = math.prod(upsampling_factors[stage - 1 :])
        multiples = [(k, k * sample_rate / period) for k in range(1, period // 2 + 1)]
        # Every `factor`-th multiple is one of the next stage's spacing, too.
        own = tuple(CombLine(hz, stage) for k, hz in multiples if k % factor)
        shared = tuple(hz for k, hz in multiples if not k % factor)
        combs.append(StageComb(stage, sample_rate / period, period, own, shared))
    return tuple(combs)


def places_of_stage(lines: Sequence[CombLine], stage: int) -> list[int]:
    """Return the indices of the lines that belong to a stage."""
    return [place for place, line in enumerate(lines) if line.stage == stage]


def stft_db(audio: np.ndarray, *, n_fft: int = 512, hop_length: int = 128) -> np.ndarray:
    """Return the short-time spectrum in dB relative to a full-scale sine.

    Frames lie inside the audio, without padding, so edges add no broadband click.

    Args:
        audio: Array of shape (..., samples), at least `n_fft` samples.
        n_fft: Length of the Hann window and the FFT in samples; even.
        hop_length: Hop between frames in samples.

    Returns:
        Array of shape (..., 1 + n_fft // 2, frames) in dB, at least -120. 0 dB is a sine of
        amplitude 1 on a bin.

    Raises:
        ParameterError: If `n_fft` is odd, or the audio is shorter than it.

    Example:
        >>> sine = np.sin(2 * np.pi * 1000 * np.arange(2048) / 16000)
        >>> print(f"{stft_db(sine)[32].max():.2f} dB")
        0.00 dB
    """
    if n_fft % 2:  # else the last bin is not half the sample rate
        raise ParameterError(f"n_fft must be even. Received: {n_fft}")
    if audio.shape[-1] < n_fft:
        raise ParameterError(
            f"audio must have at least n_fft = {n_fft} samples. Received: {audio.shape[-1]}"
        )
    # As librosa.stft, whose import takes longer than the spectra of a report.
    window = signal.get_window("hann", n_fft)
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(audio, np.float32), n_fft, axis=-1)
    spectrum = np.fft.rfft(window * frames[..., ::hop_length, :]).astype(np.complex64)
    spectrum = np.swapaxes(spectrum, -1, -2)
    # A sine of amplitude A has magnitude A * sum(window) / 2 in its bin and in the negative twin,
    # which 0 Hz and half the sample rate lack.
    amplitude = np.abs(spectrum) / (window.sum() / 2)
    amplitude[..., [0, -1], :] /= 2
    return 20 * np.log10(np.maximum(amplitude, 1e-6))


def mean_power_spectrum(segments: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the power spectrum averaged over segments; the FFT length is the segment length.

    Lines of a comb fall on bins if its period divides the segment length.

    Args:
        segments: Array of shape (segments, samples), full scale 1.
        sample_rate: Sample rate in Hz.

    Returns:
        Frequencies in Hz and power, each of shape (1 + samples // 2,). A sine on a bin has its mean
        square there (Hann window, "spectrum" scaling, one-sided).

    Raises:
        ParameterError: If `segments` is not two-dimensional, is empty, or has non-finite values.

    Source:
        P. D. Welch, "The use of fast Fourier transform for the estimation of power spectra" (1967).

    Example:
        >>> sine = np.sin(2 * np.pi * 1000 * np.arange(2048) / 16000)
        >>> frequencies, power = mean_power_spectrum(sine[None], 16000)
        >>> float(frequencies[power.argmax()]), round(float(power.max()), 3)
        (1000.0, 0.5)
    """
    segments = np.asarray(segments)
    if segments.ndim != 2 or not segments.size:
        raise ParameterError(
            f"segments must have shape (segments, samples). Received shape: {segments.shape}"
        )
    if not np.isfinite(segments).all():
        raise ParameterError("segments must be finite. Received: NaN or infinite samples")
    frequencies, power = signal.periodogram(
        segments, sample_rate, window="hann", detrend=False, scaling="spectrum"
    )
    return frequencies, power.mean(axis=0, dtype=np.float64)


def out_of_band_ratio_db(
    frequencies_hz: np.ndarray, power: np.ndarray, stopband_hz: float
) -> float:
    """Return the power above the stopband edge over all power, in dB.

    Args:
        frequencies_hz: Frequencies of the bins in Hz, shape (bins,).
        power: Mean power spectrum, shape (bins,).
        stopband_hz: Frequency in Hz above which the training data is empty.

    Returns:
        Ratio in dB; -inf without power above the edge, NaN for silence.

    Example:
        >>> out_of_band_ratio_db(np.array([0.0, 1.0, 2.0]), np.array([90.0, 0.0, 10.0]), 1.0)
        -10.0
    """
    total = power.sum()
    outside = power[frequencies_hz > stopband_hz].sum()
    if total == 0:
        return math.nan
    return 10 * math.log10(outside / total) if outside > 0 else -math.inf


def line_prominence_db(
    frequencies_hz: np.ndarray,
    power: np.ndarray,
    lines_hz: Sequence[float],
    sample_rate: int,
) -> np.ndarray:
    """Return the power of each line over that of the bins around it, in dB.

    The reference is the median of the bins around; see `line_neighbours`. A bin has a bandwidth of
    1.5 times the sample rate over the FFT length, so a steady tone stands out more, the longer the
    segments are.

    Args:
        frequencies_hz: Evenly spaced frequencies of the bins in Hz, shape (bins,).
        power: Mean power spectra, shape (..., bins).
        lines_hz: All predicted frequencies in Hz.
        sample_rate: Sample rate in Hz.

    Returns:
        Array of shape (..., lines) in dB; NaN where no bins remain, or they are silent.

    Raises:
        ParameterError: If a line lies outside the spectrum.

    Example:
        >>> power = np.ones(65)
        >>> power[32] = 100
        >>> line_prominence_db(np.arange(65) * 125.0, power, [4000.0], 16000).tolist()
        [20.0]
    """
    spacing = frequencies_hz[1] - frequencies_hz[0]
    bins = line_bins(lines_hz, spacing)
    if bins.size and (bins.min() < 0 or bins.max() >= power.shape[-1]):
        raise ParameterError(
            f"lines_hz must lie between 0 and {frequencies_hz[-1]:g} Hz. Received: {list(lines_hz)}"
        )
    # All bins but 0 Hz and half the sample rate include the power of a negative twin.
    no_twin = np.isclose(frequencies_hz, 0) | np.isclose(frequencies_hz, sample_rate / 2)
    power = np.where(no_twin, 2 * power, power)
    around = np.full((*power.shape[:-1], len(bins)), math.nan)
    reach = line_reach(bins, spacing)
    for i, neighbours in enumerate(line_neighbours(bins, power.shape[-1], reach)):
        if len(neighbours):
            around[..., i] = np.median(power[..., neighbours], axis=-1)
    at_lines = power[..., bins]
    measurable = (around > 0) & (at_lines > 0)
    ratio = np.divide(at_lines, around, out=np.ones_like(around), where=measurable)
    return np.where(measurable, 10 * np.log10(ratio), math.nan)
