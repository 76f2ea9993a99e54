"""The optimizers of both networks, whose learning rates fall with the steps made."""

import keras

from wavegan_rc.config.settings import Settings


def optimizers(settings: Settings) -> tuple[keras.optimizers.Adam, keras.optimizers.Adam]:
    """Return the optimizers of the generator and of the critic.

    At a constant rate the weights end in noise of that rate's size; a rate that falls as 1 / step
    averages it out. The rate depends on the step alone, so a resumed training is the uninterrupted
    one, however many steps either was meant to have.

    Args:
        settings: Settings: learning rates, `decay_steps`, `adam_betas`, `critic_steps`.

    Source:
        H. Robbins, S. Monro, "A Stochastic Approximation Method" (1951), section 2.

    Example:
        >>> generator, critic = optimizers(Settings(decay_steps=0))
        >>> float(generator.learning_rate) == float(critic.learning_rate)
        True
    """
    of_generator, of_critic = settings.learning_rate, settings.critic_learning_rate
    return (
        _adam(of_generator, settings, updates=1),
        _adam(of_critic or of_generator, settings, updates=settings.critic_steps),
    )


def _adam(rate: float, settings: Settings, updates: int) -> keras.optimizers.Adam:
    if settings.decay_steps:
        rate = keras.optimizers.schedules.InverseTimeDecay(
            rate, decay_steps=settings.decay_steps * updates, decay_rate=1.0
        )
    return keras.optimizers.Adam(rate, *settings.adam_betas)
