"""The updates of a training, what happens beside them, and going back where they diverge."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from wavegan_rc.audio.segments import Segments
from wavegan_rc.config import Config
from wavegan_rc.errors import DivergenceError
from wavegan_rc.generator.generation import draw_latents
from wavegan_rc.runs.run import Run
from wavegan_rc.training.artifact_history import artifact_histories
from wavegan_rc.training.batches import batches
from wavegan_rc.training.callbacks import (
    History,
    Previews,
    Progress,
    Real,
    StepClock,
    StopOnSignal,
)
from wavegan_rc.training.devices import Devices
from wavegan_rc.training.divergence import MOST_ROLLBACKS, StopAtNonFinite, go_back
from wavegan_rc.training.events import Events, events
from wavegan_rc.training.health import mean_norm
from wavegan_rc.training.hearing import Hearing
from wavegan_rc.training.model import build_model
from wavegan_rc.training.results import SHOWN_SEGMENTS
from wavegan_rc.training.state import Checkpoints, load_checkpoint
from wavegan_rc.training.steps import StepCallback, steps_made
from wavegan_rc.training.trackers import Trackers
from wavegan_rc.training.wgan_gp import WGANGP


@dataclass(frozen=True)
class Fitting:
    """A training, from where its model is to its last step.

    Attributes:
        config: Settings.
        devices: That it runs on.
        segments: Of the training recordings.
        run: Its folder.
        real: What generated segments are shown and measured beside.
        stop: Says when to end early.
        trackers: Where else numbers are sent to.
    """

    config: Config
    devices: Devices
    segments: Segments
    run: Run
    real: Real
    stop: StopOnSignal
    trackers: Trackers

    def run_to_the_end(self, model: WGANGP) -> WGANGP:
        """Train a model; where that diverges, go back to the last checkpoint if settings say so.

        Returns:
            The trained model: another one, if training went back.

        Raises:
            DivergenceError: If it diverges, once more than it may go back.
            LostHostError: If another host ends.
        """
        while True:
            try:
                self._fit(model)
            except DivergenceError as error:
                rollbacks = model.rollbacks + 1
                if self.config.on_nonfinite == "stop" or rollbacks > MOST_ROLLBACKS:
                    raise
                checkpoint = go_back(self.run, error, rollbacks)
                taps = None if model.emphasis is None else np.asarray(model.emphasis.taps)
                with self.devices.building():
                    model = build_model(self.config, taps)
                if checkpoint is None:
                    model.draw_afresh(rollbacks)
                else:
                    load_checkpoint(model, checkpoint)
            else:
                return model

    def _fit(self, model: WGANGP) -> None:
        config = self.config
        with events(self.run.tensorboard) as writer, self.devices.fitting():
            clock = StepClock()
            after_step = self._after_step(Hearing(model), clock, writer)
            first_step = steps_made(model)
            if first_step:
                self._follow(model, after_step, first_step)
            if first_step == config.steps:
                return

            def data() -> Iterator[tuple[np.ndarray]]:
                rows = self.devices.hosts.rows(config.batch_size)
                return batches(self.segments, config, first_step + 1, model.rollbacks, rows)

            with self.devices.feeding(data, self.stop) as fed:
                model.fit(
                    fed,
                    steps_per_epoch=config.steps - first_step,
                    shuffle=False,
                    verbose=0,  # pyright: ignore[reportArgumentType] -- Keras annotates it as str
                    callbacks=[
                        clock,
                        StopAtNonFinite(self.run, self.segments, config),
                        self.stop,
                        Checkpoints(self.run, config.save_every, config.steps),
                        Progress(config.steps),
                        *after_step,
                    ],
                )

    def _follow(self, model: WGANGP, after_step: list[StepCallback], step: int) -> None:
        """Do what comes after a step that was saved before it."""
        if not any(np.asarray(mean.count) for mean in model.means.values()):
            return  # an earlier version saved the state after it
        logs: dict[str, Any] = {}
        for callback in after_step:
            callback.set_model(model)
            callback.on_step_end(step, logs)
        if step == self.config.steps:
            for callback in after_step:
                callback.on_train_end()

    def _after_step(
        self, hear: Hearing, clock: StepClock, writer: Events | None
    ) -> list[StepCallback]:
        """Return the callbacks that come after a checkpoint, in order."""
        history = History(
            self.run,
            writer,
            self.config.log_every,
            clock=clock,
            real_norm=mean_norm(self.real.segments),
            send=self.trackers.log,
        )
        previews = [] if writer is None else [self._previews(hear, writer)]
        return [*artifact_histories(hear, self.config, self.real.segments), history, *previews]

    def _previews(self, hear: Hearing, writer: Events) -> Previews:
        config = self.config
        return Previews(
            hear,
            writer,
            config.save_every,
            latents=draw_latents(SHOWN_SEGMENTS, config.latent_dim, config.seed),
            real=self.real._replace(segments=self.real.segments[:SHOWN_SEGMENTS]),
            sample_rate=config.sample_rate,
            cutoff_hz=config.cutoff_hz,
        )
