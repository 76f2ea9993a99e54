"""The trainable model: a generator, a critic, and what Keras trains them by."""

from typing import Any

import keras
import numpy as np

from wavegan_rc.config.settings import Settings
from wavegan_rc.errors import ParameterError
from wavegan_rc.nn import backend
from wavegan_rc.nn.phase_shuffle import PhaseShuffle
from wavegan_rc.training.average import float32_copy
from wavegan_rc.training.devices import compiles_with_xla
from wavegan_rc.training.updates import CRITIC_LATENTS, GENERATOR_LATENTS, LOSSES, Updates

# Distance in draws between the random streams of rollbacks. JAX counts draws in 32 bits, which
# leaves room for three rollbacks of 67 million steps each: with 5 critic updates in a step, a phase
# shuffle draws 16 times.
_DRAWS_APART = 2**30


class WGANGP(Updates):
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
        gradient_penalty_weight: float = Settings.gradient_penalty_weight,
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
        of_generator = generator_optimizer or _default_optimizer()
        of_critic = critic_optimizer or _default_optimizer()
        of_generator.build(self.generator.trainable_variables)
        of_critic.build(self.critic.trainable_variables)
        self.generator_optimizer, self.critic_optimizer = of_generator, of_critic
        self.optimizer = backend.Optimizers(of_generator, of_critic)

    def call(self, latents: Any) -> Any:
        """Return the audio of latents, by the average generator, of shape (batch, samples, 1)."""
        return self.average_generator(latents)

    def fit(self, x: Any = None, *arguments: Any, **options: Any) -> Any:
        """Train as any Keras model: `batch_size`, `epochs`, `callbacks` and so on as there.

        Args:
            x: Real segments, array of shape (segments, samples) or (segments, samples, channels).
                Each example of a batch takes `critic_steps` of them, one for each critic update; a
                rest of fewer is left out. Or data of the form that `step` takes.
            arguments: Other positional arguments of Keras's `fit`.
            options: Other named arguments.

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
        return super().fit(x, *arguments, **options)

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

        for_critic = again(CRITIC_LATENTS, self.critic_steps * batch_size)
        for_critic = for_critic.reshape(self.critic_steps, batch_size, -1)
        return for_critic, again(GENERATOR_LATENTS, batch_size)

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


def _default_optimizer() -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(Settings.learning_rate, *Settings.adam_betas)
