"""The critic: it maps a segment of audio to an unbounded score, higher for real audio."""

from typing import Any

import keras
from keras import layers, ops

from wavegan_rc.config.choices import Downsampling
from wavegan_rc.config.settings import Settings
from wavegan_rc.nn.downsampling import DownsampleConv1D
from wavegan_rc.nn.minibatch_std import MinibatchStd
from wavegan_rc.nn.phase_shuffle import PhaseShuffle
from wavegan_rc.nn.shared import MINIMUM_FILTERS, initial_seeds

STRIDES = 4
KERNEL_SIZE = 25
# Layers are added while their output has at least this many samples (16 in Donahue et al.).
_SHORTEST = 8
LEAKY_SLOPE = 0.2


@keras.saving.register_keras_serializable("wavegan_rc")
class LeakyReLU(keras.layers.Layer):
    """LeakyReLU whose second derivative is known to be 0.

    The layer equals `keras.layers.LeakyReLU(slope)`, including its first and second derivatives.
    TensorFlow's own operation does not treat the slope at a point as a constant. The gradient
    penalty then propagates gradients of zeros back through all layers, which takes a tenth of a
    training step on a CPU.

    Args:
        slope: Factor for inputs that are not positive.

    Source:
        A. L. Maas, A. Y. Hannun, A. Y. Ng, "Rectifier nonlinearities improve neural network
        acoustic models" (2013), section 2.

    Example:
        >>> import numpy as np
        >>> np.asarray(LeakyReLU(0.5)(np.array([-2.0, 3.0], np.float32))).tolist()
        [-1.0, 3.0]
    """

    def __init__(self, slope: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.slope = slope
        self.built = True

    def call(self, inputs: Any) -> Any:
        one, slope = (ops.cast(value, inputs.dtype) for value in (1.0, self.slope))
        return inputs * ops.stop_gradient(ops.where(inputs > 0, one, slope))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "slope": self.slope}


def critic_widths(segment_length: int, filters: int) -> list[int]:
    """Return the number of output channels of each convolution.

    Example:
        >>> critic_widths(segment_length=2048, filters=128)
        [16, 32, 64, 128]
    """
    depth = 1
    while segment_length // STRIDES ** (depth + 1) >= _SHORTEST:
        depth += 1
    floor = min(MINIMUM_FILTERS, filters)
    return [max(floor, filters >> (depth - layer)) for layer in range(1, depth + 1)]


def build_critic(
    *,
    segment_length: int = Settings.segment_length,
    filters: int = Settings.filters,
    channels: int = 1,
    downsampling: Downsampling = Settings.critic_downsampling,
    minibatch_std: bool = Settings.minibatch_std,
    phase_shuffle_radius: int = Settings.phase_shuffle_radius,
    phase_shuffle_per_example: bool = Settings.phase_shuffle_per_example,
    precision: str = Settings.precision,
    seed: int | None = None,
) -> keras.Model:
    """Build the critic: strided convolutions with LeakyReLU and phase shuffle, then Dense(1).

    The critic has no normalization: batch normalization would make the score of a segment, whose
    gradient is penalized, depend on all others.

    Args:
        segment_length: Input length in samples.
        filters: Channels of the last convolution. Each earlier layer has half as many as the next,
            but at least 16 (or `filters`, if that is less).
        channels: Audio channels.
        downsampling: Low-pass before each decimation; see `DownsampleConv1D`.
        minibatch_std: Apply `MinibatchStd` before the last convolution. The score of a segment then
            depends on the other segments of its batch.
        phase_shuffle_radius: Largest shift in samples, after each convolution but the last; 0
            disables phase shuffle.
        phase_shuffle_per_example: Draw one shift for each example instead of one for the batch.
        precision: Dtype policy of the convolutions, activations and shuffles; scores are float32.
        seed: Seed of the initial weights and the shifts; None draws one.

    Returns:
        Model from segments of shape (batch, segment_length, channels) to scores of shape
        (batch, 1).

    Raises:
        ParameterError: If the radius is not less than the length of every feature map it shifts.

    Source:
        C. Donahue, J. McAuley, M. Puckette, "Adversarial Audio Synthesis" (ICLR 2019), Table 4;
        I. Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), section 4.

    Example:
        >>> build_critic(segment_length=2048).get_layer("conv_4").output.shape
        (None, 8, 64)
    """
    seeds = initial_seeds(seed)
    widths = critic_widths(segment_length, filters)
    segments = layers.Input((segment_length, channels), dtype="float32", name="segments")
    x = segments
    for layer, width in enumerate(widths, start=1):
        if minibatch_std and layer == len(widths):
            x = MinibatchStd(dtype=precision, name="minibatch_std")(x)
        x = DownsampleConv1D(
            width,
            KERNEL_SIZE,
            STRIDES,
            downsampling,
            seed=next(seeds),
            dtype=precision,
            name=f"conv_{layer}",
        )(x)
        x = LeakyReLU(LEAKY_SLOPE, dtype=precision, name=f"conv_{layer}_relu")(x)
        if layer < len(widths) and phase_shuffle_radius > 0:
            x = PhaseShuffle(
                phase_shuffle_radius,
                phase_shuffle_per_example,
                seed=next(seeds),
                dtype=precision,
                name=f"shuffle_{layer}",
            )(x)
    x = layers.Flatten("channels_last", dtype="float32", name="flatten")(x)
    # No bias: it cancels in the difference of real and generated scores. Its gradient would be
    # rounding error, which Adam would scale up to full-size updates.
    scores = layers.Dense(
        1,
        use_bias=False,
        kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
        dtype="float32",
        name="scores",
    )(x)
    return keras.Model(segments, scores, name="critic")
