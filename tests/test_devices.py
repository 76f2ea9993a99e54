"""Several devices of this machine, and several hosts on its loopback, against one."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import keras
import numpy as np
import pytest
from conftest import ROOT
from runs import SMOKE, history, newest_step, wait_for

from wavegan_rc.config import Config
from wavegan_rc.errors import ParameterError
from wavegan_rc.training.backend import on_jax
from wavegan_rc.training.checkpoints import newest_checkpoint
from wavegan_rc.training.devices import Devices

TRAIN = str(ROOT / "scripts" / "train.py")


def environment(backend):
    return os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}


@pytest.fixture(params=["tensorflow", "jax"])
def backend(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.mark.parametrize("per_example", [False, True])
def test_two_devices_compute_what_one_computes(backend, per_example, tmp_path):
    """Adam's moments are sums of gradients and of their squares, so those are compared too."""
    results = []
    for count in (1, 2):
        file = tmp_path / f"{count}.npz"
        program = [sys.executable, str(ROOT / "tests" / "device_step.py")]
        subprocess.run(
            [*program, str(count), str(per_example), str(file)],
            env=environment(backend),
            check=True,
            capture_output=True,
        )
        results.append(np.load(file))
    one, two = results
    assert set(one.files) == set(two.files)
    assert sum("momentum" in name for name in one.files) == 9
    for name in one.files:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-5, atol=1e-5, err_msg=name)


def run(backend, *flags):
    return subprocess.run(
        [sys.executable, TRAIN, *flags],
        env=environment(backend),
        capture_output=True,
        text=True,
        check=False,
    )


def assert_alike(rows, expected):
    assert [row["step"] for row in rows] == [row["step"] for row in expected]
    for row, other in zip(rows, expected, strict=True):
        assert row == pytest.approx(other, rel=1e-3, abs=1e-4)


def test_a_run_on_two_devices_is_that_of_one_and_goes_on_on_one(backend, tmp_path):
    for count in ("1", "2"):
        flags = ["--config", str(SMOKE), "--out", str(tmp_path), "--devices", count]
        done = run(backend, *flags, "--name", count)
        assert done.returncode == 0, done.stderr
    assert "2 devices" in json.loads((tmp_path / "2" / "environment.json").read_text())["device"]
    assert_alike(history(tmp_path / "2"), history(tmp_path / "1"))
    for name in ("1", "2"):
        done = run(backend, "--resume", str(tmp_path / name), "--devices", "1", "--steps", "8")
        assert done.returncode == 0, done.stderr
    assert_alike(history(tmp_path / "2"), history(tmp_path / "1"))


def test_batches_that_cannot_be_shared_out_and_missing_devices_are_refused(tmp_path, monkeypatch):
    with pytest.raises(ParameterError, match="batch_size must be a multiple of devices, 3"):
        Config(devices=3)
    # This process has started with one device, and so cannot have more.
    keras.ops.zeros(1)
    with pytest.raises(ParameterError, match="devices must be at most 1"):
        Devices(Config(devices=2))


@pytest.mark.skipif(on_jax(), reason="of TensorFlow alone")
def test_several_hosts_need_jax(monkeypatch):
    monkeypatch.setenv("KERAS_DISTRIBUTION_JOB_ADDRESSES", "127.0.0.1:1,127.0.0.1:2")
    with pytest.raises(ParameterError, match="several hosts need KERAS_BACKEND=jax"):
        Devices(Config())


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def hosts(folder, *flags):
    """Two processes that train together; what they print goes to `host-0.txt` and `host-1.txt`."""
    shared = {
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"127.0.0.1:{free_port()},127.0.0.1:{free_port()}",
        "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
        "TMPDIR": str(folder),
    }
    processes = []
    for host in range(2):
        with (folder / f"host-{host}.txt").open("wb") as output:
            processes.append(
                subprocess.Popen(
                    [sys.executable, TRAIN, *flags],
                    env=environment("jax") | shared | {"KERAS_DISTRIBUTION_PROCESS_ID": str(host)},
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            )
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def printed(folder):
    return [(folder / f"host-{host}.txt").read_text() for host in range(2)]


def wait_for_step(step, processes, run, folder):
    def is_made():
        assert all(process.poll() is None for process in processes), printed(folder)
        return newest_step(run) > step

    (folder / "output.txt").touch()
    wait_for(is_made, processes[0], folder)


needs_jax = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is missing")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    flags = ["--config", str(SMOKE), "--out", str(folder), "--steps", "12"]
    done = run("jax", *flags, "--save-every", "3", "--log-every", "1")
    assert done.returncode == 0, done.stderr
    return history(folder / "001-resize")


@needs_jax
def test_two_hosts_train_like_one_and_only_the_first_keeps_the_run(alone, tmp_path):
    flags = ["--config", str(SMOKE), "--out", str(tmp_path / "runs"), "--steps", "12"]
    flags += ["--save-every", "3", "--log-every", "1"]
    with hosts(tmp_path, *flags) as processes:
        codes = [process.wait(timeout=300) for process in processes]
    first, second = printed(tmp_path)
    assert codes == [0, 0], (first, second)
    assert "2 hosts" in first
    assert f"run: {tmp_path / 'runs' / '001-resize'}" in first
    assert "run:" not in second
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["001-resize"]
    assert not list(tmp_path.glob("wavegan_rc-*"))
    assert_alike(history(tmp_path / "runs" / "001-resize"), alone)


@needs_jax
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_host_ends_the_other_and_both_go_on(killed, alone, tmp_path):
    run = tmp_path / "runs" / "001-resize"
    flags = ["--config", str(SMOKE), "--out", str(tmp_path / "runs")]
    flags += ["--save-every", "3", "--log-every", "1", "--measure-every", "0"]
    with hosts(tmp_path, *flags, "--steps", "100000") as processes:
        wait_for_step(0, processes, run, tmp_path)
        processes[killed].kill()
        code = processes[1 - killed].wait(timeout=60)
    survivor = printed(tmp_path)[1 - killed]
    # Of the first host's end, JAX itself may end the other first, and say so.
    assert code == 4 or (killed == 0 and code == -signal.SIGABRT), survivor
    assert "has lost another" in survivor or "another task died" in survivor
    assert "Traceback" not in survivor
    reached = newest_checkpoint(run / "checkpoints").step
    with hosts(tmp_path, "--resume", str(run)) as processes:
        wait_for_step(reached, processes, run, tmp_path)
        processes[killed].terminate()
        codes = [process.wait(timeout=60) for process in processes]
    assert codes == [128 + signal.SIGTERM] * 2, printed(tmp_path)
    assert newest_step(run) > reached
    rows = history(run)
    assert [row["step"] for row in rows] == list(range(1, newest_step(run) + 1))
    losses = [{name: row[name] for name in rows[0]} for row in alone]
    assert_alike(rows[: len(losses)], losses[: len(rows)])
