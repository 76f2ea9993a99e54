"""Time a step of training, against the same in plain Keras layers and in PyTorch."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from benchmarks.operations import operations_per_step
from benchmarks.timing import (
    check_request,
    interleaved,
    machine,
    timed,
    write_numbers,
)
from benchmarks.training_table import format_training, summarize
from wavegan_rc.config import Config
from wavegan_rc.config.choices import Precision, Upsampler
from wavegan_rc.runs.weights_file import one_line
from wavegan_rc.training.callbacks.checkpoints import StopOnSignal
from wavegan_rc.training.devices import Devices
from wavegan_rc.training.model import build_model

PRECISIONS: tuple[Precision, ...] = ("float32", "mixed_bfloat16")
UPSAMPLERS: tuple[Upsampler, ...] = ("resize", "transposed")

# As in configs/, without the emphasis that the other programs lack; WaveGAN's with a batch that two
# cores bear.
CONFIGS = {
    "speech2048": Config(emphasis="none"),
    "wavegan16384": Config(
        emphasis="none",
        critic_steps=5,
        segment_length=16384,
        upsampling_factors=(4, 4, 4, 4, 4),
        kernel_size=25,
        filters=1024,
        latent_dim=100,
        batch_size=8,
        cutoff_hz=None,
    ),
    "gpu": Config(filters=512, batch_size=64, critic_steps=5, emphasis="none"),
}
# Rows and columns of the matrices whose product shows what the machine can do; four times as many
# on a GPU, where ten are made in a row: waiting for a result would count otherwise.
PRODUCT_SIZE = 2048


class Arm(NamedTuple):
    """One of what is compared."""

    upsampler: Upsampler
    program: str
    precision: Precision


Visit = Callable[[], list[float]]


@contextlib.contextmanager
def _dtype_policy(precision: Precision) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


class _StepTimes(keras.callbacks.Callback):
    """When steps ended, and how many had been made by then."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[tuple[int, float]] = []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        float((logs or {})["critic_loss"])  # wait for it
        self.ends.append((batch, time.perf_counter()))


def our_visit(config: Config, precision: Precision, segments: np.ndarray, steps: int) -> Visit:
    """Steps of this package through `fit`, as training makes them: data come from the host."""
    devices = Devices(config)
    model = build_model(replace(config, precision=precision))
    count = steps + 2

    def visit() -> list[float]:
        times = _StepTimes()
        with devices.feeding(lambda: itertools.repeat((segments,), count), StopOnSignal()) as fed:
            model.fit(fed, steps_per_epoch=count, verbose=0, shuffle=False, callbacks=[times])
        ends = times.ends[1:]
        return [
            (end - start) / (last - first)
            for (first, start), (last, end) in itertools.pairwise(ends)
        ]

    return visit


def plain_visit(config: Config, precision: Precision, segments: np.ndarray, steps: int) -> Visit:
    """Steps of the same in plain Keras layers (TensorFlow)."""
    import tensorflow as tf

    from benchmarks.plain_keras import plain_critic, plain_generator, plain_step

    with _dtype_policy(precision):
        step = plain_step(config, plain_generator(config), plain_critic(config))
    real = tf.constant(segments)
    return lambda: timed(lambda: float(step(real)), steps)


def our_peak(size: int, precision: Precision, count: int) -> Visit:
    """A matrix product of the library that runs Keras, one of `count` in a row."""
    dtype = "float32" if precision == "float32" else "bfloat16"
    rng = np.random.default_rng(0)
    # So scaled, the products stay as large as the first factor.
    left, right = (
        keras.ops.cast(scale * rng.standard_normal((size, size), np.float32), dtype)
        for scale in (1, size**-0.5)
    )

    def multiply() -> float:
        product = left
        for _ in range(count):
            product = keras.ops.matmul(product, right)
        return float(product[0, 0])

    return lambda: [seconds / count for seconds in timed(multiply, 3)]


def _has_gpu() -> bool:
    return any("gpu" in device or "cuda" in device for device in keras.distribution.list_devices())


