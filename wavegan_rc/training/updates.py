"""The step of training: updates of the critic, then one of the generator."""

from typing import Any

import keras
from keras import ops

from wavegan_rc.errors import ParameterError
from wavegan_rc.nn import backend
from wavegan_rc.training.average import update_average
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

CRITIC_LATENTS, GENERATOR_LATENTS = "latents of the critic", "latents of the generator"


def _size(tensor: Any) -> Any:
    """Return the sum of squares: not finite if an element is not, or overflows Adam's square."""
    return ops.sum(ops.square(ops.cast(tensor, "float32")))


def _first_nonfinite(sizes: list[Any]) -> Any:
    """Return the index of the first size that is not finite on any device, or -1."""
    (stacked,) = backend.means_over_replicas([ops.stack(sizes)])
    finite = ops.isfinite(stacked)
    return ops.where(ops.all(finite), -1, ops.argmin(ops.cast(finite, "int32")))


def _sizes_of_update(network: str, gradients: list[Any], variables: list[Any]) -> dict[str, Any]:
    """Return sizes of the gradients, in the order of their computation, and of the new weights."""
    pairs = list(zip(gradients, variables, strict=True))
    of_gradients = {f"gradient of {network}/{v.path}": _size(g) for g, v in reversed(pairs)}
    return of_gradients | {f"{network}/{variable.path}": _size(variable) for variable in variables}


