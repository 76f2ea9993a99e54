"""Several hosts, which are processes on this machine's loopback, against one."""

import importlib.util
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
from helpers.devices import TRAIN, assert_alike, environment, run
from helpers.runs import SMOKE, history, newest_step, wait_for

from wavegan_rc.config import Config
from wavegan_rc.errors import ParameterError
from wavegan_rc.nn.backend import on_jax
from wavegan_rc.runs.checkpoints import newest_checkpoint
from wavegan_rc.training.devices import Devices

pytestmark = [pytest.mark.usefixtures("shared_compilation"), pytest.mark.slow, pytest.mark.extra]


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
def hosts(folder, *flags, of_second=()):
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
                    [sys.executable, TRAIN, *flags, *(of_second if host else ())],
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


FLAGS = ["--config", str(SMOKE), "--critic-steps", "1", "--measure-every", "0"]
FLAGS += ["--steps", "12", "--save-every", "3", "--log-every", "1"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    done = run("jax", *FLAGS, "--out", str(folder))
    assert done.returncode == 0, done.stderr
    return history(folder / "001-resize")


@needs_jax
def test_two_hosts_train_like_one_and_only_the_first_keeps_the_run(alone, tmp_path):
    with hosts(tmp_path, *FLAGS, "--out", str(tmp_path / "runs")) as processes:
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
def test_hosts_that_differ_are_refused_at_once(tmp_path):
    flags = ["--config", str(SMOKE), "--out", str(tmp_path / "runs")]
    with hosts(tmp_path, *flags, of_second=["--seed", "1"]) as processes:
        codes = [process.wait(timeout=120) for process in processes]
    assert codes == [2, 2], printed(tmp_path)
    for output in printed(tmp_path):
        assert "error: settings must be the same on all hosts" in output
    assert not (tmp_path / "runs").exists()


@needs_jax
def test_a_mistake_that_one_host_sees_ends_both_at_once(tmp_path):
    (tmp_path / "runs" / "gloo").mkdir(parents=True)  # the word does not make it another mistake
    flags = ["--config", str(SMOKE), "--out", str(tmp_path / "runs"), "--name", "gloo"]
    with hosts(tmp_path, *flags) as processes:
        codes = [process.wait(timeout=120) for process in processes]
    first, second = printed(tmp_path)
    assert codes[0] == 2, first
    assert codes[1] in (4, -signal.SIGABRT), second
    assert "gloo exists: a run is never overwritten" in first


@needs_jax
def test_numbers_of_hosts_that_are_missing_are_named(monkeypatch):
    variables = {"KERAS_DISTRIBUTION_JOB_ADDRESSES": "127.0.0.1:1"}
    done = subprocess.run(
        [sys.executable, TRAIN, "--config", str(SMOKE)],
        env=environment("jax") | variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: KERAS_DISTRIBUTION_NUM_PROCESSES must be a whole number")


@needs_jax
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_host_ends_the_other_and_both_go_on(killed, alone, tmp_path):
    run = tmp_path / "runs" / "001-resize"
    flags = ["--config", str(SMOKE), "--out", str(tmp_path / "runs")]
    flags += ["--save-every", "3", "--log-every", "1", "--measure-every", "0"]
    flags += ["--critic-steps", "1"]
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
