"""A generator with each stage's interpolation folded into its kernel, in Keras's own layers."""

from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from keras import layers

from wavegan_rc.config.choices import Activation, Padding
from wavegan_rc.nn.activations import NORM, AntiAliasedReLU, activate
from wavegan_rc.nn.generator import DILATIONS, LAST, POST_FILTER
from wavegan_rc.nn.levels import LEVEL, LEVELS
from wavegan_rc.nn.shared import is_same_padding
from wavegan_rc.nn.upsampling import UpsampleConv1D, extend

# Without it, Keras takes the data format from the user's keras.json.
_LAST: dict[str, Any] = {"data_format": "channels_last"}


@dataclass(frozen=True, eq=False)
class ConvolutionWeights:
    """Weights of a convolution at the rate of its input.

    Attributes:
        kernel: Kernel, shape (taps, channels, filters).
        bias: Bias, shape (filters,). None: no bias.
    """

    kernel: np.ndarray
    bias: np.ndarray | None


@dataclass(frozen=True, eq=False)
class StageWeights:
    """Weights of a folded upsampling: a convolution at the low rate, and corrections at the ends.

    Attributes:
        factor: Upsampling factor.
        before: Samples by which the input is extended at its start, 0 to taps - 1; the end is
            extended by the other taps - 1 - before.
        kernel: Kernel, shape (taps, channels, factor * filters).
        bias: Bias, shape (factor * filters,). None: no bias.
        head: Matrix from the first input samples to what is added to the first output blocks, shape
            (samples * channels, blocks * factor * filters). None: no correction.
        tail: The same for the last ones.
        skip: Upsampling beside the path of a residual block. None in a plain stage.
        dilated: Convolutions with dilations 2, 4 and 8. Empty in a plain stage.
    """

    factor: int
    before: int
    kernel: np.ndarray
    bias: np.ndarray | None = None
    head: np.ndarray | None = None
    tail: np.ndarray | None = None
    skip: "StageWeights | None" = None
    dilated: tuple[ConvolutionWeights, ...] = ()


@dataclass(frozen=True, eq=False)
class GeneratorWeights:
    """All weights of a folded generator, which fix its shape too.

    Attributes:
        kernel: Kernel of the dense layer, shape (latent_dim, initial length * channels).
        bias: Bias of the dense layer, shape (initial length * channels,). None: no bias.
        stages: Stages, from the latents to the audio.
        post_filter: Kernel of the learned filter after tanh, shape (taps, 1, 1). None: no filter.
        padding: Continuation of feature maps beyond their ends.
        activation: Activation between convolutions.
        pixel_norm: Whether pixel norm follows each activation.
        last: Convolution that makes the audio after residual stages. None after plain ones.
    """

    kernel: np.ndarray
    bias: np.ndarray | None
    stages: tuple[StageWeights, ...]
    post_filter: np.ndarray | None
    padding: Padding
    activation: Activation = "relu"
    pixel_norm: bool = False
    last: ConvolutionWeights | None = None

    @property
    def is_plain(self) -> bool:
        """Return whether all stages are plain ones, with nothing but ReLU between them."""
        return self.last is None and self.activation == "relu" and not self.pixel_norm


def fold_generator(generator: keras.Model) -> GeneratorWeights:
    """Fold the interpolation of each stage into its kernel.

    A generator that still grows is folded at the level with the largest weight, whose output is the
    last stage.

    With zeros as padding, `linear` and `sinc` need a matrix for each end in addition, which makes
    their files larger (default generator: 1.8 and 3.4 times the weights).

    Args:
        generator: Model from `build_generator`.

    Example:
        >>> from wavegan_rc.nn.generator import build_generator
        >>> generator = build_generator(segment_length=64, upsampling_factors=(4,), filters=8)
        >>> fold_generator(generator).stages[0].kernel.shape  # (taps, channels, factor * filters)
        (7, 8, 4)
    """
    found = {layer.name: layer for layer in generator.layers}
    kernel, *bias = found["dense"].get_weights()
    anti_aliased = any(isinstance(layer, AntiAliasedReLU) for layer in generator.layers)
    return GeneratorWeights(
        kernel,
        bias[0] if bias else None,
        tuple(_fold_stage(found, name) for name in _stage_names(found)),
        found[POST_FILTER].get_weights()[0] if POST_FILTER in found else None,
        found["stage_1"].padding,
        "anti_aliased_relu" if anti_aliased else "relu",
        any(name.endswith(NORM) for name in found),
        _convolution_weights(found[LAST]) if LAST in found else None,
    )


def _stage_names(found: dict[str, Any]) -> list[str]:
    """Return the names of the stages; while a generator grows, of those up to its present level."""
    count = sum(name.startswith("stage_") and name[6:].isdigit() for name in found)
    names = [f"stage_{number}" for number in range(1, count + 1)]
    if LEVELS not in found:
        return names
    highest = len(found[LEVELS].input) - 1
    level = round(float(found[LEVELS].get_weights()[0]))
    return names if level == highest else [*names[: level - highest], f"{LEVEL}{level}"]


def _fold_stage(found: dict[str, Any], name: str) -> StageWeights:
    path = _fold_upsampling(found[name])
    if f"{name}_skip" not in found:
        return path
    dilated = (found[f"{name}_dilation_{dilation}"] for dilation in DILATIONS)
    skip = _fold_upsampling(found[f"{name}_skip"])
    return replace(path, skip=skip, dilated=tuple(map(_convolution_weights, dilated)))


def _convolution_weights(layer: keras.Layer) -> ConvolutionWeights:
    kernel, *bias = layer.get_weights()
    return ConvolutionWeights(kernel, bias[0] if bias else None)


def _fold_upsampling(layer: UpsampleConv1D) -> StageWeights:
    ends: dict[str, np.ndarray] = {}
    for end, matrix in layer.folded_ends(layer.input.shape[1]):
        at_start = end.samples.start == end.blocks.start == 0
        ends["head" if at_start and not ends else "tail"] = np.asarray(matrix)
    bias = np.asarray(layer.folded_bias()) if layer.use_bias else None
    kernel = np.asarray(layer.folded_kernel())
    head, tail = ends.get("head"), ends.get("tail")
    return StageWeights(layer.factor, layer.fold.before, kernel, bias, head, tail)


def folded_model(weights: GeneratorWeights) -> keras.Model:
    """Build the model of a folded generator from Keras's own layers, in float32.

    A saved model loads in Keras without this package, unless it has anti-aliased activations.

    Args:
        weights: Weights, whose shapes must suit one another.

    Returns:
        Model from latents (batch, latent_dim) to audio (batch, samples, 1).

    Example:
        >>> from wavegan_rc.nn.generator import build_generator
        >>> generator = build_generator(segment_length=64, upsampling_factors=(4,), filters=8)
        >>> folded_model(fold_generator(generator)).output_shape
        (None, 64, 1)
    """
    latent_dim, units = weights.kernel.shape
    channels = weights.stages[0].kernel.shape[1]
    latents = layers.Input((latent_dim,), dtype="float32", name="latents")
    x = _dense(latents, weights.kernel, weights.bias, "dense")
    x = layers.Reshape((units // channels, channels), **_named("feature_map"))(x)
    for number, stage in enumerate(weights.stages, start=1):
        name = f"stage_{number}"
        if stage.skip is not None:
            x = _residual(x, stage, stage.skip, weights, name)
            continue
        x = _activation(x, weights, "dense_relu" if number == 1 else f"stage_{number - 1}_relu")
        x = _upsampling(x, stage, weights.padding, name)
    if weights.last is not None:
        x = _activation(x, weights, f"{LAST}_relu")
        x = _convolution(x, weights.last, "same", LAST)
    x = layers.Activation("tanh", **_named("audio"))(x)
    if weights.post_filter is not None:
        x = _convolution(x, ConvolutionWeights(weights.post_filter, None), "same", POST_FILTER)
    return keras.Model(latents, x, name="generator")


def _activation(x: Any, weights: GeneratorWeights, name: str) -> Any:
    return activate(x, weights.activation, weights.pixel_norm, **_named(name))


def _residual(
    x: Any, stage: StageWeights, skip: StageWeights, weights: GeneratorWeights, name: str
) -> Any:
    def activated(x: Any, index: int) -> Any:
        dilation = DILATIONS[index]
        x = _activation(x, weights, f"{name}_relu_{dilation}")
        of_layer = stage.dilated[index]
        return _convolution(x, of_layer, "same", f"{name}_dilation_{dilation}", dilation)

    path = _activation(x, weights, f"{name}_input_relu")
    path = activated(_upsampling(path, stage, weights.padding, name), 0)
    skipped = _upsampling(x, skip, weights.padding, f"{name}_skip")
    x = layers.Add(**_named(f"{name}_sum"))([path, skipped])
    path = activated(activated(x, 1), 2)
    return layers.Add(**_named(f"{name}_output"))([path, x])


def _upsampling(inputs: Any, stage: StageWeights, padding: Padding, name: str) -> Any:
    length, taps = inputs.shape[1], len(stage.kernel)
    after = taps - 1 - stage.before
    x, mode = inputs, "valid"
    if padding != "zeros":
        x = extend(inputs, stage.before, after, padding)
    elif is_same_padding(taps, stage.before, after):
        mode = "same"
    else:
        zeros = layers.ZeroPadding1D((stage.before, after), **_LAST, **_named(f"{name}_zeros"))
        x = zeros(inputs)
    x = _convolution(x, ConvolutionWeights(stage.kernel, stage.bias), mode, name)
    if stage.head is not None:
        x = _corrected(x, inputs, stage.head, True, f"{name}_head")
    if stage.tail is not None:
        x = _corrected(x, inputs, stage.tail, False, f"{name}_tail")
    shape = (length * stage.factor, stage.kernel.shape[2] // stage.factor)
    return layers.Reshape(shape, **_named(f"{name}_phases"))(x)


def _corrected(outputs: Any, inputs: Any, matrix: np.ndarray, at_start: bool, name: str) -> Any:
    """Add what padding by zeros changes near one end."""
    _, length, channels = inputs.shape
    filters = outputs.shape[2]
    rest = length - matrix.shape[0] // channels, length - matrix.shape[1] // filters
    cropping, around = (((0, n) if at_start else (n, 0)) for n in rest)
    change = layers.Cropping1D(cropping, **_named(f"{name}_samples"))(inputs)
    change = layers.Flatten(**_LAST, **_named(f"{name}_flat"))(change)
    change = _dense(change, matrix, None, name)
    change = layers.Reshape((-1, filters), **_named(f"{name}_blocks"))(change)
    change = layers.ZeroPadding1D(around, **_LAST, **_named(f"{name}_placed"))(change)
    return layers.Add(**_named(f"{name}_added"))([outputs, change])


def _convolution(
    inputs: Any, weights: ConvolutionWeights, padding: str, name: str, dilation: int = 1
) -> Any:
    taps, _, filters = weights.kernel.shape
    options = _named(name) | _LAST | {"padding": padding, "use_bias": weights.bias is not None}
    layer = layers.Conv1D(filters, taps, dilation_rate=dilation, **options)
    return _apply(layer, inputs, weights.kernel, weights.bias)


def _dense(inputs: Any, kernel: np.ndarray, bias: np.ndarray | None, name: str) -> Any:
    layer = layers.Dense(kernel.shape[1], use_bias=bias is not None, **_named(name))
    return _apply(layer, inputs, kernel, bias)


def _apply(layer: keras.Layer, inputs: Any, *weights: np.ndarray | None) -> Any:
    outputs = layer(inputs)
    layer.set_weights([each for each in weights if each is not None])
    return outputs


def _named(name: str) -> dict[str, Any]:
    return {"name": name, "dtype": "float32"}
