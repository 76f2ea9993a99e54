import os
import signal as signals
from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import TINY, real_batch
from helpers.runs import SMALL, assert_same_results, smoke_config
from hypothesis import given
from hypothesis import strategies as st
from keras import ops
from scipy import signal

from wavegan_rc.config import Config
from wavegan_rc.errors import ParameterError
from wavegan_rc.generator.file import load_generator
from wavegan_rc.nn.critic import build_critic
from wavegan_rc.nn.generator import build_generator
from wavegan_rc.nn.levels import LEVELS
from wavegan_rc.report.run_files import read_run
from wavegan_rc.training.growing import Growth, level_filters, progress_at
from wavegan_rc.training.model import build_model
from wavegan_rc.training.train import train
from wavegan_rc.training.wgan_gp import WGANGP

pytestmark = pytest.mark.backend

# Levels at 4, 8 and 16 kHz; each of the first two trains for 4 steps.
GROWING = replace(TINY, segment_length=512, upsampling_factors=(4, 2, 2), growing_steps=4, steps=20)


@given(st.integers(1, 50), st.integers(2, 6))
def test_progress_rises_evenly_from_the_first_level_to_the_last(growing_steps, levels):
    steps = np.arange(growing_steps * levels + 1)
    progress = np.asarray(progress_at(steps, growing_steps, levels))
    assert progress[0] == 0
    assert np.diff(progress).min() >= 0
    assert np.diff(progress).max() <= 2 / growing_steps + 1e-6 or growing_steps == 1
    for level in range(levels):
        assert progress[level * growing_steps] == level
    assert set(progress[(levels - 1) * growing_steps :]) == {levels - 1}


def test_progress_is_exact_where_float32_no_longer_counts_steps():
    assert float(progress_at(2**30 + 3 * 2**28, 2**30, 4)) == 1.5


@pytest.mark.parametrize("factors", [[8, 4, 2], [4], [22]])
def test_the_filters_keep_a_level_and_remove_what_is_above_it(factors):
    filters = level_filters(factors)
    assert filters.dtype == np.float32
    for taps, factor in zip(filters, factors, strict=False):
        frequency, response = signal.freqz(taps, worN=2**14, fs=2)
        level_db = 20 * np.log10(np.abs(response) + 1e-12)
        assert np.abs(level_db[frequency <= 0.8 / factor]).max() < 0.01
        assert level_db[frequency >= 1 / factor].max() < -80
    audio = np.random.default_rng(0).standard_normal(1999)
    np.testing.assert_array_equal(np.convolve(audio, filters[-1], "same"), audio)


def growth(config=GROWING):
    return Growth(build_model(config).generator, config.growing_steps)


def test_real_audio_is_cross_faded_from_level_to_level():
    found = growth()
    real = np.random.default_rng(0).standard_normal((3, 512, 1)).astype(np.float32)
    low, between, high, whole = (
        np.asarray(found.band_limited(ops.convert_to_tensor(real), ops.convert_to_tensor(p)))
        for p in (0.0, 0.25, 1.0, 2.0)
    )
    np.testing.assert_array_equal(whole, real)
    np.testing.assert_allclose(between, 0.75 * low + 0.25 * high, atol=1e-5)
    inner = slice(128, -128)  # without what is reflected at the ends
    for audio, limit_hz in ((low, 2000), (high, 4000)):
        frequency, power = signal.welch(audio[:, inner, 0], 16000, nperseg=128, window="blackman")
        above = power[:, frequency > limit_hz + 500].sum() / power.sum()
        assert 10 * np.log10(above) < -50


def grown_to(steps, **changes):
    """A model that has made so many steps, as far as its schedule goes."""
    model = build_model(replace(GROWING, **changes))
    model.generator_optimizer.iterations.assign(steps)
    return model


@pytest.mark.parametrize(
    ("steps", "progress", "trained"),
    [
        (2, 0, {"stage_1", "level_0"}),
        (3, 0.5, {"stage_1", "level_0", "stage_2", "level_1"}),
        (4, 1, {"stage_1", "stage_2", "level_1"}),
        (7, 1.5, {"stage_1", "stage_2", "level_1", "stage_3"}),
        (8, 2, {"stage_1", "stage_2", "stage_3"}),
    ],
)
def test_only_the_present_levels_are_trained(steps, progress, trained):
    model = grown_to(steps)
    before = {v.path: np.array(v) for v in model.generator.trainable_variables}
    model.step(real_batch(0, GROWING))
    after = {v.path: np.asarray(v) for v in model.generator.trainable_variables}
    changed = {path.split("/")[0] for path in before if (before[path] != after[path]).any()}
    assert changed == {"dense", *trained}
    for generator in (model.generator, model.average_generator):
        assert float(generator.get_layer(LEVELS).progress) == progress


