"""Artifacts over training: the values, where they are written, and that they disturb nothing."""

import json
import warnings
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers.runs import history, smoke_config, tensorboard_events, timed_history
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation
from scipy import signal

from wavegan_rc.config import Config
from wavegan_rc.errors import WaveganWarning
from wavegan_rc.figures.history_figure import history_figure, losses_figure
from wavegan_rc.generator.generation import draw_latents, synthesize
from wavegan_rc.measurement.features import log_mel_features, standardize
from wavegan_rc.training import wgan_gp
from wavegan_rc.training.callbacks import artifacts
from wavegan_rc.training.callbacks import history as history_callbacks
from wavegan_rc.training.callbacks.artifacts import (
    ArtifactHistory,
    artifact_values,
    measures_artifacts,
    sound_values,
)
from wavegan_rc.training.callbacks.previews import Synthesizer
from wavegan_rc.training.model import build_model
from wavegan_rc.training.train import train
from wavegan_rc.training.updates import LOSSES

# Of the preset smoke: two stages of 4, so lines at multiples of 1000 Hz, and of 4000 Hz.
RATE, LENGTH = 16000, 512
FORM: dict[str, Any] = {"sample_rate": RATE, "upsampling_factors": (4, 4), "stopband_hz": 1700.0}
STAGE_LINES_HZ = {1: (1000, 2000, 3000, 5000, 6000, 7000), 2: (4000, 8000)}
NAMES = {"rms_db", "out_of_band_total_db"} | {
    f"{name}/stage_{stage}"
    for name in ("line_prominence_db", "phase_locking")
    for stage in STAGE_LINES_HZ
}

SOUND = {"relative_level_db", "clipped_share", "diversity"}


def noise(count=40, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, (count, LENGTH)).astype(np.float32)


def tones(frequencies_hz, amplitude=0.05):
    time = np.arange(LENGTH) / RATE
    return sum(amplitude * np.cos(2 * np.pi * hz * time) for hz in frequencies_hz)


def power_by_scipy(segments):
    frequencies, power = signal.periodogram(
        segments.astype(float), RATE, "hann", detrend=False, scaling="spectrum"
    )
    return frequencies, power.mean(axis=0)


def pairwise_consistency(segments, frequency_hz):
    """Mean cosine of the phase difference over pairs of segments: Vinck et al., equation 14."""
    wave = (
        np.exp(-2j * np.pi * frequency_hz * np.arange(LENGTH) / RATE) * np.hanning(LENGTH + 1)[:-1]
    )
    phases = np.angle(segments.astype(float) @ wave)
    cosines = np.cos(phases[:, None] - phases)
    return cosines[~np.eye(len(phases), dtype=bool)].mean()


def test_values_are_those_of_independent_computations():
    segments = (noise() + tones([4000, 3000])).astype(np.float32)
    values = artifact_values(segments, **FORM)
    frequencies, power = power_by_scipy(segments)
    ratio = 10 * np.log10(power[frequencies > 1700].sum() / power.sum())
    assert values.keys() == NAMES
    assert values["out_of_band_total_db"] == pytest.approx(ratio, abs=1e-4)
    assert values["rms_db"] == pytest.approx(10 * np.log10(np.mean(segments**2)), abs=1e-4)
    for stage, lines_hz in STAGE_LINES_HZ.items():
        locking = np.mean([pairwise_consistency(segments, hz) for hz in lines_hz])
        assert values[f"phase_locking/stage_{stage}"] == pytest.approx(locking, abs=1e-5)


