"""SIGKILL at random moments: nothing is corrupt, nothing saved is lost."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import yaml
from helpers import ROOT, tone
from helpers.runs import assert_same_results, newest_step, start, tensorboard_events, wait_for

from wavegan_rc.config import Config
from wavegan_rc.runs.checkpoints import newest_checkpoint
from wavegan_rc.training.train import train

pytestmark = pytest.mark.slow

# A training without networks: as many writes in a second as a real one makes in minutes.
WRITER = """
import sys
from pathlib import Path
from wavegan_rc.runs.checkpoints import cut_logs, newest_checkpoint, save_checkpoint
run = Path(sys.argv[1])
log, step = run / "history.jsonl", 0
if list((run / "checkpoints").glob("step-*.json")):
    checkpoint = newest_checkpoint(run / "checkpoints")
    step = checkpoint.step
    cut_logs(run, checkpoint, [log])

def save_weights(path):
    with path.open("wb") as file:
        for _ in range(200):
            file.write(bytes([step % 256]) * 1000)
            file.flush()

while True:
    step += 1
    with log.open("a") as file:
        for part in ("{", f'"step": {step}', "}", chr(10)):
            file.write(part)
            file.flush()
    save_checkpoint(run / "checkpoints", step, save_weights, [log])
"""


def test_killed_60_times_while_it_writes_nothing_is_corrupt_and_nothing_saved_is_lost(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    moments = random.Random(0)
    reached, in_the_middle = 0, 0
    for _ in range(60):
        process = start(tmp_path, "-c", WRITER, str(tmp_path))
        wait_for(lambda reached=reached: newest_step(tmp_path) > reached, process, tmp_path)
        time.sleep(moments.uniform(0, 0.05))
        seen = newest_step(tmp_path)
        process.kill()
        process.wait()
        in_the_middle += any((tmp_path / "checkpoints").glob(".partial-*"))
        checkpoint = newest_checkpoint(tmp_path / "checkpoints")  # a warning would fail the test
        assert checkpoint.step >= seen > reached
        reached = checkpoint.step
        assert set(checkpoint.weights.read_bytes()) == {reached % 256}
        log = (tmp_path / "history.jsonl").read_bytes()
        (length,) = checkpoint.log_lengths.values()
        rows = [json.loads(line) for line in log[:length].splitlines()]
        assert [row["step"] for row in rows] == list(range(1, reached + 1))
    assert in_the_middle > 5


# Trains in a process of its own for each line of arguments. Loading libraries takes most of a small
# training's time, and they can be forked with as long as TensorFlow has computed nothing.
NURSERY = """
import json, os, signal, sys
import numpy as np
import wavegan_rc.training.train
from wavegan_rc.cli.process import run_command
from wavegan_rc.cli.train import train_command
from wavegan_rc.figures.drawing import figure_pixels, spectrogram_figure
figure_pixels(spectrogram_figure({"": np.zeros((64, 64))}, 16000, None))  # loads much, too
answers = open(int(sys.argv[1]), "w", buffering=1)
for line in sys.stdin:
    process = os.fork()
    if not process:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and one under `nohup` this
        run_command(train_command, "train.py", json.loads(line))
    print(process, file=answers)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), file=answers)
