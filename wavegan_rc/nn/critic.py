"""The critic: a segment of audio becomes an unbounded score, higher for real."""

import keras
from keras import layers

from wavegan_rc.nn.downsampling import StridedConv1D
from wavegan_rc.nn.leaky_relu import LeakyReLU
from wavegan_rc.nn.phase_shuffle import PhaseShuffle
from wavegan_rc.nn.shared import MINIMUM_FILTERS, initial_seeds

STRIDES = 4
KERNEL_SIZE = 25
# Layers are added while they leave at least this many samples (Donahue et al.: 16384 -> 16).
_SHORTEST = 8
LEAKY_SLOPE = 0.2


def critic_widths(segment_length: int, filters: int) -> list[int]:
    """Channels of each convolution's output.

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
    segment_length: int = 2048,
    filters: int = 128,
    channels: int = 1,
    phase_shuffle_radius: int = 2,
    phase_shuffle_per_example: bool = False,
    precision: str = "float32",
    seed: int | None = None,
) -> keras.Model:
    """Build strided convolutions with LeakyReLU and phase shuffle -> Dense(1).

    There is no normalization: the gradient penalty is one norm per example, which batch
    normalization would mix.

    Args:
        segment_length: Input length in samples.
        filters: Channels of the last convolution; each one before has half of them, down to 16.
        channels: Of the audio.
        phase_shuffle_radius: Largest shift after each convolution but the last; 0: none.
        phase_shuffle_per_example: Draw a shift for each example instead of one for the batch.
        precision: Dtype policy of the convolutions and what follows them; scores are float32.
        seed: Of the initial weights and the shifts; None draws one.

    Returns:
        Model from (batch, segment_length, channels) to scores of shape (batch, 1).

    Raises:
        ParameterError: If the radius is not smaller than the shortest map that it shifts.

    Source:
        C. Donahue, J. McAuley, M. Puckette, "Adversarial Audio Synthesis" (ICLR 2019), Table 4;
        I. Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), section 4.

    Example:
        >>> build_critic(segment_length=2048).get_layer("conv_4").output.shape
        (None, 8, 128)
    """
    seeds = initial_seeds(seed)
    widths = critic_widths(segment_length, filters)
    segments = layers.Input((segment_length, channels), dtype="float32", name="segments")
    x = segments
    for layer, width in enumerate(widths, start=1):
        x = StridedConv1D(
            width,
            KERNEL_SIZE,
            STRIDES,
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
    # No bias: it cancels in the difference of real and generated scores, and Adam would blow up
    # the rounding error of its zero gradient to steps of full size.
    scores = layers.Dense(
        1,
        use_bias=False,
        kernel_initializer=keras.initializers.GlorotUniform(next(seeds)),
        dtype="float32",
        name="scores",
    )(x)
    return keras.Model(segments, scores, name="critic")
