"""What test_backends does on both backends; as a program, on the one that it is started with."""

import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from helpers.networks import TINY, real_batch
from helpers.runs import smoke_config, weights
from wavegan_rc.cli.train import train_command
from wavegan_rc.generator.file import load_generator
from wavegan_rc.generator.generation import draw_latents, synthesize
from wavegan_rc.training.model import build_model
from wavegan_rc.training.train import train
from wavegan_rc.training.updates import LOSSES

SHUFFLED = replace(TINY, segment_length=512, phase_shuffle_radius=2, learning_rate=1e-3)


def random_numbers_of_numpy(patch):
    """The two backends draw different numbers from one seed."""
    draws = np.random.default_rng(0)

    def uniform(shape, minval=0.0, maxval=1.0, dtype="float32", **_):
        return ops.convert_to_tensor(draws.uniform(minval, maxval, shape).astype(dtype))

    def randint(shape, minval, maxval, **_):
        return ops.convert_to_tensor(draws.integers(minval, maxval, shape).astype(np.int32))

    patch.setattr(keras.random, "uniform", uniform)
    patch.setattr(keras.random, "randint", randint)


def losses(initial_weights, steps=20):
    """Of each step, shape (steps, losses)."""
    model = build_model(SHUFFLED)
    model.load_weights(initial_weights)
    rows = []
    with pytest.MonkeyPatch.context() as patch:
        random_numbers_of_numpy(patch)
        for step in range(steps):
            model.reset_means()
            logs = model.step(real_batch(step, SHUFFLED))
            rows.append([float(logs[name]) for name in LOSSES])
    return np.array(rows)


def audio(run):
    return synthesize(load_generator(run).model, draw_latents(3, 8, seed=0))


def go_on(run, steps):
    """With a run by the command, after a look at what it begins with."""
    before = weights(run, smoke_config(run))
    train_command("train.py", ["--resume", str(run), "--steps", str(steps)])
    return before


def main(folder):
    """Do with the run `here` what the test does with the run `there`, which is made."""
    np.save(folder / "losses.npy", losses(folder / "initial.weights.h5"))
    there = train(smoke_config(folder, sample_count=2), name="there").path
    np.savez(folder / "there.npz", *weights(there, smoke_config(folder)))
    np.save(folder / "there.npy", audio(there))
    here = there.parent / "here"
    np.save(folder / "here.npy", audio(here))
    np.savez(folder / "here.npz", *go_on(here, 9))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
