"""Probes of each stage: sines and shifted feature maps at its input.

Feature maps are endless (periodic), so the padding at their ends has no part in the results.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wavegan_rc.generator.folding import StageWeights
from wavegan_rc.network_audit.kernels import FLOOR_DB, through

# Length of the input in samples: a prime number, so that harmonics and images have bins of their
# own, up to hundreds of them. The sines have these numbers of periods in it.
_LENGTH = 251
_PERIODS = (17, 41, 67, 89, 113)
# Directions of the sines in the space of channels.
_DIRECTIONS = 16


@dataclass(frozen=True)
class Probe:
    """Response of a stage, with its nonlinearity, to sines and to shifts of its input.

    Levels are powers over that of the sine and its harmonics up to half the rate, in dB: at least
    -120, NaN if nothing comes out.

    Attributes:
        stage: Stage number, from 1.
        aliasing_db: Everything but the harmonics and the constant.
        mirrored_db: Images of the sine, below and above multiples of the stage's input rate.
        tonal_db: Multiples of the stage's input rate, whatever the sine.
        other_db: The rest: harmonics folded back, and images of harmonics.
        equivariance_db: Range of the output over the error when the input is shifted, in dB, at
            most 120. Without images and folding there is no error.
    """

    stage: int
    aliasing_db: float
    mirrored_db: float
    tonal_db: float
    other_db: float
    equivariance_db: float


def probe_stages(
    stages: Sequence[StageWeights], maps: Sequence[np.ndarray], *, seed: int
) -> list[Probe]:
    """Probe every stage, around `maps`: its input for some latents.

    Source:
        K. Sato, J. O. Smith, "Aliasing Reduction in Neural Amp Modeling by Smoothing Activations"
        (2025), for the aliasing-to-signal ratio; T. Karras et al., "Alias-Free Generative
        Adversarial Networks" (2021), appendix E.3, for equivariance; Y. Gu et al., "Aliasing-Free
        Neural Audio Synthesis" (2025), for mirrored, tonal and folded-back artifacts.
    """
    found = []
    for number, (stage, inputs) in enumerate(zip(stages, maps, strict=True), start=1):
        is_last = number == len(stages)
        found.append(
            Probe(
                number,
                *_sine_levels_db(stage, inputs, is_last, seed),
                _equivariance_db(stage, inputs, is_last),
            )
        )
    return found


def _sine_levels_db(
    stage: StageWeights, inputs: np.ndarray, is_last: bool, seed: int
) -> tuple[float, float, float, float]:
    """Return aliasing, mirrored, tonal and other power relative to the harmonics, in dB.

    A sine moves the mean of the maps along deviations that they really have.
    """
    vectors = inputs.reshape(-1, inputs.shape[-1]).astype(np.float64)
    mean = vectors.mean(axis=0)
    chosen = np.random.default_rng(seed).integers(len(vectors), size=_DIRECTIONS)
    length = _LENGTH * stage.factor
    totals = np.zeros(4)
    for periods in _PERIODS:
        sine = np.sin(2 * np.pi * periods * np.arange(_LENGTH) / _LENGTH)
        maps = mean + sine[:, None] * (vectors[chosen] - mean)[:, None]
        output = through(stage, maps, is_last=is_last)
        power = 2 * (np.abs(np.fft.rfft(output, axis=1)) ** 2).sum(axis=(0, 2))
        if length % 2 == 0:
            power[-1] /= 2
        kind = _kinds(periods, length)
        totals += [power[kind == each].sum() for each in range(4)]
    harmonic, mirrored, tonal, other = totals
    if not harmonic > 0:
        return np.nan, np.nan, np.nan, np.nan
    parts = np.array([mirrored + tonal + other, mirrored, tonal, other])
    levels = 10 * np.log10(np.maximum(parts / harmonic, 10 ** (FLOOR_DB / 10)))
    aliasing_db, mirrored_db, tonal_db, other_db = levels.tolist()
    return aliasing_db, mirrored_db, tonal_db, other_db


def _kinds(periods: int, length: int) -> np.ndarray:
    """Return the kind of each bin: 0 harmonic, 1 mirrored, 2 tonal, 3 other; -1 for 0 Hz."""
    kind = np.full(length // 2 + 1, 3)
    kind[0] = -1
    multiples = np.arange(_LENGTH, length + 1, _LENGTH)
    images = np.concatenate([multiples - periods, multiples + periods])
    kind[images[images < len(kind)]] = 1
    kind[multiples[multiples < len(kind)]] = 2
    kind[periods::periods] = 0
    return kind


def _equivariance_db(stage: StageWeights, inputs: np.ndarray, is_last: bool) -> float:
    """Return the ratio of the squared range to the mean squared error of shifts, in dB.

    The input is shifted by half a sample of the output, by one, and so on up to less than a sample
    of its own. Shifts by whole samples would not show what the nonlinearity folds back.
    """
    maps = inputs.astype(np.float64)
    output = through(stage, maps, is_last=is_last)
    full_range = np.ptp(output)
    if not full_range > 0:
        return np.nan
    errors = []
    for samples in np.arange(1, 2 * stage.factor) / 2:
        shifted = through(stage, _shifted(maps, samples / stage.factor), is_last=is_last)
        errors.append(np.mean((shifted - _shifted(output, samples)) ** 2))
    return float(-10 * np.log10(max(np.mean(errors) / full_range**2, 10 ** (FLOOR_DB / 10))))


def _shifted(maps: np.ndarray, samples: float) -> np.ndarray:
    """Return endless maps later by a number of samples, by their Fourier series."""
    length = maps.shape[1]
    turns = np.arange(length // 2 + 1)[:, None] * samples / length
    moved = np.fft.rfft(maps, axis=1) * np.exp(-2j * np.pi * turns)
    return np.fft.irfft(moved, length, axis=1)