def arms_of(
    config: Config,
    notices: list[str],
    upsamplers: Sequence[Upsampler] = UPSAMPLERS,
    precisions: Sequence[Precision] = PRECISIONS,
) -> dict[Arm, Visit]:
    """What is timed of one configuration.

    Args:
        config: Its sizes; the upsampler is set here.
        notices: What is left out, and why, is added to these.
        upsamplers: To time.
        precisions: To time.
    """
    rng = np.random.default_rng(0)
    shape = (config.batch_size, config.critic_steps, config.segment_length, 1)
    segments = 0.1 * rng.standard_normal(shape, np.float32)
    programs = {"wavegan_rc": our_visit}
    if keras.backend.backend() == "tensorflow":
        programs["plain Keras"] = plain_visit
    if find_spec("torch") is None:
        notices.append("PyTorch is left out: pip install 'wavegan_rc[bench]'")
    else:
        from benchmarks.pytorch_arms import pytorch_programs

        programs |= pytorch_programs()
    # Seconds each on two cores: few are enough, and some minutes.
    steps = 1 if operations_per_step(config, "plain") > 2e11 and not _has_gpu() else 3
    arms = {}
    for upsampler in upsamplers:
        for precision in precisions:
            for program, visit in programs.items():
                arm = Arm(upsampler, program, precision)
                settings = replace(config, upsampler=(upsampler,))
                try:
                    arms[arm] = visit(settings, precision, segments, steps)
                except Exception as error:  # its compiler may not be able to
                    if not program.startswith("PyTorch"):
                        raise
                    notices.append(f"{' '.join(arm)} is left out: {one_line(error)}")
    return arms


def peaks_of(
    programs: set[str], precisions: Sequence[Precision] = PRECISIONS
) -> dict[tuple[str, Precision], tuple[int, Visit]]:
    """Matrix products to time, and their operations, for each library and precision."""
    size, count = (4 * PRODUCT_SIZE, 10) if _has_gpu() else (PRODUCT_SIZE, 1)
    peaks: dict[tuple[str, Precision], tuple[int, Visit]] = {
        ("Keras", precision): (2 * size**3, our_peak(size, precision, count))
        for precision in precisions
    }
    if any(program.startswith("PyTorch") for program in programs):
        from benchmarks.pytorch_arms import pytorch_peak

        for precision in precisions:
            peaks["PyTorch", precision] = 2 * size**3, pytorch_peak(size, precision, count)
    return peaks


def time_steps(
    name: str,
    config: Config,
    repeats: int,
    notices: list[str],
    upsamplers: Sequence[Upsampler] = UPSAMPLERS,
    precisions: Sequence[Precision] = PRECISIONS,
) -> list[dict[str, Any]]:
    """Time steps of one configuration, all arms in the same rounds.

    Args:
        name: Of the configuration.
        config: Its sizes.
        repeats: Timed rounds, at least 1.
        notices: What is left out, and why, is added to these.
        upsamplers: To time.
        precisions: To time.

    Returns:
        Rows of `summarize`.
    """
    arms = arms_of(config, notices, upsamplers, precisions)
    peaks = peaks_of({arm.program for arm in arms}, precisions)
    times = interleaved({**arms, **{key: visit for key, (_, visit) in peaks.items()}}, repeats)
    operations = {
        arm: operations_per_step(
            replace(config, upsampler=(arm.upsampler,)),
            "polyphase" if arm.program == "wavegan_rc" else "plain",
        )
        for arm in arms
    }
    best: dict[str, float] = {}
    for key, (count, _) in peaks.items():  # whichever library multiplies faster
        best[key[1]] = max(best.get(key[1], 0), count / min(times[key]))
    return summarize(name, config.batch_size, {arm: times[arm] for arm in arms}, operations, best)


def benchmark_training(names: Sequence[str], repeats: int, json_file: Path | None) -> None:
    """Time steps of some configurations, print a table of each, and write the numbers to a file.

    Args:
        names: Of `CONFIGS`.
        repeats: Timed rounds, at least 1; the medians are shown.
        json_file: None: no file.

    Raises:
        ParameterError: If `repeats` is smaller than 1.
        DataError: If the file cannot be written.
    """
    check_request(repeats, json_file)
    result: dict[str, Any] = {"machine": machine(), "repeats": repeats, "rows": []}
    for name in names:
        notices: list[str] = []
        rows = time_steps(name, CONFIGS[name], repeats, notices)
        result["machine"] = machine()
        result["rows"] += rows
        for notice in dict.fromkeys(notices):
            print(notice)
        print(f"\n{format_training(rows)}", flush=True)
        write_numbers(json_file, result)
