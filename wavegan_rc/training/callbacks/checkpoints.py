"""Save checkpoints, and stop in an orderly way when a signal asks for it."""

import errno
import math
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import keras
import numpy as np

from wavegan_rc.nn.backend import sync_variables
from wavegan_rc.runs.checkpoints import save_checkpoint
from wavegan_rc.runs.run import Run
from wavegan_rc.training.callbacks.base import StepCallback
from wavegan_rc.training.updates import STOP_REQUESTED
from wavegan_rc.utils.interruptions import EndSignals

# Ratio of a checkpoint's free space to its variables: HDF5 adds a few kilobytes for each.
_SPACE_RATIO = 2
# Answers to the first Ctrl-C.
_TRAINING = "stopping after this step (press Ctrl-C again to stop now)"
_COMPILING = "stopping after the first step, once it is compiled (press Ctrl-C again to stop now)"


class Checkpoints(StepCallback):
    """Keep the newest states of the model, with the lengths of the run's logs at that time.

    The last of `steps`, and one at which training stops, are saved too.
    """

    def __init__(self, run: Run, save_every: int, steps: int) -> None:
        super().__init__()
        self._run = run
        self._save_every = save_every
        self._steps = steps

    def on_step_end(self, step: int, logs: dict[str, Any]) -> None:  # noqa: ARG002
        """Save a checkpoint if one is due."""
        if step % self._save_every == 0 or step == self._steps or self.model.stop_training:
            sync_variables(self.model)
            save_checkpoint(
                self._run.checkpoints,
                step,
                self._save_weights,
                self._run.logs(),
                self.model.rollbacks,
            )

    def _save_weights(self, path: Path) -> None:
        # HDF5 may end the process if the disk fills up while it writes.
        variables = [*self.model.variables, *self.model.optimizer.variables]
        needed = _SPACE_RATIO * sum(map(_bytes, variables))
        if shutil.disk_usage(path.parent).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path.parent))
        self.model.save_weights(path)


def _bytes(variable: keras.Variable) -> int:
    return math.prod(variable.shape) * np.dtype(variable.dtype).itemsize


class StopOnSignal(StepCallback, EndSignals):
    """A context that turns the first end signal into a stop after the current step.

    It also spans the work after `fit`, so that files are written completely. Hosts that train
    together all stop after the same step, whichever of them received the signal.

    Attributes:
        error: Error that stopped the training in place of a signal. None without one.
    """

    def __init__(self) -> None:
        StepCallback.__init__(self)
        EndSignals.__init__(self, _COMPILING)
        self.error: Exception | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Note that the first step is compiled, which takes a while."""
        super().on_train_begin(logs)
        self._message = _COMPILING

    def stop_for(self, error: Exception) -> None:
        """Stop as at SIGTERM because of an error, to be raised after the checkpoint."""
        self.error = self.error or error
        self._on_signal(signal.SIGTERM, None)

    def on_step_end(self, step: int, logs: dict[str, Any]) -> None:  # noqa: ARG002
        """Stop training if this host or another one received a signal."""
        self._message = _TRAINING
        requested = logs.pop(STOP_REQUESTED, None)
        if requested is not None and float(requested) and self.received is None:
            self.received = signal.SIGTERM
        if self.received is not None and (requested is None or float(requested)):
            self.model.stop_training = True
