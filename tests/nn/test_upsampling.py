"""Every upsampler against independent layers: values, gradients, ends, compilers, precisions."""

import keras
import numpy as np
import pytest
from helpers.backends import FEWER_EXAMPLES, compiled, derivatives, dtype_of
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from scipy import signal

from wavegan_rc.config.choices import PADDINGS, UPSAMPLERS
from wavegan_rc.errors import ParameterError
from wavegan_rc.nn.upsampling import UpsampleConv1D
from wavegan_rc.theory.response import dc_image_levels_db

pytestmark = pytest.mark.backend

upsamplers = st.sampled_from(UPSAMPLERS)
paddings = st.sampled_from(PADDINGS)


def interpolate(upsampler, x, factor):
    """The signal that the learned convolution of two-layer upsamplers sees."""
    if upsampler == "resize":
        return keras.layers.UpSampling1D(factor)(x)
    length = x.shape[1]
    if upsampler == "linear":
        image = ops.image.resize(
            x[:, :, None, :], (length * factor, 1), "bilinear", data_format="channels_last"
        )
        return image[:, :, 0, :]
    kaiser = ("kaiser", signal.kaiser_beta(60))
    taps = factor * signal.firwin(6 * factor + 1, 1 / factor, window=kaiser)
    stuffed = np.zeros((length * factor, length))
    stuffed[::factor] = np.eye(length)
    matrix = np.stack([signal.convolve(impulse, taps)[3 * factor :] for impulse in stuffed.T], 1)
    return ops.einsum("ml,blc->bmc", ops.cast(matrix[: length * factor], x.dtype), x)


