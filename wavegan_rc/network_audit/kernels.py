"""What weights and strides say by themselves, before any sound: tones, and what shuffling leaves.

An exported stage (`wavegan_rc.generator.folding`) is a convolution at the low rate. Its outputs are
the phases of the high rate: channel `p * filters + f` is phase `p` of filter `f`. For a constant
input, phase `p` has the gain `g[p] = sum over taps`, so the output repeats every `factor` samples.
The discrete Fourier transform of `g` over `p` holds the tones that the stage makes of a constant.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FoldedStage:
    """A stage of an exported generator, away from the ends of its feature maps.

    Attributes:
        kernel: Shape (taps, channels, factor * filters).
        bias: Shape (factor * filters,).
        factor: Upsampling factor.
    """

    kernel: np.ndarray
    bias: np.ndarray
    factor: int

    def phase_gains(self) -> np.ndarray:
        """Gain of each phase for a constant input, shape (factor, channels, filters)."""
        return _by_phase(self.kernel.sum(axis=0, dtype=np.float64), self.factor)

    def rounding(self) -> np.ndarray:
        """What rounding of float32 weights may leave of gains, shape (channels, filters).

        Each tap was summed at float32 out of at most about `2 * factor` others.
        """
        taps = np.abs(self.kernel).sum(axis=0, dtype=np.float64)
        epsilon = float(np.finfo(np.float32).eps)
        return 2 * self.factor * epsilon * _by_phase(taps, self.factor).sum(axis=0)


def _by_phase(outputs: np.ndarray, factor: int) -> np.ndarray:
    """From shape (channels, factor * filters) to (factor, channels, filters)."""
    return outputs.reshape(len(outputs), factor, -1).swapaxes(0, 1)


def kernel_tone_levels_db(stage: FoldedStage) -> np.ndarray:
    """Level of the tones that a stage makes of constant feature maps, from the weights alone.

    The channels' constants are taken as independent, of zero mean and equal variance: then powers
    add up, over channels and over filters. (Behind ReLU they are all positive; for what that makes
    see `mean_map_tone_levels_db`.)

    Args:
        stage: Of an exported generator.

    Returns:
        Power of the real tone at `k / factor` of the output rate, k = 1 ... factor // 2, relative
        to the power of what is left of the constants, in dB; -inf where there is none, NaN or +inf
        where nothing is left of the constants.

    Source:
        A. Odena, V. Dumoulin, C. Olah, "Deconvolution and Checkerboard Artifacts" (Distill, 2016),
        whose overlap counts are the case of equal taps; J. Pons et al., "Upsampling artifacts in
        neural audio synthesis" (ICASSP 2021), section 2.

    Example:
        >>> uneven = FoldedStage(np.array([1.0, 1.0, 1.0, 0.0]).reshape(2, 1, 2), np.zeros(2), 2)
        >>> uneven.phase_gains().ravel().tolist()
        [2.0, 1.0]
        >>> kernel_tone_levels_db(uneven).round(2)
        array([-9.54])
    """
    return _summed_levels_db(stage.phase_gains(), stage.rounding())


def mean_map_tone_levels_db(stage: FoldedStage, means: np.ndarray) -> np.ndarray:
    """Level of the tones that a stage makes of given constant feature maps.

    Channels add up as amplitudes, with the bias; then filters as powers.

    Args:
        stage: Of an exported generator.
        means: Constant of each channel, shape (channels,).

    Returns:
        As from `kernel_tone_levels_db`.

    Example:
        >>> stage = FoldedStage(np.array([[[2.0, 1.0], [-1.0, 0.0]]]), np.zeros(2), 2)
        >>> mean_map_tone_levels_db(stage, np.ones(2))  # the channels' tones cancel
        array([-inf])
    """
    bias = stage.bias.reshape(stage.factor, -1)
    outputs = np.einsum("c,pcf->pf", means, stage.phase_gains()) + bias
    return _summed_levels_db(outputs, np.abs(means) @ stage.rounding())


def _summed_levels_db(gains: np.ndarray, rounding: np.ndarray) -> np.ndarray:
    """Tones relative to the constant, powers summed over all axes but the first."""
    factor = len(gains)
    spectrum = np.abs(np.fft.fft(gains, axis=0))[: factor // 2 + 1]
    # What only rounding leaves of a sum that is zero is no tone.
    floor = rounding + 1e-12 * np.abs(gains).sum(axis=0)
    spectrum[1:] = np.where(spectrum[1:] <= floor, 0, spectrum[1:])
    power = (spectrum**2).reshape(len(spectrum), -1).sum(axis=1)
    # A tone below half the rate has a mirror image, which belongs to it.
    mirrored = 2 * np.arange(len(power)) < factor
    with np.errstate(divide="ignore", invalid="ignore"):
        return 10 * np.log10(power[1:] * (1 + mirrored[1:]) / power[0])


def endless_output(
    stages: Sequence[FoldedStage], means: np.ndarray, post_filter: np.ndarray | None = None
) -> np.ndarray:
    """What the last stages of a generator make of constant feature maps without ends.

    Endless maps are periodic, so their convolutions are circular: a constant is one sample, each
    stage makes `factor` out of one, and the audio is one period. A ReLU follows each stage but the
    last, then come tanh and the learned filter, as in `wavegan_rc.nn.generator`.

    Args:
        stages: From the one that the maps go into to the last, which has one filter.
        means: Constant of each channel, shape (channels,).
        post_filter: Taps of the learned filter behind tanh; None: there is none.

    Returns:
        One period of the audio, shape (product of the factors,).

    Example:
        >>> stage = FoldedStage(np.array([[[2.0, 1.0]]]), np.zeros(2), 2)
        >>> np.arctanh(endless_output([stage], np.array([0.1]))).round(3).tolist()
        [0.2, 0.1]
    """
    maps = np.asarray(means, np.float64)[None]
    for number, stage in enumerate(stages, start=1):
        outputs = _circular(maps, stage.kernel) + stage.bias
        maps = outputs.reshape(len(maps) * stage.factor, -1)
        if number < len(stages):
            maps = np.maximum(maps, 0)
    audio = np.tanh(maps)
    if post_filter is not None:
        audio = _circular(audio, post_filter[:, None, None])
    return audio[:, 0]


def _circular(maps: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Circular convolution; where it starts only delays the rest, which repeats anyway."""
    taps = kernel.astype(np.float64)
    return np.sum([np.roll(maps, -t, axis=0) @ taps[t] for t in range(len(taps))], axis=0)


