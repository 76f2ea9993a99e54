"""Minibatch standard deviation against NumPy, and by what it tells of a batch."""

import keras
import numpy as np
import pytest
from helpers.backends import derivatives

from wavegan_rc.nn.critic import build_critic
from wavegan_rc.nn.minibatch_std import MinibatchStd

pytestmark = pytest.mark.backend


def test_the_channel_is_numpys_mean_deviation_over_the_batch():
    x = np.random.default_rng(0).normal(3, 2, (5, 16, 3)).astype(np.float32)
    y = np.asarray(MinibatchStd()(x))
    np.testing.assert_array_equal(y[:, :, :3], x)
    np.testing.assert_allclose(y[:, :, 3], np.full((5, 16), x.std(axis=0).mean()), rtol=1e-5)


def test_it_serialises():
    layer = MinibatchStd(name="std")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    x = np.random.default_rng(0).standard_normal((2, 8, 1)).astype(np.float32)
    np.testing.assert_array_equal(layer(x), again(x))


def test_a_critic_hears_that_all_segments_are_one():
    critic = build_critic(segment_length=64, filters=8, minibatch_std=True, seed=0)
    varied = np.random.default_rng(0).standard_normal((4, 64, 1)).astype(np.float32)
    alone = np.asarray(critic(varied[:1]))
    repeated = np.asarray(critic(np.repeat(varied[:1], 4, axis=0)))
    np.testing.assert_allclose(repeated, np.repeat(alone, 4, axis=0), rtol=1e-5)
    assert abs(np.asarray(critic(varied))[0] - alone) > 1e-3
    plain = build_critic(segment_length=64, filters=8, seed=0)
    np.testing.assert_allclose(plain(varied)[:1], plain(varied[:1]), rtol=1e-5)


def test_derivatives_are_finite_where_nothing_varies():
    x = np.zeros((3, 8, 2), np.float32)
    loss = lambda x: (keras.ops.sum(keras.ops.square(MinibatchStd()(x))), None)  # noqa: E731
    _, (by_x,) = derivatives(loss, x)
    assert np.isfinite(np.asarray(by_x)).all()
