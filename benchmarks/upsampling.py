"""Time the upsampling layers: at the low rate against in two steps, interleaved in one run."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from benchmarks.timing import (
    check_request,
    interleaved,
    machine,
    medians_ms,
    timed,
    write_numbers,
)
from wavegan_rc.config.choices import UPSAMPLERS, Upsampler
from wavegan_rc.nn.generator import generator_widths
from wavegan_rc.nn.upsampling import Implementation, UpsampleConv1D


class Stack(NamedTuple):
    """Upsampling stages in a row, as a generator has them: widths halve, the last has one."""

    name: str
    factors: tuple[int, ...]
    kernel_size: int
    filters: int
    batch_size: int
    length: int = 16

    @property
    def widths(self) -> tuple[int, ...]:
        """Output channels of each stage."""
        return tuple(generator_widths(len(self.factors), self.filters))


STACKS = {
    # The default generator, one with fewer and larger stages, and WaveGAN's at full width.
    "2x7": Stack("2 x 7, K=22, 128 filters, batch 32", (2,) * 7, 22, 128, batch_size=32),
    "4x4": Stack("4 x 4, K=24, 256 filters, batch 32", (4,) * 4, 24, 256, batch_size=32),
    "4x5": Stack("4 x 5, K=25, 1024 filters, batch 8", (4,) * 5, 25, 1024, batch_size=8),
}


def _build(stack: Stack, upsampler: Upsampler, implementation: Implementation) -> list[Any]:
    shape = (stack.batch_size, stack.length, stack.filters)
    layers = []
    for width, factor in zip(stack.widths, stack.factors, strict=True):
        layer = UpsampleConv1D(
            width, stack.kernel_size, factor, upsampler, implementation=implementation, seed=0
        )
        layer.build(shape)
        shape = layer.compute_output_shape(shape)
        layers.append(layer)
    return layers


def _multiply_adds(stack: Stack, layers: list[Any]) -> float:
    """Of the learned convolutions, per sample of the last stage's output.

    Transposed convolution leaves out the inserted zeros. Not counted: interpolation as a step of
    its own (few), and the corrections at the ends.
    """
    total, length, channels = 0, stack.length, stack.filters
    for layer in layers:
        length *= layer.factor
        taps = layer.fold.matrix.shape[1]
        if layer.implementation == "reference":
            taps = layer.kernel.shape[0]
            taps = taps / layer.factor if layer.upsampler == "transposed" else taps
        total += length * taps * channels * layer.filters
        channels = layer.filters
    return total / length


def _forward_and_gradient(layers: list[Any], inputs: Any) -> tuple[Callable, Callable]:
    weights = [weight.value for layer in layers for weight in layer.trainable_variables]

    @tf.function
    def forward() -> Any:
        x = inputs
        for layer in layers:
            x = layer(x)
        return x

    @tf.function
    def gradient() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(tf.square(forward()))
        return tape.gradient(loss, [inputs, *weights])

    return forward, gradient


def _visit(function: Callable) -> Callable[[], list[float]]:
    def wait() -> None:
        result = function()
        np.asarray(result[-1] if isinstance(result, list) else result)

    wait()  # traces
    return lambda: timed(wait, 1, before=0)


def time_stack(stack: Stack, repeats: int) -> list[dict[str, Any]]:
    """Time both implementations of every upsampler.

    Args:
        stack: The stages.
        repeats: Timed rounds; the medians are returned.

    Returns:
        For each upsampler its name, the stack's, and for `polyphase` and `reference` the medians
        `forward_ms` and `gradient_ms` (forward and backward) and `multiply_adds_per_sample`.
    """
    rng = np.random.default_rng(0)
    shape = (stack.batch_size, stack.length, stack.filters)
    inputs = tf.constant(rng.standard_normal(shape), tf.float32)
    functions, counts = {}, {}
    for upsampler in UPSAMPLERS:
        for implementation in ("polyphase", "reference"):
            layers = _build(stack, upsampler, implementation)
            counts[upsampler, implementation] = _multiply_adds(stack, layers)
            for part, function in zip(
                ("forward", "gradient"), _forward_and_gradient(layers, inputs), strict=True
            ):
                functions[upsampler, implementation, part] = _visit(function)
    medians = medians_ms(interleaved(functions, repeats))
    rows = []
    for upsampler in UPSAMPLERS:
        row: dict[str, Any] = {"stack": stack.name, "upsampler": upsampler}
        for implementation in ("polyphase", "reference"):
            row[implementation] = {
                "forward_ms": medians[upsampler, implementation, "forward"],
                "gradient_ms": medians[upsampler, implementation, "gradient"],
                "multiply_adds_per_sample": counts[upsampler, implementation],
            }
        rows.append(row)
    return rows


def format_rows(rows: list[dict[str, Any]]) -> str:
    """The rows of one stack as a table."""
    lines = [f"{rows[0]['stack']}: polyphase / reference, ms (reference over polyphase)"]
    lines.append(f"{'':12}{'forward':>26}{'with gradient':>26}{'multiply-adds per sample':>28}")
    for row in rows:
        fast, plain = row["polyphase"], row["reference"]
        cells = [
            f"{fast[key]:8.1f} / {plain[key]:7.1f} ({plain[key] / fast[key]:4.2f} x)"
            for key in ("forward_ms", "gradient_ms")
        ]
        count = (
            f"{fast['multiply_adds_per_sample']:,.0f} / {plain['multiply_adds_per_sample']:,.0f}"
        )
        lines.append(f"{row['upsampler']:12}{cells[0]:>26}{cells[1]:>26}{count:>28}")
    by_name = {row["upsampler"]: row["polyphase"] for row in rows}
    resize, transposed = by_name["resize"], by_name["transposed"]
    ratios = [resize[key] / transposed[key] for key in ("forward_ms", "gradient_ms")]
    lines.append(f"resize over transposed: {ratios[0]:.2f} forward, {ratios[1]:.2f} with gradient")
    return "\n".join(lines)


def benchmark_upsampling(names: Sequence[str], repeats: int, json_file: Path | None) -> None:
    """Time some stacks, print a table of each, and write the numbers to a file.

    Args:
        names: Of `STACKS`.
        repeats: Timed rounds, at least 1.
        json_file: None: no file.

    Raises:
        ParameterError: If `repeats` is smaller than 1.
        DataError: If the file cannot be written.
    """
    check_request(repeats, json_file)
    tf.get_logger().setLevel("ERROR")  # it takes the many small functions for one, retraced
    result: dict[str, Any] = {"machine": machine(), "repeats": repeats, "rows": []}
    for name in names:
        rows = time_stack(STACKS[name], repeats)
        result["rows"] += rows
        print(f"\n{format_rows(rows)}", flush=True)
        write_numbers(json_file, result)