def test_a_grown_model_makes_the_steps_of_the_plain_one():
    """To the last bit, in all that both have."""
    grown, plain = grown_to(8), grown_to(8, growing_steps=0)
    for model in (grown, plain):
        for step in range(2):
            model.step(real_batch(step, GROWING))
    for ours, theirs in (
        (grown.generator, plain.generator),
        (grown.average_generator, plain.average_generator),
        (grown.critic, plain.critic),
    ):
        for layer in theirs.layers:
            for one, other in zip(ours.get_layer(layer.name).weights, layer.weights, strict=True):
                np.testing.assert_array_equal(one, other, err_msg=layer.name)


@pytest.mark.parametrize("first", [2, 6])
def test_a_resumed_model_grows_as_if_it_had_never_stopped(first, tmp_path):
    straight = grown_to(first)
    straight.step(real_batch(0, GROWING))
    straight.save_weights(tmp_path / "c.weights.h5")
    resumed = build_model(replace(GROWING, seed=9))
    resumed.load_weights(tmp_path / "c.weights.h5")
    for model in (straight, resumed):
        for step in (1, 2):
            model.step(real_batch(step, GROWING))
    for ours, theirs in zip(straight.variables, resumed.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)


@pytest.mark.slow
def test_a_run_stopped_while_it_grows_exports_its_level_and_resumes(tmp_path):
    growing = {"upsampling_factors": (4, 2, 2), "growing_steps": 4, "steps": 9, "penalty_every": 3}
    config = smoke_config(tmp_path, **SMALL, **growing)
    expected = train(config, name="straight").path

    def stop(work, done, *_):
        if (work, done) == ("training", 2):
            os.kill(os.getpid(), signals.SIGINT)

    run = train(config, name="stopped", on_progress=stop)
    assert run.stopped_by == signals.SIGINT
    assert load_generator(run.path).upsampling_factors == (4, 4)
    assert load_generator(run.path).segment_length == 128
    # Before its last level, as only a run that was stopped may be.
    assert read_run(run.path, "r1").config.steps == run.last_step() < 8
    train(config, resume=run.path)
    assert load_generator(run.path).upsampling_factors == (4, 2, 2)
    assert_same_results(run.path, expected, config)


def test_growing_needs_levels_and_room_for_its_low_pass():
    shape = {"upsampling_factors": (4, 4), "filters": 4, "seed": 0}
    generator = build_generator(segment_length=64, **shape)
    critic = build_critic(segment_length=64, filters=4)
    with pytest.raises(ParameterError, match=r"growing_steps must be 0 .* one level. Received: 5"):
        WGANGP(generator, critic, growing_steps=5)
    generator = build_generator(segment_length=64, levels=2, **shape)
    with pytest.raises(ParameterError, match=r"segment_length must be at least 116 .*eceived: 64"):
        WGANGP(generator, critic, growing_steps=5)


def test_room_for_the_low_pass_is_checked_before_recordings_are_searched(tmp_path):
    config = replace(
        GROWING, segment_length=64, upsampling_factors=(4, 4), data=str(tmp_path / "none")
    )
    with pytest.raises(ParameterError, match=r"segment_length must be at least 116 .*eceived: 64"):
        train(replace(config, out=str(tmp_path)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"architecture": "residual"}, r"growing_steps must be 0 unless .*plain.* Received: 500"),
        ({"sample_rate": 3800}, r"growing_steps must be 0 unless .* 2000 Hz or more"),
    ],
)
def test_settings_that_cannot_grow_are_refused(wrong, message):
    with pytest.raises(ParameterError, match=message):
        Config(growing_steps=500, cutoff_hz=None, **wrong)


def test_a_new_run_must_reach_its_last_level_but_one_that_was_stopped_is_read(tmp_path):
    stopped = Config(growing_steps=500, steps=1500, out=str(tmp_path / "runs"))
    with pytest.raises(ParameterError, match=r"than the 1500 .* 500 x 3\. Received: 1500"):
        train(stopped)
    assert not (tmp_path / "runs").exists()
    assert Config(growing_steps=500, steps=1501).levels == 4


def test_the_levels_are_the_stages_from_two_kilohertz_on():
    assert Config().levels == 1
    assert Config(growing_steps=9, sample_rate=44100).levels == 5  # 2756 Hz and above
    wavegan = Config(growing_steps=9, segment_length=16384, upsampling_factors=(4,) * 5)
    assert wavegan.levels == 2