def test_lines_are_found_in_the_stage_that_makes_them():
    """A tone's bin holds its mean square, a bin of noise 1.5 variance / bins: 19.2 dB below."""
    clean = artifact_values(noise(400), **FORM)
    first, second = (
        artifact_values((noise(400) + tones(STAGE_LINES_HZ[stage])).astype(np.float32), **FORM)
        for stage in (1, 2)
    )
    bins = LENGTH // 2
    planted = 10 * np.log10(1 + 0.05**2 / 2 / (0.1**2 * 1.5 / bins))
    assert first["line_prominence_db/stage_1"] == pytest.approx(planted, abs=0.5)
    assert second["phase_locking/stage_2"] > 0.9
    assert first["line_prominence_db/stage_2"] == pytest.approx(0, abs=0.7)
    for name in NAMES - {"rms_db", "out_of_band_total_db"}:
        high, low = (first, second) if name.endswith("1") else (second, first)
        assert high[name] > low[name] + 0.5
        assert low[name] == pytest.approx(clean[name], abs=0.02)


@pytest.mark.parametrize("level", [0.0, np.nan, np.inf])
def test_silence_and_what_is_not_finite_have_no_values(level):
    assert artifact_values(np.full((4, LENGTH), level, np.float32), **FORM) == {}
    one_bad_sample = noise()
    one_bad_sample[3, 5] = level
    assert bool(artifact_values(one_bad_sample, **FORM)) == np.isfinite(level)


def test_some_silent_segments_are_no_harm():
    segments = noise()
    segments[::2] = 0
    values = artifact_values(segments, **FORM)
    assert values.keys() == NAMES
    assert values["phase_locking/stage_1"] == pytest.approx(
        np.mean([pairwise_consistency(segments[1::2], hz) for hz in STAGE_LINES_HZ[1]]), abs=1e-5
    )


def test_lines_too_close_to_be_measured_are_left_out():
    # At 512 samples every fourth bin is a line.
    form: dict[str, Any] = FORM | {"upsampling_factors": (2,) * 7}
    values = artifact_values(noise(), **form)
    assert values.keys() == {"rms_db", "out_of_band_total_db"} | {
        f"phase_locking/stage_{stage}" for stage in range(1, 8)
    }


@pytest.mark.parametrize("weight", [0.0, np.nan])
def test_a_generator_without_sound_has_no_artifacts(weight, tmp_path):
    model = build_model(smoke_config(tmp_path))
    for variable in model.average_generator.variables:
        variable.assign(np.full(variable.shape, weight))
    callback = ArtifactHistory(Synthesizer(model), smoke_config(tmp_path), noise(8))
    callback.set_model(model)
    logs = {"critic_loss": 1.0}
    callback.on_train_batch_end(1, logs)
    silence = {"relative_level_db": -120.0, "clipped_share": 0.0, "diversity": 0.0}
    assert logs == {"critic_loss": 1.0} | (silence if weight == 0 else {})


def test_levels_and_clipping_are_those_planted():
    real, segments = noise(), 2 * noise(seed=1)
    segments[:, :64] = -1
    values = sound_values(segments, real, RATE)
    ratio = np.mean(segments.astype(float) ** 2) / np.mean(real.astype(float) ** 2)
    assert values["relative_level_db"] == pytest.approx(10 * np.log10(ratio), abs=1e-6)
    assert values["clipped_share"] == pytest.approx(64 / LENGTH)


