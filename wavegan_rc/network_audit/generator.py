"""Audits of a generator: tones of its kernels, and lines in its output for silent inputs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np

from wavegan_rc.errors import DataError
from wavegan_rc.generator.file import Generator
from wavegan_rc.generator.generation import BATCH_SIZE, draw_latents, synthesize
from wavegan_rc.measurement import statistics as st
from wavegan_rc.measurement.bootstrap import Estimate, bootstrap_weights, estimate
from wavegan_rc.measurement.grouped_spectra import group_spectra
from wavegan_rc.measurement.lines import line_powers
from wavegan_rc.network_audit.kernels import (
    FLOOR_DB,
    endless_output,
    kernel_tone_levels_db,
    mean_map_tone_levels_db,
    periodic_line_powers,
)
from wavegan_rc.spectrogram import CombLine, line_prominence_db, predicted_comb, stage_combs

LATENTS = 512
# Latents for the mean feature maps.
_LATENTS_OF_MEANS = 256
_SCALES = (1.0, 0.1, 0.01, 0.001)


@dataclass(frozen=True)
class KernelTone:
    """A tone that one stage makes of constant feature maps.

    Attributes:
        stage: Stage number, from 1.
        frequency_hz: Frequency in the audio in Hz; later stages add images of it.
        kernel_db: Level in dB relative to the remaining constants, for independent channels of
            equal variance (from the weights alone).
        mean_maps_db: The same for the mean feature maps of this generator and the bias.
    """

    stage: int
    frequency_hz: float
    kernel_db: float
    mean_maps_db: float


class StrongestLine(NamedTuple):
    """The strongest predicted line in an output.

    Attributes:
        frequency_hz: Frequency in Hz.
        stage: Last stage, from 1, that can make it.
        level_db: Level in dB.
        prominence_db: Prominence in dB. One of many lines stands some dB out by chance.
    """

    frequency_hz: float
    stage: int
    level_db: Estimate
    prominence_db: float


class Silence(NamedTuple):
    """Levels of the predicted lines in the output for one input.

    Levels are mean squares relative to full scale 1 (a full-scale sine has -3.0 dB): -inf below
    -120 dB, the float32 rounding, and NaN where lines are too close together to be measured.

    Attributes:
        input: `latents`, `zero latents`, `constant maps` or `endless constant maps`.
        scale: Factor on the latents. None for other inputs.
        stage: Stage with constant maps as input. None for other inputs.
        rms_db: Level of the output, with its constant offset.
        lines_db: Level of all predicted lines together.
        strongest: Strongest line. None if there is none.
    """

    input: str
    scale: float | None
    stage: int | None
    rms_db: Estimate
    lines_db: Estimate
    strongest: StrongestLine | None


# Level of the output, level of the lines, and the strongest line.
_Levels = tuple[Estimate, Estimate, StrongestLine | None]


def stage_inputs(generator: Generator, latents: np.ndarray) -> Iterator[list[np.ndarray]]:
    """Yield each stage's input, of shape (latents, time, channels), for batches of latents."""
    stages = range(1, len(generator.weights.stages) + 1)
    inputs = [_input_of(generator.model, stage) for stage in stages]
    model = keras.Model(generator.model.input, inputs)
    for start in range(0, len(latents), BATCH_SIZE):
        yield [np.asarray(each) for each in model(latents[start : start + BATCH_SIZE])]


def _input_of(model: keras.Model, stage: int) -> keras.KerasTensor:
    before = "dense_relu" if stage == 1 else f"stage_{stage - 1}_relu"
    return model.get_layer(before).output


def mean_maps(generator: Generator, seed: int) -> list[np.ndarray]:
    """Return means over latents and time of each stage's input, each of shape (channels,)."""
    latents = draw_latents(_LATENTS_OF_MEANS, generator.latent_dim, seed)
    batches = [
        [each.mean(axis=1, dtype=np.float64).sum(axis=0) for each in maps]
        for maps in stage_inputs(generator, latents)
    ]
    return [np.sum(of_stage, axis=0) / len(latents) for of_stage in zip(*batches, strict=True)]


def audio_from(generator: Generator, stage: int, means: np.ndarray) -> np.ndarray:
    """Return the audio for constant maps as a stage's input, shape (1, samples)."""
    entry = _input_of(generator.model, stage)
    rest = keras.Model(entry, generator.model.output)
    maps = np.broadcast_to(means.astype(np.float32), (1, *entry.shape[1:]))
    return np.asarray(rest(maps))[:, :, 0]


