"""The critic's fast layer against Keras's own, values and gradients."""

import keras
import numpy as np
import pytest
from helpers.backends import FEWER_EXAMPLES, derivatives
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from wavegan_rc.errors import ParameterError
from wavegan_rc.nn.downsampling import StridedConv1D

pytestmark = pytest.mark.backend


@settings(max_examples=60 // FEWER_EXAMPLES)
@given(st.integers(1, 6), st.integers(1, 26), st.integers(1, 40))
def test_strided_convolution_equals_keras(strides, kernel_size, length):
    rng = np.random.default_rng(length)
    x = rng.standard_normal((2, length, 3)).astype(np.float32)
    ours = StridedConv1D(4, kernel_size, strides, seed=0)
    theirs = keras.layers.Conv1D(4, kernel_size, strides=strides, padding="same")
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


def test_unknown_length_is_refused():
    with pytest.raises(ParameterError, match="known length"):
        StridedConv1D(4, 5, 2).build((None, None, 1))


def test_the_layer_serialises_and_its_seed_fixes_the_weights():
    layer = StridedConv1D(4, 5, 2, seed=1)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    for part in (layer, again):
        part.build((None, 8, 3))
    np.testing.assert_array_equal(layer.kernel, again.kernel)
