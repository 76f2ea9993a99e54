"""Tones of a stage's kernel, and the effect of phase shuffle, from weights and strides alone.

An exported stage (`wavegan_rc.generator.folding`) is a convolution at the low rate. Output channel
`p * filters + f` is phase `p` of filter `f` at the high rate. For a constant input, phase `p` has
the gain `g[p] = sum over taps`, so the output repeats every `factor` samples, and the discrete
Fourier transform of `g` over `p` has the tones that the stage makes of a constant.
"""

from collections.abc import Sequence

import numpy as np

from wavegan_rc.generator.folding import StageWeights

# Fainter levels are float32 rounding.
FLOOR_DB = -120.0


def stage_gains(stage: StageWeights) -> np.ndarray:
    """Return the gain of each phase for a constant, shape (factor, channels, filters)."""
    return _by_phase(stage.kernel.sum(axis=0, dtype=np.float64), stage.factor)


def through(stage: StageWeights, maps: np.ndarray, *, is_last: bool) -> np.ndarray:
    """Return a stage's output for endless (periodic) maps: convolution and nonlinearity."""
    outputs = _circular(maps, stage.kernel) + (0 if stage.bias is None else stage.bias)
    high = outputs.reshape(*maps.shape[:-2], maps.shape[-2] * stage.factor, -1)
    return np.tanh(high) if is_last else np.maximum(high, 0)


def _rounding(stage: StageWeights) -> np.ndarray:
    """Return a bound on the float32 rounding of gains, shape (channels, filters).

    Each tap is a float32 sum of at most about `2 * factor` others.
    """
    taps = np.abs(stage.kernel).sum(axis=0, dtype=np.float64)
    epsilon = float(np.finfo(np.float32).eps)
    return 2 * stage.factor * epsilon * _by_phase(taps, stage.factor).sum(axis=0)


def _by_phase(outputs: np.ndarray, factor: int) -> np.ndarray:
    """Reshape (channels, factor * filters) to (factor, channels, filters)."""
    return outputs.reshape(len(outputs), factor, -1).swapaxes(0, 1)


def kernel_tone_levels_db(stage: StageWeights) -> np.ndarray:
    """Return the level of the tones that a stage makes of constants, from the weights alone.

    The channels' constants are taken as independent, of zero mean and equal variance, so powers add
    up. (After ReLU they are positive; see `mean_map_tone_levels_db`.)

    Source:
        A. Odena, V. Dumoulin, C. Olah, "Deconvolution and Checkerboard Artifacts" (Distill, 2016),
        whose overlap counts are the case of equal taps; J. Pons et al., "Upsampling artifacts in
        neural audio synthesis" (ICASSP 2021), section 2.
    """
    return _summed_levels_db(stage_gains(stage), _rounding(stage))


def mean_map_tone_levels_db(stage: StageWeights, means: np.ndarray) -> np.ndarray:
    """Return the same levels for given constants, shape (channels,).

    Channels and bias add up as amplitudes, filters as powers.
    """
    outputs = np.einsum("c,pcf->pf", means, stage_gains(stage))
    if stage.bias is not None:
        outputs += stage.bias.reshape(stage.factor, -1)
    return _summed_levels_db(outputs, np.abs(means) @ _rounding(stage))


def _summed_levels_db(gains: np.ndarray, rounding: np.ndarray) -> np.ndarray:
    """Return tones relative to the constant; powers are summed over all axes but the first."""
    factor = len(gains)
    spectrum = np.abs(np.fft.fft(gains, axis=0))[: factor // 2 + 1]
    # Rounding of a zero sum is no tone.
    floor = rounding + 1e-12 * np.abs(gains).sum(axis=0)
    spectrum[1:] = np.where(spectrum[1:] <= floor, 0, spectrum[1:])
    power = (spectrum**2).reshape(len(spectrum), -1).sum(axis=1)
    # Tones below half the rate include their negative twin.
    mirrored = 2 * np.arange(len(power)) < factor
    with np.errstate(divide="ignore", invalid="ignore"):
        return 10 * np.log10(power[1:] * (1 + mirrored[1:]) / power[0])


def endless_output(
    stages: Sequence[StageWeights], means: np.ndarray, post_filter: np.ndarray | None = None
) -> np.ndarray:
    """Return the output of the last stages for endless constant feature maps.

    Endless maps are periodic, so convolutions are circular: a constant is one sample, and each
    stage makes `factor` samples of one. A ReLU follows each stage but the last, then tanh and the
    learned filter, as in `wavegan_rc.nn.generator`.
    """
    maps = np.asarray(means, np.float64)[None]
    for number, stage in enumerate(stages, start=1):
        maps = through(stage, maps, is_last=number == len(stages))
    return (maps if post_filter is None else _circular(maps, post_filter))[:, 0]


def _circular(maps: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return the circular convolution, up to a delay."""
    taps = kernel.astype(np.float64)
    return sum(np.roll(maps, -t, axis=-2) @ taps[t] for t in range(len(taps)))  # pyright: ignore


def periodic_line_powers(period: np.ndarray) -> np.ndarray:
    """Return the mean square of harmonics 1 ... samples // 2 of a sequence with this period."""
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
    """Return the factor by which phase shuffle reduces a fixed line in a critic's gradient.

    A shift by `d` samples after layer `j` moves the gradient by `D d` samples of audio, with
    `D = s_1 * ... * s_j`. The factor is the mean of `exp(2 pi i f d D / rate)` over `d = -radius
    ... radius`. A line of layer `i` is a multiple of `rate / (s_1 * ... * s_i)`: shifts after layer
    `i` and later ones are whole periods and leave it unchanged, so nothing reduces the lines of the
    first layer. Ends, and inputs with a period of their own, are neglected.

    Source:
        C. Donahue, J. McAuley, M. Puckette, "Adversarial Audio Synthesis" (ICLR 2019), section 3.3,
        for the shifts; the mean is the Dirichlet kernel.
    """
    shifts = np.arange(-radius, radius + 1)
    factors = np.ones(len(frequencies_hz))
    for moved in np.cumprod(strides)[:-1]:
        turns = np.outer(np.asarray(frequencies_hz) * moved / sample_rate, shifts)
        factors *= np.cos(2 * np.pi * turns).mean(axis=1)
    return factors
