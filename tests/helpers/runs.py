"""What tests of whole runs share: small runs, what is in them, processes that train."""

import json
import os
import subprocess
import sys
import time

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from helpers import PRESETS, ROOT
from wavegan_rc.config import Config
from wavegan_rc.runs.checkpoints import newest_checkpoint
from wavegan_rc.training.model import build_model, load_checkpoint

SMOKE = PRESETS / "smoke.yaml"
# TensorFlow traces a step for longer than it trains here: half as much to trace, no measuring.
SMALL = {"segment_length": 128, "critic_steps": 1, "measure_every": 0, "sample_count": 2}


def smoke_config(out, **changes):
    """The preset with one critic update in a step."""
    return Config.read("smoke", **{"critic_steps": 1, "out": str(out / "runs")} | changes)


def timed_history(run):
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def history(run):
    """What the same training has again."""
    return [{k: v for k, v in row.items() if k != "steps_per_s"} for row in timed_history(run)]


def tensorboard_events(run):
    kinds = {"scalars": 0, "audio": 0, "images": 0}
    events = EventAccumulator(str(run / "tensorboard"), size_guidance=kinds)
    events.Reload()
    read = {"scalars": events.Scalars, "audio": events.Audio, "images": events.Images}
    return {tag: read[kind](tag) for kind in kinds for tag in events.Tags()[kind]}


def weights(run, config):
    model = build_model(config)
    load_checkpoint(model, newest_checkpoint(run / "checkpoints"))
    return [np.asarray(v) for v in (*model.variables, *model.optimizer.variables)]


def assert_same_results(run, expected, config):
    assert history(run) == history(expected)
    for ours, theirs in zip(weights(run, config), weights(expected, config), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    names = sorted(path.name for path in (expected / "samples").iterdir())
    assert sorted(path.name for path in (run / "samples").iterdir()) == names
    for name in names:
        if name.endswith(".wav"):
            ours, theirs = ((folder / "samples" / name).read_bytes() for folder in (run, expected))
            assert ours == theirs


def start(folder, *arguments, prefix=(), **environment):
    """A Python process in a folder, what it prints in `output.txt` there."""
    with (folder / "output.txt").open("wb") as output:
        return subprocess.Popen(
            [*prefix, sys.executable, *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"} | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def start_training(folder, *flags, prefix=()):
    return start(folder, str(ROOT / "scripts" / "train.py"), *flags, prefix=prefix)


def wait_for(condition, process, folder):
    """Until a condition holds; the process ending first is a failure."""
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, (folder / "output.txt").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def newest_step(run):
    steps = [int(path.stem[5:]) for path in (run / "checkpoints").glob("step-*.json")]
    return max(steps, default=0)
