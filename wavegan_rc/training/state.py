"""The state of a training: counted, checked, saved and loaded."""

import errno
import math
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

from wavegan_rc.errors import DataError
from wavegan_rc.runs.checkpoints import Checkpoint, save_checkpoint
from wavegan_rc.runs.run import Run
from wavegan_rc.runs.weights_file import check_weights_file
from wavegan_rc.training.backend import bring_up_to_date
from wavegan_rc.training.steps import StepCallback
from wavegan_rc.training.wgan_gp import WGANGP
from wavegan_rc.utils.text import one_line

# Of a checkpoint's file over the variables in it: HDF5 adds a few kilobytes for each.
_ROOM_FOR_ONE = 2


def first_broken_variable(model: keras.Model) -> str | None:
    """Path of the first weight of a model that is not finite; None if all are."""
    for variable in model.variables:
        if not np.isfinite(np.asarray(variable)).all():
            return variable.path
    return None


def _bytes(variable: keras.Variable) -> int:
    return math.prod(variable.shape) * np.dtype(variable.dtype).itemsize


def load_checkpoint(model: WGANGP, checkpoint: Checkpoint) -> None:
    """Give a model the state of a checkpoint: weights, optimizers, average, random states, means.

    Raises:
        DataError: If it is of other networks.
    """
    check_weights_file(checkpoint.weights)
    try:
        with warnings.catch_warnings():
            # Where Keras only warns, it leaves layers with the weights that they started from.
            warnings.simplefilter("error", UserWarning)
            model.load_weights(checkpoint.weights)
    except Exception as error:  # what Keras raises on damage is of many kinds
        raise DataError(
            f"{checkpoint.weights}: damaged, or not of the networks in config.yaml: "
            f"{one_line(error)}"
        ) from None
    broken = first_broken_variable(model)
    if broken is not None:
        raise DataError(f"{checkpoint.weights}: weights must be finite. {broken} is not")
    model.draw_afresh(checkpoint.rollbacks)


class Checkpoints(StepCallback):
    """Keep the newest states of the model, and how long the run's logs were then.

    Listed before everything that may fail after a step: measurements, lines of the history, event
    files, previews. A training that continues from a state does for its step what comes after.

    Args:
        run: Folder of the run.
        save_every: Steps between checkpoints.
        steps: Steps of the run; the last one is saved too, as is the one that training stops at.
    """

    def __init__(self, run: Run, save_every: int, steps: int) -> None:
        super().__init__()
        self._run = run
        self._save_every = save_every
        self._steps = steps

    def on_step_end(self, step: int, logs: dict[str, Any]) -> None:  # noqa: ARG002
        """Save if it is due."""
        if step % self._save_every == 0 or step == self._steps or self.model.stop_training:
            self._save()

    def _save(self) -> None:
        bring_up_to_date(self.model)
        save_checkpoint(
            self._run.checkpoints,
            self.step,
            self._save_weights,
            self._run.logs(),
            self.model.rollbacks,
        )

    def _save_weights(self, path: Path) -> None:
        # HDF5 does not survive a disk that fills up while it writes: it may end the process.
        variables = [*self.model.variables, *self.model.optimizer.variables]
        needed = _ROOM_FOR_ONE * sum(map(_bytes, variables))
        if shutil.disk_usage(path.parent).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path.parent))
        self.model.save_weights(path)
