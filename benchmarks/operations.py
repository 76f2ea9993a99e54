"""Count the floating-point operations of a training step from the shapes of the layers."""

import math
from typing import Literal

import numpy as np

from wavegan_rc.config import Config
from wavegan_rc.nn.critic import KERNEL_SIZE, STRIDES, critic_widths
from wavegan_rc.nn.generator import generator_widths
from wavegan_rc.theory.polyphase import polyphase_fold

Form = Literal["polyphase", "plain"]


def _forward_operations(config: Config, form: Form) -> tuple[list[int], list[int]]:
    """Count the operations of generator and critic by layer, for a forward pass of an example.

    Dense and convolutional layers count, a multiply-add as two. A stage with L input samples, C
    channels and F filters takes 2 L C F T operations:

    - `plain`: T = factor * K (K taps for each output sample), or K for `transposed`, which skips
      the inserted zeros.
    - `polyphase`: T is the number of low-rate taps, in all phases, that some kernel can make
      nonzero: K for `transposed`, K + factor - 1 or K + factor for `resize`. Low-rate taps that are
      always zero are padding of an implementation and are not counted.

    Work that is done once per sample or weight (activations, biases, interpolation, shuffling,
    Adam, folding) and the end corrections are not counted.
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
    return generator, [*critic, 2 * length * channels]


def operations_per_step(config: Config, form: Form) -> int:
    """Count the operations of a step: `critic_steps` critic updates and one generator update.

    If a layer's forward pass takes F operations, the gradient with respect to its input takes F (a
    product with the transposed kernel), and so does the gradient with respect to its kernel. Let C
    and G be the sums over the critic's and the generator's layers, c1 and g1 the shares of their
    first layers, and cd the share of the critic's last, dense layer.

    - Scores of real segments: C forward, C for the kernels and C - c1 for the inputs (those of the
      first layer are data). Fakes take as many. Together: 6 C - 2 c1.
    - Gradient penalty: C - cd forward (the score itself is not used), and C for the input gradient.
      The derivative with respect to the kernels runs backwards through the chain of products with
      transposed kernels. Each product is linear in its kernel (C) and in its input (C - cd, since
      the chain starts with the constant 1 at the score). LeakyReLU is piecewise linear, so no
      gradient reaches the forward pass. Together: 4 C - 2 cd.
    - Fakes of the update: G.
    - Generator update: G forward, G for the kernels and G - g1 for the inputs; in the critic, C
      forward and C for the inputs. Together: 3 G - g1 + 2 C.

    The sum, for each example of the batch, is
    critic_steps * (10 C - 2 c1 - 2 cd + G) + 3 G - g1 + 2 C.
    """
    generator, critic = _forward_operations(config, form)
    C, G = sum(critic), sum(generator)
    critic_update = 10 * C - 2 * critic[0] - 2 * critic[-1] + G
    generator_update = 3 * G - generator[0] + 2 * C
    return config.batch_size * (config.critic_steps * critic_update + generator_update)
