"""The trainable model: a generator, a critic, and the step that updates both."""

from typing import Any

import keras
import numpy as np
from keras import ops

from wavegan_rc.errors import ParameterError
from wavegan_rc.nn.gradients import gradients_by_inputs, gradients_by_variables
from wavegan_rc.nn.phase_shuffle import PhaseShuffle
from wavegan_rc.nn.replicas import means_over_replicas, own_part, replica_count
from wavegan_rc.training.average import averaged, update_average
from wavegan_rc.training.backend import Optimizers, alone, on_jax, stateless_step
from wavegan_rc.training.losses import gradient_penalty, interpolate, wasserstein_estimate
from wavegan_rc.training.update import size, sizes_of_update, update

# What is logged of each step, in this order; gradient_norm is of the critic's scores by its input,
# generator_gradient_norm of the generator's loss by its weights.
LOSSES = (
    "critic_loss",
    "wasserstein_estimate",
    "gradient_penalty",
    "gradient_norm",
    "generator_loss",
    "generator_gradient_norm",
)
# Beside them in a step's logs: which of `WGANGP.checked` is not finite, the first; -1: all are.
FIRST_NONFINITE = "first_nonfinite"
# And, where several hosts train together, whether one of them was told to stop.
STOP_TOLD = "stop_told"

# A rollback moves all random draws on by so many. JAX counts draws in 32 bits, so this leaves room
# for three rollbacks, and in each for 67 million steps: with 5 critic updates in a step, a phase
# shuffle draws 16 times.
_DRAWS_APART = 2**30


