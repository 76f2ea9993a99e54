"""From a fixed filter and a learned kernel at the high rate to one kernel at the low rate."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wavegan_rc.choices import Upsampler
from wavegan_rc.theory.interpolation import interpolation_kernel


class EndCorrection(NamedTuple):
    """What must be added to some outputs near an end, from the inputs near it.

    Attributes:
        samples: Of the input.
        blocks: Of the output, each of `factor` samples.
        matrix: Shape (factor * blocks, samples, K).
    """

    samples: slice
    blocks: slice
    matrix: np.ndarray


@dataclass(frozen=True)
class PolyphaseFold:
    """Constant matrices that turn a learned kernel of K taps into its low-rate form.

    Attributes:
        matrix: Shape (factor, taps, K): the weight of kernel tap `k` in low-rate tap `t` of output
            phase `p`. Low-rate tap `t` meets the input sample `n + t - before`.
        before: Samples that the input must be extended by at its start.
        after: Samples that the input must be extended by at its end.
        head: Shape (factor * blocks, samples, K): what zeros as padding change in the first
            outputs, by the first inputs; empty if nothing.
        tail: The same for the last outputs and inputs.
    """

    matrix: np.ndarray
    before: int
    after: int
    head: np.ndarray
    tail: np.ndarray

    def ends(self, length: int) -> list[EndCorrection]:
        """The corrections for an input of some length, which may be shorter than their reach."""
        factor = len(self.matrix)
        blocks, samples = self._reach(self.head, length)
        head = EndCorrection(
            slice(0, samples), slice(0, blocks), self.head[: factor * blocks, :samples]
        )
        blocks, samples = self._reach(self.tail, length)
        tail = EndCorrection(
            slice(length - samples, length),
            slice(length - blocks, length),
            self.tail[len(self.tail) - factor * blocks :, self.tail.shape[1] - samples :],
        )
        return [end for end in (head, tail) if end.matrix.size]

    def _reach(self, matrix: np.ndarray, length: int) -> tuple[int, int]:
        outputs, samples, _ = matrix.shape
        return min(outputs // len(self.matrix), length), min(samples, length)


def polyphase_fold(upsampler: Upsampler, kernel_size: int, factor: int) -> PolyphaseFold:
    """Fold the fixed filter and a learned kernel into a kernel at the low rate.

    Output sample `m = factor * n + p` is a sum over kernel taps `k` and filter taps `j`, each pair
    meeting one high-rate position, which holds data only if it is a multiple of `factor`:

    - A convolution after interpolation, aligned as "same" in Keras, reads the upsampled signal at
      `m + k - (K - 1) // 2`. That is input sample `n + q` through filter tap `j` where
      `p + k - (K - 1) // 2 - first - j = factor * q`.
    - `transposed` carries input sample `n'` by tap `k` to `m = factor * n' + k - left`, with
      `left = max(K - factor, 0) // 2` as in Keras, so `p + left - k = factor * q`.
    - `subpixel` has a kernel at the low rate already. Its taps are counted here as a transposed
      kernel's: tap `k = factor * t + p` of `K = factor * taps` is low-rate tap `t` of phase `p`.

    Collecting the taps by `(p, q)` gives a kernel at the low rate with `factor` times the
    channels: fewer multiplications, and none on repeated or zero samples.

    Args:
        upsampler: One of the upsamplers.
        kernel_size: K, in output samples; for `subpixel` a multiple of `factor`.
        factor: Upsampling factor.

    Raises:
        ParameterError: If the upsampler is unknown.

    Source:
        P. P. Vaidyanathan, "Multirate Systems and Filter Banks" (1993), section 4.3 (polyphase
        interpolation), applied to the composite of a fixed and a learned kernel;
        W. Shi et al., "Is the deconvolution layer the same as a convolutional layer?" (2016).

    Example:
        >>> fold = polyphase_fold("resize", kernel_size=3, factor=2)
        >>> fold.matrix.astype(int).tolist(), fold.before, fold.after
        ([[[1, 0, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 1, 0], [0, 0, 1]]], 1, 1)
    """
    taps, first = interpolation_kernel(upsampler, factor)
    phase = np.arange(factor)[:, None, None]
    k = np.arange(kernel_size)[None, :, None]
    j = np.arange(len(taps))[None, None, :]
    if upsampler == "subpixel":
        middle = (kernel_size // factor - 1) // 2
        lag = np.where(k % factor == phase, k - phase - middle * factor, 1) + 0 * j
    elif upsampler == "transposed":
        lag = phase + max(kernel_size - factor, 0) // 2 - k + 0 * j
    else:
        lag = phase + k - (kernel_size - 1) // 2 - first - j
    p, k, j = np.nonzero(lag % factor == 0)
    offset = lag[p, k, j] // factor
    before, after = max(0, -offset.min()), max(0, offset.max())
    matrix = np.zeros((factor, before + after + 1, kernel_size))
    np.add.at(matrix, (p, offset + before, k), taps[j])
    head, tail = _end_corrections(upsampler, kernel_size, factor)
    return PolyphaseFold(matrix, int(before), int(after), head, tail)


def _end_corrections(
    upsampler: Upsampler, kernel_size: int, factor: int
) -> tuple[np.ndarray, np.ndarray]:
    """`head` and `tail` of the fold, found as a difference of two operators on a short signal.

    With zeros beyond both ends of the input, the interpolated signal does not end where the output
    ends: its filter rings on. Two layers, an interpolation and a "same" convolution, cut it off
    there; and linear interpolation holds the first and the last sample out to the ends, as image
    libraries do, instead of fading to zero. Both change only outputs within reach of an end.
    """
    if upsampler not in ("linear", "sinc"):
        nothing = np.zeros((0, 0, kernel_size))
        return nothing, nothing
    taps, first = interpolation_kernel(upsampler, factor)
    # Long enough that what happens at one end does not reach the other half.
    margin = kernel_size + len(taps)
    length = 2 * (margin // factor + 2)
    position = np.arange(-margin, factor * length + margin)[:, None]
    sample = np.arange(-margin, length + margin)[None, :]
    lag = position - factor * sample - first
    within = (lag >= 0) & (lag < len(taps))
    interpolation = np.where(within, taps[np.clip(lag, 0, len(taps) - 1)], 0)

    endless = interpolation[:, margin:-margin]
    cut = endless.copy()
    if upsampler == "linear":
        cut[:, 0] += interpolation[:, :margin].sum(axis=1)
        cut[:, -1] += interpolation[:, -margin:].sum(axis=1)
    cut[:margin] = cut[-margin:] = 0
    # Output m reads positions m - left ... m - left + K - 1.
    start = margin - (kernel_size - 1) // 2
    read = np.lib.stride_tricks.sliding_window_view(cut - endless, kernel_size, axis=0)
    change = read[start : start + factor * length]

    half = length // 2
    head = _trimmed(change[: factor * half, :half], factor)
    tail = _trimmed(change[: -factor * half - 1 : -1, : -half - 1 : -1], factor)
    return head, tail[::-1, ::-1]


def _trimmed(change: np.ndarray, factor: int) -> np.ndarray:
    """Without the blocks of outputs and the inputs, away from the end, that nothing changes for."""
    outputs, inputs, _ = np.nonzero(change)
    blocks = -(-(outputs.max(initial=-1) + 1) // factor)
    return change[: factor * blocks, : inputs.max(initial=-1) + 1]
