"""Training that leaves the finite numbers stops, or goes back; either way nothing is lost."""

import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from helpers.networks import TINY, real_batch
from helpers.runs import SMALL, SMOKE, assert_same_results, history, smoke_config
from keras import ops

from wavegan_rc.audio.preparation import prepare_corpus
from wavegan_rc.audio.segments import Segments
from wavegan_rc.cli.process import run_command
from wavegan_rc.cli.train import train_command
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, DivergenceError
from wavegan_rc.nn.phase_shuffle import PhaseShuffle
from wavegan_rc.runs.checkpoints import newest_checkpoint
from wavegan_rc.runs.run import Run
from wavegan_rc.training import batches, divergence
from wavegan_rc.training.divergence import StopAtNonFinite, last_latents
from wavegan_rc.training.loop import Loop
from wavegan_rc.training.model import build_model, load_checkpoint, start_draws
from wavegan_rc.training.train import train
from wavegan_rc.training.updates import FIRST_NONFINITE

pytestmark = [pytest.mark.backend, pytest.mark.slow]


def first_nonfinite(model, data=None):
    """Name of the first tensor of a step that is not finite; None: all are."""
    logs = model.step(real_batch() if data is None else data)
    first = int(logs[FIRST_NONFINITE])
    return None if first < 0 else model.checked[first]


def spoil(variable, value=np.nan):
    """One element is enough."""
    values = np.array(variable)
    values.flat[-1] = value
    variable.assign(values)


def test_every_loss_gradient_and_weight_is_looked_at_and_a_sound_step_has_no_finding():
    model = build_model(TINY)
    assert first_nonfinite(model) is None
    for name in ("wasserstein_estimate", "gradient_norm", "gradient_penalty", "critic_loss"):
        for k in (1, 2):
            assert f"{name} in critic update {k} of 2" in model.checked
    assert "generator_loss" in model.checked
    for variable in model.critic.trainable_variables:
        assert f"gradient of critic/{variable.path} in critic update 2 of 2" in model.checked
    for variable in model.generator.trainable_variables:
        assert f"gradient of generator/{variable.path}" in model.checked
        assert f"generator/{variable.path}" in model.checked


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_broken_weight_is_found_at_the_first_tensor_that_it_reaches(value):
    model = build_model(TINY)
    spoil(model.generator.trainable_variables[0], value)
    assert first_nonfinite(model) == "generated segments"
    model = build_model(TINY)
    spoil(model.critic.trainable_variables[0], value)
    assert first_nonfinite(model) == "wasserstein_estimate in critic update 1 of 2"


def test_a_broken_segment_is_found_in_the_update_that_sees_it():
    data = real_batch()
    data[2, 1, 7] = np.inf
    found = first_nonfinite(build_model(TINY), data)
    assert found == "wasserstein_estimate in critic update 2 of 2"


class BreaksGradient(keras.layers.Layer):
    """The identity: `zero` of nothing, whose derivative is not finite or very large, is added."""

    def __init__(self, zero):
        super().__init__()
        self._zero = zero

    def call(self, inputs):
        return inputs + self._zero(inputs - ops.stop_gradient(inputs))


@pytest.mark.parametrize(
    "zero",
    [lambda x: ops.sqrt(ops.square(x)), ops.sqrt, lambda x: 1e30 * x],
    ids=["nan", "inf", "1e30"],
)
def test_a_gradient_that_breaks_on_its_way_back_is_found_where_it_broke(zero):
    """Also one whose square, of which Adam keeps a mean, is infinite."""
    model = build_model(TINY)
    first, *others = model.generator.layers[1:]
    maps = inputs = keras.Input(model.generator.input_shape[1:])
    for layer in (first, BreaksGradient(zero), *others):
        maps = layer(maps)
    model.generator = keras.Model(inputs, maps)
    # Back from the end, the stages come before the layer that the dense one is.
    found = first_nonfinite(model)
    assert found.startswith(f"gradient of generator/{first.name}/")
    earlier = model.checked[: model.checked.index(found)]
    stages = {v.path for layer in others for v in layer.trainable_variables}
    assert stages
    assert {f"gradient of generator/{path}" for path in stages} <= set(earlier)


def test_an_update_that_breaks_a_weight_is_found_at_the_weight():
    model = build_model(replace(TINY, decay_steps=0))
    model.generator_optimizer.learning_rate = 1e38
    assert first_nonfinite(model).startswith("generator/dense/")


def test_the_latents_of_the_last_step_are_those_that_it_used(monkeypatch):
    model = build_model(TINY)
    used = []
    draw = model.latents
    monkeypatch.setattr(model, "latents", lambda n: used.append(draw(n)) or used[-1])
    for _ in range(2):
        first_nonfinite(model)
    monkeypatch.setattr(model, "latents", draw)
    state = np.array(model.seed_generator.state)
    for_critic, for_generator = last_latents(model, TINY.batch_size)
    np.testing.assert_array_equal(for_critic.reshape(6, 4), used[-2])
    np.testing.assert_array_equal(for_generator, used[-1])
    np.testing.assert_array_equal(model.seed_generator.state, state)


