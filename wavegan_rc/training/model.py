"""The networks and optimizers that settings describe, as one model to be trained."""

import keras
import numpy as np

from wavegan_rc.audio.emphasis import tap_count
from wavegan_rc.config import Config
from wavegan_rc.nn.critic import build_critic
from wavegan_rc.nn.emphasis import FixedFilter
from wavegan_rc.nn.generator import build_generator
from wavegan_rc.training.hardware import chosen_precision, compiles_with_xla
from wavegan_rc.training.wgan_gp import WGANGP


def build_model(config: Config, taps: np.ndarray | None = None) -> WGANGP:
    """Build the compiled model that the settings describe, with its initial weights.

    Args:
        config: Settings.
        taps: Filter taps from `design_emphasis`. None leaves them to a checkpoint, which has them.

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
        filters=config.critic_width,
        phase_shuffle_radius=config.phase_shuffle_radius,
        phase_shuffle_per_example=config.phase_shuffle_per_example,
        precision=precision,
        seed=config.seed + 1,
    )
    emphasis = None
    if config.emphasis != "none":
        emphasis = FixedFilter(tap_count(config.emphasis, config.segment_length), name="emphasis")
        emphasis.build(critic.input_shape)
        if taps is not None:
            emphasis.taps.assign(taps)
    model = WGANGP(
        generator,
        critic,
        emphasis=emphasis,
        critic_steps=config.critic_steps,
        gradient_penalty_weight=config.gradient_penalty_weight,
        seed=config.seed + 2,
    )
    generator_optimizer, critic_optimizer = (
        keras.optimizers.Adam(rate, *config.adam_betas) for rate in config.learning_rates
    )
    model.compile(
        generator_optimizer=generator_optimizer,
        critic_optimizer=critic_optimizer,
        jit_compile=compiles_with_xla(config.devices),
    )
    return model
