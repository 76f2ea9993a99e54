"""The levels of progressive growing: outputs at several rates, blended into one."""

from typing import Any

import keras
from keras import ops

# The layer that blends, and the start of the names of the output layers of lower levels.
LEVELS, LEVEL = "levels", "level_"


def level_weights(progress: Any, count: int) -> Any:
    """Return the weight of each level: a triangle around its number, so that their sum is 1.

    `progress` is the number of the present level, from 0 (the lowest rate) to count - 1; between
    two numbers, the higher level fades in.

    Source:
        J. Engel et al., "GANSynth: Adversarial Neural Audio Synthesis" (ICLR 2019), section 3,
        after T. Karras et al., "Progressive Growing of GANs" (ICLR 2018), section 2.

    Example:
        >>> [float(weight) for weight in level_weights(1.25, 4)]
        [0.0, 0.75, 0.25, 0.0]
    """
    return ops.relu(1 - ops.abs(ops.cast(progress, "float32") - ops.arange(count, dtype="float32")))


@keras.saving.register_keras_serializable("wavegan_rc")
class LevelBlend(keras.layers.Layer):
    """Sum of the outputs of all levels, weighted by `level_weights`.

    Its only variable, `progress`, is not trained. It starts at the highest level, which alone is
    then heard.

    Input shape:
        A list of (batch, time, channels), the lowest level first.

    Output shape:
        (batch, time, channels)

    Example:
        >>> import numpy as np
        >>> blend, outputs = LevelBlend(), [np.zeros((1, 4, 1)), np.ones((1, 4, 1))]
        >>> np.asarray(blend(outputs)).ravel().tolist()
        [1.0, 1.0, 1.0, 1.0]
        >>> _ = blend.progress.assign(0.25)
        >>> np.asarray(blend(outputs)).ravel().tolist()
        [0.25, 0.25, 0.25, 0.25]
    """

    def build(self, input_shape: list[tuple]) -> None:
        highest = keras.initializers.Constant(len(input_shape) - 1)
        self.progress = self.add_weight((), highest, trainable=False, name="progress")

    def call(self, outputs: list[Any]) -> Any:
        weights = level_weights(self.progress, len(outputs))
        return sum(weights[level] * output for level, output in enumerate(outputs))

    def compute_output_shape(self, input_shape: list[tuple]) -> tuple:
        return input_shape[-1]