def test_diversity_tells_few_sounds_from_many_by_brute_force_distances():
    """Sounds that come again have none, one sound or eight; others are as far apart as real."""
    rng = np.random.default_rng(0)

    def sounds(count):
        wave = noise(count, seed=int(rng.integers(1000)))
        time = np.arange(LENGTH) / LENGTH
        return wave * (rng.uniform(0.1, 2, (count, 1)) ** (1 + time)).astype(np.float32)

    real, other = sounds(96), sounds(96)
    for count in (1, 8, 48):
        few = np.tile(other[:count], (96 // count, 1))
        assert sound_values(few, real, RATE)["diversity"] == pytest.approx(0, abs=1e-3)
    features = [
        standardize(log_mel_features(x, RATE), log_mel_features(real, RATE)) for x in (other, real)
    ]
    nearest = []
    for each in features:
        distances = np.sqrt(((each[:, None] - each) ** 2).sum(-1))
        nearest.append(np.median(np.sort(distances, axis=1)[:, 1]))
    expected = nearest[0] / nearest[1]
    assert 0.8 < expected < 1.25
    assert sound_values(other, real, RATE)["diversity"] == pytest.approx(expected, rel=1e-6)
    # Nearly one sound: told apart from many well before it is exactly one.
    alike = other[:1] + 1e-3 * other
    assert sound_values(alike.astype(np.float32), real, RATE)["diversity"] < 0.1


def test_diversity_is_left_out_where_it_is_not_defined():
    short = noise()[:, :64]
    assert sound_values(short, short, RATE).keys() == SOUND - {"diversity"}
    one = np.repeat(noise(1), 8, axis=0)
    assert sound_values(noise(8), one, RATE).keys() == SOUND - {"diversity"}
    broken = noise(8)
    broken[0, 0] = np.inf
    assert sound_values(broken, noise(8), RATE) == {}


# The last step is no multiple of log_every, and is measured all the same.
STEPS, LOGGED, MEASURED = 43, [*range(5, 41, 5), 43], [20, 40, 43]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same training, measured and not measured."""
    folder = tmp_path_factory.mktemp("runs")
    config = smoke_config(folder, learning_rate=1e-3, save_every=40)
    config = replace(config, steps=STEPS, log_every=5, measure_every=20)
    configs = (config, replace(config, measure_every=0))
    return config, [train(each).path for each in configs]


@pytest.mark.slow
def test_measured_steps_have_their_values_in_the_row_of_the_losses(runs):
    _, (run, unmeasured) = runs
    rows = history(run)
    assert [row["step"] for row in rows] == LOGGED
    for row in rows:
        values = row.keys() - {"step", *LOSSES}
        assert values == (NAMES | SOUND if row["step"] in MEASURED else set())
        assert row.keys() >= set(LOSSES)
    assert not set().union(*history(unmeasured)) & (NAMES | SOUND)
    assert (run / "figures" / "artifacts-over-training.png").exists()
    assert not (unmeasured / "figures" / "artifacts-over-training.png").exists()


@pytest.mark.slow
def test_tensorboard_has_the_values_of_measured_steps(runs):
    _, (run, _) = runs
    events = tensorboard_events(run)
    rows = {row["step"]: row for row in history(run)}
    for name in NAMES:
        own = events[name if "/" in name else f"sound/{name}"]
        assert [event.step for event in own] == MEASURED
        logged = [event.value for event in own]
        expected = [rows[step][name] for step in MEASURED]
        np.testing.assert_allclose(logged, expected, rtol=1e-5)


@pytest.mark.slow
def test_the_last_row_is_what_the_summary_says(runs):
    """Both measure the same latents, the summary from the exported generator."""
    _, (run, _) = runs
    row, summary = history(run)[-1], json.loads((run / "summary.json").read_text())
    # Export folds kernels, which sums in another order.
    ratio = summary["out_of_band_ratio_db"]["generated"]
    assert row["out_of_band_total_db"] == pytest.approx(ratio, abs=0.01)
    for stage in STAGE_LINES_HZ:
        own = [line for line in summary["lines"] if line["stage"] == stage]
        prominence = np.median([line["generated_prominence_db"] for line in own])
        assert row[f"line_prominence_db/stage_{stage}"] == pytest.approx(prominence, abs=0.01)


@pytest.mark.slow
def test_it_is_the_average_generator_at_that_step_that_is_measured(runs):
    config, (run, _) = runs
    model = build_model(config)
    model.load_weights(run / "checkpoints" / "step-000040.weights.h5")
    latents = draw_latents(512, config.latent_dim, config.seed)
    average, current = (
        artifact_values(synthesize(generator, latents), **FORM)
        for generator in (model.average_generator, model.generator)
    )
    (row,) = (row for row in history(run) if row["step"] == 40)
    for name in NAMES:
        assert row[name] == pytest.approx(average[name], abs=1e-5)
    assert abs(row["rms_db"] - current["rms_db"]) > 0.01


@pytest.mark.slow
def test_measuring_leaves_training_as_it_is(runs):
    config, folders = runs
    measured, unmeasured = map(history, folders)
    measures = NAMES | SOUND
    assert [{k: v for k, v in row.items() if k not in measures} for row in measured] == unmeasured
    states = []
    for run in folders:
        model = build_model(config)
        model.load_weights(run / "checkpoints" / "step-000043.weights.h5")
        states.append([np.asarray(variable) for variable in model.variables])
        states[-1] += [np.asarray(variable) for variable in model.critic_optimizer.variables]
    for one, other in zip(*states, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_silent_generator_trains_to_the_end_and_measuring_takes_no_time_of_steps(
    tmp_path, monkeypatch
):
    """By a clock that ticks once when read, and a thousand times when something is measured."""
    now = [0.0]

    def tick():
        now[0] += 1
        return now[0]

    def measure_slowly(segments, **form):
        assert not segments.any()
        now[0] += 1000
        return artifact_values(segments, **form)

    def silence(average, generator, step):
        for variable in average.variables:
            variable.assign(0 * variable)

    monkeypatch.setattr(wgan_gp, "update_average", silence)
    monkeypatch.setattr(history_callbacks, "time", SimpleNamespace(perf_counter=tick))
    monkeypatch.setattr(artifacts, "artifact_values", measure_slowly)
    run = train(smoke_config(tmp_path)).path
    rows = timed_history(run)
    assert [row.keys() for row in rows] == [{"step", *LOSSES, *SOUND, "steps_per_s"}] * 3
    assert [row["steps_per_s"] for row in rows] == [1, 1, 1]
    assert now[0] > 3000
    assert not (run / "figures" / "artifacts-over-training.png").exists()


def test_an_odd_segment_length_trains_unmeasured_and_says_so(tmp_path):
    odd = replace(smoke_config(tmp_path), segment_length=729, upsampling_factors=(3, 3))
    with pytest.warns(WaveganWarning, match="segment_length 729 is odd"):
        assert not measures_artifacts(odd)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not measures_artifacts(replace(odd, measure_every=0))
        assert measures_artifacts(Config())


def test_the_callback_is_due_at_multiples_and_at_the_last_step(tmp_path):
    measured = []

    class Recording(ArtifactHistory):
        def on_train_batch_end(self, batch, logs=None):
            before = dict(logs or {})
            super().on_train_batch_end(batch, logs)
            if logs != before:
                measured.append(batch + 1)

    for every, steps in ((3, 7), (10, 4), (2, 4)):
        config = replace(smoke_config(tmp_path), measure_every=every, steps=steps)
        callback = Recording(lambda _: noise(2), config, noise(2))
        for batch in range(steps):
            callback.on_train_batch_end(batch, {})
    assert measured == [3, 6, 7, 4, 2, 4]


def written(tmp_path, rows, real: float | None = -86.0):
    lines = [
        {"frequency_hz": hz, "stage": s, "real_prominence_db": hz / 1000 if real else None}
        for s, all_hz in STAGE_LINES_HZ.items()
        for hz in all_hz
    ]
    ratios = None if real is None else {"real": real, "generated": -20.0}
    files = tmp_path / "history.jsonl", tmp_path / "summary.json"
    files[0].write_text("".join(json.dumps(row) + "\n" for row in rows))
    files[1].write_text(json.dumps({"out_of_band_ratio_db": ratios, "lines": lines}))
    return files


def drawn(axis):
    return {str(line.get_label()): np.transpose(line.get_data()).tolist() for line in axis.lines}


def test_the_figure_draws_what_the_files_say(tmp_path):
    rows = [
        {"step": 10, "critic_loss": 1.0},
        {"step": 20, "out_of_band_total_db": -10.0, "line_prominence_db/stage_1": 3.0},
        {"step": 30, "out_of_band_total_db": -30.0, "line_prominence_db/stage_2": 4.0},
        {"step": 40, "line_prominence_db/stage_1": 5.0},
    ]
    upper, lower = history_figure(*written(tmp_path, rows), "a run").axes
    assert drawn(upper)["generated"] == [[20, -10], [30, -30]]
    assert drawn(upper)["real audio: -86.0 dB"] == [[0, -86], [1, -86]]
    assert upper.get_ylim()[0] < -86  # the level of real audio stands on the plot
    assert upper.get_title(loc="left").startswith("a run\n")
    assert "less is better" in upper.get_title(loc="left")
    stages = {label: xy for label, xy in drawn(lower).items() if label.startswith("stage")}
    # Stage 2 was measured once only.
    assert stages == {"stage 1: 1 kHz, 2 kHz, ...": [[20, 3], [40, 5]]}
    assert lower.get_xlabel() == "step"
    assert "less is better" in lower.get_title(loc="left")


def test_real_audio_stands_beside_the_lines_unless_it_is_silent(tmp_path):
    rows = [
        {"step": step, **{f"line_prominence_db/stage_{s}": 3.0 for s in (1, 2)}} for step in (1, 2)
    ]
    (axis,) = history_figure(*written(tmp_path, rows), "a run").axes
    (band,) = axis.patches
    # Medians over the lines of each stage, at kHz dB each.
    assert band.get_label() == "real audio, all stages: 4.0 to 6.0 dB"
    assert isinstance(band, Rectangle)
    assert [*band.get_bbox().intervaly] == [4, 6]
    low, high = axis.get_ylim()
    assert low < 4
    assert high > 6
    (axis,) = history_figure(*written(tmp_path, rows, real=None), "a run").axes
    assert not axis.patches


def test_stages_differ_in_color_and_style(tmp_path):
    rows = [
        {"step": step, "line_prominence_db/stage_1": 0.0, "line_prominence_db/stage_2": 1.0}
        for step in (1, 2)
    ]
    (axis,) = history_figure(*written(tmp_path, rows, real=None), "a run").axes
    shown = [line for line in axis.lines if str(line.get_label()).startswith("stage")]
    assert len({to_hex(line.get_color()) for line in shown}) == 2
    assert len({line.get_linestyle() for line in shown}) == 2


def test_losses_are_drawn_and_a_wild_beginning_does_not_flatten_them(tmp_path):
    rows = [
        {"step": step, "wasserstein_estimate": 1e4 if step == 1 else 2.0, "generator_loss": 1.0}
        for step in range(1, 201)
    ]
    history, _ = written(tmp_path, rows)
    upper, lower = losses_figure(history, "a run, seed 0").axes
    assert len(drawn(upper)["Wasserstein estimate"]) == 200
    assert upper.get_ylim()[1] < 3
    assert [(text.get_text(), text.xy) for text in upper.texts if isinstance(text, Annotation)] == [
        ("\N{BLACK UP-POINTING TRIANGLE} 1e+04 at step 1", (1, upper.get_ylim()[1]))
    ]
    assert upper.get_title(loc="left").startswith("a run, seed 0\n")
    assert 1 in {y for line in lower.lines for y in np.asarray(line.get_ydata())}
    history.write_text(json.dumps(rows[0]) + "\n")
    assert losses_figure(history, "a run") is None


@pytest.mark.parametrize("measured", [0, 1])
def test_there_is_no_figure_of_fewer_than_two_measurements(tmp_path, measured):
    values = {"out_of_band_total_db": -10.0, "line_prominence_db/stage_1": 3.0}
    rows = [{"step": 1, "critic_loss": 1.0}, *[{"step": 2, **values}] * measured]
    assert history_figure(*written(tmp_path, rows), "a run") is None