class WGANGP(keras.Model):
    """Wasserstein GAN with gradient penalty, trained by `fit`.

    One step is `critic_steps` updates of the critic, each on its own real batch, then one update of
    the generator. `average_generator` follows the generator as a power-function moving average,
    whose horizon is a fixed share of the steps made so far: it suits runs of any length.

    Args:
        generator: Model from (batch, latent_dim) to (batch, samples, channels).
        critic: Model from (batch, samples, channels) to (batch, 1).
        emphasis: Fixed layer through which the critic hears real and generated segments; the
            penalty is taken behind it. None: it hears them as they are.
        critic_steps: Critic updates in a step.
        gradient_penalty_weight: Lambda.
        seed: Of latents and interpolation; None draws one.

    Attributes:
        rollbacks: How often training went back to an earlier state with fresh random draws.
        checked: Names of the tensors of a step, in the order of their computation, that are looked
            at for what is not finite; known once a step has been traced.

    Source:
        I. Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), algorithm 1.
    """

    def __init__(
        self,
        generator: keras.Model,
        critic: keras.Model,
        *,
        emphasis: keras.layers.Layer | None = None,
        critic_steps: int = 5,
        gradient_penalty_weight: float = 10.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(name="wgan_gp")
        self.generator = generator
        self.critic = critic
        self.emphasis = emphasis
        self.average_generator = averaged(generator)
        self.critic_steps = critic_steps
        self.gradient_penalty_weight = gradient_penalty_weight
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.means = {name: keras.metrics.Mean(name, "float32") for name in LOSSES}
        self.rollbacks = 0
        self.checked: tuple[str, ...] = ()
        self.built = True  # there is no call(): the parts are built already

    def compile(
        self,
        generator_optimizer: keras.optimizers.Optimizer,
        critic_optimizer: keras.optimizers.Optimizer,
        jit_compile: bool = False,
    ) -> None:
        """Set the optimizers.

        Args:
            generator_optimizer: Updates the generator, and so counts the steps.
            critic_optimizer: Updates the critic.
            jit_compile: Compile the step with XLA.
        """
        super().compile(optimizer=None, jit_compile=jit_compile)
        generator_optimizer.build(self.generator.trainable_variables)
        critic_optimizer.build(self.critic.trainable_variables)
        self.generator_optimizer = generator_optimizer
        self.critic_optimizer = critic_optimizer
        self.optimizer = Optimizers(generator_optimizer, critic_optimizer)

    # Keras saves variables of layers, but neither the states of their seed generators nor means.
    def save_own_variables(self, store: Any) -> None:
        """Save the state of the random draws and of the means; the parts save themselves."""
        store["seed_generator"] = np.asarray(self.seed_generator.state)
        for name, mean in self.means.items():
            # Each as an array first: on several devices, TensorFlow's variables are no numbers.
            store[name] = np.array([np.asarray(v) for v in (mean.total, mean.count)], np.float32)

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

    def train_step(self, *arguments: Any) -> Any:
        """Make one step, as Keras calls it: with the state of all variables before under JAX."""
        if on_jax():
            state, data = arguments
            return stateless_step(self, state, data)
        (data,) = arguments
        return self.step(data)

    def step(self, data: Any) -> dict[str, Any]:
        """Make one step.

        Args:
            data: Real segments, shape (batch, critic_steps, samples, channels), and maybe numbers
                of shape (batch,), whose maximum is returned.

        Returns:
            Means of the losses since `reset_means`, and the index into `checked` of the first
            tensor of this step that is not finite.

        Raises:
            ParameterError: If the second dimension is not `critic_steps`.
        """
        segments, told, _ = keras.utils.unpack_x_y_sample_weight(data)
        if segments.shape[1] != self.critic_steps:
            raise ParameterError(
                f"data must have shape (batch, critic_steps = {self.critic_steps}, samples, "
                f"channels). Received shape: {segments.shape}"
            )
        batch_size = ops.shape(segments)[0] * replica_count()
        # The generator stands still meanwhile, so one pass makes the fakes of all critic updates.
        latents = self._latents(self.critic_steps * batch_size)
        latents = ops.reshape(latents, (self.critic_steps, batch_size, -1))
        latents = own_part(latents, axis=1)
        fakes = self.generator(ops.reshape(latents, (-1, self.generator.input_shape[-1])))
        checked = {"generated segments": size(fakes)}
        fakes = self.heard(fakes)
        fakes = ops.reshape(fakes, (self.critic_steps, -1, *fakes.shape[1:]))
        segments = ops.reshape(
            self.heard(ops.reshape(segments, (-1, *segments.shape[2:]))), ops.shape(segments)
        )
        for k in range(self.critic_steps):
            sizes = self._update_critic(segments[:, k], fakes[k])
            where = f" in critic update {k + 1} of {self.critic_steps}"
            checked |= {name + where: size for name, size in sizes.items()}
        checked |= self._update_generator(batch_size)
        update_average(self.average_generator, self.generator, self.generator_optimizer.iterations)
        self.checked = tuple(checked)
        (sizes,) = means_over_replicas([ops.stack(list(checked.values()))])
        finite = ops.isfinite(sizes)
        first = ops.where(ops.all(finite), -1, ops.argmin(ops.cast(finite, "int32")))
        logs = {name: mean.result() for name, mean in self.means.items()}
        stop = {} if told is None else {STOP_TOLD: ops.max(told)}
        return logs | stop | {FIRST_NONFINITE: first}

    def heard(self, segments: Any) -> Any:
        """Return what the critic hears of segments of shape (batch, samples, channels)."""
        return segments if self.emphasis is None else self.emphasis(segments)

    def last_latents(self, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw the latents of the last step again, without effect on the next.

        Args:
            batch_size: Of that step.

        Returns:
            Latents of the critic updates, shape (critic_steps, batch, latent_dim), and of the
            generator update, shape (batch, latent_dim).
        """
        now = np.asarray(self.seed_generator.state)
        # A step draws latents, an interpolation for each critic update, and latents again.
        for_critic, for_generator = (
            np.asarray(self._latents_at(now - [0, draws_ago], count))
            for draws_ago, count in (
                (self.critic_steps + 2, self.critic_steps * batch_size),
                (1, batch_size),
            )
        )
        return for_critic.reshape(self.critic_steps, batch_size, -1), for_generator

    def _latents_at(self, state: np.ndarray, count: int) -> Any:
        shape = (count, self.generator.input_shape[-1])
        with alone():
            generator = keras.random.SeedGenerator(0)
            generator.state.assign(state)
            return keras.random.uniform(shape, -1.0, 1.0, "float32", seed=generator)

    def draw_afresh(self, rollbacks: int) -> None:
        """Draw other random numbers from now on than before so many rollbacks.

        Args:
            rollbacks: That the training has made, 0 to 3. Called again with the same number, it
                changes nothing: a state that was saved later goes on as it was.
        """
        self.rollbacks = rollbacks
        if not rollbacks:
            return
        shuffles = [layer for layer in self.critic.layers if isinstance(layer, PhaseShuffle)]
        for part in (self, *shuffles):
            seed, drawn = np.asarray(part.seed_generator.state)
            part.seed_generator.state.assign(
                [seed, drawn % _DRAWS_APART + rollbacks * _DRAWS_APART]
            )

    def _latents(self, count: Any) -> Any:
        shape = (count, self.generator.input_shape[-1])
        return keras.random.uniform(shape, -1.0, 1.0, "float32", seed=self.seed_generator)

    def _update_critic(self, real: Any, fake: Any) -> dict[str, Any]:
        """Make an update; return the sizes of what was computed, in that order."""
        shape = (ops.shape(real)[0] * replica_count(), 1, 1)
        mixing = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        mixing = own_part(mixing)
        mixed = interpolate(real, fake, mixing)

        def critic_loss() -> tuple[Any, list[Any]]:
            distance = wasserstein_estimate(
                self.critic(real, training=True), self.critic(fake, training=True)
            )
            gradients = gradients_by_inputs(lambda x: self.critic(x, training=True), mixed)
            penalty, norm = gradient_penalty(gradients)
            loss = self.gradient_penalty_weight * penalty - distance
            return loss, [distance, norm, penalty, loss]

        variables = self.critic.trainable_variables
        values, gradients = gradients_by_variables(
            critic_loss, variables, self.critic.non_trainable_variables
        )
        values = means_over_replicas(values)
        gradients = update(self.critic_optimizer, gradients, variables)
        names = ("wasserstein_estimate", "gradient_norm", "gradient_penalty", "critic_loss")
        losses = dict(zip(names, values, strict=True))
        for name, value in losses.items():
            self.means[name].update_state(value)
        sizes = {name: size(value) for name, value in losses.items()}
        return sizes | sizes_of_update("critic", gradients, variables)

    def _update_generator(self, batch_size: Any) -> dict[str, Any]:
        """Make an update; return the sizes of what was computed, in that order."""
        latents = own_part(self._latents(batch_size))

        def generator_loss() -> tuple[Any, Any]:
            segments = self.heard(self.generator(latents, training=True))
            scores = self.critic(segments, training=True)
            loss = -ops.mean(ops.cast(scores, "float32"))
            return loss, loss

        variables = self.generator.trainable_variables
        others = [*self.generator.non_trainable_variables, *self.critic.variables]
        others += [] if self.emphasis is None else self.emphasis.variables
        loss, gradients = gradients_by_variables(generator_loss, variables, others)
        (loss,) = means_over_replicas([loss])
        gradients = update(self.generator_optimizer, gradients, variables)
        norm = ops.sqrt(sum(size(gradient) for gradient in gradients))
        self.means["generator_loss"].update_state(loss)
        self.means["generator_gradient_norm"].update_state(norm)
        return {"generator_loss": size(loss)} | sizes_of_update("generator", gradients, variables)
