"""Several devices of this machine against one."""

import importlib.util
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from helpers import ROOT
from helpers.device_step import KINDS
from helpers.devices import assert_alike, environment, run
from helpers.runs import SMOKE, history

from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.nn.backend import on_jax
from wavegan_rc.training.callbacks.checkpoints import StopOnSignal
from wavegan_rc.training.devices import Devices
from wavegan_rc.training.model import build_model

pytestmark = [pytest.mark.usefixtures("shared_compilation"), pytest.mark.slow, pytest.mark.extra]


@pytest.fixture(params=["tensorflow", "jax"])
def backend(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param


def test_two_devices_compute_what_one_computes(backend, tmp_path):
    """Adam's moments are sums of gradients and of their squares, so those are compared too.

    Phase shuffle once with one shift for the whole batch, once with one for each example; and a
    generator that grows beside a critic with a rarer penalty and minibatch standard deviation.
    """
    for count in ("1", "2"):
        program = [sys.executable, str(ROOT / "tests" / "helpers" / "device_step.py")]
        subprocess.run(
            [*program, count, str(tmp_path)],
            env=environment(backend),
            check=True,
            capture_output=True,
        )
    for kind in KINDS if backend == "jax" else [*KINDS][:3]:
        one, two = (np.load(tmp_path / f"{count}-{kind}.npz") for count in (1, 2))
        assert set(one.files) == set(two.files)
        assert sum("momentum" in name for name in one.files) >= 9
        for name in one.files:
            np.testing.assert_allclose(two[name], one[name], rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    "setting", [{"growing_steps": 5}, {"penalty_every": 2}, {"minibatch_std": True}]
)
def test_tensorflow_refuses_what_devices_cannot_do_alike(setting):
    if on_jax():
        pytest.skip("JAX takes several devices")
    with pytest.raises(ParameterError, match=r"devices must be 1 for .* Received: 2"):
        Devices(Config(devices=2, **setting))


def test_a_run_on_two_devices_is_that_of_one_and_goes_on_on_one(backend, tmp_path):
    flags = ["--config", str(SMOKE), "--out", str(tmp_path), "--measure-every", "0"]
    flags += ["--critic-steps", "1", "--sample-count", "2"]
    for more in (
        [*flags, "--name", "one", "--steps", "8"],
        [*flags, "--name", "two", "--devices", "2"],
        ["--resume", str(tmp_path / "two"), "--devices", "1", "--steps", "8"],
    ):
        done = run(backend, *more)
        assert done.returncode == 0, done.stderr
    assert "2 devices" in json.loads((tmp_path / "two" / "environment.json").read_text())["device"]
    assert_alike(history(tmp_path / "two"), history(tmp_path / "one"))


@pytest.mark.backend
def test_an_error_in_drawing_a_batch_is_raised_as_it_is():
    config = Config(
        segment_length=64, upsampling_factors=(4, 2), kernel_size=5, filters=8, batch_size=2
    )

    def batches():
        yield (np.zeros((2, config.critic_steps, 64, 1), np.float32),)
        raise DataError("prepared recordings cannot be read: gone")

    model = build_model(config)
    with (
        pytest.raises(DataError, match=r"^prepared recordings cannot be read: gone$"),
        Devices(config).feeding(batches, StopOnSignal()) as fed,
    ):
        model.fit(fed, steps_per_epoch=3, shuffle=False, verbose=0)


def test_batches_that_cannot_be_shared_out_and_missing_devices_are_refused(tmp_path, monkeypatch):
    with pytest.raises(ParameterError, match="batch_size must be a multiple of devices, 3"):
        Config(devices=3)
    # This process has started with one device, and so cannot have more.
    keras.ops.zeros(1)
    with pytest.raises(ParameterError, match="devices must be at most 1"):
        Devices(Config(devices=2))
