"""Time the upsampling layers at the low rate against their two steps one after the other."""

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from keras import ops

from benchmarks.timing import Visit, interleaved, table, timed, write_numbers
from wavegan_rc.config.choices import UPSAMPLERS, Upsampler
from wavegan_rc.nn.generator import generator_widths
from wavegan_rc.nn.upsampling import UpsampleConv1D
from wavegan_rc.theory.interpolation import interpolation_kernel


class Stack(NamedTuple):
    """Consecutive upsampling stages of a generator; each halves the channels, the last has one."""

    name: str
    factors: tuple[int, ...]
    kernel_size: int
    filters: int
    batch_size: int
    length: int = 16

    def layers(self, upsampler: Upsampler) -> list[UpsampleConv1D]:
        """Build the layers."""
        shape, layers = (self.batch_size, self.length, self.filters), []
        widths = generator_widths(len(self.factors), self.filters)
        for width, factor in zip(widths, self.factors, strict=True):
            layer = UpsampleConv1D(width, self.kernel_size, factor, upsampler, seed=0)
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


def in_two_steps(layer: UpsampleConv1D, inputs: Any) -> Any:
    """Compute a layer of zero padding with a bias as the layers that its docstring lists."""
    same = {"padding": "same", "data_format": "channels_last"}
    if layer.upsampler == "transposed":
        return ops.conv_transpose(inputs, layer.kernel, strides=layer.factor, **same) + layer.bias
    if layer.upsampler == "subpixel":
        outputs = ops.conv(inputs, layer.kernel, **same) + layer.bias
        return ops.reshape(outputs, (-1, inputs.shape[1] * layer.factor, layer.filters))
    return ops.conv(_interpolated(layer, inputs), layer.kernel, **same) + layer.bias


def _interpolated(layer: UpsampleConv1D, x: Any) -> Any:
    length, channels = x.shape[1:]
    if layer.upsampler == "resize":
        return ops.repeat(x, layer.factor, axis=1)
    if layer.upsampler == "linear":
        size = (length * layer.factor, 1)
        x = ops.image.resize(x[:, :, None], size, "bilinear", data_format="channels_last")
        return x[:, :, 0]
    zeros_after_each = ops.pad(x[:, :, None], [[0, 0], [0, 0], [0, layer.factor - 1], [0, 0]])
    stuffed = ops.reshape(zeros_after_each, (-1, length * layer.factor, channels))
    taps, _ = interpolation_kernel("sinc", layer.factor)  # symmetric about its middle
    # A 2-D convolution, since TensorFlow 2.21's depthwise convolution can hang on a CPU.
    taps = ops.cast(taps[:, None, None, None], x.dtype)
    return ops.conv(stuffed[..., None], taps, padding="same", data_format="channels_last")[..., 0]


_IMPLEMENTATIONS: dict[str, Callable[[UpsampleConv1D, Any], Any]] = {
    "polyphase": lambda layer, inputs: layer(inputs),
    "reference": in_two_steps,
}


def _visits(
    layers: list[UpsampleConv1D], apply: Callable[[UpsampleConv1D, Any], Any], inputs: Any
) -> dict[str, Visit]:
    """Return a visit of the forward pass, and one that also computes all gradients."""
    weights = [weight.value for layer in layers for weight in layer.trainable_variables]

    @tf.function
    def forward() -> Any:
        x = inputs
        for layer in layers:
            x = apply(layer, x)
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
        for implementation, apply in _IMPLEMENTATIONS.items():
            for part, visit in _visits(stack.layers(upsampler), apply, inputs).items():
                visits[upsampler, implementation, part] = visit
            rows[upsampler][implementation] = {}
    for (upsampler, implementation, part), seconds in interleaved(visits, repeats).items():
        rows[upsampler][implementation][part] = 1000 * statistics.median(seconds)
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
