"""A model that trains in milliseconds."""

import numpy as np

from wavegan_rc.config import Config

TINY = Config(
    segment_length=64,
    upsampling_factors=(4, 2),
    kernel_size=5,
    filters=8,
    latent_dim=4,
    batch_size=3,
    critic_steps=2,
    learning_rate=1e-2,
)


def real_batch(seed=0, config=TINY):
    shape = (config.batch_size, config.critic_steps, config.segment_length, 1)
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)
