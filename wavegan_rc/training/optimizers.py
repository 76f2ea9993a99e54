"""The optimizers of both networks."""

from typing import Any

import keras
import numpy as np

from wavegan_rc.config.settings import Settings


def optimizers(settings: Settings) -> tuple[keras.optimizers.Adam, keras.optimizers.Adam]:
    """Return the optimizers of the generator and of the critic.

    At a constant rate the weights end in noise of that rate's size; a rate that falls as 1 / step
    averages it out. The rate depends on the step alone, so a resumed training is the uninterrupted
    one, however many steps either was meant to have.

    Source:
        H. Robbins, S. Monro, "A Stochastic Approximation Method" (1951), section 2.

    Example:
        >>> generator, critic = optimizers(Settings(decay_steps=0))
        >>> float(generator.learning_rate) == float(critic.learning_rate)
        True
    """
    kind = EqualizedAdam if settings.equalized_learning_rate else keras.optimizers.Adam

    def adam(rate: float, updates_per_step: int) -> keras.optimizers.Adam:
        if settings.decay_steps:
            rate = keras.optimizers.schedules.InverseTimeDecay(
                rate, decay_steps=settings.decay_steps * updates_per_step, decay_rate=1.0
            )
        return kind(rate, *settings.adam_betas)

    rate = settings.learning_rate
    return adam(rate, 1), adam(settings.critic_learning_rate or rate, settings.critic_steps)


class EqualizedAdam(keras.optimizers.Adam):
    """Adam with equalized learning rates.

    The rate of a kernel is multiplied by the RMS of its initial values, so every kernel
    changes by the same share of itself in a step. Karras et al. reach the same by weights of
    variance 1, which the layers multiply by constants. Adam does not see the scale of a gradient,
    so both are equal but for its epsilon. Weights that start as zeros (biases) keep the rate.

    Source:
        T. Karras et al., "Progressive Growing of GANs" (ICLR 2018), section 4.1.

    Example:
        >>> kernel, optimizer = keras.Variable([[0.5, -0.5]]), EqualizedAdam(0.1)
        >>> optimizer.apply([keras.ops.ones((1, 2))], [kernel])
        >>> [round(float(weight), 4) for weight in kernel[0]]
        [0.45, -0.55]
    """

    def build(self, variables: list[Any]) -> None:
        """Create the optimizer's variables for those to be trained, which have initial values."""
        if not self.built:
            # Variables, since a checkpoint holds weights that are not initial.
            self._scales = [self._add_scale(variable) for variable in variables]
        super().build(variables)

    def _add_scale(self, variable: Any) -> Any:
        rms = float(np.sqrt(np.mean(np.asarray(variable, np.float64) ** 2))) or 1.0
        return self.add_variable((), keras.initializers.Constant(rms), name="scale")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable by its gradient."""
        scale = self._scales[self._get_variable_index(variable)]
        super().update_step(gradient, variable, keras.ops.multiply(scale, learning_rate))
