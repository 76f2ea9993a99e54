"""Time the upsampling layers: the low-rate implementation against the two-step reference."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from benchmarks.timing import Visit, interleaved, medians_ms, table, timed, write_numbers
from wavegan_rc.config.choices import UPSAMPLERS, Upsampler
from wavegan_rc.nn.generator import generator_widths
from wavegan_rc.nn.upsampling import IMPLEMENTATIONS, Implementation, UpsampleConv1D


class Stack(NamedTuple):
    """Consecutive upsampling stages of a generator; each halves the channels, the last has one."""

    name: str
    factors: tuple[int, ...]
    kernel_size: int
    filters: int
    batch_size: int
    length: int = 16

    def layers(self, upsampler: Upsampler, implementation: Implementation) -> list[UpsampleConv1D]:
        """Build the layers of one implementation."""
        shape, layers = (self.batch_size, self.length, self.filters), []
        widths = generator_widths(len(self.factors), self.filters)
        for width, factor in zip(widths, self.factors, strict=True):
            layer = UpsampleConv1D(
                width, self.kernel_size, factor, upsampler, implementation=implementation, seed=0
            )
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
            layers.append(layer)
        return layers


STACKS = {
    # The default generator, one with fewer and larger stages, and WaveGAN's at full width.
    "2x7": Stack("2 x 7, K=22, 128 filters, batch 32", (2,) * 7, 22, 128, batch_size=32),
    "4x4": Stack("4 x 4, K=24, 256 filters, batch 32", (4,) * 4, 24, 256, batch_size=32),
    "4x5": Stack("4 x 5, K=25, 1024 filters, batch 8", (4,) * 5, 25, 1024, batch_size=8),
}


def _visits(layers: list[UpsampleConv1D], inputs: Any) -> dict[str, Visit]:
    """Return a visit of the forward pass, and one that also computes all gradients."""
    weights = [weight.value for layer in layers for weight in layer.trainable_variables]

    @tf.function
    def forward() -> Any:
        x = inputs
        for layer in layers:
            x = layer(x)
        return [x]

    @tf.function
    def gradient() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(tf.square(forward()[0]))
        return tape.gradient(loss, [inputs, *weights])

    def wait(function: Callable[[], Any]) -> None:
        np.asarray(function()[-1])

    for function in (forward, gradient):
        wait(function)  # traces
    return {
        "forward_ms": partial(timed, partial(wait, forward), 1, before=0),
        "gradient_ms": partial(timed, partial(wait, gradient), 1, before=0),
    }


def time_stack(stack: Stack, repeats: int) -> list[dict[str, Any]]:
    """Time both implementations of every upsampler.

    Returns:
        A row for each upsampler, with the stack's name and, for each implementation, the medians
        `forward_ms` and `gradient_ms` (forward and backward).
    """
    rng = np.random.default_rng(0)
    shape = (stack.batch_size, stack.length, stack.filters)
    inputs = tf.constant(rng.standard_normal(shape), tf.float32)
    visits: dict[tuple[str, str, str], Visit] = {}
    rows: dict[str, dict[str, Any]] = {}
    for upsampler in UPSAMPLERS:
        rows[upsampler] = {"stack": stack.name, "upsampler": upsampler}
        for implementation in IMPLEMENTATIONS:
            layers = stack.layers(upsampler, implementation)
            for part, visit in _visits(layers, inputs).items():
                visits[upsampler, implementation, part] = visit
            rows[upsampler][implementation] = {}
    for (upsampler, implementation, part), ms in medians_ms(interleaved(visits, repeats)).items():
        rows[upsampler][implementation][part] = ms
    return list(rows.values())


def format_rows(rows: list[dict[str, Any]]) -> str:
    """Return the rows of one stack as a table."""

    def times(row: dict[str, Any], key: str) -> str:
        fast, plain = row["polyphase"][key], row["reference"][key]
        return f"{fast:.1f} / {plain:.1f} ({plain / fast:4.2f} x)"

    columns = {
        "upsampler": lambda row: row["upsampler"],
        "forward": lambda row: times(row, "forward_ms"),
        "with gradient": lambda row: times(row, "gradient_ms"),
    }
    by_name = {row["upsampler"]: row["polyphase"] for row in rows}
    resize, transposed = by_name["resize"], by_name["transposed"]
    ratios = [resize[key] / transposed[key] for key in ("forward_ms", "gradient_ms")]
    return "\n".join(
        [
            f"{rows[0]['stack']}: polyphase / reference, ms (reference over polyphase)",
            *table(columns, rows),
            f"resize over transposed: {ratios[0]:.2f} forward, {ratios[1]:.2f} with gradient",
        ]
    )


def benchmark_upsampling(names: Sequence[str], repeats: int, json_file: Path | None) -> None:
    """Time the named stacks, and print a table of each."""
    tf.get_logger().setLevel("ERROR")  # it would warn of retracing: the functions have one name
    rows: list[dict[str, Any]] = []
    for name in names:
        rows += (own := time_stack(STACKS[name], repeats))
        print(f"\n{format_rows(own)}", flush=True)
        write_numbers(json_file, rows, repeats=repeats)
