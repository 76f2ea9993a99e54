"""Phase shuffle, which hides the phase of artifacts from the critic."""

from typing import Any

import keras
import numpy as np
from keras import ops

from wavegan_rc.errors import ParameterError
from wavegan_rc.nn.backend import own_part, replica_count


@keras.saving.register_keras_serializable("wavegan_rc")
class PhaseShuffle(keras.layers.Layer):
    """Random shift of feature maps in time, with reflection at the ends.

    The artifacts of a transposed convolution have a fixed phase, by which a critic could easily
    tell generated from real segments. Random shifts between its layers remove this clue.

    In training, the output at `t` is the input at `t + shift`, reflected about the first and the
    last sample. The shift is a uniform integer in [-radius, radius]. Outside training the layer
    returns its input.

    Args:
        radius: Largest shift in samples, at least 0; 0 disables the layer.
        per_example: Draw one shift for each example instead of one for the whole batch.
        seed: Seed of the shifts, whose state is among the layer's variables; None draws one.

    Input shape:
        (batch, time, channels); time must be known and greater than `radius`.

    Raises:
        ParameterError: If `radius` is negative, or not less than the input's length.

    Source:
        C. Donahue, J. McAuley, M. Puckette, "Adversarial Audio Synthesis" (ICLR 2019), section 3.3.

    Example:
        >>> import numpy as np
        >>> maps = np.arange(6.0, dtype="float32").reshape(1, 6, 1)
        >>> layer = PhaseShuffle(2, seed=0)
        >>> bool((np.asarray(layer(maps)) == maps).all())
        True
    """

    def __init__(
        self, radius: int, per_example: bool = False, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if radius < 0:
            raise ParameterError(f"radius must be at least 0. Received: {radius}")
        self.radius = radius
        self.per_example = per_example
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: tuple) -> None:
        length = input_shape[1]
        if self.radius and (length is None or length <= self.radius):
            raise ParameterError(
                f"phase shuffle's radius must be less than the length of the feature maps, "
                f"{length}. Received: {self.radius}"
            )

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.radius == 0:
            return inputs
        count = ops.shape(inputs)[0] * replica_count() if self.per_example else 1
        shifts = keras.random.randint(
            (count, 1), -self.radius, self.radius + 1, dtype="int32", seed=self.seed_generator
        )
        if not self.per_example:
            return ops.take(inputs, self._sources(shifts, inputs.shape[1])[0], axis=1)
        sources = self._sources(own_part(shifts), inputs.shape[1])
        return ops.take_along_axis(inputs, sources[:, :, None], axis=1)

    @staticmethod
    def _sources(shifts: Any, length: int) -> Any:
        """Return the input index of each output sample, shape (shifts, length).

        Reflection maps `t` to `|t|` at the first sample and to `last - |last - t|` at the last.
        Gathering by index has second derivatives under XLA; slicing at a drawn position has none.
        """
        last = length - 1
        return last - ops.abs(last - ops.abs(ops.arange(length, dtype="int32")[None, :] + shifts))

    # Keras does not save the states of a layer's seed generators.
    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        store["seed_generator"] = np.asarray(self.seed_generator.state)

    def load_own_variables(self, store: Any) -> None:
        self.seed_generator.state.assign(store["seed_generator"])

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "radius": self.radius,
            "per_example": self.per_example,
            "seed": self.seed,
        }
