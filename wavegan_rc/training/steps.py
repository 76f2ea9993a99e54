"""How many steps a training has made."""

from typing import Any

import keras
import numpy as np


def steps_made(model: keras.Model) -> int:
    """Steps that a model has made, over all times that its training went on."""
    # As an array first: on several devices, TensorFlow's variables are no numbers.
    return int(np.asarray(model.generator_optimizer.iterations))


class StepCallback(keras.callbacks.Callback):
    """A callback that knows the step.

    It counts by itself: under JAX, reading the optimizer's counter would wait for the device.

    Attributes:
        first_step: Steps made before this training began.
        step: Steps made.
    """

    first_step = 0
    step = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Know where this training begins."""
        self.first_step = self.step = steps_made(self.model)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count the step."""
        self.step = self.first_step + batch + 1
        self.on_step_end(self.step, {} if logs is None else logs)

    def on_step_end(self, step: int, logs: dict[str, Any]) -> None:
        """Do something after a step.

        Args:
            step: Steps made, over all times that the training went on.
            logs: Means of the losses, and what callbacks listed before this one added.
        """