def periodic_line_powers(period: np.ndarray) -> np.ndarray:
    """Power of the harmonics of an endless sequence, from one period of it.

    Args:
        period: Shape (samples,), an even number.

    Returns:
        Mean square of harmonics 1 ... samples // 2, shape (samples // 2,).

    Example:
        >>> periodic_line_powers(np.array([3.0, 1.0])).tolist()
        [1.0]
    """
    power = 2 * np.abs(np.fft.rfft(period)[1:] / len(period)) ** 2
    if len(period) % 2 == 0:
        power[-1] /= 2
    return power


def shuffle_factors(
    frequencies_hz: Sequence[float] | np.ndarray,
    sample_rate: float,
    strides: Sequence[int],
    radius: int,
) -> np.ndarray:
    """What the mean over phase shuffle's shifts leaves of a fixed line in a critic's gradient.

    A shift by `d` samples behind layer `j` moves the gradient by `d * s_1 * ... * s_j` samples of
    audio. The mean of `exp(2 pi i f d D / rate)` over `d = -radius ... radius` is the factor. For a
    line of layer `i`, at a multiple of `rate / (s_1 * ... * s_i)`, the shifts behind layer `i` and
    all later ones are whole periods and leave it as it is: only the layers before protect. So
    nothing protects from the lines of the first layer. (Ends, and inputs with a period of their
    own, are not in this.)

    Args:
        frequencies_hz: Shape (lines,).
        sample_rate: In Hz.
        strides: Of the critic's layers, first layer first; a shuffle follows each but the last.
        radius: Largest shift.

    Returns:
        Factor of the amplitude, shape (lines,), -1 to 1; its square is that of the power.

    Source:
        C. Donahue, J. McAuley, M. Puckette, "Adversarial Audio Synthesis" (ICLR 2019), section 3.3,
        for the shifts; the mean is the Dirichlet kernel.

    Example:
        >>> shuffle_factors([4000, 1000, 2000], 16000, strides=(4, 4), radius=2).round(3)
        array([ 1. , -0.2,  0.2])
    """
    shifts = np.arange(-radius, radius + 1)
    factors = np.ones(len(frequencies_hz))
    for moved in np.cumprod(strides)[:-1]:
        turns = np.outer(np.asarray(frequencies_hz) * moved / sample_rate, shifts)
        factors *= np.cos(2 * np.pi * turns).mean(axis=1)
    return factors
