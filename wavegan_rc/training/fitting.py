"""The updates of a training, what happens beside them, and going back where they diverge."""

from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np

from wavegan_rc.audio.segments import Segments
from wavegan_rc.config import Config
from wavegan_rc.errors import DivergenceError
from wavegan_rc.generation import draw_latents
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
from wavegan_rc.training.run_directory import RunDirectory
from wavegan_rc.training.state import Checkpoints, load_checkpoint
from wavegan_rc.training.steps import steps_made
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
    run: RunDirectory
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
        with events(self.run.tensorboard) as writer:
            history = self._history(writer)
            first_step = steps_made(model)
            if first_step == config.steps:
                # It was saved at its last step, before the rest of its history was written.
                history.set_model(model)
                history.on_train_end()
                return

            def data() -> Iterator[tuple[np.ndarray]]:
                rows = self.devices.hosts.rows(config.batch_size)
                return batches(self.segments, config, first_step + 1, model.rollbacks, rows)

            with self.devices.fitting(), self.devices.feeding(data, self.stop) as fed:
                model.fit(
                    fed,
                    steps_per_epoch=config.steps - first_step,
                    shuffle=False,
                    verbose=0,  # pyright: ignore[reportArgumentType] -- Keras annotates it as str
                    callbacks=self._callbacks(Hearing(model), history, writer),
                )

    def _history(self, writer: Events | None) -> History:
        return History(
            self.run,
            writer,
            self.config.log_every,
            self.config.steps,
            clock=StepClock(),
            real_norm=mean_norm(self.real.segments),
            send=self.trackers.log,
        )

    def _callbacks(
        self, hear: Hearing, history: History, writer: Events | None
    ) -> list[keras.callbacks.Callback]:
        """What happens beside the updates, in this order."""
        config = self.config
        return [
            history.clock,
            StopAtNonFinite(self.run, self.segments, config),
            self.stop,
            Progress(config.steps),
            Checkpoints(self.run, config.save_every),
            *artifact_histories(hear, config, self.real.segments),
            history,
            *([] if writer is None else [self._previews(hear, writer)]),
        ]

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
