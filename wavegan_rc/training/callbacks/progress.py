"""Show the progress of training."""

from typing import Any, ClassVar

from wavegan_rc.training.callbacks.base import Phase, StepCallback
from wavegan_rc.utils.progress import ProgressBar


class Progress(StepCallback):
    """A progress bar of this session's steps, with speed and the values of a healthy training.

    Args:
        bar: Display of the progress.
        steps: Steps of the run.
    """

    phase = Phase.SHOW
    _SHOWN: ClassVar = {
        "distance": "wasserstein_estimate",
        "critic gradient": "gradient_norm",
        "generator gradient": "generator_gradient_norm",
    }

    def __init__(self, bar: ProgressBar, steps: int) -> None:
        super().__init__()
        self._bar = bar
        self._steps = steps

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Name the step that a resumed training continues from."""
        super().on_train_begin(logs)
        if self.first_step:
            print(f"resuming after step {self.first_step} of {self._steps}", flush=True)

    def on_step_end(self, step: int, logs: dict[str, Any]) -> None:
        """Show the means since the last line of the history."""
        note = ", ".join(f"{label} {float(logs[name]):.3g}" for label, name in self._SHOWN.items())
        self._bar.show(step - self.first_step, self._steps - self.first_step, note)
