"""Measure out-of-band level and distance to speech over the seconds of training."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from typing import Any

import keras
import numpy as np

from benchmarks.plain_keras import plain_critic, plain_generator, plain_step
from benchmarks.timing import write_numbers
from wavegan_rc.audio.emphasis import design_emphasis
from wavegan_rc.audio.preparation import corpus_of
from wavegan_rc.audio.segments import Segments, segments_of
from wavegan_rc.config import Config
from wavegan_rc.generator.generation import draw_latents, synthesize
from wavegan_rc.measurement.bootstrap import Groups
from wavegan_rc.measurement.distances import frechet_distance
from wavegan_rc.measurement.features import log_mel_features, mel_edges, standardize
from wavegan_rc.training.batches import batch
from wavegan_rc.training.callbacks.artifacts import artifact_values, sound_values
from wavegan_rc.training.devices import Devices
from wavegan_rc.training.model import build_model

SHOWN = ("out_of_band_total_db", "frechet_distance", "frechet_distance_in_band", "diversity")
# Goals whose times are reported: dB above the stopband, Frechet distance.
GOAL_DB, GOAL_DISTANCE = -40.0, 10.0
_SEGMENTS = 512
_REAL_SEGMENTS = 4096
# Ratio of the training seconds of consecutive measurements.
_GROWTH = 1.3
_FIRST_S = 10.0


def quality_of(segments: np.ndarray, real: np.ndarray, config: Config) -> dict[str, float]:
    """Measure at least 400 generated segments beside held-out ones, without intervals.

    Returns:
        Values of `artifact_values` and `sound_values`, and the Frechet distance of log-mel
        features, over all bands and over the bands below the cutoff.
    """
    rate = config.sample_rate
    values = artifact_values(
        segments,
        sample_rate=rate,
        upsampling_factors=config.upsampling_factors,
        stopband_hz=config.stopband_hz,
    )
    values |= sound_values(segments, real[: len(segments)], rate)
    of_real = log_mel_features(real, rate)
    features = standardize(log_mel_features(segments, rate), of_real)
    reference = standardize(of_real, of_real)
    upper_edges = mel_edges(rate / 2)[2:]
    in_band = np.flatnonzero(np.tile(upper_edges <= (config.cutoff_hz or rate / 2), 2))
    groups = Groups(np.full((1, len(segments)), 1 / len(segments)))
    for name, chosen in (("", slice(None)), ("_in_band", in_band)):
        distance = frechet_distance(features[:, chosen], reference[:, chosen], groups)
        values[f"frechet_distance{name}"] = float(distance[0])
    return values


@dataclass(frozen=True)
class Program:
    """A program in training.

    `step` trains one step, on segments of shape (batch, critic_steps, samples, 1), and waits for
    it; `generate` maps latents to float32 segments.
    """

    config: Config
    step: Callable[[np.ndarray], Any]
    generate: Callable[[np.ndarray], np.ndarray]


def ours(config: Config, segments: Segments) -> Program:
    """Build this package's training step and average generator."""
    import tensorflow as tf

    taps = design_emphasis(
        config.emphasis,
        segments,
        coefficient=config.emphasis_coefficient,
        limit_db=config.emphasis_limit_db,
    )
    Devices(config)
    model = build_model(config, taps)
    compiled = tf.function(model.step)

    def step(data: np.ndarray) -> float:
        return float(compiled((tf.constant(data),))["critic_loss"])

    return Program(config, step, lambda latents: synthesize(model.average_generator, latents))


def plain_keras(config: Config) -> Program:
    """Build the same networks in Keras's layers, without emphasis or average."""
    import tensorflow as tf

    generator, critic = plain_generator(config), plain_critic(config)
    compiled = plain_step(config, generator, critic)
    return Program(
        config,
        lambda data: float(compiled(tf.constant(data))),
        lambda latents: synthesize(generator, latents),
    )


