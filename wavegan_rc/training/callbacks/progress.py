"""Report the progress of training."""

import logging
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from wavegan_rc.training.callbacks.base import StepCallback
from wavegan_rc.training.callbacks.checkpoints import StopOnSignal

# Function of the work (`preparing` or `training`), the units done, those in all, and a note.
OnProgress = Callable[[str, int, int, str], None]

_logger = logging.getLogger(__name__)


class Progress(StepCallback):
    """Report this session's steps, with the values of a healthy training.

    An error in `on_progress` stops the training as a signal would: it must not cost the steps made.
    """

    _SHOWN: ClassVar = {
        "distance": "wasserstein_estimate",
        "critic gradient": "gradient_norm",
        "generator gradient": "generator_gradient_norm",
    }

    def __init__(self, on_progress: OnProgress, steps: int, stop: StopOnSignal) -> None:
        super().__init__()
        self._on_progress = on_progress
        self._steps = steps
        self._stop = stop

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Name the step that a resumed training continues from."""
        super().on_train_begin(logs)
        if self.first_step:
            _logger.info("resuming after step %d of %d", self.first_step, self._steps)
        self._report(0, "compiling")

    def on_step_end(self, step: int, logs: dict[str, Any]) -> None:
        """Report the means since the last line of the history."""
        # With --penalty-every, there may be no gradient norm yet.
        known = {k: v for k, v in self._SHOWN.items() if np.asarray(self.model.means[v].count)}
        note = ", ".join(f"{label} {float(logs[name]):.3g}" for label, name in known.items())
        self._report(step - self.first_step, note)

    def _report(self, done: int, note: str) -> None:
        try:
            self._on_progress("training", done, self._steps - self.first_step, note)
        except Exception as error:  # whatever the caller's function raises
            self._stop.stop_for(error)
