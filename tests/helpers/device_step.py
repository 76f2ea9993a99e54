"""Make some steps of small models on several devices, and keep what they led to.

Run as a program by test_devices.py: `device_step.py DEVICES FOLDER`.
"""

import sys

import numpy as np

from wavegan_rc.config import Config
from wavegan_rc.nn.backend import on_jax
from wavegan_rc.training import devices
from wavegan_rc.training.model import build_model
from wavegan_rc.utils.interruptions import EndSignals

STEPS = 3
KINDS = {
    "shared shifts": {},
    "own shifts": {"phase_shuffle_per_example": True},
    "PGGAN": {"pixel_norm": True, "equalized_learning_rate": True},
    "growing": {"growing_steps": 2, "penalty_every": 2, "minibatch_std": True},
}


def make_steps(count, kind, file):
    config = Config(
        segment_length=64,
        upsampling_factors=(4, 2),
        kernel_size=5,
        filters=8,
        latent_dim=4,
        batch_size=4,
        critic_steps=2,
        learning_rate=1e-3,
        devices=count,
        **KINDS[kind],
    )
    if count > 1:  # as on GPUs, of which one alone would have its steps compiled with XLA
        devices.gpus = lambda: [("GPU", 0)] * count
    used = devices.Devices(config)
    with used.building():
        model = build_model(config)
    shape = (config.batch_size, config.critic_steps, config.segment_length, 1)

    def batches():
        for step in range(STEPS):
            yield (np.random.default_rng(step).uniform(-1, 1, shape).astype(np.float32),)

    with used.fitting(), used.feeding(batches, EndSignals("")) as data:
        logs = model.fit(data, steps_per_epoch=STEPS, shuffle=False, verbose=0).history
    variables = {v.path: v for v in [*model.variables, *model.optimizer.variables]}
    values = {path: np.asarray(variable) for path, variable in variables.items()}
    np.savez(file, **values, **{name: value[0] for name, value in logs.items()})


if __name__ == "__main__":
    count, folder = sys.argv[1:]
    for kind in KINDS if on_jax() else [*KINDS][:3]:
        make_steps(int(count), kind, f"{folder}/{count}-{kind}.npz")
