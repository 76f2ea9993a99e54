"""Time a training step of this package, of plain Keras layers and of PyTorch."""

import contextlib
import itertools
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from benchmarks.operations import operations_per_step
from benchmarks.timing import Visit, interleaved, timed, write_numbers
from benchmarks.training_table import StepRow, format_training
from wavegan_rc.config import Config
from wavegan_rc.config.choices import Precision, Upsampler
from wavegan_rc.training.callbacks.checkpoints import StopOnSignal
from wavegan_rc.training.devices import Devices
from wavegan_rc.training.model import build_model
from wavegan_rc.utils.text import one_line

PRECISIONS: tuple[Precision, ...] = ("float32", "mixed_bfloat16")
UPSAMPLERS: tuple[Upsampler, ...] = ("resize", "transposed")

# The presets without emphasis, which the other programs lack. WaveGAN's batch is smaller,
# for two cores.
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
# Rows and columns of the matrices whose product shows the speed of the machine. On a GPU they are
# four times as large, and ten products run in a row, so that waiting for a result hardly counts.
PRODUCT_SIZE = 2048


class Arm(NamedTuple):
    """A program, with the upsampler and the precision that it trains with."""

    upsampler: Upsampler
    program: str
    precision: Precision


@contextlib.contextmanager
def _dtype_policy(precision: Precision) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


class _StepTimes(keras.callbacks.Callback):
    """Numbers of finished steps, with the times at which they were finished."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[tuple[int, float]] = []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        float((logs or {})["critic_loss"])  # wait for it
        self.ends.append((batch, time.perf_counter()))


def our_visit(config: Config, precision: Precision, segments: np.ndarray, steps: int) -> Visit:
    """Time steps of this package through `fit`, with data from the host, as in training."""
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
    """Time steps of the same networks in plain Keras layers, on TensorFlow."""
    import tensorflow as tf

    from benchmarks.plain_keras import plain_critic, plain_generator, plain_step

    with _dtype_policy(precision):
        step = plain_step(config, plain_generator(config), plain_critic(config))
    real = tf.constant(segments)
    return lambda: timed(lambda: float(step(real)), steps)


def our_product(size: int, precision: Precision, count: int) -> Visit:
    """Time a matrix product of Keras's library, one of `count` in a row."""
    dtype = "float32" if precision == "float32" else "bfloat16"
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


def _has_gpu() -> bool:
    return any("gpu" in device or "cuda" in device for device in keras.distribution.list_devices())


def arms_of(
    config: Config,
    notices: list[str],
    upsamplers: Sequence[Upsampler] = UPSAMPLERS,
    precisions: Sequence[Precision] = PRECISIONS,
) -> dict[Arm, Visit]:
    """Build every program's visits; append to `notices` the programs left out, and why."""
    rng = np.random.default_rng(0)
    shape = (config.batch_size, config.critic_steps, config.segment_length, 1)
    segments = 0.1 * rng.standard_normal(shape, np.float32)
    programs = {"wavegan_rc": our_visit}
    if keras.backend.backend() == "tensorflow":
        programs["plain Keras"] = plain_visit
    if find_spec("torch") is None:
        notices.append("PyTorch is left out: pip install 'wavegan_rc[bench]'")
    else:
        from benchmarks.pytorch import pytorch_programs

        programs |= pytorch_programs()
    # Large steps take seconds each on two cores.
    steps = 1 if operations_per_step(config, "plain") > 2e11 and not _has_gpu() else 3
    arms = {}
    for upsampler, precision, program in itertools.product(upsamplers, precisions, programs):
        arm, settings = Arm(upsampler, program, precision), replace(config, upsampler=(upsampler,))
        try:
            arms[arm] = programs[program](settings, precision, segments, steps)
        except Exception as error:  # PyTorch's compiler may fail
            if not program.startswith("PyTorch"):
                raise
            notices.append(f"{' '.join(arm)} is left out: {one_line(error)}")
    return arms


def time_steps(
    name: str,
    config: Config,
    repeats: int,
    notices: list[str],
    upsamplers: Sequence[Upsampler] = UPSAMPLERS,
    precisions: Sequence[Precision] = PRECISIONS,
) -> list[StepRow]:
    """Time the steps of one configuration, with all programs in the same rounds.

    Args:
        name: Name of the configuration, for the rows.
        config: Sizes of the networks and batches; its upsampler and precision are ignored.
        repeats: Number of timed rounds, at least 1.
        notices: List that receives the programs left out, and why.
        upsamplers: Upsamplers to compare.
        precisions: Dtype policies to compare.
    """
    arms = arms_of(config, notices, upsamplers, precisions)
    size, count = (4 * PRODUCT_SIZE, 10) if _has_gpu() else (PRODUCT_SIZE, 1)
    product_visits = [our_product]
    if any(arm.program.startswith("PyTorch") for arm in arms):
        from benchmarks.pytorch import pytorch_product

        product_visits.append(pytorch_product)
    products = {
        (visit.__name__, precision): visit(size, precision, count)
        for visit in product_visits
        for precision in precisions
    }
    times = interleaved({**arms, **products}, repeats)
    peaks = {  # of the faster library
        precision: 2 * size**3 / min(min(times[key]) for key in products if key[1] == precision)
        for precision in precisions
    }
    return [_row(name, config, arm, times, peaks[arm.precision]) for arm in arms]


def _row(
    name: str, config: Config, arm: Arm, times: Mapping[Any, list[float]], peak: float
) -> StepRow:
    seconds = statistics.median(times[arm])
    quartiles = statistics.quantiles(times[arm], n=4) if len(times[arm]) > 1 else [seconds] * 3
    form = "polyphase" if arm.program == "wavegan_rc" else "plain"
    operations = operations_per_step(replace(config, upsampler=(arm.upsampler,)), form)
    return StepRow(
        config=name,
        batch_size=config.batch_size,
        upsampler=arm.upsampler,
        program=arm.program,
        precision=arm.precision,
        ms_per_step=1000 * seconds,
        ms_quartiles=[1000 * quartiles[0], 1000 * quartiles[2]],
        steps_per_s=1 / seconds,
        times_ours=seconds / statistics.median(times[arm._replace(program="wavegan_rc")]),
        gflop_per_step=operations / 1e9,
        gflop_per_s=operations / seconds / 1e9,
        peak_gflop_per_s=peak / 1e9,
        fraction_of_peak=operations / seconds / peak,
    )


def benchmark_training(names: Sequence[str], repeats: int, json_file: Path | None) -> None:
    """Time the steps of the named configurations, and print a table of each."""
    rows: list[StepRow] = []
    for name in names:
        notices: list[str] = []
        rows += (own := time_steps(name, CONFIGS[name], repeats, notices))
        print(*dict.fromkeys(notices), "", format_training(own), sep="\n", flush=True)
        write_numbers(json_file, [asdict(row) for row in rows], repeats=repeats)
