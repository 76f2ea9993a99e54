"""Callbacks that know their step."""

from typing import Any

import keras
import numpy as np


def steps_made(model: keras.Model) -> int:
    """Return the number of steps that a model has made, over all sessions of its training."""
    # As an array first: on several devices, TensorFlow's variables are no numbers.
    return int(np.asarray(model.generator_optimizer.iterations))


def due(step: int, every: int, dense: int) -> bool:
    """Return whether a step is a multiple of `every`, which doubles again and again in long runs.

    The interval doubles each time that the steps double beyond `dense * every`. Each doubling then
    adds `dense / 2` entries, so what a run keeps grows with the logarithm of its length. The result
    depends on the step alone, so a resumed run equals an uninterrupted one.

    Args:
        step: Steps made, from 1.
        every: Initial interval in steps.
        dense: Number of entries before the interval first doubles.

    Example:
        >>> [step for step in range(1, 33) if due(step, every=1, dense=4)]
        [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]
    """
    while step > dense * every:
        every *= 2
    return step % every == 0


class StepCallback(keras.callbacks.Callback):
    """A callback that knows the step.

    It counts by itself: under JAX, reading the optimizer's counter would wait for the device.

    Attributes:
        first_step: Steps made before this session began.
    """

    first_step = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Read the step at which this session begins."""
        self.first_step = steps_made(self.model)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count the step."""
        self.on_step_end(self.first_step + batch + 1, {} if logs is None else logs)

    def on_step_end(self, step: int, logs: dict[str, Any]) -> None:
        """Act after a step."""
