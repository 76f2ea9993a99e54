"""What a training sounds like at the moment."""

import keras
import numpy as np

from wavegan_rc.generator.generation import synthesize
from wavegan_rc.training.backend import alone, bring_up_to_date
from wavegan_rc.training.wgan_gp import WGANGP


class Hearing:
    """What the average generator makes of latents, computed by this process alone on one device.

    Args:
        model: In training, on however many devices of however many hosts.
    """

    def __init__(self, model: WGANGP) -> None:
        self._model = model
        with alone():
            self._generator = keras.models.clone_model(model.average_generator)

    def __call__(self, latents: np.ndarray) -> np.ndarray:
        """Segments of shape (count, samples) from latents of shape (count, latent_dim)."""
        bring_up_to_date(self._model)
        with alone():
            self._generator.set_weights(self._model.average_generator.get_weights())
            return synthesize(self._generator, latents)
