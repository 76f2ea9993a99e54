"""The trainable model: a generator, a critic, and the step that updates both."""

from typing import Any

import keras
import numpy as np
from keras import ops

from wavegan_rc.errors import ParameterError
from wavegan_rc.nn import backend
from wavegan_rc.nn.phase_shuffle import PhaseShuffle
from wavegan_rc.training.average import float32_copy, update_average
from wavegan_rc.training.losses import gradient_penalty, interpolate, wasserstein_estimate

# Logged values of each step, in this order. gradient_norm belongs to the critic's scores by its
# input, generator_gradient_norm to the generator's loss by its weights.
LOSSES = (
    "critic_loss",
    "wasserstein_estimate",
    "gradient_penalty",
    "gradient_norm",
    "generator_loss",
    "generator_gradient_norm",
)
# Other values in a step's logs: the index into `WGANGP.checked` of the first tensor that is not
# finite, or -1; and, if several hosts train together, whether one of them was asked to stop.
FIRST_NONFINITE = "first_nonfinite"
STOP_REQUESTED = "stop_requested"

# Distance in draws between the random streams of rollbacks. JAX counts draws in 32 bits, which
# leaves room for three rollbacks of 67 million steps each: with 5 critic updates in a step, a phase
# shuffle draws 16 times.
_DRAWS_APART = 2**30
_CRITIC_LATENTS, _GENERATOR_LATENTS = "latents of the critic", "latents of the generator"


def _size(tensor: Any) -> Any:
    """Return the sum of squares: not finite if an element is not, or overflows Adam's square."""
    return ops.sum(ops.square(ops.cast(tensor, "float32")))


def _sizes_of_update(network: str, gradients: list[Any], variables: list[Any]) -> dict[str, Any]:
    """Return sizes of the gradients, in the order of their computation, and of the new weights."""
    pairs = list(zip(gradients, variables, strict=True))
    of_gradients = {f"gradient of {network}/{v.path}": _size(g) for g, v in reversed(pairs)}
    return of_gradients | {f"{network}/{variable.path}": _size(variable) for variable in variables}