"""


class Training:
    """A training that `nursery` has started."""

    def __init__(self, parent, answers, argv):
        self._answers = answers
        parent.stdin.write(json.dumps(argv).encode() + b"\n")
        parent.stdin.flush()
        self._process = int(answers.readline())
        self._began = time.monotonic()

    def poll(self):
        """As with `subprocess`: None while it lives."""
        try:
            os.kill(self._process, 0)
        except ProcessLookupError:
            return 1
        return None

    def send_signal(self, number):
        os.kill(self._process, number)

    def wait(self):
        """Its exit code; minus the number of the signal that killed it."""
        return int(self._answers.readline())

    def kill(self):
        """Its age in seconds."""
        self.send_signal(signal.SIGKILL)
        assert self.wait() == -signal.SIGKILL
        return time.monotonic() - self._began


@pytest.fixture
def nursery(tmp_path):
    """Starts trainings, one after the other; what they print is in `output.txt`."""
    reading, writing = os.pipe()
    with (tmp_path / "output.txt").open("wb") as output:
        parent = subprocess.Popen(
            [sys.executable, "-c", NURSERY, str(writing)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
            start_new_session=True,  # with its child, killed as a group below
        )
    os.close(writing)
    with open(reading) as answers:
        yield lambda argv: Training(parent, answers, argv)
    os.killpg(parent.pid, signal.SIGKILL)
    parent.communicate()


def steps_lost(run, checkpoint):
    """By a training that was killed, whose files are looked into on the way."""
    Config(**yaml.safe_load((run / "config.yaml").read_text()))
    json.loads((run / "environment.json").read_text())
    log = (run / "history.jsonl").read_bytes()
    length = checkpoint.log_lengths["history.jsonl"]
    rows = [json.loads(line) for line in log[:length].splitlines()]
    # The line of its own step comes after a checkpoint.
    assert [row["step"] for row in rows] == list(range(1, checkpoint.step))
    return log.count(b"\n") - len(rows)


TINY = """
segment_length: 64
upsampling_factors: [2]
kernel_size: 2
filters: 2
latent_dim: 2
phase_shuffle_radius: 1
batch_size: 2
critic_steps: 1
sample_count: 1
"""
KILLS = 12  # each kind of moment several times
SAVE_EVERY = 2


@pytest.fixture
def argv(tmp_path, make_wav):
    """A training without end."""
    (tmp_path / "tiny.yaml").write_text(TINY)
    data = make_wav("own.wav", tone(440, seconds=4))
    settings = {"data": str(data), "steps": 10**6, "save_every": SAVE_EVERY, "log_every": 1}
    settings |= {"measure_every": 0, "config": "tiny.yaml"}
    return [f"--{name}={value}" for name, value in settings.items()]


def test_a_training_killed_many_times_goes_on_as_if_it_had_not_been(tmp_path, argv, nursery):
    """Soon after a checkpoint, anywhere between start and then, and while one is written."""
    run = tmp_path / "runs" / "001-resize"
    moments = random.Random(0)
    reached, age, in_the_middle = 0, 0.0, 0
    for kill in range(KILLS):
        training = nursery(argv)
        if kill % 4 == 3:  # while a checkpoint is written
            partial = run / "checkpoints"
            wait_for(lambda: any(partial.glob(".partial-*")), training, tmp_path)  # noqa: B023
            seen = newest_step(run)
            training.kill()
        elif kill % 4 == 1:
            time.sleep(moments.uniform(0, age))
            seen = newest_step(run)
            training.kill()
        else:
            wait_for(lambda: newest_step(run) > reached, training, tmp_path)  # noqa: B023
            seen = newest_step(run)
            time.sleep(moments.uniform(0, 0.5))
            age = training.kill()
        in_the_middle += any(run.rglob(".partial-*"))
        checkpoint = newest_checkpoint(run / "checkpoints")  # a warning would fail the test
        assert checkpoint.step >= seen >= reached
        assert steps_lost(run, checkpoint) <= SAVE_EVERY
        reached = checkpoint.step
        argv = ["--resume", str(run)]
    assert in_the_middle > 0
    config = Config(**yaml.safe_load((run / "config.yaml").read_text()))
    config = replace(config, steps=reached + 1)
    train(config, resume=run)
    straight = replace(config, out=str(tmp_path / "straight"), save_every=10**6)
    assert_same_results(run, train(straight).path, config)
    steps = [event.step for event in tensorboard_events(run)["training/critic_loss"]]
    assert steps == list(range(1, reached + 2))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_ctrl_c_after_a_signal_ends_at_once_and_what_was_saved_is_good(
    number, tmp_path, argv, nursery
):
    """At once: before the generator is exported, which is what a first signal alone leads to."""
    run = tmp_path / "runs" / "001-resize"
    output = tmp_path / "output.txt"
    training = nursery(argv)
    wait_for(lambda: newest_step(run) > 0, training, tmp_path)
    training.send_signal(number)
    wait_for(lambda: "stopping after this step" in output.read_text(), training, tmp_path)
    training.send_signal(signal.SIGINT)
    assert training.wait() == 128 + signal.SIGINT
    assert "Traceback" not in output.read_text()
    assert not (run / "generator.keras").exists()
    checkpoint = newest_checkpoint(run / "checkpoints")
    assert steps_lost(run, checkpoint) <= SAVE_EVERY