def oracle(layer, length):
    """What Keras's own layers make of an input, with this layer's weights; and the last of them."""
    factor = layer.factor
    beyond = 0 if layer.padding == "zeros" else 30
    mode = "edge" if layer.padding == "zeros" else layer.padding
    extension = np.pad(np.eye(length), [(beyond, beyond), (0, 0)], mode=mode)
    options = {"padding": "same", "use_bias": layer.use_bias}
    if layer.upsampler == "transposed":
        last = keras.layers.Conv1DTranspose(layer.filters, layer.kernel_size, factor, **options)
    elif layer.upsampler == "subpixel":
        taps = -(-layer.kernel_size // factor)
        last = keras.layers.Conv1D(layer.filters * factor, taps, **options)
    else:
        last = keras.layers.Conv1D(layer.filters, layer.kernel_size, **options)
    last.build((None, None, 3))
    last.set_weights(layer.get_weights())

    def function(x):
        if beyond:
            x = ops.einsum("ml,blc->bmc", ops.cast(extension, x.dtype), x)
        if layer.upsampler not in ("transposed", "subpixel"):
            x = interpolate(layer.upsampler, x, factor)
        outputs = last(x)
        if layer.upsampler == "subpixel":
            outputs = ops.reshape(outputs, (len(outputs), -1, layer.filters))
        start = beyond * factor
        return outputs[:, start : start + length * factor]

    return function, last


def values_and_gradients(function, x, layer):
    """Of a layer that the function uses."""

    def loss(x):
        y = function(x)
        return ops.sum(ops.sin(ops.cast(y, "float32"))), y

    y, gradients = derivatives(loss, x, layer.trainable_variables)
    return [y, *gradients]


def random_input(length):
    return np.random.default_rng(length).standard_normal((2, length, 3)).astype(np.float32)


def built_layer(*args, channels=3, length=8, **options):
    layer = UpsampleConv1D(*args, seed=0, **options)
    layer.build((None, length, channels))
    if layer.use_bias:
        layer.bias.assign(np.random.default_rng(1).standard_normal(layer.bias.shape))
    return layer


def assert_close(ours, theirs, relative=1e-5):
    for a, b in zip(ours, theirs, strict=True):
        a, b = (np.asarray(v, np.float32) for v in (a, b))
        np.testing.assert_allclose(a, b, rtol=0, atol=relative * np.abs(b).max())


@settings(max_examples=90 // FEWER_EXAMPLES)
@given(
    upsamplers, paddings, st.integers(2, 8), st.integers(1, 26), st.integers(1, 20), st.booleans()
)
def test_values_and_gradients_equal_independent_layers(
    upsampler, padding, factor, kernel_size, length, use_bias
):
    x = random_input(length)
    options = {"padding": padding, "use_bias": use_bias, "length": length}
    layer = built_layer(4, kernel_size, factor, upsampler, **options)
    assert layer.compute_output_shape(x.shape) == (2, length * factor, 4)
    function, last = oracle(layer, length)
    assert_close(values_and_gradients(layer, x, layer), values_and_gradients(function, x, last))


@settings(max_examples=20 // FEWER_EXAMPLES)
@given(upsamplers, paddings, st.integers(2, 5), st.integers(1, 12), st.integers(1, 4))
def test_few_positions_of_many_filters_equal_independent_layers(
    upsampler, padding, factor, kernel_size, length
):
    """Here the convolution is one matrix product."""
    filters = 64 * length
    x = random_input(length)
    layer = built_layer(filters, kernel_size, factor, upsampler, padding=padding, length=length)
    function, last = oracle(layer, length)
    assert_close(values_and_gradients(layer, x, layer), values_and_gradients(function, x, last))


@pytest.mark.slow
@settings(max_examples=max(1, 10 // FEWER_EXAMPLES))
@given(upsamplers, paddings, st.integers(2, 4), st.integers(1, 9), st.integers(1, 6))
def test_graph_and_xla_agree_with_eager(upsampler, padding, factor, kernel_size, length):
    x = random_input(length)
    layer = built_layer(4, kernel_size, factor, upsampler, padding=padding, length=length)

    def run(x):
        return values_and_gradients(layer, x, layer)

    eager = run(x)
    for xla in (False, True):
        assert_close(compiled(run, layer.variables, xla=xla)(x), eager)


@settings(max_examples=30 // FEWER_EXAMPLES)
@given(upsamplers, paddings, st.integers(2, 8), st.integers(1, 26), st.integers(1, 12))
def test_bfloat16_agrees_with_float32_within_its_rounding(
    upsampler, padding, factor, kernel_size, length
):
    """Weights, inputs and the sums of folded taps are each rounded to 8 significant bits."""
    options = {"padding": padding, "length": length}
    exact = built_layer(4, kernel_size, factor, upsampler, **options)
    x = random_input(length)
    expected = values_and_gradients(exact, x, exact)
    layer = built_layer(4, kernel_size, factor, upsampler, dtype="mixed_bfloat16", **options)
    layer.set_weights(exact.get_weights())
    ours = values_and_gradients(layer, x, layer)
    assert dtype_of(ours[0]) == "bfloat16"
    assert_close(ours, expected, relative=0.05)


def test_bfloat16_images_of_a_constant_are_no_stronger_than_stated():
    """Folded taps are rounded phase by phase, so `resize` makes images too, some 50 dB down."""
    levels = []
    for seed in range(10):
        layer = UpsampleConv1D(
            1, 22, 2, "resize", padding="edge", use_bias=False, dtype="bfloat16", seed=seed
        )
        layer.build((None, 8, 16))
        kernel = np.asarray(layer.folded_kernel(), np.float32).astype(float)
        gains = kernel.sum(axis=(0, 1))
        levels.append(dc_image_levels_db(gains)[0])
    assert -70 < np.median(levels) < -40


def test_zeros_leave_a_boundary_artifact_on_a_constant_and_edge_does_not():
    """Odena et al.: pad before the convolution, and continue the signal."""
    for upsampler in UPSAMPLERS:
        outputs = {}
        for padding in PADDINGS:
            layer = built_layer(1, 8, 2, upsampler, padding=padding, channels=1, length=32)
            layer.set_weights([np.ones_like(layer.kernel), np.zeros_like(layer.bias)])
            outputs[padding] = np.asarray(layer(np.ones((1, 32, 1))))[0, :, 0]
        # The sinc's phases differ by its finite attenuation, 62 dB.
        flat = 8 * 1e-3 if upsampler == "sinc" else 1e-5
        inside = outputs["zeros"][16:-16]
        np.testing.assert_allclose(inside, inside.mean(), atol=flat)
        for padding in ("edge", "reflect"):
            np.testing.assert_allclose(outputs[padding], inside.mean(), atol=flat)
        for end in (outputs["zeros"][0], outputs["zeros"][-1]):
            assert end < 0.8 * inside.mean()


def test_a_constant_stays_constant_through_resize_and_not_through_transposed():
    """With a kernel that is no multiple of the factor, phases overlap unequally (Odena et al.)."""
    outputs = {}
    for upsampler in ("resize", "linear", "transposed"):
        layer = built_layer(1, 5, 2, upsampler, padding="edge", channels=1, length=32)
        layer.set_weights([np.ones_like(layer.kernel), np.zeros_like(layer.bias)])
        outputs[upsampler] = np.asarray(layer(np.ones((1, 32, 1))))[0, :, 0]
    np.testing.assert_allclose(outputs["resize"], 5, rtol=1e-6)
    np.testing.assert_allclose(outputs["linear"], 5, rtol=1e-6)
    assert sorted({*outputs["transposed"].round(4).tolist()}) == [2, 3]


def test_tones_survive_sinc_and_their_images_do_not():
    """A tone at 0.3 of the low rate's half is kept; its image is 55 dB down. Zeros keep both."""
    length, factor = 256, 4
    tone = np.sin(2 * np.pi * 0.15 * np.arange(length))[None, :, None]
    levels = {}
    for upsampler in ("sinc", "transposed"):
        layer = built_layer(1, 1, factor, upsampler, channels=1, length=length)
        layer.set_weights([np.ones((1, 1, 1)), np.zeros(1)])
        audio = np.asarray(layer(tone))[0, :, 0]
        power = np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) ** 2
        bins = [round(f * len(audio) / factor) for f in (0.15, 0.85)]
        levels[upsampler] = [10 * np.log10(power[b - 2 : b + 3].sum()) for b in bins]
    kept, image = levels["sinc"]
    assert kept - image > 55
    zeros_kept, zeros_image = levels["transposed"]
    assert zeros_kept == pytest.approx(zeros_image, abs=0.1)
    assert kept == pytest.approx(zeros_kept + 20 * np.log10(factor), abs=0.1)


@pytest.mark.parametrize(
    ("upsampler", "initializer", "least"),
    [
        ("transposed", "he", 0.8),
        ("resize", "he", 0.8),
        ("linear", "he", 0.65),  # it averages neighbours, and they differ most at the first stage
        ("sinc", "he", 0.8),
        ("subpixel", "he", 0.8),
        ("subpixel", "icnr", 0.8),
        ("transposed", "linear_interpolation", 0.4),  # as linear, and no kernel brings them closer
    ],
)
@pytest.mark.parametrize(("factor", "kernel_size", "stages"), [(2, 22, 7), (4, 25, 4)])
def test_initial_kernels_keep_the_mean_square_through_random_stages(
    upsampler, initializer, least, factor, kernel_size, stages
):
    """Glorot's scaling would lose a factor of 2 and more per transposed stage.

    Padding continues the signal, so that the ends, where zeros dilute it, do not count.
    """
    squares = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((4, 16, 64)).astype(np.float32)
        for stage in range(stages):
            layer = UpsampleConv1D(
                64,
                kernel_size,
                factor,
                upsampler,
                padding="edge",
                kernel_initializer=initializer,
                seed=100 * seed + stage,
            )
            x = np.asarray(layer(np.maximum(x, 0)))
        squares.append(np.mean(x**2))
    assert least < np.mean(squares) < 1.3


@pytest.mark.parametrize("factor", [2, 3, 4, 5])
@pytest.mark.parametrize("extra", [0, 1, 6])
def test_linear_interpolation_starts_as_linear_upsampling_with_mixed_channels(factor, extra):
    layer = built_layer(
        5,
        2 * factor + extra,
        factor,
        "transposed",
        kernel_initializer="linear_interpolation",
        padding="edge",
        use_bias=False,
    )
    x = np.random.default_rng(0).standard_normal((2, 8, 3)).astype(np.float32)
    mixing = np.asarray(layer.kernel).sum(axis=0).T / factor  # a triangle's taps add up to factor
    np.testing.assert_allclose(layer(x), interpolate("linear", x, factor) @ mixing, atol=1e-5)
    assert np.ptp(mixing) > 0.5


def test_icnr_starts_as_nearest_upsampling():
    layer = built_layer(5, 22, 4, "subpixel", kernel_initializer="icnr", use_bias=False)
    x = np.random.default_rng(0).standard_normal((2, 8, 3)).astype(np.float32)
    outputs = np.asarray(layer(x)).reshape(2, 8, 4, 5)
    np.testing.assert_array_equal(outputs, np.repeat(outputs[:, :, :1], 4, axis=2))
    assert np.ptp(outputs) > 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"upsampler": "deconv"}, "upsampler.*deconv"),
        ({"padding": "circular"}, "padding.*circular"),
        ({"kernel_initializer": "ones"}, "kernel_initializer.*ones"),
        ({"kernel_initializer": "icnr"}, "with the upsampler subpixel.*resize"),
        (
            {"upsampler": "subpixel", "kernel_initializer": "linear_interpolation"},
            "with the upsampler transposed.*subpixel",
        ),
        (
            {
                "upsampler": "transposed",
                "kernel_initializer": "linear_interpolation",
                "kernel_size": 3,
            },
            "at least 4.*: 3",
        ),
        ({"factor": 1}, "factor.*: 1"),
        ({"factor": 2.0}, "factor.*: 2.0"),
        ({"kernel_size": 0}, "kernel_size.*: 0"),
        ({"filters": 0}, "filters.*: 0"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(options, message):
    arguments = {"filters": 4, "kernel_size": 5, "factor": 2, "upsampler": "resize"} | options
    with pytest.raises(ParameterError, match=message):
        UpsampleConv1D(**arguments).build((None, 8, 3))


def test_an_input_of_unknown_length_is_refused():
    with pytest.raises(ParameterError, match="known length"):
        UpsampleConv1D(4, 5, 2, "resize").build((None, None, 3))


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_the_layer_serialises_and_its_seed_fixes_the_weights(upsampler):
    special = {"transposed": "linear_interpolation", "subpixel": "icnr"}
    options = {
        "padding": "edge",
        "kernel_initializer": special.get(upsampler, "he"),
        "use_bias": False,
        "seed": 1,
    }
    layer = UpsampleConv1D(4, 5, 2, upsampler, **options)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    other = UpsampleConv1D(4, 5, 2, upsampler, seed=2)
    for name, value in options.items():
        assert getattr(again, name) == value
    for part in (layer, again, other):
        part.build((None, 8, 3))
    np.testing.assert_array_equal(layer.kernel, again.kernel)
    assert not np.array_equal(layer.kernel, other.kernel)