class WGANGP(keras.Model):
    """Wasserstein GAN with gradient penalty, trained by `fit`.

    One step is `critic_steps` updates of the critic, each on its own real batch, then one update of
    the generator. `average_generator` is a power-function moving average of the generator. Its
    horizon is a fixed share of the steps made, which suits runs of any length.

    Args:
        generator: Model from (batch, latent_dim) to (batch, samples, channels).
        critic: Model from (batch, samples, channels) to (batch, 1).
        emphasis: Fixed layer in front of the critic, for real and generated segments. The penalty
            applies to the gradients by its output. None applies no filter.
        critic_steps: Critic updates in a step.
        gradient_penalty_weight: Weight of the penalty, lambda.
        seed: Seed of latents and interpolation. None draws one.

    Attributes:
        rollbacks: Number of returns to an earlier state with new random draws.
        checked: Names of the tensors of a step that are checked for non-finite values, in the
            order of their computation. Empty until a step is traced.
        drawn: Names of the draws of a step from `seed_generator`, in order. Empty until a step is
            traced.

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
        self.average_generator = float32_copy(generator)
        self.critic_steps = critic_steps
        self.gradient_penalty_weight = gradient_penalty_weight
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.means = {name: keras.metrics.Mean(name, "float32") for name in LOSSES}
        self.rollbacks = 0
        self.checked: tuple[str, ...] = ()
        self.drawn: tuple[str, ...] = ()
        self.built = True  # there is no call(): the parts are built already

    def compile(
        self,
        generator_optimizer: keras.optimizers.Optimizer,
        critic_optimizer: keras.optimizers.Optimizer,
        jit_compile: bool = False,
    ) -> None:
        """Set the optimizers.

        Args:
            generator_optimizer: Optimizer of the generator; it counts the steps.
            critic_optimizer: Optimizer of the critic.
            jit_compile: Whether to compile the step with XLA.
        """
        super().compile(optimizer=None, jit_compile=jit_compile)
        generator_optimizer.build(self.generator.trainable_variables)
        critic_optimizer.build(self.critic.trainable_variables)
        self.generator_optimizer = generator_optimizer
        self.critic_optimizer = critic_optimizer
        self.optimizer = backend.Optimizers(generator_optimizer, critic_optimizer)

    # Keras saves variables of layers, but neither the states of their seed generators nor means.
    def save_own_variables(self, store: Any) -> None:
        """Save the random state and the means; the parts save themselves."""
        store["seed_generator"] = np.asarray(self.seed_generator.state)
        for name, mean in self.means.items():
            # Each as an array first: on several devices, TensorFlow's variables are no numbers.
            store[name] = np.array([np.asarray(v) for v in (mean.total, mean.count)], np.float32)

    def load_own_variables(self, store: Any) -> None:
        """Load the random state and the means."""
        self.seed_generator.state.assign(store["seed_generator"])
        for name, mean in self.means.items():
            total, count = store[name]
            mean.total.assign(total)
            mean.count.assign(count)

    def reset_metrics(self) -> None:
        """Do nothing: Keras calls this when `fit` begins, but the means span all sessions."""

    def reset_means(self) -> None:
        """Begin new means of the losses."""
        for mean in self.means.values():
            mean.reset_state()

    def train_step(self, *arguments: Any) -> Any:
        """Make one step, as Keras calls it: under JAX, with the state of all variables first."""
        if backend.on_jax():
            state, data = arguments
            return backend.stateless_step(self, state, data)
        (data,) = arguments
        return self.step(data)

    def step(self, data: Any) -> dict[str, Any]:
        """Make one step.

        Args:
            data: Real segments, shape (batch, critic_steps, samples, channels), or a pair of them
                and stop requests, shape (batch,), whose maximum is returned.

        Returns:
            Mean losses since `reset_means`, and the index into `checked` of this step's first
            tensor that is not finite, or -1.

        Raises:
            ParameterError: If the second dimension is not `critic_steps`.
        """
        segments, stop_requests, _ = keras.utils.unpack_x_y_sample_weight(data)
        if segments.shape[1] != self.critic_steps:
            raise ParameterError(
                f"data must have shape (batch, critic_steps = {self.critic_steps}, samples, "
                f"channels). Received shape: {segments.shape}"
            )
        drawn: list[str] = []

        def named(name: str, draw: Any) -> Any:
            drawn.append(name)
            return draw

        batch_size = ops.shape(segments)[0] * backend.replica_count()
        # The generator stands still meanwhile, so one pass makes the fakes of all critic updates.
        latents = named(_CRITIC_LATENTS, self._latents(self.critic_steps * batch_size))
        latents = ops.reshape(latents, (self.critic_steps, batch_size, -1))
        latents = backend.own_part(latents, axis=1)
        fakes = self.generator(ops.reshape(latents, (-1, self.generator.input_shape[-1])))
        checked = {"generated segments": _size(fakes)}
        fakes = self.heard(fakes)
        fakes = ops.reshape(fakes, (self.critic_steps, -1, *fakes.shape[1:]))
        segments = ops.reshape(
            self.heard(ops.reshape(segments, (-1, *segments.shape[2:]))), ops.shape(segments)
        )
        for k in range(self.critic_steps):
            mixing = keras.random.uniform(
                (batch_size, 1, 1), dtype="float32", seed=self.seed_generator
            )
            mixing = backend.own_part(named("mixing", mixing))
            sizes = self._update_critic(segments[:, k], fakes[k], mixing)
            where = f" in critic update {k + 1} of {self.critic_steps}"
            checked |= {name + where: size for name, size in sizes.items()}
        latents = named(_GENERATOR_LATENTS, self._latents(batch_size))
        checked |= self._update_generator(backend.own_part(latents))
        update_average(self.average_generator, self.generator, self.generator_optimizer.iterations)
        self.checked, self.drawn = tuple(checked), tuple(drawn)
        (sizes,) = backend.means_over_replicas([ops.stack(list(checked.values()))])
        finite = ops.isfinite(sizes)
        first = ops.where(ops.all(finite), -1, ops.argmin(ops.cast(finite, "int32")))
        logs = {name: mean.result() for name, mean in self.means.items()}
        stop = {} if stop_requests is None else {STOP_REQUESTED: ops.max(stop_requests)}
        return logs | stop | {FIRST_NONFINITE: first}

    def heard(self, segments: Any) -> Any:
        """Return the critic's input for segments of shape (batch, samples, channels)."""
        return segments if self.emphasis is None else self.emphasis(segments)

    def last_latents(self, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw the latents of the last step again, without effect on the next.

        Args:
            batch_size: Batch size of that step.

        Returns:
            Latents of the critic updates, shape (critic_steps, batch, latent_dim), and of the
            generator update, shape (batch, latent_dim).
        """
        now = np.asarray(self.seed_generator.state)

        def again(name: str, count: int) -> np.ndarray:
            draws_ago = len(self.drawn) - self.drawn.index(name)
            with backend.single_device():
                seed = keras.random.SeedGenerator(0)
                seed.state.assign(now - [0, draws_ago])
                return np.asarray(self._latents(count, seed))

        for_critic = again(_CRITIC_LATENTS, self.critic_steps * batch_size)
        for_critic = for_critic.reshape(self.critic_steps, batch_size, -1)
        return for_critic, again(_GENERATOR_LATENTS, batch_size)

    def start_draws(self, rollbacks: int) -> None:
        """Move to the random draws after so many rollbacks, unless these have begun already.

        Args:
            rollbacks: Number of rollbacks, 0 to 3.
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

    def _latents(self, count: Any, seed: keras.random.SeedGenerator | None = None) -> Any:
        shape = (count, self.generator.input_shape[-1])
        return keras.random.uniform(shape, -1.0, 1.0, "float32", seed=seed or self.seed_generator)

    def _update_critic(self, real: Any, fake: Any, mixing: Any) -> dict[str, Any]:
        """Make an update, and return the sizes of the computed tensors in order."""
        mixed = interpolate(real, fake, mixing)

        def critic_loss() -> tuple[Any, list[Any]]:
            distance = wasserstein_estimate(
                self.critic(real, training=True), self.critic(fake, training=True)
            )
            gradients = backend.gradients_by_inputs(lambda x: self.critic(x, training=True), mixed)
            penalty, norm = gradient_penalty(gradients)
            loss = self.gradient_penalty_weight * penalty - distance
            return loss, [distance, norm, penalty, loss]

        variables = self.critic.trainable_variables
        values, gradients = backend.gradients_by_variables(
            critic_loss, variables, self.critic.non_trainable_variables
        )
        values = backend.means_over_replicas(values)
        gradients = backend.apply_gradients(self.critic_optimizer, gradients, variables)
        names = ("wasserstein_estimate", "gradient_norm", "gradient_penalty", "critic_loss")
        losses = dict(zip(names, values, strict=True))
        for name, value in losses.items():
            self.means[name].update_state(value)
        sizes = {name: _size(value) for name, value in losses.items()}
        return sizes | _sizes_of_update("critic", gradients, variables)

    def _update_generator(self, latents: Any) -> dict[str, Any]:
        """Make an update, and return the sizes of the computed tensors in order."""

        def generator_loss() -> tuple[Any, Any]:
            segments = self.heard(self.generator(latents, training=True))
            scores = self.critic(segments, training=True)
            loss = -ops.mean(ops.cast(scores, "float32"))
            return loss, loss

        variables = self.generator.trainable_variables
        others = [*self.generator.non_trainable_variables, *self.critic.variables]
        others += [] if self.emphasis is None else self.emphasis.variables
        loss, gradients = backend.gradients_by_variables(generator_loss, variables, others)
        (loss,) = backend.means_over_replicas([loss])
        gradients = backend.apply_gradients(self.generator_optimizer, gradients, variables)
        norm = ops.sqrt(sum(_size(gradient) for gradient in gradients))
        self.means["generator_loss"].update_state(loss)
        self.means["generator_gradient_norm"].update_state(norm)
        return {"generator_loss": _size(loss)} | _sizes_of_update("generator", gradients, variables)
