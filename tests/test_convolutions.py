"""The fast layers against Keras's own, values and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegan_rc.errors import ParameterError
from wavegan_rc.nn.downsampling import StridedConv1D
from wavegan_rc.nn.upsampling import UpsampleConv1D, polyphase_fold


def reference(upsampler, filters, kernel_size, factor):
    if upsampler == "transposed":
        return [keras.layers.Conv1DTranspose(filters, kernel_size, factor, padding="same")]
    return [
        keras.layers.UpSampling1D(factor),
        keras.layers.Conv1D(filters, kernel_size, padding="same"),
    ]


def assert_equal_values_and_gradients(layer, others, length):
    rng = np.random.default_rng(length)
    x = tf.constant(rng.standard_normal((2, length, 3)), tf.float32)
    layer.build(x.shape)
    shape = x.shape
    for other in others:
        other.build(shape)
        shape = other.compute_output_shape(shape)
    assert layer.compute_output_shape(x.shape) == tuple(shape)
    layer.bias.assign(rng.standard_normal(layer.bias.shape))
    others[-1].set_weights(layer.get_weights())
    results = []
    for chain in ([layer], others):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x
            for part in chain:
                y = part(y)
            loss = tf.reduce_sum(tf.sin(y))
        weights = [weight.value for weight in chain[-1].trainable_variables]
        results.append([y, *tape.gradient(loss, [x, *weights])])
    for ours, theirs in zip(*results, strict=True):
        scale = max(1.0, float(np.abs(theirs).max()))
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * scale)


@settings(max_examples=60)
@given(
    st.sampled_from(["transposed", "resize"]),
    st.integers(2, 8),
    st.integers(1, 26),
    st.integers(1, 16),
)
def test_upsampling_equals_keras(upsampler, factor, kernel_size, length):
    assert_equal_values_and_gradients(
        UpsampleConv1D(4, kernel_size, factor, upsampler, seed=0),
        reference(upsampler, 4, kernel_size, factor),
        length,
    )


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(1, 26), st.integers(1, 40))
def test_strided_convolution_equals_keras(strides, kernel_size, length):
    assert_equal_values_and_gradients(
        StridedConv1D(4, kernel_size, strides, seed=0),
        [keras.layers.Conv1D(4, kernel_size, strides=strides, padding="same")],
        length,
    )


def test_resize_of_a_constant_is_constant_and_transposed_is_not():
    """With a kernel that is no multiple of the factor, phases overlap unequally (Odena et al.)."""
    outputs = {}
    for upsampler in ("resize", "transposed"):
        layer = UpsampleConv1D(1, 5, 2, upsampler)
        layer.build((None, 32, 1))
        layer.kernel.assign(np.ones(layer.kernel.shape))
        outputs[upsampler] = np.asarray(layer(np.ones((1, 32, 1))))[0, 8:-8, 0]
    np.testing.assert_allclose(outputs["resize"], 5)
    np.testing.assert_allclose(outputs["transposed"][::2], outputs["transposed"][0])
    assert sorted({*outputs["transposed"].round(4).tolist()}) == [2, 3]


def test_unknown_upsampler_is_refused():
    with pytest.raises(ParameterError, match="deconv"):
        polyphase_fold("deconv", 4, 2)


def test_unknown_length_is_refused():
    with pytest.raises(ParameterError, match="known length"):
        StridedConv1D(4, 5, 2).build((None, None, 1))


@pytest.mark.parametrize(
    "layer", [UpsampleConv1D(4, 5, 2, "resize", seed=1), StridedConv1D(4, 5, 2, seed=1)]
)
def test_layers_serialise_and_a_seed_fixes_the_weights(layer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    for part in (layer, again):
        part.build((None, 8, 3))
    np.testing.assert_array_equal(layer.kernel, again.kernel)
