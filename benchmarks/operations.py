"""Floating-point operations of one step, counted from the shapes of the layers."""

import math
from typing import Literal, NamedTuple

import numpy as np

from wavegan_rc.config import Config
from wavegan_rc.nn.critic import KERNEL_SIZE, STRIDES, critic_widths
from wavegan_rc.nn.generator import generator_widths
from wavegan_rc.theory.polyphase import polyphase_fold

Form = Literal["polyphase", "plain"]


class Networks(NamedTuple):
    """Operations of one forward pass of one example, layer by layer."""

    generator: list[int]
    critic: list[int]


def forward_operations(config: Config, form: Form) -> Networks:
    """Operations of the dense and convolutional layers, a multiply-add counting as two.

    A stage of L input samples, C channels and F filters takes 2 L C F times

    - `plain`: factor * K in two steps (K taps for each output sample); K for `transposed`, which
      leaves out the inserted zeros;
    - `polyphase`: the number of entries of the fold that are not zero for all kernels: K for
      `transposed` too, K + factor - 1 or K + factor for `resize`. Zeros with which an
      implementation fills up its low-rate taps are not counted: no work that the layer needs.

    Not counted: what is done once for each sample or weight (activations, biases, interpolation,
    shuffling, Adam, folding), and the corrections at the ends.

    Args:
        config: Sizes.
        form: Of the generator's stages.

    Example:
        >>> config = Config(segment_length=64, upsampling_factors=(2, 2), kernel_size=4, filters=32)
        >>> forward_operations(config, "plain").generator  # of dense and the two stages
        [65536, 131072, 8192]
    """
    length, channels = config.initial_length, config.filters
    generator = [2 * config.latent_dim * length * channels]
    factors = config.upsampling_factors
    widths = generator_widths(len(factors), config.filters)
    for factor, filters, upsampler in zip(factors, widths, config.stage_upsamplers, strict=True):
        taps = config.kernel_size if upsampler == "transposed" else factor * config.kernel_size
        if form == "polyphase":
            matrix = polyphase_fold(upsampler, config.kernel_size, factor).matrix
            taps = int(np.count_nonzero(np.abs(matrix).sum(axis=2)))
        generator.append(2 * length * taps * channels * filters)
        length, channels = length * factor, filters
    critic, length, channels = [], config.segment_length, 1
    for filters in critic_widths(config.segment_length, config.critic_width):
        length = math.ceil(length / STRIDES)
        critic.append(2 * length * KERNEL_SIZE * channels * filters)
        channels = filters
    return Networks(generator, [*critic, 2 * length * channels])


def operations_per_step(config: Config, form: Form) -> int:
    """Operations of a step: `critic_steps` critic updates and a generator update.

    Of a layer whose forward pass takes F, the gradient by its input takes F (a product with the
    same kernel, transposed), and so does the gradient by its kernel. Let C and G be the sums over
    the critic's and the generator's layers, c1 and g1 their first layer's share, cd that of the
    critic's last, the dense one.

    - Scores of real segments: C forward, C by the kernels, C - c1 by the inputs (those of the first
      layer are data). Those of fakes as well: 6 C - 2 c1.
    - The penalty: C - cd forward (the score itself is not used) and C by the inputs for the
      critic's gradient. Its derivative by the kernels: the chain of products with transposed
      kernels is gone through backwards; each product is linear in its kernel (C) and in what it is
      given (C - cd: the chain begins with the constant 1 at the score). LeakyReLU is linear piece
      by piece, so nothing comes back to the forward pass: 4 C - 2 cd.
    - The fakes of the update: G.
    - The generator update: G forward, G by the kernels, G - g1 by the inputs, through the critic C
      forward and C by its inputs: 3 G - g1 + 2 C.

    Together, for each example of the batch:
    critic_steps * (10 C - 2 c1 - 2 cd + G) + 3 G - g1 + 2 C.

    Args:
        config: Sizes.
        form: See `forward_operations`.
    """
    generator, critic = forward_operations(config, form)
    C, G = sum(critic), sum(generator)
    critic_update = 10 * C - 2 * critic[0] - 2 * critic[-1] + G
    generator_update = 3 * G - generator[0] + 2 * C
    return config.batch_size * (config.critic_steps * critic_update + generator_update)
