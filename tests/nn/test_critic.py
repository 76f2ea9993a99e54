"""The critic's activation against Keras's own: values, and derivatives of derivatives."""

import keras
import numpy as np
import pytest
from keras import ops

from wavegan_rc.nn.backend import gradients_by_inputs
from wavegan_rc.nn.critic import LeakyReLU

pytestmark = pytest.mark.backend


def test_values_and_both_derivatives_equal_kerass():
    values = np.random.default_rng(0).standard_normal((3, 50)).astype(np.float32)
    values[0, :2] = 0.0, -0.0
    x = ops.convert_to_tensor(values)
    results = []
    for layer in (LeakyReLU(0.2), keras.layers.LeakyReLU(0.2)):

        def first(x, layer=layer):
            return gradients_by_inputs(lambda x: ops.sin(layer(x) ** 2), x)

        second = gradients_by_inputs(lambda x, first=first: ops.square(first(x)), x)
        results.append([np.asarray(each) for each in (layer(x), first(x), second)])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    assert np.abs(results[0][2]).max() > 1


def test_the_layer_serialises_and_works_in_half_precision():
    layer = LeakyReLU(0.2, dtype="mixed_bfloat16")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    outputs = layer(ops.ones((2, 3)))
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
