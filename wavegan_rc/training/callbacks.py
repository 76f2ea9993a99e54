"""What happens beside the updates: history, progress, previews, a clean end."""

import json
import signal
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np

from wavegan_rc.errors import WaveganWarning
from wavegan_rc.runs.history import read_history
from wavegan_rc.runs.run import Run
from wavegan_rc.training.backend import bring_up_to_date
from wavegan_rc.training.beside import Beside
from wavegan_rc.training.end_signals import EndSignals
from wavegan_rc.training.events import Events
from wavegan_rc.training.health import Watch, write_findings
from wavegan_rc.training.schedule import due
from wavegan_rc.training.steps import StepCallback, steps_made
from wavegan_rc.training.wgan_gp import LOSSES, STOP_TOLD

# Lines take about 300 bytes in the history and 1 kB in event files, previews half a megabyte.
_DENSE_LINES = 1000
_DENSE_PREVIEWS = 100


class StepClock(keras.callbacks.Callback):
    """Time the updates; listed first, so that no other callback's work is counted."""

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
        """Steps per second since this was last asked; None if no step was timed."""
        speed = self._count / self._seconds if self._count else None
        self._count, self._seconds = 0, 0.0
        return speed


class Progress(StepCallback):
    """A bar with steps, time left, speed and what tells a healthy training.

    It counts the steps from where this training begins: from all of a run's, Keras would reckon the
    time that those before took.

    Args:
        steps: Of the run.
    """

    _SHOWN: ClassVar = {
        "distance": "wasserstein_estimate",
        "critic gradient": "gradient_norm",
        "generator gradient": "generator_gradient_norm",
    }

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._steps = steps

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Begin a bar."""
        super().on_train_begin(logs)
        if self.first_step:
            print(f"going on after step {self.first_step} of {self._steps}", flush=True)
        # In a log file every update is a line of its own, so there they are far between.
        interval = 0.2 if sys.stdout.isatty() else 30
        self._bar = keras.utils.Progbar(
            self._steps - self.first_step,
            width=10,
            interval=interval,
            stateful_metrics=[*self._SHOWN],
        )

    def on_step_end(self, step: int, logs: dict[str, Any]) -> None:
        """Show the means since the last line of the history."""
        shown = [(label, float(logs[name])) for label, name in self._SHOWN.items()]
        self._bar.update(step - self.first_step, shown)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """End the line of a bar that has not come to its end."""
        if self.step < self._steps and sys.stdout.isatty():
            print(flush=True)


class History(StepCallback):
    """Write the mean losses of every so many steps as a JSON line and to TensorBoard.

    A shorter rest at the end has its line too. What callbacks listed before this one add to the
    logs of a step is written beside the losses, and ends the line's steps there. The speed is that
    of the updates alone. Bad signs in it are warned of, once each, and recorded beside it.

    Args:
        run: Folder of the run, whose history goes on where it is.
        writer: Of TensorBoard's events; None: none are kept.
        log_every: Steps between lines; more in long runs, see `due`.
        clock: Times the updates; a callback of its own.
        real_norm: Of real segments, by which losses are judged: `health.mean_norm`.
        send: Given the step and the values of each line too.

    Raises:
        DataError: If the history before is none.

    Warns:
        WaveganWarning: Of a bad sign.
    """

    def __init__(
        self,
        run: Run,
        writer: Events | None,
        log_every: int,
        *,
        clock: StepClock,
        real_norm: float,
        send: Callable[[int, dict[str, float]], None],
    ) -> None:
        super().__init__()
        self._run = run
        self._watch = Watch(real_norm)
        if run.history.exists():
            for row in read_history(run.history):
                self._watch.add(row)
        self._writer = writer
        self._log_every = log_every
        self.clock = clock
        self._send = send
        self._measured: dict[str, float] = {}
        self._logging = Beside("the event file of TensorBoard")
        self._judging = Beside("the record of bad signs")

    def on_step_end(self, step: int, logs: dict[str, Any]) -> None:
        """Write a line if one is due, and begin new means."""
        self._measured = {name: float(v) for name, v in logs.items() if name not in LOSSES}
        if self._measured or due(step, self._log_every, _DENSE_LINES):
            self._write(step)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Write the rest."""
        if any(np.asarray(mean.count) for mean in self.model.means.values()):
            self._write(steps_made(self.model))
        self._write_findings()

    def _write(self, step: int) -> None:
        bring_up_to_date(self.model)
        row = {name: float(mean.result()) for name, mean in self.model.means.items()}
        row |= self._measured
        speed = self.clock.take_speed()
        if speed is not None:
            row["steps_per_s"] = speed
        with self._run.history.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **row}) + "\n")
        if self._writer is not None:
            with self._logging:
                self._writer.scalars(step, row)
        self._send(step, row)
        self._measured = {}
        self.model.reset_means()
        for finding in self._watch.add({"step": step, **row}):
            print(flush=True)  # the progress bar leaves its line open
            warnings.warn(finding.message, WaveganWarning, stacklevel=2)
            self._write_findings()

    def _write_findings(self) -> None:
        with self._judging:
            write_findings(self._run.health, self._watch.findings.values())


