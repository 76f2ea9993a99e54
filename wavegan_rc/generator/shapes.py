"""Check that the arrays of a generator suit one another, before a layer is made of them."""

from typing import Any

from wavegan_rc.generator.folding import ConvolutionWeights, GeneratorWeights, StageWeights

# Of one feature map: TensorFlow computes batches of 64, here 8 GiB.
MOST_VALUES = 2**25


def is_whole(value: Any, low: int, high: int) -> bool:
    """Return whether a value is an int, and no bool, of this range."""
    return type(value) is int and low <= value <= high


def check_shapes(weights: GeneratorWeights) -> None:
    """Refuse arrays that do not suit one another, before a layer is made of them."""
    units, channels = weights.kernel.shape[1], weights.stages[0].kernel.shape[1]
    length = units // channels
    _check(weights.kernel.ndim == 2 and length * channels == units, "dense")
    _check(weights.bias is None or weights.bias.shape == (units,), "dense")
    biased = weights.bias is not None
    for number, stage in enumerate(weights.stages, start=1):
        for upsampling in (stage, *([] if stage.skip is None else [stage.skip])):
            _check_upsampling(upsampling, length, channels, biased, f"stage {number}")
        length, channels = length * stage.factor, stage.kernel.shape[2] // stage.factor
        _check(length * channels <= MOST_VALUES, f"stage {number}")
        if stage.skip is not None:
            outputs = stage.skip.factor, stage.skip.kernel.shape[2] // stage.skip.factor
            _check(outputs == (stage.factor, channels), f"the skip of stage {number}")
        for dilated in stage.dilated:
            _check_convolution(dilated, channels, channels, biased, f"stage {number}")
    residual = weights.stages[0].skip is not None
    _check(residual == (weights.last is not None), "the last convolution")
    if weights.last is not None:
        _check_convolution(weights.last, channels, 1, biased, "the last convolution")
    else:
        _check(channels == 1, "the last stage")
    if weights.post_filter is not None:
        _check(weights.post_filter.shape[1:] == (1, 1), "the post filter")


def _check_convolution(
    weights: ConvolutionWeights, inputs: int, outputs: int, biased: bool, where: str
) -> None:
    _check(weights.kernel.shape[1:] == (inputs, outputs), where)
    bias_shape = None if weights.bias is None else weights.bias.shape
    _check(bias_shape == ((outputs,) if biased else None), where)


def _check_upsampling(
    weights: StageWeights, length: int, channels: int, biased: bool, where: str
) -> None:
    taps, inputs, outputs = weights.kernel.shape
    _check(inputs == channels and outputs % weights.factor == 0, where)
    bias_shape = None if weights.bias is None else weights.bias.shape
    _check(bias_shape == ((outputs,) if biased else None), where)
    _check(is_whole(weights.before, 0, taps - 1), where)
    for end in (weights.head, weights.tail):
        rows, columns = (inputs, outputs) if end is None else end.shape
        whole = rows % inputs == columns % outputs == 0
        samples, blocks = rows // inputs, columns // outputs
        _check(whole and max(samples, blocks) <= length, f"an end of {where}")


def _check(right: bool, where: str) -> None:
    if not right:
        raise ValueError(f"arrays of {where} must suit the other arrays and the settings")
