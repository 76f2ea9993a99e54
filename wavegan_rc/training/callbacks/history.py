"""The history of a run: mean losses and measured values, as JSON lines and in TensorBoard."""

import json
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from wavegan_rc.errors import WaveganWarning
from wavegan_rc.nn.backend import sync_variables
from wavegan_rc.runs.history import read_history
from wavegan_rc.runs.run import Run
from wavegan_rc.training.callbacks.base import StepCallback, due, steps_made
from wavegan_rc.training.health import Watch, write_findings
from wavegan_rc.training.updates import LOSSES
from wavegan_rc.utils.interruptions import OptionalWork

if TYPE_CHECKING:
    from wavegan_rc.training.callbacks.tensorboard import EventFile

# Lines before they become rarer; each takes about 300 bytes, and 1 kB in event files.
_DENSE_LINES = 1000


def _tag(name: str) -> str:
    """Return a value's name in TensorBoard, which draws all names up to a slash together."""
    if "/" in name:
        return name
    return f"training/{name}" if name in LOSSES or name == "steps_per_s" else f"sound/{name}"


class StepClock(StepCallback):
    """A clock that times the updates alone."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0
        self._seconds = 0.0
        self._began = 0.0

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Start the clock."""
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Stop the clock."""
        if batch > 0:  # the first step's time is compilation
            self._count += 1
            self._seconds += time.perf_counter() - self._began

    def take_speed(self) -> float | None:
        """Return the steps per second since the last call; None if no step was timed."""
        speed = self._count / self._seconds if self._count else None
        self._count, self._seconds = 0, 0.0
        return speed


class History(StepCallback):
    """Write the mean losses of every so many steps, and warn of bad signs in them once each.

    A shorter rest at the end has its line too. Values that earlier callbacks added to a step's
    logs end a line at that step and are written with the losses. `send` receives each line too.

    Raises:
        DataError: If the existing history of the run cannot be read.
    """

    def __init__(
        self,
        run: Run,
        events: "EventFile | None",
        log_every: int,
        *,
        clock: StepClock,
        watch: Watch,
        send: Callable[[int, dict[str, float]], None],
    ) -> None:
        super().__init__()
        self._run = run
        self._watch = watch
        self._judging = OptionalWork("the record of bad signs")
        if run.history.exists():
            rows = read_history(run.history)
            with self._judging:
                for row in rows:
                    self._watch.add(row)
        self._events = events
        self._log_every = log_every
        self._clock = clock
        self._send = send
        self._measured: dict[str, float] = {}
        self._logging = OptionalWork("the event file of TensorBoard")

    def on_step_end(self, step: int, logs: dict[str, Any]) -> None:
        """Write a line if one is due, and begin new means."""
        self._measured = {name: float(v) for name, v in logs.items() if name not in LOSSES}
        if self._measured or due(step, self._log_every, _DENSE_LINES):
            self._write(step)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Write a line of the remaining steps."""
        if any(np.asarray(mean.count) for mean in self.model.means.values()):
            self._write(steps_made(self.model))
        self._write_findings()

    def _write(self, step: int) -> None:
        sync_variables(self.model)
        # Without an update that has the penalty since the last line, there is no mean of it.
        means = {name: mean for name, mean in self.model.means.items() if np.asarray(mean.count)}
        row = {name: float(mean.result()) for name, mean in means.items()}
        row |= self._measured
        speed = self._clock.take_speed()
        if speed is not None:
            row["steps_per_s"] = speed
        with self._run.history.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **row}) + "\n")
        if self._events is not None:
            with self._logging:
                self._events.scalars(step, {_tag(name): value for name, value in row.items()})
        self._send(step, row)
        self._measured = {}
        self.model.reset_means()
        found = []
        with self._judging:
            found = self._watch.add({"step": step, **row})
        for finding in found:
            warnings.warn(finding.message, WaveganWarning, stacklevel=2)
            self._write_findings()

    def _write_findings(self) -> None:
        with self._judging:
            write_findings(self._run.health, self._watch.findings.values())
