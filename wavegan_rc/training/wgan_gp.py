"""The trainable model: a generator, a critic, and what Keras trains them by."""

from typing import Any

import keras
import numpy as np
from keras import ops

from wavegan_rc.config.choices import AdversarialLoss
from wavegan_rc.config.settings import Settings
from wavegan_rc.errors import ParameterError
from wavegan_rc.nn import backend
from wavegan_rc.training.devices import compiles_with_xla
from wavegan_rc.training.growing import Growth
from wavegan_rc.training.losses import OBJECTIVES
from wavegan_rc.training.optimizers import optimizers
from wavegan_rc.training.updates import (
    CRITIC_LATENTS,
    FIRST_NONFINITE,
    GENERATOR_LATENTS,
    LOSSES,
    STOP_REQUESTED,
    critic_gradients,
    first_nonfinite,
    float32_copy,
    generator_gradients,
    size,
    update,
    update_average,
)


class WGANGP(keras.Model):
    """Wasserstein GAN with gradient penalty, trained by `fit` on segments of audio.

    One step is `critic_steps` updates of the critic, each on its own real batch, then one update of
    the generator. `average_generator` is a power-function moving average of the generator. Its
    horizon is a fixed share of the steps made, which suits runs of any length.

    Args:
        generator: Model from (batch, latent_dim) to (batch, samples, channels).
        critic: Model from (batch, samples, channels) to (batch, 1).
        emphasis: Fixed layer in front of the critic, for real and generated segments. The penalty
            applies to the gradients by its output. None applies no filter.
        critic_steps: Critic updates in a step.
        loss: Losses of both networks; `relativistic` replaces those of the Wasserstein GAN.
        gradient_penalty_weight: Weight of the penalty: lambda, or gamma of `relativistic`.
        penalty_every: Critic updates from one with the penalty to the next. The penalty's weight is
            multiplied by it, so its mean gradient stays the same.
        growing_steps: Steps of each level but the last, for a generator with levels; 0: none.
        seed: Seed of latents and interpolation. None draws one.

    Attributes:
        rollbacks: Number of returns to an earlier state with new random draws.
        checked: Names of the tensors of a step that are checked for non-finite values, in the
            order of their computation. Empty until a step is traced.
        drawn: Names of the draws of a step from `seed_generator`, in order. Empty until a step is
            traced.

    Source:
        I. Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), algorithm 1;
        Y. Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline" (2024),
        section 2 (`relativistic`); T. Karras et al., "Analyzing and Improving the Image Quality of
        StyleGAN" (2020), appendix B (`penalty_every`).

    Example:
        >>> from wavegan_rc.nn.critic import build_critic
        >>> from wavegan_rc.nn.generator import build_generator
        >>> shape = {"segment_length": 64, "filters": 4, "seed": 0}
        >>> generator = build_generator(upsampling_factors=(4, 4), latent_dim=3, **shape)
        >>> model = WGANGP(generator, build_critic(**shape), seed=0)
        >>> model.compile()
        >>> segments = np.random.default_rng(0).normal(0, 0.1, (16, 64))
        >>> history = model.fit(segments, batch_size=4, epochs=2, verbose=0)
        >>> int(model.generator_optimizer.iterations)
        4
        >>> model.predict(np.zeros((2, 3)), verbose=0).shape
        (2, 64, 1)
    """

    def __init__(
        self,
        generator: keras.Model,
        critic: keras.Model,
        *,
        emphasis: keras.layers.Layer | None = None,
        critic_steps: int = Settings.critic_steps,
        loss: AdversarialLoss = Settings.loss,
        gradient_penalty_weight: float = Settings.gradient_penalty_weight,
        penalty_every: int = Settings.penalty_every,
        growing_steps: int = Settings.growing_steps,
        seed: int | None = None,
    ) -> None:
        super().__init__(name="wgan_gp")
        self.generator = generator
        self.critic = critic
        self.emphasis = emphasis
        self.average_generator = float32_copy(generator)
        self.critic_steps = critic_steps
        self.objective = OBJECTIVES[loss]
        self.penalty_every = penalty_every
        self.growth = Growth(generator, growing_steps) if growing_steps else None
        self.penalty_weight = penalty_every * gradient_penalty_weight
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.means = {name: keras.metrics.Mean(name, "float32") for name in LOSSES}
        self.rollbacks = 0
        self.checked = self.drawn = ()
        self.built = True  # the parts are built already
        self._keeps_means = False

    def compile(
        self,
        generator_optimizer: keras.optimizers.Optimizer | None = None,
        critic_optimizer: keras.optimizers.Optimizer | None = None,
        jit_compile: bool | None = None,
    ) -> None:
        """Set the optimizers.

        Args:
            generator_optimizer: Optimizer of the generator; it counts the steps. None: Adam as in
                the default settings.
            critic_optimizer: Optimizer of the critic. None: the same.
            jit_compile: Whether to compile the step with XLA. None: where that is faster.
        """
        jit_compile = compiles_with_xla(devices=1) if jit_compile is None else jit_compile
        super().compile(optimizer=None, jit_compile=jit_compile)
        defaults = optimizers(Settings(critic_steps=self.critic_steps))
        self.generator_optimizer = generator_optimizer or defaults[0]
        self.critic_optimizer = critic_optimizer or defaults[1]
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.critic_optimizer.build(self.critic.trainable_variables)
        self.optimizer = backend.Optimizers(self.generator_optimizer, self.critic_optimizer)

    def call(self, latents: Any) -> Any:
        """Return the audio of latents, by the average generator, of shape (batch, samples, 1)."""
        return self.average_generator(latents)

    def fit(self, x: Any = None, **options: Any) -> Any:
        """Train as any Keras model: `batch_size`, `epochs`, `callbacks` and so on as there.

        Args:
            x: Real segments, array of shape (segments, samples) or (segments, samples, channels).
                Each example of a batch takes `critic_steps` of them, one for each critic update; a
                rest of fewer is left out. Or data of the form that `step` takes.
            options: Other arguments of Keras's `fit`.

        Returns:
            Keras's history: the means of the losses in each epoch.

        Raises:
            ParameterError: If there are fewer segments than `critic_steps`.
        """
        if isinstance(x, np.ndarray) and x.ndim in (2, 3):
            count = len(x) // self.critic_steps
            if not count:
                raise ParameterError(
                    f"x must have at least critic_steps = {self.critic_steps} segments. "
                    f"Received: {len(x)}"
                )
            x = x[: count * self.critic_steps]
            x = x.reshape(count, self.critic_steps, *x.shape[1:], *[1] * (3 - x.ndim))
        return super().fit(x, **options)

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
        self._keeps_means = True

    def reset_metrics(self) -> None:
        """Begin new means, as Keras asks for at each epoch; those just loaded are continued."""
        if not self._keeps_means:
            self.reset_means()
        self._keeps_means = False

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
        batch_size = ops.shape(segments)[0] * backend.replica_count()
        drawn: list[str] = []  # local: TensorFlow traces the devices of a strategy in turns
        real = ops.reshape(segments, (-1, *segments.shape[2:]))
        if self.growth is not None:
            generators = self.generator, self.average_generator
            real = self.growth.advance(self.generator_optimizer.iterations, generators, real)
        fakes, checked = self._fakes(batch_size, drawn)
        segments = ops.reshape(self.heard(real), ops.shape(segments))
        for k in range(self.critic_steps):
            shape = (batch_size, 1, 1)
            mixing = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
            drawn.append("mixing")
            sizes = self._update_critic(segments[:, k], fakes[k], backend.own_part(mixing))
            where = f" in critic update {k + 1} of {self.critic_steps}"
            checked |= {name + where: value for name, value in sizes.items()}
        latents = self.latents(batch_size)
        drawn.append(GENERATOR_LATENTS)
        checked |= self._update_generator(backend.own_part(latents), segments[:, -1])
        update_average(self.average_generator, self.generator, self.generator_optimizer.iterations)
        self.checked, self.drawn = tuple(checked), tuple(drawn)
        logs = {name: mean.result() for name, mean in self.means.items()}
        stop = {} if stop_requests is None else {STOP_REQUESTED: ops.max(stop_requests)}
        return logs | stop | {FIRST_NONFINITE: first_nonfinite([*checked.values()])}

    def _fakes(self, batch_size: Any, drawn: list[str]) -> tuple[Any, dict[str, Any]]:
        """Generate the segments of all critic updates at once, since the generator stands still.

        They are returned as the critic hears them, with sizes by name; `drawn` is extended.
        """
        latents = self.latents(self.critic_steps * batch_size)
        drawn.append(CRITIC_LATENTS)
        latents = ops.reshape(latents, (self.critic_steps, batch_size, -1))
        latents = backend.own_part(latents, axis=1)
        fakes = self.generator(ops.reshape(latents, (-1, self.generator.input_shape[-1])))
        checked = {"generated segments": size(fakes)}
        fakes = self.heard(fakes)
        return ops.reshape(fakes, (self.critic_steps, -1, *fakes.shape[1:])), checked

    def heard(self, segments: Any) -> Any:
        """Return the critic's input for segments of shape (batch, samples, channels)."""
        return segments if self.emphasis is None else self.emphasis(segments)

    def latents(self, count: Any, seed: keras.random.SeedGenerator | None = None) -> Any:
        """Draw latents of shape (count, latent_dim) from the model's random state, or another."""
        shape = (count, self.generator.input_shape[-1])
        return keras.random.uniform(shape, -1.0, 1.0, "float32", seed=seed or self.seed_generator)

    def _update_critic(self, real: Any, fake: Any, mixing: Any) -> dict[str, Any]:
        """Make an update, and return the sizes of the computed tensors in order."""
        critic, due = self.critic, True

        def gradients(weight: float | None) -> tuple[dict[str, Any], list[Any]]:
            return critic_gradients(critic, self.objective, weight, real, fake, mixing)

        if self.penalty_every == 1:
            values, by_weights = gradients(self.penalty_weight)
        else:
            due = self.critic_optimizer.iterations % self.penalty_every == 0
            branches = lambda: gradients(self.penalty_weight), lambda: gradients(None)
            values, by_weights = backend.either(due, *branches, critic.variables)
        values, _, sizes = update("critic", critic, self.critic_optimizer, values, by_weights)
        for name, value in values.items():
            # The means of these two are over the updates with the penalty.
            rare = self.penalty_every > 1 and name in ("gradient_penalty", "gradient_norm")
            self.means[name].update_state(value, due if rare else None)
        return sizes

    def _update_generator(self, latents: Any, real: Any) -> dict[str, Any]:
        """Make an update, and return the sizes of the computed tensors in order."""
        values, gradients = generator_gradients(
            self.generator, self.critic, self.emphasis, self.objective, latents, real
        )
        values, gradients, sizes = update(
            "generator", self.generator, self.generator_optimizer, values, gradients
        )
        values["generator_gradient_norm"] = ops.sqrt(sum(size(each) for each in gradients))
        for name, value in values.items():
            self.means[name].update_state(value)
        return sizes
