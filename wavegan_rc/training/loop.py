"""The training loop: the updates, their callbacks, and rollbacks where training diverges."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from wavegan_rc.audio.segments import Segments
from wavegan_rc.config import Config
from wavegan_rc.errors import DivergenceError
from wavegan_rc.runs.checkpoints import MOST_ROLLBACKS
from wavegan_rc.runs.run import Run
from wavegan_rc.training.batches import batches
from wavegan_rc.training.callbacks.artifacts import ArtifactHistory, measures_artifacts
from wavegan_rc.training.callbacks.base import StepCallback, steps_made
from wavegan_rc.training.callbacks.checkpoints import Checkpoints, StopOnSignal
from wavegan_rc.training.callbacks.history import History, StepClock
from wavegan_rc.training.callbacks.previews import Previews, Reference, Synthesizer
from wavegan_rc.training.callbacks.progress import OnProgress, Progress
from wavegan_rc.training.callbacks.tensorboard import EventFile
from wavegan_rc.training.callbacks.trackers import Trackers
from wavegan_rc.training.devices import Devices
from wavegan_rc.training.divergence import StopAtNonFinite, roll_back
from wavegan_rc.training.health import Watch, mean_norm
from wavegan_rc.training.model import build_model, load_checkpoint, start_draws
from wavegan_rc.training.wgan_gp import WGANGP
from wavegan_rc.utils.interruptions import OptionalWork


@dataclass(frozen=True)
class Session:
    """A session of a run: the first, or one that resumes it.

    Attributes:
        segments: Segments to train on.
        reference: Real segments that generated ones are compared with.
        description: Device, command line and versions, recorded in the run folder.
    """

    config: Config
    devices: Devices
    segments: Segments
    reference: Reference
    description: dict[str, Any]
    on_progress: OnProgress


@dataclass(frozen=True)
class Loop:
    """The training of a session's model, from its present state to the last step."""

    session: Session
    run: Run
    stop: StopOnSignal
    trackers: Trackers

    def train(self, model: WGANGP) -> WGANGP:
        """Train a model, and return it, or a new one after a rollback.

        If training diverges, it is rolled back to the last checkpoint as often as settings allow.
        """
        while True:
            try:
                self._fit(model)
            except DivergenceError as error:
                rollbacks = model.rollbacks + 1
                if self.session.config.on_nonfinite == "stop" or rollbacks > MOST_ROLLBACKS:
                    raise
                checkpoint = roll_back(self.run, error, rollbacks)
                taps = None if model.emphasis is None else np.asarray(model.emphasis.taps)
                with self.session.devices.building():
                    model = build_model(self.session.config, taps)
                if checkpoint is None:
                    start_draws(model, rollbacks)
                else:
                    load_checkpoint(model, checkpoint)
            else:
                return model

    def _fit(self, model: WGANGP) -> None:
        config = self.session.config
        first_step = steps_made(model)
        with contextlib.ExitStack() as stack:
            before, after = self._callbacks(model, stack)
            if first_step:
                self._repeat_after_checkpoint(model, after, first_step)
            if first_step == config.steps:
                return

            def data() -> Iterator[tuple[np.ndarray]]:
                rows = self.session.devices.hosts.rows(config.batch_size)
                return batches(self.session.segments, config, first_step + 1, model.rollbacks, rows)

            model.fit(
                stack.enter_context(self.session.devices.feeding(data, self.stop)),
                steps_per_epoch=config.steps - first_step,
                shuffle=False,
                verbose=0,  # pyright: ignore[reportArgumentType] -- Keras annotates it as str
                callbacks=[*before, *after],
            )

    def _callbacks(
        self, model: WGANGP, stack: contextlib.ExitStack
    ) -> tuple[list[StepCallback], list[StepCallback]]:
        """Return the callbacks up to the checkpoint, and those after it.

        A state is saved before what may fail; a training that continues from it repeats the others.
        """
        config, run, reference = self.session.config, self.run, self.session.reference
        events = None
        with OptionalWork("the event file of TensorBoard"):
            events = stack.enter_context(EventFile(run.tensorboard))
        stack.enter_context(self.session.devices.fitting())
        synthesizer = Synthesizer(model)
        clock = StepClock()
        history = History(
            run,
            events,
            config.log_every,
            clock=clock,
            watch=Watch(mean_norm(reference.segments), config.loss),
            send=self.trackers.log,
        )
        before = [
            clock,  # first, so that only the update is timed
            # Before all that read or save values: they never see a non-finite step.
            StopAtNonFinite(run, self.session.segments, config),
            Progress(self.session.on_progress, config.steps, self.stop),
            self.stop,
            Checkpoints(run, config.save_every, config.steps),
        ]
        after: list[StepCallback] = [history]
        if measures_artifacts(config):
            # The history's line holds the measured values.
            after.insert(0, ArtifactHistory(synthesizer, config, reference.segments))
        if events is not None:
            after.append(Previews(synthesizer, events, run, config, reference))
        return before, after

    def _repeat_after_checkpoint(self, model: WGANGP, after: list[StepCallback], step: int) -> None:
        """Run the callbacks of a step that come after its checkpoint."""
        logs: dict[str, Any] = {}
        for callback in after:
            callback.set_model(model)
            callback.on_step_end(step, logs)
        if step == self.session.config.steps:
            for callback in after:
                callback.on_train_end()
