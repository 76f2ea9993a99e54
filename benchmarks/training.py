"""Time a training step of this package, of plain Keras layers and of PyTorch."""

import contextlib
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from benchmarks.operations import operations_per_step
from benchmarks.steps import (
    CONFIGS,
    OURS,
    UPSAMPLERS,
    StepPrecision,
    StepTime,
    format_steps,
)
from benchmarks.timing import Visit, interleaved, timed, write_numbers
from wavegan_rc.config import Config
from wavegan_rc.training.callbacks.checkpoints import StopOnSignal
from wavegan_rc.training.devices import Devices, gpus
from wavegan_rc.training.model import build_model
from wavegan_rc.utils.text import one_line

# Builds a visit that times a number of steps on segments (batch, critic_steps, samples, 1).
Program = Callable[[Config, StepPrecision, np.ndarray, int], Visit]
# Builds a visit that times products, from the matrices' size and the number in a row.
Product = Callable[[int, StepPrecision, int], Visit]

# Rows and columns of the matrices whose product shows the speed of the machine. On a GPU they are
# four times as large, and ten products run in a row, so that waiting for a result hardly counts.
PRODUCT_SIZE = 2048


class _StepTimes(keras.callbacks.Callback):
    """Numbers of finished steps, with the times at which they were finished."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[tuple[int, float]] = []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        float((logs or {})["critic_loss"])  # wait for it
        self.ends.append((batch, time.perf_counter()))


def our_visit(config: Config, precision: StepPrecision, segments: np.ndarray, steps: int) -> Visit:
    """Time steps of this package through `fit`, with data from the host, as in training."""
    devices = Devices(config)
    model = build_model(replace(config, precision=_policy(precision)))
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


def plain_visit(
    config: Config, precision: StepPrecision, segments: np.ndarray, steps: int
) -> Visit:
    """Time steps of the same networks in plain Keras layers, on TensorFlow."""
    import tensorflow as tf

    from benchmarks.plain_keras import plain_critic, plain_generator, plain_step

    with _dtype_policy(precision):
        step = plain_step(config, plain_generator(config), plain_critic(config))
    real = tf.constant(segments)
    return lambda: timed(lambda: float(step(real)), steps)


def _policy(precision: StepPrecision) -> Literal["float32", "mixed_bfloat16"]:
    return "mixed_bfloat16" if precision == "mixed_bfloat16" else "float32"


@contextlib.contextmanager
def _dtype_policy(precision: StepPrecision) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(_policy(precision))
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def our_product(size: int, precision: StepPrecision, count: int) -> Visit:
    """Time a matrix product with the backend, one of `count` in a row."""
    dtype = "bfloat16" if precision == "mixed_bfloat16" else "float32"
    rng = np.random.default_rng(0)
    # With this scale, products keep the size of the first factor.
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


def programs() -> tuple[dict[str, Program], dict[str, Product]]:
    """Return the programs that can be timed, and each library's matrix product."""
    found: dict[str, Program] = {OURS: our_visit}
    products: dict[str, Product] = {OURS: our_product}
    if keras.backend.backend() == "tensorflow":
        found["plain Keras"] = plain_visit
    if find_spec("torch"):
        from benchmarks import pytorch

        found |= {
            "PyTorch eager": partial(pytorch.step_visit, None),
            "PyTorch compile": partial(pytorch.step_visit, "inductor"),
        }
        products["PyTorch"] = pytorch.product_visit
    return found, products


def peak_gflop_per_s(seconds: Sequence[float], size: int) -> float:
    """Return the speed of the fastest of some products of square matrices."""
    return 2 * size**3 / min(seconds) / 1e9


def product_shape() -> tuple[int, int]:
    """Return the size of the matrices, and the number of products in a row."""
    return (4 * PRODUCT_SIZE, 10) if gpus() else (PRODUCT_SIZE, 1)


def segments_for(config: Config) -> np.ndarray:
    """Return a batch of noise."""
    shape = (config.batch_size, config.critic_steps, config.segment_length, 1)
    return 0.1 * np.random.default_rng(0).standard_normal(shape, np.float32)


def steps_per_visit(config: Config) -> int:
    """Return 3, or 1 for large steps, which take seconds each on two cores."""
    return 1 if operations_per_step(config, "plain") > 2e11 and not gpus() else 3


def step_time(
    name: str, config: Config, program: str, precision: StepPrecision, seconds: Sequence[float]
) -> StepTime:
    """Summarize the times of a program's steps; the upsampler is that of the settings."""
    quartiles = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else [seconds[0]] * 3
    form = "polyphase" if program == OURS else "plain"
    return StepTime(
        config=name,
        batch_size=config.batch_size,
        upsampler=config.upsampler[0],
        precision=precision,
        program=program,
        ms_per_step=1000 * statistics.median(seconds),
        ms_quartiles=[1000 * quartiles[0], 1000 * quartiles[2]],
        gflop_per_step=operations_per_step(config, form) / 1e9,
    )


def time_steps(
    name: str, config: Config, repeats: int, notices: list[str]
) -> tuple[list[StepTime], dict[str, float]]:
    """Time the steps of one configuration, with all programs in the same rounds.

    All upsamplers and precisions are timed, whatever the configuration has. `notices` receives the
    programs left out, and why.

    Returns:
        The times, and the speed of the faster library's matrix product by precision.
    """
    found, products = programs()
    if "PyTorch" not in products:
        notices.append("PyTorch is left out: pip install 'wavegan_rc[bench]'")
    precisions: tuple[StepPrecision, ...] = ("float32", "mixed_bfloat16")
    segments, steps = segments_for(config), steps_per_visit(config)
    visits: dict[Any, Visit] = {}
    settings: dict[Any, Config] = {}
    for arm in itertools.product(UPSAMPLERS, precisions, found):
        upsampler, precision, program = arm
        settings[arm] = replace(config, upsampler=(upsampler,))
        try:
            visits[arm] = found[program](settings[arm], precision, segments, steps)
        except Exception as error:  # PyTorch's compiler may fail
            if not program.startswith("PyTorch"):
                raise
            notices.append(f"{' '.join(arm)} is left out: {one_line(error)}")
    size, count = product_shape()
    for precision, library in itertools.product(precisions, products):
        visits["product", precision, library] = products[library](size, precision, count)
    times = interleaved(visits, repeats)
    rows = [
        step_time(name, settings[arm], arm[2], arm[1], seconds)
        for arm, seconds in times.items()
        if arm in settings
    ]
    peaks = {
        precision: max(
            peak_gflop_per_s(times["product", precision, library], size) for library in products
        )
        for precision in precisions
    }
    return rows, peaks


def benchmark_training(names: Sequence[str], repeats: int, json_file: Path | None) -> None:
    """Time the steps of the named configurations, and print a table of each."""
    rows: list[StepTime] = []
    peaks: dict[str, dict[str, float]] = {}
    for name in names:
        notices: list[str] = []
        own, peaks[name] = time_steps(name, CONFIGS[name], repeats, notices)
        rows += own
        print(*dict.fromkeys(notices), "", *format_steps(own, peaks[name]), sep="\n", flush=True)
        numbers = [asdict(row) for row in rows]
        write_numbers(json_file, numbers, repeats=repeats, product_gflop_per_s=peaks)