class Real(NamedTuple):
    """What generated segments are shown and measured beside.

    Attributes:
        title: Where the segments come from.
        segments: Shape (count, samples).
        independent: How many of them do not overlap.
    """

    title: str
    segments: np.ndarray
    independent: int


class Previews(StepCallback):
    """Log what the average generator makes of some latents, as audio and as a spectrogram.

    Args:
        hear: Gives the segments of latents.
        writer: Of TensorBoard's events.
        save_every: Steps between previews; more in long runs, see `due`.
        latents: Shape (count, latent_dim), the same at every step.
        real: Drawn above the generated segments.
        sample_rate: In Hz.
        cutoff_hz: Marked in the picture; None: no mark.
    """

    def __init__(
        self,
        hear: Callable[[np.ndarray], np.ndarray],
        writer: Events,
        save_every: int,
        *,
        latents: np.ndarray,
        real: Real,
        sample_rate: int,
        cutoff_hz: float | None,
    ) -> None:
        super().__init__()
        self._hear = hear
        self._writer = writer
        self._save_every = save_every
        self._latents = latents
        self._real = real
        self._sample_rate = sample_rate
        self._cutoff_hz = cutoff_hz
        self._logged = 0
        self._drawing = Beside("the preview")

    def on_step_end(self, step: int, logs: dict[str, Any]) -> None:  # noqa: ARG002
        """Log a preview if one is due."""
        if due(step, self._save_every, _DENSE_PREVIEWS):
            self._log(step)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Log what training ended with."""
        if self._logged < steps_made(self.model):
            self._log(steps_made(self.model))

    def _log(self, step: int) -> None:
        self._logged = step
        with self._drawing:
            from wavegan_rc.figures.drawing import figure_pixels, spectrogram_figure

            segments = self._hear(self._latents)
            self._writer.audio(step, "generated", segments.ravel(), self._sample_rate)
            figure = spectrogram_figure(
                {self._real.title: self._real.segments, f"generated, step {step}": segments},
                self._sample_rate,
                self._cutoff_hz,
            )
            self._writer.image(step, "spectrogram", figure_pixels(figure))


class StopOnSignal(StepCallback, EndSignals):
    """Turn the first signal that asks for an end into an orderly end after the current step.

    Used as a context manager around `fit` and what follows: files are written to their end. Hosts
    that train together all end after the same step, whichever of them was told to.
    """

    def __init__(self) -> None:
        StepCallback.__init__(self)
        EndSignals.__init__(self, "ending in good order (Ctrl-C once more: at once)")

    def on_step_end(self, step: int, logs: dict[str, Any]) -> None:  # noqa: ARG002
        """End training if a signal came, here or to another host."""
        told = logs.pop(STOP_TOLD, None)
        if told is not None and float(told) and self.received is None:
            self.received = signal.SIGTERM
        if self.received is not None and (told is None or float(told)):
            self.model.stop_training = True
