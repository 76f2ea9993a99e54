"""The optimizers: their rates by step."""

import pytest

from wavegan_rc.config import Config
from wavegan_rc.training.updates import optimizers


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
