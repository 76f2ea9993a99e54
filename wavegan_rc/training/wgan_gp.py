"""The trainable model: a generator, a critic, and the step that updates both."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from wavegan_rc.errors import ParameterError
from wavegan_rc.training.losses import gradient_penalty, interpolate, wasserstein_estimate

# Exponent of the average's weights t**_AVERAGE_POWER over steps t: a relative width (standard
# deviation over age) of 5 %, the sharper of the two that Karras et al. store.
_AVERAGE_POWER = 16.97

# What is logged of each step, in this order.
LOSSES = (
    "critic_loss",
    "wasserstein_estimate",
    "gradient_penalty",
    "gradient_norm",
    "generator_loss",
)


class WGANGP(keras.Model):
    """Wasserstein GAN with gradient penalty, trained by `fit`.

    One step is `critic_steps` updates of the critic, each on its own real batch, then one update of
    the generator. `average_generator` follows the generator as a power-function moving average,
    whose horizon is a fixed share of the steps made so far: it suits runs of any length.

    Args:
        generator: Model from (batch, latent_dim) to (batch, samples, channels).
        critic: Model from (batch, samples, channels) to (batch, 1).
        critic_steps: Critic updates in a step.
        gradient_penalty_weight: Lambda.
        seed: Of latents and interpolation; None draws one.

    Source:
        I. Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), algorithm 1;
        T. Karras et al., "Analyzing and Improving the Training Dynamics of Diffusion Models"
        (2024), section 3.1 (power-function average).
    """

    def __init__(
        self,
        generator: keras.Model,
        critic: keras.Model,
        *,
        critic_steps: int = 5,
        gradient_penalty_weight: float = 10.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(name="wgan_gp")
        self.generator = generator
        self.critic = critic
        self.average_generator = keras.models.clone_model(generator)
        self.average_generator.set_weights(generator.get_weights())
        self.critic_steps = critic_steps
        self.gradient_penalty_weight = gradient_penalty_weight
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.means = {name: keras.metrics.Mean(name) for name in LOSSES}
        self.built = True  # there is no call(): the parts are built already

    def compile(
        self,
        generator_optimizer: keras.optimizers.Optimizer,
        critic_optimizer: keras.optimizers.Optimizer,
        jit_compile: bool = False,
    ) -> None:
        """Set the optimizers; Keras's `optimizer` is the generator's, which counts the steps.

        Args:
            generator_optimizer: Updates the generator.
            critic_optimizer: Updates the critic.
            jit_compile: Compile the step with XLA.
        """
        super().compile(optimizer=generator_optimizer, jit_compile=jit_compile)
        self.critic_optimizer = critic_optimizer
        generator_optimizer.build(self.generator.trainable_variables)
        critic_optimizer.build(self.critic.trainable_variables)

    # Keras saves variables of layers, but neither the states of their seed generators nor means.
    def save_own_variables(self, store: Any) -> None:
        """Save the state of the random draws and of the means; the parts save themselves."""
        store["seed_generator"] = self.seed_generator.state
        for name, mean in self.means.items():
            store[name] = np.array([mean.total, mean.count], np.float32)

    def load_own_variables(self, store: Any) -> None:
        """Load the state of the random draws and of the means."""
        self.seed_generator.state.assign(store["seed_generator"])
        for name, mean in self.means.items():
            total, count = store[name]
            mean.total.assign(total)
            mean.count.assign(count)

    def reset_metrics(self) -> None:
        """Do nothing: Keras calls this when `fit` begins, but means go on with a training."""

    def reset_means(self) -> None:
        """Begin new means of the losses."""
        for mean in self.means.values():
            mean.reset_state()

    def train_step(self, data: Any) -> dict[str, Any]:
        """Make one step.

        Args:
            data: Real segments, shape (batch, critic_steps, samples, channels).

        Returns:
            Means of the losses since `reset_means`.

        Raises:
            ParameterError: If the second dimension is not `critic_steps`.
        """
        segments, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        if segments.shape[1] != self.critic_steps:
            raise ParameterError(
                f"data must have shape (batch, critic_steps = {self.critic_steps}, samples, "
                f"channels). Received shape: {segments.shape}"
            )
        batch_size = ops.shape(segments)[0]
        # The generator stands still meanwhile, so one pass makes the fakes of all critic updates.
        fakes = self.generator(self._latents(self.critic_steps * batch_size))
        fakes = ops.reshape(fakes, (self.critic_steps, batch_size, *fakes.shape[1:]))
        for k in range(self.critic_steps):
            self._update_critic(segments[:, k], fakes[k])
        self._update_generator(batch_size)
        self._update_average()
        return {name: mean.result() for name, mean in self.means.items()}

    def _latents(self, count: Any) -> Any:
        shape = (count, self.generator.input_shape[-1])
        return keras.random.uniform(shape, -1.0, 1.0, seed=self.seed_generator)

    def _update_critic(self, real: Any, fake: Any) -> None:
        mixing = keras.random.uniform((ops.shape(real)[0], 1, 1), seed=self.seed_generator)
        mixed = interpolate(real, fake, mixing)
        with tf.GradientTape() as tape:
            distance = wasserstein_estimate(
                self.critic(real, training=True), self.critic(fake, training=True)
            )
            with tf.GradientTape(watch_accessed_variables=False) as inner:
                inner.watch(mixed)
                scores = self.critic(mixed, training=True)
            penalty, norm = gradient_penalty(inner.gradient(scores, mixed))
            loss = self.gradient_penalty_weight * penalty - distance
        variables = self.critic.trainable_variables
        self.critic_optimizer.apply(tape.gradient(loss, variables), variables)
        for name, value in zip(LOSSES, (loss, distance, penalty, norm), strict=False):
            self.means[name].update_state(value)

    def _update_generator(self, batch_size: Any) -> None:
        latents = self._latents(batch_size)
        with tf.GradientTape() as tape:
            scores = self.critic(self.generator(latents, training=True), training=True)
            loss = -ops.mean(ops.cast(scores, "float32"))
        variables = self.generator.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.means["generator_loss"].update_state(loss)

    def _update_average(self) -> None:
        step = ops.cast(self.optimizer.iterations, "float32")
        # Weights proportional to t**p: the new value's share is 1 - (1 - 1 / t)**(p + 1).
        share = 1 - (1 - 1 / step) ** (_AVERAGE_POWER + 1)
        for average, current in zip(
            self.average_generator.variables, self.generator.variables, strict=True
        ):
            average.assign_add(share * (ops.convert_to_tensor(current) - average))
