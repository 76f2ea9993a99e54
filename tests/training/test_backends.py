"""What is begun on one of Keras's backends goes on on the other."""

import json
from importlib.util import find_spec

import keras
import numpy as np
import pytest
from helpers import ROOT
from helpers.other_backend import SHUFFLED, audio, go_on, losses
from helpers.runs import history, newest_step, smoke_config, start, weights

from wavegan_rc.training.model import build_model
from wavegan_rc.training.train import train

HERE = keras.backend.backend()
THERE = {"tensorflow": "jax", "jax": "tensorflow"}[HERE]
pytestmark = [
    pytest.mark.skipif(find_spec(THERE) is None, reason=f"{THERE} is not installed"),
    pytest.mark.slow,
    pytest.mark.extra,
]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A folder with what `other_backend` makes, and two runs begun here and there."""
    folder = tmp_path_factory.mktemp("both")
    build_model(SHUFFLED).save_weights(folder / "initial.weights.h5")
    config = smoke_config(folder, sample_count=2)
    here = train(config, name="here").path
    np.savez(folder / "here-before.npz", *weights(here, config))
    np.save(folder / "here-before.npy", audio(here))
    program = str(ROOT / "tests" / "helpers" / "other_backend.py")
    # JAX compiles for seconds what it trains for less; the second run need not compile again.
    cache = {"JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
    cache |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    process = start(folder, program, str(folder), KERAS_BACKEND=THERE, **cache)
    assert process.wait() == 0, (folder / "output.txt").read_text()
    return folder


def test_the_same_weights_data_and_draws_give_the_same_losses(both):
    ours, theirs = losses(both / "initial.weights.h5"), np.load(both / "losses.npy")
    assert np.ptp(ours, axis=0).min() > 0.01
    np.testing.assert_allclose(ours, theirs, atol=1e-3, rtol=1e-3)


def arrays(file):
    return list(np.load(file).values())


def test_a_run_goes_on_from_the_weights_that_the_other_backend_saved(both):
    for run, before, after in (
        ("there", arrays(both / "there.npz"), go_on(both / "runs" / "there", 9)),
        ("here", arrays(both / "here-before.npz"), arrays(both / "here.npz")),
    ):
        assert len(before) > 20
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other)
        folder = both / "runs" / run
        assert newest_step(folder) == 9
        assert [row["step"] for row in history(folder)] == [2, 4, 6, 8, 9]


def test_who_went_on_on_which_backend_is_recorded(both):
    for run, backends in (("here", [HERE, THERE]), ("there", [THERE, HERE])):
        record = json.loads((both / "runs" / run / "environment.json").read_text())
        assert [record["backend"], *(one["backend"] for one in record["resumed"])] == backends


def test_a_generator_makes_the_same_audio(both):
    ours, theirs = np.load(both / "here-before.npy"), np.load(both / "here.npy")
    assert np.abs(ours).max() > 0.01
    np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=0)
