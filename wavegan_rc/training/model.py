"""The networks and optimizers that settings describe, as one model to be trained."""

import keras

from wavegan_rc.config import Config
from wavegan_rc.nn.critic import build_critic
from wavegan_rc.nn.generator import build_generator
from wavegan_rc.training.hardware import chosen_precision, compiles_with_xla
from wavegan_rc.training.wgan_gp import WGANGP


def build_model(config: Config) -> WGANGP:
    """The compiled model that the settings describe, with its initial weights.

    Args:
        config: Settings.

    Raises:
        ParameterError: If the networks cannot be built with these settings.
    """
    precision = chosen_precision(config.precision)
    generator = build_generator(
        segment_length=config.segment_length,
        latent_dim=config.latent_dim,
        upsampling_factors=config.upsampling_factors,
        kernel_size=config.kernel_size,
        filters=config.filters,
        upsampler=config.stage_upsamplers,
        padding=config.padding,
        kernel_initializer=config.kernel_initializer,
        use_bias=config.use_bias,
        post_filter_length=config.post_filter_length,
        precision=precision,
        seed=config.seed,
    )
    critic = build_critic(
        segment_length=config.segment_length,
        filters=config.filters,
        phase_shuffle_radius=config.phase_shuffle_radius,
        phase_shuffle_per_example=config.phase_shuffle_per_example,
        precision=precision,
        seed=config.seed + 1,
    )
    model = WGANGP(
        generator,
        critic,
        critic_steps=config.critic_steps,
        gradient_penalty_weight=config.gradient_penalty_weight,
        seed=config.seed + 2,
    )
    # Gulrajani et al. (2017), algorithm 1: low momentum, since the two losses move.
    model.compile(
        generator_optimizer=keras.optimizers.Adam(config.learning_rate, 0.5, 0.9),
        critic_optimizer=keras.optimizers.Adam(config.learning_rate, 0.5, 0.9),
        jit_compile=compiles_with_xla(config.devices),
    )
    return model
