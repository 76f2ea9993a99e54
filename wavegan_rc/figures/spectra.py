"""Mean spectra with the predicted lines of each stage."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wavegan_rc.figures.drawing import decibels, set_title
from wavegan_rc.figures.frequency_axis import frequencies_text
from wavegan_rc.figures.style import REAL_COLOR, default_style, line_style
from wavegan_rc.spectrogram import mean_power_spectrum, stage_combs

# More lines would stand too close to be told apart.
_MOST_MARKED = 8

# Lines in Hz by stage, first stage first.
StageLines = Mapping[int, Sequence[float]]


def marked_lines(stages: StageLines) -> list[float]:
    """Return the lines of the last stages, as many stages as have at most 8 lines together.

    Example:
        >>> marked_lines({1: [1000, 3000, 5000, 7000], 2: [2000, 6000], 3: [4000], 4: [8000]})
        [1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000]
        >>> marked_lines({1: list(range(9)), 2: [8000]})
        [8000]
    """
    found: list[float] = []
    for stage in sorted(stages, reverse=True):
        if len(found) + len(stages[stage]) > _MOST_MARKED:
            break
        found += stages[stage]
    return sorted(found)


def mark_lines(axis: Axes, stages: StageLines) -> None:
    """Mark the lines of the last stages over the whole height, with their frequencies."""
    for hz in marked_lines(stages):
        axis.axvline(hz, color="0.75", linewidth=0.8, zorder=0)
        axis.text(
            *(hz, 0.99, f"{hz:g}"),
            transform=axis.get_xaxis_transform(),
            rotation=90,
            ha="right",
            va="top",
            fontsize=8,
            color="0.35",
        )


def draw_stages(axis: Axes, stages: StageLines) -> None:
    """Draw a row of marks for each stage, named by the frequencies of its first lines."""
    for stage, lines_hz in stages.items():
        axis.plot(lines_hz, [stage] * len(lines_hz), "|", color="0.2", markersize=7)
    names = [f"stage {stage}: {frequencies_text(lines)}" for stage, lines in stages.items()]
    axis.set_yticks(list(stages), names, fontsize=8)
    axis.set_ylim(min(stages) - 0.6, max(stages) + 0.6)


@default_style()
def spectrum_figure(
    real: np.ndarray,
    generated: np.ndarray,
    *,
    sample_rate: int,
    upsampling_factors: Sequence[int],
    stopband_hz: float | None,
    title: str,
) -> Figure:
    """Draw the mean spectra of real and generated segments above the predicted lines."""
    stages = {
        comb.stage: [line.frequency_hz for line in comb.lines]
        for comb in stage_combs(upsampling_factors, sample_rate)
    }
    figure = Figure(figsize=(11, 6), dpi=120, layout="constrained")
    axis, rows = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    mark_lines(axis, stages)
    for segments, label, style in (
        (real, "real", {"color": REAL_COLOR}),
        (generated, "generated", line_style(0)),
    ):
        frequencies, power = mean_power_spectrum(segments, sample_rate)
        axis.plot(frequencies, decibels(power), linewidth=0.9, label=label, **style)
    if stopband_hz is not None:
        label = f"real audio ends ({stopband_hz:g} Hz)"
        axis.axvline(stopband_hz, color="black", linestyle="--", linewidth=0.8, label=label)
    axis.set_xlim(0, 1.01 * sample_rate / 2)
    axis.set_ylabel("mean power (dB re full-scale sine)")
    set_title(axis, title)
    figure.legend(loc="outside upper right", ncols=3, fontsize=9)
    draw_stages(rows, stages)
    set_title(rows, "Predicted lines of each stage", 9)
    rows.set_xlabel("frequency (Hz)")
    return figure
