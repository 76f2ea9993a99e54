"""Fold the fixed filter and the learned kernel into one kernel at the low rate."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wavegan_rc.config.choices import Upsampler
from wavegan_rc.errors import ParameterError
from wavegan_rc.theory.interpolation import interpolation_kernel


@dataclass(frozen=True)
class PolyphaseFold:
    """Constant matrix that maps a learned kernel of K taps to its low-rate form.

    Attributes:
        matrix: Array of shape (factor, taps, K). Entry `[p, t, k]` is the weight of kernel tap `k`
            in low-rate tap `t` of output phase `p`. Low-rate tap `t` reads input sample
            `n + t - before`.
        before: Number of samples of padding at the start of the input.
        after: Number of samples of padding at the end of the input.
    """

    matrix: np.ndarray
    before: int
    after: int


def polyphase_fold(upsampler: Upsampler, kernel_size: int, factor: int) -> PolyphaseFold:
    """Fold the fixed filter and a learned kernel into a kernel at the low rate.

    Output sample `m = factor * n + p` is a sum over kernel taps `k` and filter taps `j`. Each pair
    reads one high-rate position, which holds data only if it is a multiple of `factor`:

    - A convolution after interpolation, aligned as "same" in Keras, reads the upsampled signal at
      `m + k - (K - 1) // 2`. Filter tap `j` takes that position from input sample `n + q`, with
      `p + k - (K - 1) // 2 - first - j = factor * q`.
    - `transposed` adds tap `k` times input sample `n'` to `m = factor * n' + k - left`, with
      `left = max(K - factor, 0) // 2` as in Keras. So `p + left - k = factor * q`.
    - `subpixel` already has a low-rate kernel. Its taps are numbered here like those of a
      transposed kernel: tap `k = factor * t + p` of `K = factor * taps` is low-rate tap `t` of
      phase `p`.

    Summing the taps for each `(p, q)` gives a low-rate kernel with `factor` times the channels. It
    needs fewer multiplications, and none with repeated samples or inserted zeros.

    Args:
        upsampler: Name of the upsampler.
        kernel_size: Kernel length K, in output samples, at least 1; for `subpixel` a multiple of
            `factor`.
        factor: Upsampling factor, at least 1.

    Returns:
        The fold. Zero padding also needs the `end_corrections`.

    Raises:
        ParameterError: If the upsampler is unknown, or an argument is out of range.

    Source:
        P. P. Vaidyanathan, "Multirate Systems and Filter Banks" (1993), section 4.3 (polyphase
        interpolation), applied to the composite of a fixed and a learned kernel;
        W. Shi et al., "Is the deconvolution layer the same as a convolutional layer?" (2016).

    Example:
        >>> fold = polyphase_fold("resize", kernel_size=3, factor=2)
        >>> fold.matrix.astype(int).tolist(), fold.before, fold.after
        ([[[1, 0, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 1, 0], [0, 0, 1]]], 1, 1)
    """
    if kernel_size < 1 or (upsampler == "subpixel" and kernel_size % factor):
        raise ParameterError(
            "kernel_size must be at least 1, and for subpixel a multiple of factor "
            f"{factor}. Received: {kernel_size}"
        )
    taps, first = interpolation_kernel(upsampler, factor)
    p, k, j = np.indices((factor, kernel_size, len(taps))).reshape(3, -1)
    if upsampler == "subpixel":
        p, k, j = (index[k % factor == p] for index in (p, k, j))
        lag = k - p - (kernel_size // factor - 1) // 2 * factor
    elif upsampler == "transposed":
        lag = p + max(kernel_size - factor, 0) // 2 - k
    else:
        lag = p + k - (kernel_size - 1) // 2 - first - j
    meets_data = lag % factor == 0
    p, k, j, offset = (index[meets_data] for index in (p, k, j, lag // factor))
    before, after = max(0, -offset.min()), max(0, offset.max())
    matrix = np.zeros((factor, before + after + 1, kernel_size))
    np.add.at(matrix, (p, offset + before, k), taps[j])
    return PolyphaseFold(matrix, int(before), int(after))


class EndCorrection(NamedTuple):
    """Linear map from the inputs near an end to a correction of the outputs near it.

    Attributes:
        samples: Input samples that the correction reads.
        blocks: Output blocks that it is added to, each of `factor` samples.
        matrix: Array of shape (factor * blocks, samples, K), applied to the learned kernel.
    """

    samples: slice
    blocks: slice
    matrix: np.ndarray


def end_corrections(
    upsampler: Upsampler, kernel_size: int, factor: int, length: int
) -> list[EndCorrection]:
    """Return the corrections that zero padding needs near the ends, in addition to the fold.

    The fold alone treats the input as zero beyond its ends, where the interpolation filter still
    rings. Separate layers, an interpolation and a "same" convolution, differ in two ways. They cut
    the interpolated signal off at its ends. Linear interpolation also holds the first and the last
    sample out to the ends, as image libraries do. Both differences affect only outputs near an end.
    They are computed as the difference of two operators on a short signal.
    """
    if upsampler not in ("linear", "sinc"):
        return []
    head, tail = _changes(upsampler, kernel_size, factor)
    ends = []
    for change, at_start in ((head, True), (tail, False)):
        blocks, samples = min(len(change) // factor, length), min(change.shape[1], length)
        if at_start:
            change = change[: blocks * factor, :samples]
            ends.append(EndCorrection(slice(0, samples), slice(0, blocks), change))
        else:
            change = change[len(change) - blocks * factor :, change.shape[1] - samples :]
            end = slice(length - samples, length), slice(length - blocks, length)
            ends.append(EndCorrection(*end, change))
    return [end for end in ends if end.matrix.size]


def _changes(upsampler: Upsampler, kernel_size: int, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Return both ends' corrections for a long signal, each of shape (outputs, samples, K)."""
    taps, first = interpolation_kernel(upsampler, factor)
    # Long enough that neither end affects the other half.
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
    """Remove the output blocks and the inputs beyond the last one that changes."""
    outputs, inputs, _ = np.nonzero(change)
    blocks = -(-(outputs.max(initial=-1) + 1) // factor)
    return change[: factor * blocks, : inputs.max(initial=-1) + 1]
