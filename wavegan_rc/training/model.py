"""Build the trainable model that settings describe, and load checkpoints into it."""

import warnings

import numpy as np

from wavegan_rc.audio.emphasis import tap_count
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError
from wavegan_rc.nn.critic import build_critic
from wavegan_rc.nn.emphasis import FixedFilter
from wavegan_rc.nn.generator import build_generator
from wavegan_rc.nn.phase_shuffle import PhaseShuffle
from wavegan_rc.runs.checkpoints import Checkpoint
from wavegan_rc.runs.weights_file import check_weights_file
from wavegan_rc.training.devices import chosen_precision, compiles_with_xla
from wavegan_rc.training.optimizers import optimizers
from wavegan_rc.training.wgan_gp import WGANGP
from wavegan_rc.utils.text import one_line

# Distance in draws between the random streams of rollbacks. JAX counts draws in 32 bits, which
# leaves room for three rollbacks of 67 million steps each: with 5 critic updates in a step, a phase
# shuffle draws 16 times.
_DRAWS_APART = 2**30


def build_model(config: Config, taps: np.ndarray | None = None) -> WGANGP:
    """Build the compiled model that settings describe, with its initial weights.

    `taps` is the emphasis filter from `design_emphasis`; None leaves it to a checkpoint.
    """
    precision = chosen_precision(config.precision)
    generator = build_generator(
        segment_length=config.segment_length,
        latent_dim=config.latent_dim,
        upsampling_factors=config.upsampling_factors,
        kernel_size=config.kernel_size,
        filters=config.filters,
        upsampler=config.stage_upsamplers,
        architecture=config.architecture,
        activation=config.activation,
        pixel_norm=config.pixel_norm,
        padding=config.padding,
        kernel_initializer=config.kernel_initializer,
        use_bias=config.use_bias,
        post_filter_length=config.post_filter_length,
        levels=config.levels,
        precision=precision,
        seed=config.seed,
    )
    critic = build_critic(
        segment_length=config.segment_length,
        filters=config.critic_width,
        downsampling=config.critic_downsampling,
        minibatch_std=config.minibatch_std,
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
        loss=config.loss,
        gradient_penalty_weight=config.gradient_penalty_weight,
        penalty_every=config.penalty_every,
        growing_steps=config.growing_steps,
        seed=config.seed + 2,
    )
    model.compile(*optimizers(config), jit_compile=compiles_with_xla(config.devices))
    return model


def load_checkpoint(model: WGANGP, checkpoint: Checkpoint) -> None:
    """Load a checkpoint: weights, optimizers, average, random states and means.

    Raises:
        DataError: If the checkpoint is damaged, not finite or of other networks.
    """
    check_weights_file(checkpoint.weights)
    try:
        with warnings.catch_warnings():
            # Where Keras only warns, it leaves layers with their initial weights.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(checkpoint.weights)
    except Exception as error:  # Keras raises many kinds of errors on damage
        raise DataError(
            f"{checkpoint.weights}: damaged, or not of the networks in config.yaml: "
            f"{one_line(error)}"
        ) from None
    for variable in model.variables:
        if not np.isfinite(np.asarray(variable)).all():
            raise DataError(f"{checkpoint.weights}: weights must be finite. {variable.path} is not")
    start_draws(model, checkpoint.rollbacks)


def start_draws(model: WGANGP, rollbacks: int) -> None:
    """Move to the random draws after so many rollbacks, unless these have begun already."""
    model.rollbacks = rollbacks
    if not rollbacks:
        return
    shuffles = [layer for layer in model.critic.layers if isinstance(layer, PhaseShuffle)]
    for part in (model, *shuffles):
        seed, drawn = np.asarray(part.seed_generator.state)
        part.seed_generator.state.assign([seed, drawn % _DRAWS_APART + rollbacks * _DRAWS_APART])
