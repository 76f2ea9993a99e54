"""The critic's fast layer against Keras's own, values and gradients."""

import keras
import numpy as np
import pytest
from helpers.backends import FEWER_EXAMPLES, derivatives
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from scipy import signal

from wavegan_rc.config.choices import DOWNSAMPLINGS
from wavegan_rc.errors import ParameterError
from wavegan_rc.nn.backend import gradients_by_inputs
from wavegan_rc.nn.downsampling import DownsampleConv1D

pytestmark = pytest.mark.backend


def strided(kernel_size, strides):
    return keras.layers.Conv1D(4, kernel_size, strides=strides, padding="same")


def averaged(kernel_size, strides):
    convolution = keras.layers.Conv1D(4, kernel_size, padding="same")
    return keras.Sequential([convolution, keras.layers.AveragePooling1D(strides)])


@settings(max_examples=60 // FEWER_EXAMPLES)
@given(st.sampled_from([strided, averaged]), *map(st.integers, (1, 1, 1), (6, 26, 40)))
def test_the_layer_equals_keras(of_keras, strides, kernel_size, length):
    if of_keras is averaged:  # Keras drops the samples of a last block that is not whole
        length *= strides
    rng = np.random.default_rng(length)
    x = rng.standard_normal((2, length, 3)).astype(np.float32)
    downsampling = "strided" if of_keras is strided else "average"
    ours = DownsampleConv1D(4, kernel_size, strides, downsampling, seed=0)
    theirs = of_keras(kernel_size, strides)
    for layer in (ours, theirs):
        layer.build(x.shape)
    ours.bias.assign(rng.standard_normal(ours.bias.shape))
    theirs.set_weights(ours.get_weights())
    assert ours.compute_output_shape(x.shape) == theirs.compute_output_shape(x.shape)
    results = []
    for layer in (ours, theirs):

        def loss(x, layer=layer):
            y = layer(x)
            return ops.sum(ops.sin(y)), y

        y, gradients = derivatives(loss, x, layer.trainable_variables)
        results.append([y, *gradients])
    for a, b in zip(*results, strict=True):
        scale = max(1.0, float(np.abs(b).max()))
        np.testing.assert_allclose(a, b, atol=1e-5 * scale)


@pytest.mark.parametrize("downsampling", ["average", "blur", "sinc"])
@pytest.mark.parametrize("kernel_size", [1, 8, 25])
def test_the_inner_samples_equal_a_convolution_a_low_pass_and_decimation(downsampling, kernel_size):
    strides, length = 4, 256
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, length, 1)).astype(np.float32)
    layer = DownsampleConv1D(1, kernel_size, strides, downsampling, seed=0)
    y = np.asarray(layer(x))[0, :, 0]
    learned = np.asarray(layer.kernel)[:, 0, 0]
    convolved = signal.correlate(x[0, :, 0], learned, "same" if kernel_size % 2 else "full")
    if kernel_size % 2 == 0:
        convolved = convolved[kernel_size // 2 :]  # "same": the later of two centre taps
    low_pass = {
        "average": np.ones(4) / 4,
        "blur": signal.windows.triang(8) / 4,
        "sinc": signal.firwin(25, 1 / 4, window=("kaiser", signal.kaiser_beta(60.0))),
    }[downsampling]
    centre = (len(low_pass) - 1) // 2 - (0 if downsampling == "sinc" else 1)
    smooth = np.convolve(convolved, low_pass)[len(low_pass) - 1 - centre :][::strides]
    np.testing.assert_allclose(y[10:-10], smooth[10 : len(y) - 10], atol=1e-5)


@pytest.mark.parametrize(
    ("downsampling", "least_db"), [("average", 20.0), ("blur", 40.0), ("sinc", 55.0)]
)
def test_what_would_fold_down_is_killed_and_what_is_kept_is_kept(downsampling, least_db):
    # 100 Hz beside a rate of 4000 Hz: both 3900 Hz and 4100 Hz of 16 kHz would fold to it.
    seconds = np.arange(4096) / 16000
    layer = DownsampleConv1D(1, 1, 4, downsampling)
    layer.build((None, 4096, 1))
    layer.kernel.assign(np.ones((1, 1, 1)))

    def level_db(hz):
        tone = np.sin(2 * np.pi * hz * seconds, dtype=np.float64).astype(np.float32)
        inner = np.asarray(layer(tone[None, :, None]))[0, 50:-50, 0]
        return 20 * np.log10(inner.std() / tone.std())

    assert abs(level_db(100.0)) < 0.1
    assert max(level_db(3900.0), level_db(4100.0)) < -least_db


def test_the_backward_pass_is_the_upsampler_of_the_same_filter():
    """A constant critic gradient stays constant through a low-pass, and is a comb without."""
    x = np.zeros((1, 256, 1), np.float32)
    combs = {}
    for downsampling in DOWNSAMPLINGS:
        layer = DownsampleConv1D(1, 25, 4, downsampling)
        layer.build(x.shape)
        # Its response to 0 Hz is about 1, that to the images of 0 Hz less.
        layer.kernel.assign(0.04 + 0.1 * np.random.default_rng(1).standard_normal((25, 1, 1)))
        gradient = np.asarray(gradients_by_inputs(layer, ops.convert_to_tensor(x)))[0, 64:-64, 0]
        phases = gradient.reshape(-1, 4).mean(axis=0)
        combs[downsampling] = np.ptp(phases) / np.abs(phases).max()
    assert combs["strided"] > 0.1
    assert max(combs["average"], combs["blur"]) < 1e-5
    assert combs["sinc"] < 0.01


def test_unknown_length_is_refused():
    with pytest.raises(ParameterError, match="known length"):
        DownsampleConv1D(4, 5, 2).build((None, None, 1))


def test_the_layer_serialises_and_its_seed_fixes_the_weights():
    layer = DownsampleConv1D(4, 5, 2, "blur", seed=1)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    for part in (layer, again):
        part.build((None, 8, 3))
    np.testing.assert_array_equal(layer.kernel, again.kernel)