def test_after_a_rollback_other_numbers_are_drawn_and_said_twice_it_is_one_rollback():
    model = build_model(replace(TINY, segment_length=512, phase_shuffle_radius=9))
    shuffles = [layer for layer in model.critic.layers if isinstance(layer, PhaseShuffle)]
    states = [part.seed_generator.state for part in (model, *shuffles)]
    start = [np.array(state) for state in states]
    maps = np.arange(64.0, dtype=np.float32)[None, :, None]

    def draw(*rollbacks):
        for state, value in zip(states, start, strict=True):
            state.assign(value)
        for number in rollbacks:
            start_draws(model, number)
        shuffled = [shuffles[0](maps, training=True) for _ in range(5)]
        return np.concatenate([np.ravel(model.latents(5)), np.ravel(shuffled)])

    assert len(shuffles) > 1
    np.testing.assert_array_equal(draw(), draw(0))
    np.testing.assert_array_equal(draw(1), draw(1, 1))
    for one, other in ((draw(0), draw(1)), (draw(1), draw(2)), (draw(0), draw(2))):
        assert (one[:20] != other[:20]).all()
        assert (one[20:] != other[20:]).any()


def diverge(patch, step, *rollbacks):
    """Have one real sample of a step's batch not finite, after some numbers of rollbacks."""
    real = batches.batch

    def spoilt(segments, config, number, made, *rows):
        segments = real(segments, config, number, made, *rows)
        if number == step and made in rollbacks:
            segments[0, 0, 5] = np.nan
        return segments

    patch.setattr(batches, "batch", spoilt)


SHORT = SMALL | {"steps": 12, "log_every": 4, "save_every": 5}


def rollbacks_of(run):
    return json.loads((run / "environment.json").read_text())["rollbacks"]