def pytorch(config: Config) -> Program:
    """Build a WaveGAN in PyTorch, eager."""
    import torch  # pyright: ignore[reportMissingImports]

    from benchmarks.pytorch import Critic, Generator, pytorch_step

    torch.manual_seed(config.seed)
    generator = Generator(config)
    make = pytorch_step(config, generator, Critic(config), bfloat16=False)

    def step(data: np.ndarray) -> float:
        return make(torch.from_numpy(np.ascontiguousarray(data.transpose(1, 0, 3, 2)))).item()

    def generate(latents: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return generator(torch.from_numpy(latents))[:, 0].numpy()

    return Program(config, step, generate)


def _wavegan(config: Config) -> Config:
    """Return Donahue et al.'s settings, with this width and segment length."""
    return replace(
        config,
        emphasis="none",
        upsampler=("transposed",),
        upsampling_factors=(4, 4, 4, 4),
        kernel_size=25,
        batch_size=64,
        critic_steps=5,
        learning_rate=1e-4,
        critic_learning_rate=None,
        decay_steps=0,
        adam_betas=(0.5, 0.9),
    )


def _programs(config: Config, training: Segments) -> dict[str, Callable[[], Program]]:
    """Return a function that builds each program, in the order in which they are trained."""
    builders: dict[str, Callable[[], Program]] = {
        f"this, {upsampler}": partial(ours, replace(config, upsampler=(upsampler,)), training)
        for upsampler in ("resize", "transposed")
    }
    plain = replace(config, emphasis="none")
    builders["plain Keras, resize, no emphasis"] = partial(plain_keras, plain)
    if find_spec("torch"):
        builders["PyTorch, WaveGAN"] = partial(pytorch, _wavegan(config))
    else:
        print("PyTorch is not installed (extra `bench`): its WaveGAN is left out")
    return builders


def _training(program: Program, segments: Segments, seconds: float) -> Iterator[tuple[int, float]]:
    """Train, and yield the step and the seconds of training when a measurement is due."""
    spent, due, step = 0.0, _FIRST_S, 0
    while spent < seconds:
        step += 1
        data = batch(segments, program.config, step, rollbacks=0)
        began = time.perf_counter()
        program.step(data)
        spent += time.perf_counter() - began
        if spent >= min(due, seconds):
            due = _GROWTH * max(due, spent)
            yield step, spent


def benchmark_quality(seconds: float, json_file: Path | None) -> None:
    """Train programs in turns, each for so many seconds, and print their quality over time.

    The seconds include the compilation in the first step, but not the drawing of batches and the
    measuring.
    """
    config = Config()
    corpus = corpus_of(config)
    training, held_out = (segments_of(config, corpus, each) for each in ("training", "held_out"))
    real = held_out.draw(0, _REAL_SEGMENTS)
    rows: list[dict[str, Any]] = []
    print(f"{'':34}{'steps':>7}{'s':>6}" + "".join(f"{name:>26}" for name in SHOWN))
    programs: dict[str, Program] = {}
    for name, build in _programs(config, training).items():
        keras.utils.set_random_seed(config.seed)
        programs[name] = build()
    # In turns, so that all meet the same load of the machine.
    turns = zip_longest(*(_training(program, training, seconds) for program in programs.values()))
    for turn in turns:
        for (name, program), reached in zip(programs.items(), turn, strict=True):
            if reached is None:
                continue
            step, spent = reached
            latents = draw_latents(_SEGMENTS, program.config.latent_dim, config.seed)
            values = quality_of(program.generate(latents), real, program.config)
            rows.append({"program": name, "step": step, "seconds": spent} | values)
            shown = "".join(f"{values.get(key, np.nan):26.2f}" for key in SHOWN)
            print(f"{name:34}{step:7}{spent:6.0f}{shown}", flush=True)
            write_numbers(json_file, rows)
    print(format_goals(rows))


def format_goals(rows: list[dict[str, Any]]) -> str:
    """Return a line for each program: the time at which it first reached both goals.

    Example:
        >>> row = {"program": "a", "out_of_band_total_db": -41.0, "frechet_distance": 9.0}
        >>> print(format_goals([row | {"seconds": 60.0}]))
        a: -40 dB out of band and a Frechet distance of 10 after 60 s
    """
    lines = []
    for name in dict.fromkeys(row["program"] for row in rows):
        own = [row for row in rows if row["program"] == name]
        reached = [
            row["seconds"]
            for row in own
            if row["out_of_band_total_db"] <= GOAL_DB and row["frechet_distance"] <= GOAL_DISTANCE
        ]
        goal = f"{GOAL_DB:g} dB out of band and a Frechet distance of {GOAL_DISTANCE:g}"
        when = f"after {reached[0]:.0f} s" if reached else f"not in {own[-1]['seconds']:.0f} s"
        lines.append(f"{name}: {goal} {when}")
    return "\n".join(lines)
