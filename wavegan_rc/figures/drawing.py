"""Figures, drawn without pyplot so that nothing global is touched."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from wavegan_rc.figures.style import default_style
from wavegan_rc.spectrogram import stft_db
from wavegan_rc.theory.response import frequency_response_db
from wavegan_rc.utils.atomic_files import whole_file

# 80 dB shows what a listener can hear beside the loudest part, and hides rounding to 16 bits.
_RANGE_DB = 80


@default_style()
def spectrogram_figure(
    rows: Mapping[str, np.ndarray], sample_rate: int, cutoff_hz: float | None
) -> Figure:
    """Draw the spectrograms of several sets of segments, one above the other, on one scale.

    Each segment is analysed by itself and its frames are set side by side: the jump from the end of
    one segment to the start of the next, which no network made, does not show.

    Args:
        rows: Title and segments, shape (segments, samples), of each row from the top; the first
            row sets the scale (its loudest point is the top).
        sample_rate: In Hz.
        cutoff_hz: Marked by a dashed line; None: no mark.

    Returns:
        Figure with frequency in Hz, time in seconds and level in dB re full-scale sine.
    """
    n_fft = min(512, next(iter(rows.values())).shape[-1] // 8 * 2)
    levels = {
        title: np.concatenate(list(stft_db(segments, n_fft=n_fft, hop_length=n_fft // 4)), axis=1)
        for title, segments in rows.items()
    }
    top = np.ceil(next(iter(levels.values())).max() / 5) * 5
    figure = Figure(figsize=(11, 0.9 + 2.3 * len(rows)), dpi=120, layout="constrained")
    axes = figure.subplots(len(rows), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axis, (title, level) in zip(axes, levels.items(), strict=True):
        axis.imshow(
            level,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            cmap="magma",
            vmin=top - _RANGE_DB,
            vmax=top,
            extent=(0, rows[title].size / sample_rate, 0, sample_rate / 2),
        )
        axis.set_title(title, loc="left", fontsize=10)
        axis.set_ylabel("frequency (Hz)")
        if cutoff_hz is not None:
            axis.axhline(cutoff_hz, color="white", linewidth=0.8, linestyle="--")
            axis.text(
                0.995,
                cutoff_hz + 0.01 * sample_rate,
                f"cutoff {cutoff_hz:g} Hz",
                color="white",
                fontsize=8,
                ha="right",
                transform=axis.get_yaxis_transform(),
            )
    axes[-1].set_xlabel("time (s), segments side by side")
    figure.colorbar(
        axes[0].images[0], ax=list(axes), label="level (dB re full-scale sine)", pad=0.01
    )
    return figure


@default_style()
def filter_figure(taps: np.ndarray, sample_rate: int) -> Figure:
    """Draw the taps of a filter and its frequency response.

    Args:
        taps: Impulse response, shape (taps,).
        sample_rate: In Hz.
    """
    figure = Figure(figsize=(11, 3.2), dpi=120, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(taps, linewidth=0.8)
    left.set_xlabel("tap (samples)")
    left.set_ylabel("weight")
    left.set_title("impulse response", loc="left", fontsize=10)
    frequencies = np.linspace(0, sample_rate / 2, 2049)
    right.plot(frequencies, frequency_response_db(taps, frequencies, sample_rate), linewidth=0.8)
    right.set_xlim(0, sample_rate / 2)
    right.set_xlabel("frequency (Hz)")
    right.set_ylabel("gain (dB)")
    right.set_title("frequency response", loc="left", fontsize=10)
    right.grid(alpha=0.3)
    return figure


@default_style()
def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    with whole_file(path) as partial:
        figure.savefig(partial, format="png")


@default_style()
def figure_pixels(figure: Figure) -> np.ndarray:
    """Render a figure to RGBA bytes, shape (height, width, 4)."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())