class Updates(keras.Model):
    """Networks and their updates; `WGANGP` describes and sets the attributes."""

    generator: keras.Model
    average_generator: keras.Model
    critic: keras.Model
    emphasis: keras.layers.Layer | None
    critic_steps: int
    gradient_penalty_weight: float
    generator_optimizer: keras.optimizers.Optimizer
    critic_optimizer: keras.optimizers.Optimizer
    seed_generator: keras.random.SeedGenerator
    means: dict[str, keras.metrics.Mean]
    checked: tuple[str, ...]
    drawn: tuple[str, ...]

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
        batch_size = ops.shape(segments)[0] * backend.replica_count()
        drawn: list[str] = []  # local: TensorFlow traces the devices of a strategy in turns
        fakes, checked = self._fakes(batch_size, drawn)
        segments = ops.reshape(
            self.heard(ops.reshape(segments, (-1, *segments.shape[2:]))), ops.shape(segments)
        )
        for k in range(self.critic_steps):
            shape = (batch_size, 1, 1)
            mixing = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
            drawn.append("mixing")
            sizes = self._update_critic(segments[:, k], fakes[k], backend.own_part(mixing))
            where = f" in critic update {k + 1} of {self.critic_steps}"
            checked |= {name + where: size for name, size in sizes.items()}
        latents = self._latents(batch_size)
        drawn.append(GENERATOR_LATENTS)
        checked |= self._update_generator(backend.own_part(latents), segments[:, -1])
        update_average(self.average_generator, self.generator, self.generator_optimizer.iterations)
        self.checked, self.drawn = tuple(checked), tuple(drawn)
        logs = {name: mean.result() for name, mean in self.means.items()}
        stop = {} if stop_requests is None else {STOP_REQUESTED: ops.max(stop_requests)}
        return logs | stop | {FIRST_NONFINITE: _first_nonfinite([*checked.values()])}

    def _fakes(self, batch_size: Any, drawn: list[str]) -> tuple[Any, dict[str, Any]]:
        """Generate the segments of all critic updates, and return them as the critic hears them.

        The generator stands still meanwhile, so one pass is enough.

        Args:
            batch_size: Size of the batch on all devices.
            drawn: Names of the draws so far, to which those made here are added.

        Returns:
            Tensor of shape (critic_steps, batch, samples, channels), and sizes by name.
        """
        latents = self._latents(self.critic_steps * batch_size)
        drawn.append(CRITIC_LATENTS)
        latents = ops.reshape(latents, (self.critic_steps, batch_size, -1))
        latents = backend.own_part(latents, axis=1)
        fakes = self.generator(ops.reshape(latents, (-1, self.generator.input_shape[-1])))
        checked = {"generated segments": _size(fakes)}
        fakes = self.heard(fakes)
        return ops.reshape(fakes, (self.critic_steps, -1, *fakes.shape[1:])), checked

    def heard(self, segments: Any) -> Any:
        """Return the critic's input for segments of shape (batch, samples, channels)."""
        return segments if self.emphasis is None else self.emphasis(segments)

    def _latents(self, count: Any, seed: keras.random.SeedGenerator | None = None) -> Any:
        shape = (count, self.generator.input_shape[-1])
        return keras.random.uniform(shape, -1.0, 1.0, "float32", seed=seed or self.seed_generator)

    # The three functions that make it a Wasserstein GAN with gradient penalty.
    def penalized(self, real: Any, fake: Any, mixing: Any) -> Any:
        """Return the points whose gradients are penalized, from segments as the critic hears them.

        Args:
            real: Segments of shape (batch, samples, channels).
            fake: Segments of the same shape.
            mixing: Uniform draws from [0, 1], shape (batch, 1, 1).
        """
        return interpolate(real, fake, mixing)

    def critic_loss(
        self, real_scores: Any, fake_scores: Any, gradients: Any
    ) -> tuple[Any, Any, Any]:
        """Return the critic's loss, its penalty without the weight, and the mean gradient norm.

        Args:
            real_scores: Scores of shape (batch, 1).
            fake_scores: Scores of shape (batch, 1).
            gradients: Gradients of scores by the penalized points.
        """
        penalty, norm = gradient_penalty(gradients)
        loss = self.gradient_penalty_weight * penalty
        return loss - wasserstein_estimate(real_scores, fake_scores), penalty, norm

    def generator_loss(self, fake_scores: Any, real: Any) -> Any:  # noqa: ARG002
        """Return the generator's loss.

        Args:
            fake_scores: Scores of shape (batch, 1).
            real: Segments of the last critic update, as the critic hears them.
        """
        return -ops.mean(ops.cast(fake_scores, "float32"))

    def _update_critic(self, real: Any, fake: Any, mixing: Any) -> dict[str, Any]:
        """Make an update, and return the sizes of the computed tensors in order."""
        points = self.penalized(real, fake, mixing)

        def loss() -> tuple[Any, list[Any]]:
            scores = self.critic(real, training=True), self.critic(fake, training=True)
            slopes = backend.gradients_by_inputs(lambda x: self.critic(x, training=True), points)
            value, penalty, norm = self.critic_loss(*scores, slopes)
            return value, [wasserstein_estimate(*scores), norm, penalty, value]

        variables = self.critic.trainable_variables
        values, gradients = backend.gradients_by_variables(
            loss, variables, self.critic.non_trainable_variables
        )
        values = backend.means_over_replicas(values)
        gradients = backend.apply_gradients(self.critic_optimizer, gradients, variables)
        names = ("wasserstein_estimate", "gradient_norm", "gradient_penalty", "critic_loss")
        losses = dict(zip(names, values, strict=True))
        for name, value in losses.items():
            self.means[name].update_state(value)
        sizes = {name: _size(value) for name, value in losses.items()}
        return sizes | _sizes_of_update("critic", gradients, variables)

    def _update_generator(self, latents: Any, real: Any) -> dict[str, Any]:
        """Make an update, and return the sizes of the computed tensors in order."""

        def loss() -> tuple[Any, Any]:
            segments = self.heard(self.generator(latents, training=True))
            value = self.generator_loss(self.critic(segments, training=True), real)
            return value, value

        variables = self.generator.trainable_variables
        others = [*self.generator.non_trainable_variables, *self.critic.variables]
        others += [] if self.emphasis is None else self.emphasis.variables
        value, gradients = backend.gradients_by_variables(loss, variables, others)
        (value,) = backend.means_over_replicas([value])
        gradients = backend.apply_gradients(self.generator_optimizer, gradients, variables)
        norm = ops.sqrt(sum(_size(gradient) for gradient in gradients))
        self.means["generator_loss"].update_state(value)
        self.means["generator_gradient_norm"].update_state(norm)
        return {"generator_loss": _size(value)} | _sizes_of_update(
            "generator", gradients, variables
        )
