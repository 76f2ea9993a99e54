"""A run's critic and its gradients by the samples of segments."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from keras import ops

from wavegan_rc.config import Config
from wavegan_rc.errors import DataError
from wavegan_rc.nn.backend import gradients_by_inputs
from wavegan_rc.nn.phase_shuffle import PhaseShuffle
from wavegan_rc.runs.checkpoints import newest_checkpoint
from wavegan_rc.runs.run import Run
from wavegan_rc.training.model import build_model, load_checkpoint
from wavegan_rc.training.wgan_gp import WGANGP

_BATCH_SIZE = 64


def load_run(run: Path) -> tuple[Config, WGANGP, Path]:
    """Return the settings of a run, its networks at the newest checkpoint, and that checkpoint."""
    config = Run(run).read_config()
    if config is None:
        raise DataError(f"{run}: no config.yaml, so not a run folder")
    model = build_model(config)
    checkpoint = newest_checkpoint(Run(run).checkpoints)
    load_checkpoint(model, checkpoint)
    return config, model, checkpoint.weights


def with_independent_shifts(model: WGANGP, config: Config, *, seed: int) -> keras.Model:
    """Build a model from audio to scores (emphasis, then critic), with shifts for each example.

    In training a whole batch may share its shifts. Over many steps the average is the same, but
    resampling segments needs independent shifts.
    """
    other = build_model(replace(config, phase_shuffle_per_example=True, seed=seed))
    other.critic.set_weights(model.critic.get_weights())
    if other.emphasis is None or model.emphasis is None:
        return other.critic
    other.emphasis.set_weights(model.emphasis.get_weights())
    segments = keras.Input(other.critic.input_shape[1:])
    return keras.Model(segments, other.critic(other.emphasis(segments)))


def shuffle_radius(critic: keras.Model) -> int:
    """Return the largest shift in a critic; 0 without phase shuffle."""
    radii = [layer.radius for layer in critic.layers if isinstance(layer, PhaseShuffle)]
    return max(radii, default=0)


def input_gradients(critic: keras.Model, segments: np.ndarray, *, shuffled: bool) -> np.ndarray:
    """Return the derivative of each segment's score by its samples."""
    gradients = []
    for start in range(0, len(segments), _BATCH_SIZE):
        batch = ops.convert_to_tensor(segments[start : start + _BATCH_SIZE, :, None])
        found = gradients_by_inputs(lambda x: critic(x, training=shuffled), batch)
        gradients.append(np.asarray(found)[:, :, 0])
    return np.concatenate(gradients)
