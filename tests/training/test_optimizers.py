"""The optimizers: their rates by step."""

import keras
import numpy as np
import pytest

from wavegan_rc.config import Config
from wavegan_rc.training.optimizers import optimizers


@pytest.mark.parametrize("steps", [0, 100, 300])
def test_rates_of_both_networks_fall_with_steps_not_with_updates(steps):
    generator, critic = optimizers(
        Config(learning_rate=1e-3, critic_learning_rate=4e-3, decay_steps=100, critic_steps=3)
    )
    generator.iterations.assign(steps)
    critic.iterations.assign(3 * steps)
    assert float(generator.learning_rate) == pytest.approx(1e-3 / (1 + steps / 100))
    assert float(critic.learning_rate) == pytest.approx(4e-3 / (1 + steps / 100))


def test_zero_decay_steps_keep_the_rates():
    generator, critic = optimizers(Config(learning_rate=2e-4, decay_steps=0))
    for optimizer in (generator, critic):
        optimizer.iterations.assign(10**6)
        assert float(optimizer.learning_rate) == pytest.approx(2e-4)


def test_equalized_rates_are_those_of_weights_with_variance_one():
    """Against the paper's form in NumPy: Adam on v, where the layer's kernel is c v."""
    rng = np.random.default_rng(0)
    scales, rate, beta_1, beta_2 = (0.05, 2.0), 1e-2, 0.5, 0.9
    v = [rng.choice([-1.0, 1.0], (4, 3)) for _ in scales]
    kernels = [keras.Variable(c * each) for c, each in zip(scales, v, strict=True)]
    bias = keras.Variable(np.zeros(3))
    settings = Config(
        learning_rate=rate, adam_betas=(beta_1, beta_2), decay_steps=0, equalized_learning_rate=True
    )
    optimizer, _ = optimizers(settings)
    means, squares = [np.zeros((4, 3)) for _ in v], [np.zeros((4, 3)) for _ in v]
    for step in range(1, 6):
        gradients = [rng.standard_normal((4, 3)) for _ in v]
        optimizer.apply([*gradients, np.ones(3)], [*kernels, bias])
        for i, c in enumerate(scales):
            by_v = c * gradients[i]
            means[i] = beta_1 * means[i] + (1 - beta_1) * by_v
            squares[i] = beta_2 * squares[i] + (1 - beta_2) * by_v**2
            mean, square = means[i] / (1 - beta_1**step), squares[i] / (1 - beta_2**step)
            v[i] -= rate * mean / np.sqrt(square)
            np.testing.assert_allclose(np.asarray(kernels[i]), c * v[i], rtol=1e-4)
        np.testing.assert_allclose(np.asarray(bias), -step * rate, rtol=1e-4)
