"""Frequency axes, spectrograms and mean spectra, by planted tones."""

import numpy as np
import pytest
from helpers import tone
from hypothesis import given
from hypothesis import strategies as st

from wavegan_rc.figures.artifact_figures import artifact_figure
from wavegan_rc.figures.drawing import levels_db, spectrogram_figure
from wavegan_rc.figures.frequency_axis import height, on_scale, ticks_hz
from wavegan_rc.figures.spectra import spectrum_figure
from wavegan_rc.figures.style import line_style
from wavegan_rc.measurement.measure import measure

RATE = 16000


@pytest.mark.parametrize("scale", ["mel", "linear"])
@pytest.mark.parametrize("hz", [250, 1000, 4000, 7000])
def test_a_tone_stands_at_its_height(scale, hz):
    level = on_scale(levels_db(tone(hz, RATE, 0.5)[None]), RATE, scale)
    loudest = np.flatnonzero(level[:, 5] > level[:, 5].max() - 1)
    expected = height(hz, RATE, scale) * (len(level) - 1)
    # A row of a mel axis begins at its frequency and holds all bins up to the next row's.
    assert loudest.min() - 1 <= expected <= loudest.max() + 1


@given(st.integers(1000, 96000), st.integers(3, 300))
def test_no_bin_is_lost_on_a_mel_axis(sample_rate, bins):
    """A line of one bin's width may lie anywhere."""
    levels = np.diag(np.ones(bins))
    assert on_scale(levels, sample_rate, "mel").max(axis=0).tolist() == [1.0] * bins
    assert on_scale(levels, sample_rate, "linear") is levels


@given(st.floats(2000, 96000))
def test_ticks_lie_on_the_axis(sample_rate):
    for scale in ("mel", "linear"):
        heights = [height(hz, sample_rate, scale) for hz in ticks_hz(sample_rate, scale)]
        assert heights == sorted(heights)
        assert 0 == heights[0] < heights[-1] <= 1 + 1e-9


def test_a_voice_fills_half_of_a_mel_axis():
    assert height(1700, RATE, "mel") == pytest.approx(0.49, abs=0.01)
    assert height(1700, RATE, "linear") == pytest.approx(0.2125)


def test_each_set_is_drawn_on_both_axes_with_its_title():
    rows = {"real": np.zeros((3, 512)), "run 001, step 6, seed 0": np.ones((3, 512))}
    axes = spectrogram_figure(rows, RATE, 1500.0).axes[:4]
    assert [axis.get_title(loc="left") for axis in axes] == ["real", "", [*rows][1], ""]
    heights = [np.asarray(axis.lines[0].get_ydata())[0] for axis in axes[:2]]
    assert heights == [height(1500, RATE, "mel"), height(1500, RATE, "linear")]


def test_a_mean_spectrum_has_both_sounds_the_lines_and_a_title():
    rng = np.random.default_rng(0)
    real = 1e-3 * rng.standard_normal((8, 512))
    generated = real + tone(4000, RATE, 512 / RATE, amplitude=0.5)
    figure = spectrum_figure(
        real,
        generated,
        sample_rate=RATE,
        upsampling_factors=(4, 4),
        stopband_hz=1700.0,
        title="run 001, step 6, seed 0",
    )
    axis, rows = figure.axes
    lines = {line.get_label(): line for line in axis.lines}
    levels = np.asarray(lines["generated"].get_ydata())  # dB re full scale
    assert np.asarray(lines["generated"].get_xdata())[levels.argmax()] == 4000
    assert levels.max() == pytest.approx(-6, abs=2)
    assert np.max(lines["real"].get_ydata()) < -60
    assert lines["generated"].get_color() == line_style(0)["color"]
    assert axis.get_title(loc="left") == "run 001, step 6, seed 0"
    # The lines of both stages are few enough to be named.
    assert [text.get_text() for text in axis.texts] == [f"{1000 * k}" for k in range(1, 9)]
    names = [label.get_text() for label in rows.get_yticklabels()]
    assert names == ["stage 1: 1 kHz, 2 kHz, ...", "stage 2: 4 kHz, 8 kHz"]


def test_a_measurement_is_drawn_on_one_axis_with_its_colours_beside_it(tmp_path):
    """Legends stood between the heat map and its colour bar."""
    noise = np.random.default_rng(0).normal(0, 0.1, (20, 512))
    measure(noise, sample_rate=RATE, upsampling_factors=[4, 4], reference=noise[::-1]).save(
        tmp_path
    )
    figure = artifact_figure(tmp_path / "artifacts.json", tmp_path / "artifacts.npz")
    figure.draw_without_rendering()
    *panels, colors = (axis.get_position() for axis in figure.axes)
    assert len(panels) == 3
    assert max(np.ptp([panel.x0 for panel in panels]), np.ptp([p.x1 for p in panels])) < 1e-6
    assert 0 < colors.x0 - panels[-1].x1 < 0.03
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["95 % of unlocked bins", "real", "measured"]
    assert legend.get_window_extent().y0 > figure.axes[0].get_window_extent().y1
