"""Activations of the generator: ReLU, anti-aliased or not, and pixel norm after it."""

from typing import Any

import keras
from keras import layers, ops

from wavegan_rc.config.choices import Activation
from wavegan_rc.theory.interpolation import interpolation_kernel

# The end of the names of layers of pixel norm.
NORM = "_norm"


def activate(x: Any, kind: Activation, pixel_norm: bool, name: str, dtype: str) -> Any:
    """Apply an activation and, after it, pixel norm."""
    layer = AntiAliasedReLU if kind == "anti_aliased_relu" else layers.ReLU
    x = layer(dtype=dtype, name=name)(x)
    if not pixel_norm:
        return x
    # Pixel norm has no learned scale.
    norm = {"epsilon": 1e-8, "trainable": False, "dtype": dtype, "name": f"{name}{NORM}"}
    return layers.RMSNormalization(**norm)(x)


@keras.saving.register_keras_serializable("wavegan_rc")
class AntiAliasedReLU(keras.layers.Layer):
    """ReLU at twice the rate, between two low-passes.

    A ReLU makes harmonics. Those above half the rate of its input fold down to frequencies that
    have nothing to do with the signal. Here the input is upsampled by 2, rectified, low-passed and
    downsampled by 2. Harmonics up to the input's rate are then removed instead of folded.

    Both low-passes are the Kaiser-windowed sinc of `interpolation_kernel`. Every other of its taps
    is 0 but the centre, so the samples at even positions are the input itself, and the layer is
    two short filters at the input's rate. Zeros follow beyond the ends.

    Input shape:
        (batch, time, channels)

    Output shape:
        The input shape.

    Source:
        T. Karras et al., "Alias-Free Generative Adversarial Networks" (2021), section 2; S. Lee et
        al., "BigVGAN" (ICLR 2023), section 3.2.

    Example:
        >>> import numpy as np
        >>> AntiAliasedReLU()(np.ones((1, 64, 2), np.float32)).shape == (1, 64, 2)
        True
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        taps, _ = interpolation_kernel("sinc", 2)
        middle = len(taps) // 2
        self._centre = float(taps[middle])
        # The taps at odd lags, on each side of the centre alike.
        self._side = [float(tap) for tap in taps[middle + 1 :: 2]]
        self.built = True

    def call(self, inputs: Any) -> Any:
        reach = len(self._side)
        between = ops.relu(self._filter(inputs, reach - 1, reach))
        at_samples = ops.relu(self._centre * inputs)
        return 0.5 * (self._centre * at_samples + self._filter(between, reach, reach - 1))

    def _filter(self, x: Any, before: int, after: int) -> Any:
        """Filter each channel by the taps at odd lags, which are symmetric."""
        length, reach = x.shape[1], len(self._side)
        padded = ops.pad(x, [[0, 0], [before, after], [0, 0]])
        pairs = (
            tap * (padded[:, reach - 1 - k :][:, :length] + padded[:, reach + k :][:, :length])
            for k, tap in enumerate(self._side)
        )
        return sum(pairs)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape
