"""The same networks and updates in Keras's own layers, on TensorFlow."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from wavegan_rc.config import Config
from wavegan_rc.nn.critic import KERNEL_SIZE, LEAKY_SLOPE, STRIDES, critic_widths
from wavegan_rc.nn.generator import generator_widths
from wavegan_rc.nn.phase_shuffle import PhaseShuffle
from wavegan_rc.training.optimizers import optimizers


def plain_generator(config: Config) -> keras.Model:
    """Build `build_generator`'s network (`resize`, `transposed`) with equal weight shapes."""
    latents = layers.Input((config.latent_dim,))
    x = layers.Dense(config.initial_length * config.filters)(latents)
    x = layers.Reshape((config.initial_length, config.filters))(x)
    x = layers.ReLU()(x)
    factors, size = config.upsampling_factors, config.kernel_size
    widths = generator_widths(len(factors), config.filters)
    stages = zip(factors, widths, config.stage_upsamplers, strict=True)
    for stage, (factor, filters, upsampler) in enumerate(stages, start=1):
        if upsampler == "transposed":
            x = layers.Conv1DTranspose(filters, size, factor, padding="same")(x)
        else:
            x = layers.UpSampling1D(factor)(x)
            x = layers.Conv1D(filters, size, padding="same")(x)
        x = layers.Activation("tanh" if stage == len(factors) else "relu")(x)
    return keras.Model(latents, layers.Activation("linear", dtype="float32")(x))


def plain_critic(config: Config) -> keras.Model:
    """Build `build_critic`'s network with equal weight shapes; only phase shuffle is our layer."""
    segments = x = layers.Input((config.segment_length, 1))
    widths = critic_widths(config.segment_length, config.critic_width)
    for layer, filters in enumerate(widths, start=1):
        x = layers.Conv1D(filters, KERNEL_SIZE, STRIDES, padding="same")(x)
        x = layers.LeakyReLU(LEAKY_SLOPE)(x)
        if layer < len(widths) and config.phase_shuffle_radius:
            x = PhaseShuffle(config.phase_shuffle_radius)(x)
    scores = layers.Dense(1, use_bias=False)(layers.Flatten()(x))
    return keras.Model(segments, layers.Activation("linear", dtype="float32")(scores))


def critic_loss(critic: Any, real: Any, fake: Any, mixing: Any, weight: float) -> tuple[Any, Any]:
    """Return the loss of a critic update and its penalty, with one critic call for each input."""
    mixed = mixing * real + (1 - mixing) * fake
    with tf.GradientTape() as tape:
        tape.watch(mixed)
        scores = critic(mixed, training=True)
    gradients = tape.gradient(scores, mixed)
    norms = tf.sqrt(tf.reduce_sum(tf.square(gradients), axis=(1, 2)) + 1e-12)
    penalty = tf.reduce_mean(tf.square(norms - 1))
    fake_scores = critic(fake, training=True)
    distance = tf.reduce_mean(critic(real, training=True)) - tf.reduce_mean(fake_scores)
    return weight * penalty - distance, penalty


def plain_step(config: Config, generator: Any, critic: Any) -> Callable[[Any], Any]:
    """Return a step that maps segments to the generator's loss.

    Segments have shape (batch, critic_steps, samples, 1). Each critic update has a generator pass
    of its own. The step has no moving average, no logs and no checks.
    """
    of_generator, of_critic = optimizers(config)
    of_generator.build(generator.trainable_variables)
    of_critic.build(critic.trainable_variables)

    def latents() -> Any:
        return tf.random.uniform((config.batch_size, config.latent_dim), -1.0, 1.0)

    @tf.function
    def step(segments: Any) -> Any:
        for k in range(config.critic_steps):
            fake = generator(latents(), training=True)
            mixing = tf.random.uniform((config.batch_size, 1, 1))
            with tf.GradientTape() as tape:
                weight = config.gradient_penalty_weight
                loss, _ = critic_loss(critic, segments[:, k], fake, mixing, weight)
            variables = critic.trainable_variables
            of_critic.apply(tape.gradient(loss, variables), variables)
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(critic(generator(latents(), training=True), training=True))
        variables = generator.trainable_variables
        of_generator.apply(tape.gradient(loss, variables), variables)
        return loss

    return step