def test_a_run_that_diverges_stops_with_code_3_and_keeps_what_it_diverged_on(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    flags = ["--config", str(SMOKE), "--learning-rate", "1e30", "--save-every", "1"]
    with pytest.raises(SystemExit) as left:
        run_command(train_command, "train.py", [*flags, "--steps", "50"])
    assert left.value.code == 3
    run = tmp_path / "runs" / "001-resize"
    assert not (run / "generator.keras").exists()
    assert rollbacks_of(run) == []
    batch_file, description_file = sorted((run / "diverged").iterdir(), reverse=True)
    description = json.loads(description_file.read_text())
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert f"diverged at step {description['step']}:" in error
    assert f": {description['first_nonfinite']}; its batch is in runs" in error
    assert batch_file.name == f"step-{description['step']:06d}.npz"
    arrays = np.load(batch_file)
    assert arrays["real"].shape == (4, 2, 512, 1)
    assert arrays["critic_latents"].shape == (2, 4, 8)
    assert arrays["generator_latents"].shape == (4, 8)
    corpus = prepare_corpus(None, sample_rate=16000, cutoff_hz=1500.0, stopband_hz=1700.0)
    by_name = {recording.name: recording for recording in corpus.recordings}
    assert len(description["sources"]) == 8
    for source, segment in zip(description["sources"], arrays["real"].reshape(8, 512), strict=True):
        recording, first = by_name[source["recording"]], source["first_sample"]
        assert 0 <= first <= recording.length - 512
        start = recording.start + first
        np.testing.assert_array_equal(
            segment, corpus.audio[start : start + 512] / np.float32(2**15 - 1)
        )


@pytest.fixture(scope="module")
def rolled_back(tmp_path_factory):
    """A run of 12 steps that diverged at step 8 and went back to step 5."""
    folder = tmp_path_factory.mktemp("rolled-back")
    config = smoke_config(folder, **SHORT, on_nonfinite="rollback")
    with pytest.MonkeyPatch.context() as patch:
        diverge(patch, 8, 0)
        return train(config).path, config


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """The same, told to stop."""
    config = smoke_config(tmp_path_factory.mktemp("stopped"), **SHORT)
    with pytest.MonkeyPatch.context() as patch:
        diverge(patch, 8, 0)
        with pytest.raises(
            DivergenceError, match=r"step 8: .*: wasserstein_estimate in critic"
        ) as e:
            train(config)
    (run,) = Path(config.out).iterdir()
    return run, config, e.value


def test_a_run_that_diverges_keeps_its_last_good_checkpoint(stopped):
    run, config, error = stopped
    assert (error.step, error.tensor) == (8, "wasserstein_estimate in critic update 1 of 1")
    checkpoint = newest_checkpoint(run / "checkpoints")
    assert (checkpoint.step, checkpoint.rollbacks) == (5, 0)
    load_checkpoint(build_model(config), checkpoint)  # it refuses what is not finite
    assert [row["step"] for row in history(run)] == [4]


def test_a_rollback_is_recorded_and_leaves_one_history(rolled_back):
    run, _ = rolled_back
    (rollback,) = rollbacks_of(run)
    assert (rollback["step"], rollback["to_step"]) == (8, 5)
    assert rollback["first_nonfinite"] == "wasserstein_estimate in critic update 1 of 1"
    rows = history(run)
    assert [row["step"] for row in rows] == [4, 8, 12]
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    assert newest_checkpoint(run / "checkpoints").rollbacks == 1


def test_after_a_rollback_the_data_comes_in_another_order():
    corpus = prepare_corpus(None, sample_rate=16000, cutoff_hz=1500.0, stopband_hz=1700.0)
    segments = Segments(corpus, "training", segment_length=128, silence_db=-40, seed=0)
    config = Config(
        segment_length=128, upsampling_factors=(2,), steps=7, batch_size=32, critic_steps=5
    )
    before, after = (list(batches.batches(segments, config, 3, made)) for made in (0, 1))
    assert len(before) == len(after) == 5
    for (one,), (other,) in zip(before, after, strict=True):
        assert one.shape == (config.batch_size, config.critic_steps, 128, 1)
        assert (one != other).any(axis=(2, 3)).all()
    first_step_drawn = segments.draw(2, 160).reshape(32, 5, 128, 1)
    np.testing.assert_array_equal(before[0][0], first_step_drawn)


def test_who_stops_after_a_rollback_goes_on_as_if_never_stopped(rolled_back, tmp_path):
    """From a checkpoint saved after it."""
    expected, config = rolled_back
    run = tmp_path / "run"
    shutil.copytree(expected, run)
    for path in (run / "checkpoints").glob("step-000012*"):
        path.unlink()
    assert newest_checkpoint(run / "checkpoints").step == 10
    train(config, resume=run)
    assert_same_results(run, expected, config)


def test_who_is_killed_in_a_rollback_knows_of_it_afterwards(
    rolled_back, stopped, tmp_path, monkeypatch
):
    expected, config = rolled_back
    run = tmp_path / "run"
    shutil.copytree(stopped[0], run)

    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    monkeypatch.setattr(divergence, "cut_logs", kill)
    with pytest.raises(Killed):
        divergence.roll_back(Run(run), stopped[2], 1)
    train(config, resume=run)
    assert_same_results(run, expected, config)


def test_a_stopped_run_can_be_told_to_roll_back(rolled_back, stopped, tmp_path, monkeypatch):
    expected, config = rolled_back
    run = tmp_path / "run"
    shutil.copytree(stopped[0], run)
    diverge(monkeypatch, 8, 0)
    train_command("train.py", ["--resume", str(run), "--on-nonfinite", "rollback"])
    assert_same_results(run, expected, config)
    assert len(rollbacks_of(run)) == 1
    assert yaml.safe_load((run / "config.yaml").read_text())["on_nonfinite"] == "rollback"


def diverge_at_once(fitting, model):
    """In place of `Loop._fit`."""
    callback = StopAtNonFinite(fitting.run, fitting.session.segments, fitting.session.config)
    callback.set_model(model)
    model.checked = ("critic_loss",)
    model.drawn = ("latents of the critic", "latents of the generator")
    callback.on_train_batch_end(2, {FIRST_NONFINITE: 0.0})


def test_it_goes_back_three_times_and_then_stops(tmp_path, monkeypatch, caplog):
    """To the start, when nothing has been saved yet."""
    caplog.set_level("INFO", "wavegan_rc")
    seen = []

    def fit(fitting, model):
        seen.append((model.rollbacks, int(model.seed_generator.state[1])))
        fitting.run.history.write_text('{"step": 2}')
        diverge_at_once(fitting, model)

    monkeypatch.setattr(Loop, "_fit", fit)
    config = smoke_config(tmp_path, **SHORT, on_nonfinite="rollback")
    with pytest.raises(DivergenceError, match=r"step 3 after 3 rollbacks: .*: critic_loss"):
        train(config)
    (run,) = (tmp_path / "runs").iterdir()
    assert [number for number, _ in seen] == [0, 1, 2, 3]
    assert len({state for _, state in seen}) == 4
    assert [(r["step"], r["to_step"]) for r in rollbacks_of(run)] == [(3, 0)] * 3
    assert "rollback 3 of at most 3: resuming from step 0" in caplog.text
    kept = [np.load(path)["real"] for path in sorted((run / "diverged").glob("*.npz"))]
    assert len(kept) == 4
    assert not any(np.array_equal(a, b) for a, b in pairwise(kept))


@pytest.mark.parametrize("error", [OSError(28, "no space"), DataError("no\nspace")])
def test_a_batch_that_cannot_be_kept_hides_nothing(error, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(Loop, "_fit", diverge_at_once)
    monkeypatch.setattr(divergence.np, "savez", fail)
    with pytest.raises(DivergenceError, match=r"could not be kept: .*no space; a lower"):
        train(smoke_config(tmp_path, **SHORT))