def kernel_audit(generator: Generator, means: list[np.ndarray]) -> list[KernelTone]:
    """Return the tones of every stage; `means` are the mean inputs of the stages."""
    tones = []
    combs = stage_combs(generator.upsampling_factors, generator.sample_rate)
    for comb, stage, mean in zip(combs, generator.weights.stages, means, strict=True):
        alone, together = kernel_tone_levels_db(stage), mean_map_tone_levels_db(stage, mean)
        for k, levels in enumerate(zip(alone.tolist(), together.tolist(), strict=True), start=1):
            frequency_hz = k * generator.sample_rate / comb.period
            tones.append(KernelTone(comb.stage, frequency_hz, *levels))
    return tones


def silence_test(
    generator: Generator, means: list[np.ndarray], *, seed: int
) -> tuple[list[Silence], dict[str, np.ndarray]]:
    """Measure the predicted lines while the input fades to silence.

    The sound of ordinary latents masks the lines. Scaled latents, zeros, and constant feature maps
    as a stage's input remove it. Zero padding distorts constants near the ends; in the first stages
    of the default generator that is everywhere. So constant maps are measured in the generator as
    it is, and endless, without the effect of padding.
    """
    sample_rate, weights = generator.sample_rate, generator.weights
    comb = predicted_comb(generator.upsampling_factors, sample_rate)
    latents = draw_latents(LATENTS, generator.latent_dim, seed)
    inputs: list[tuple[str, float | None, int | None]] = [("latents", s, None) for s in _SCALES]
    audio = [synthesize(generator.model, latents * np.float32(scale)) for scale in _SCALES]
    inputs.append(("zero latents", None, None))
    audio.append(synthesize(generator.model, np.zeros_like(latents[:1])))
    for number, mean in enumerate(means, start=1):
        inputs.append(("constant maps", None, number))
        audio.append(audio_from(generator, number, mean))
    found, powers = [], []
    for (name, scale, number), segments in zip(inputs, audio, strict=True):
        if not np.isfinite(segments).all():
            raise DataError("the generator makes NaN or infinite samples")
        frequencies_hz, power, levels = _measured(segments, comb, sample_rate, seed)
        found.append(Silence(name, scale, number, *levels))
        powers.append(power)
    for number, mean in enumerate(means, start=1):
        period = endless_output(weights.stages[number - 1 :], mean, weights.post_filter)
        levels = _of_period(period, comb, sample_rate)
        found.append(Silence("endless constant maps", None, number, *levels))
    arrays = {"silence_frequencies_hz": frequencies_hz, "silence_power": np.stack(powers)}
    return found, arrays


def _measured(
    segments: np.ndarray, comb: tuple[CombLine, ...], sample_rate: int, seed: int
) -> tuple[np.ndarray, np.ndarray, _Levels]:
    """Return the bins, mean spectrum and levels of segments under a Hann window."""
    count, length = segments.shape
    spectra = group_spectra([segments], count, segment_length=length, sample_rate=sample_rate)
    units = len(spectra.counts)
    weights = bootstrap_weights(units, seed=seed) if units > 1 else np.ones((1, 1))
    power = st.mean_power(spectra, weights)
    lines_hz = [line.frequency_hz for line in comb]
    prominence_db = line_prominence_db(spectra.frequencies_hz, power[:1], lines_hz, sample_rate)
    lines = line_powers(spectra, power, lines_hz)
    squares = weights @ spectra.positions.sum(axis=1) / (weights @ spectra.counts) / length
    together, _ = lines.together()
    if not squares[0]:  # silence has no lines
        together = np.zeros(len(power))
    strongest = np.nan_to_num(lines.powers[0], nan=-np.inf).argmax()
    line, prominence = lines.powers[:, strongest], prominence_db[0, strongest]
    levels = _levels(squares, together, line, comb[strongest], prominence, units)
    return spectra.frequencies_hz, power[0], levels


def _of_period(period: np.ndarray, comb: tuple[CombLine, ...], sample_rate: int) -> _Levels:
    lines = periodic_line_powers(period)
    hz = (1 + lines.argmax()) * sample_rate / len(period)
    strongest = min(comb, key=lambda line: abs(line.frequency_hz - hz))
    squares = np.mean(period**2, keepdims=True)
    return _levels(squares, lines.sum(keepdims=True), lines.max(keepdims=True), strongest, np.inf)


def _levels(
    squares: np.ndarray,
    together: np.ndarray,
    line: np.ndarray,
    strongest: CombLine,
    prominence_db: float,
    units: int | None = None,
) -> _Levels:
    rms, lines, loudest = (absolute_level(power, units) for power in (squares, together, line))
    if not np.isfinite(loudest.value):
        return rms, lines, None
    where = strongest.frequency_hz, strongest.stage
    return rms, lines, StrongestLine(*where, loudest, float(prominence_db))


def absolute_level(power: np.ndarray, units: int | None = None) -> Estimate:
    """Return the level in dB of a power, shape (1 + resamples,); -inf below -120 dB."""
    with np.errstate(divide="ignore"):
        levels = 10 * np.log10(np.where(power < 10 ** (FLOOR_DB / 10), 0, power))
    return estimate(levels, units)
