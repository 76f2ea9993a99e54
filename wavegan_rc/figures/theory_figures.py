"""Figures of predicted artifacts, and of networks before training."""

from collections.abc import Iterable, Mapping, Sequence, Set

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wavegan_rc.config.choices import Upsampler
from wavegan_rc.figures.drawing import draw_band, set_title
from wavegan_rc.figures.style import default_style
from wavegan_rc.spectrogram import CombLine
from wavegan_rc.theory.interpolation import interpolation_kernel
from wavegan_rc.theory.overlap import overlap_counts
from wavegan_rc.theory.response import frequency_response_db

_LARGEST_KERNEL, _LARGEST_FACTOR = 32, 8
_MOST_LABELLED = 40


@default_style()
def theory_figure(
    kernel_size: int, factors: Sequence[int], upsamplers: Sequence[Upsampler]
) -> Figure:
    """Draw the overlap of transposed kernels over K and s, and the fixed filters' responses."""
    figure = Figure(figsize=(11, 6.4), dpi=120, layout="constrained")
    upper, lower = figure.subplots(2, 1)
    marked = {f for f, u in zip(factors, upsamplers, strict=True) if u == "transposed"}
    _draw_overlap(upper, kernel_size, marked)
    _draw_responses(lower, factors[-1])
    return figure


def _draw_overlap(axis: Axes, kernel_size: int, marked: Set[int]) -> None:
    kernels = range(1, max(_LARGEST_KERNEL, (kernel_size + 1) * bool(marked)) + 1)
    strides = range(2, max((_LARGEST_FACTOR, *(f + 1 for f in marked))) + 1)
    counts = [[overlap_counts(k, s) for k in kernels] for s in strides]
    uneven = np.array([[100 * np.ptp(c) / c.max() for c in row] for row in counts])
    image = axis.imshow(
        uneven,
        origin="lower",
        aspect="auto",
        cmap="magma_r",
        vmin=0,
        vmax=100,
        extent=(0.5, kernels[-1] + 0.5, 1.5, strides[-1] + 0.5),
    )
    for row, stride in zip(uneven, strides, strict=True):
        for kernel, value in zip(kernels, row, strict=True):
            if value == 0 and len(kernels) <= _MOST_LABELLED:
                axis.text(kernel, stride, "0", ha="center", va="center", fontsize=7)
    for factor in marked:
        axis.plot(
            kernel_size, factor, "s", markersize=14, fillstyle="none", color="tab:blue", mew=2
        )
    axis.set_xlabel("kernel size K (samples)" + ("; square: this configuration" if marked else ""))
    axis.set_ylabel("factor s")
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    set_title(axis, "Uneven overlap of a transposed convolution: 0 where K is a multiple of s")
    axis.figure.colorbar(image, ax=axis, label="(most - fewest) / most taps (%)", pad=0.01)


def _draw_responses(axis: Axes, factor: int) -> None:
    frequencies = np.linspace(0, factor / 2, 2001)  # in units of the input rate
    filters: dict[Upsampler, tuple[str, str]] = {
        "transposed": ("transposed, subpixel (none)", "-"),
        "resize": ("resize (nearest)", "-"),
        "linear": ("linear", "--"),
        "sinc": ("sinc", "-."),
    }
    for upsampler, (label, style) in filters.items():
        taps, _ = interpolation_kernel(upsampler, factor)
        gain = frequency_response_db(taps / taps.sum(), frequencies, factor)
        axis.plot(frequencies, gain, style, label=label, linewidth=1.3)
    axis.axvspan(0, 0.5, color="0.93")
    for multiple in range(1, int(factor / 2) + 1):
        axis.axvline(multiple, color="0.6", linewidth=0.7, zorder=0)
    axis.set(xlim=(0, factor / 2 * 1.01), ylim=(-90, 15))  # room for a line at half the rate
    axis.set_xlabel(
        "frequency / input rate of the stage; shaded: the signal's own band; beyond: its images; "
        "lines: images of 0 Hz"
    )
    axis.set_ylabel("gain (dB)")
    set_title(axis, f"Fixed filter of each upsampler, factor {factor} (last stage)")
    axis.legend(loc="upper right", ncols=len(filters), fontsize=8)


@default_style()
def initial_spectra_figure(
    frequencies_hz: np.ndarray,
    spectra_db: Mapping[str, Iterable[np.ndarray]],
    comb: Sequence[CombLine],
) -> Figure:
    """Draw mean spectra at random initialization, one panel for each upsampler, on one scale."""
    figure = Figure(figsize=(11, 0.7 + 1.7 * len(spectra_db)), dpi=120, layout="constrained")
    axes = figure.subplots(len(spectra_db), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    last = max(line.stage for line in comb)
    for axis, (title, curves) in zip(axes, spectra_db.items(), strict=True):
        for line in comb:
            if line.stage > last - 3:
                shade = 0.55 + 0.15 * (last - line.stage)
                axis.axvline(line.frequency_hz, color=str(shade), linewidth=0.8, zorder=0)
        draw_band(axis, frequencies_hz, curves, alpha=0.35, linewidth=0.6, color="tab:blue")
        set_title(axis, title)
        axis.set_ylabel("power (dB re total)")
        axis.set_xlim(0, 1.01 * frequencies_hz[-1])  # room for a line at half the rate
    axes[0].set_ylim(-120, 0)  # below, float32 rounds
    axes[-1].set_xlabel(
        "frequency (Hz); grey: predicted lines of the last three stages, darkest the last"
    )
    figure.suptitle(
        "White noise through random stages with ReLU: mean power per bin relative to the total, "
        "95 % interval shaded",
        fontsize=10,
    )
    return figure
