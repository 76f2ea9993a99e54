"""Previews of the average generator during training: audio and spectrograms in TensorBoard."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from wavegan_rc.config import Config
from wavegan_rc.generator.generation import draw_latents, synthesize
from wavegan_rc.nn.backend import single_device, sync_variables
from wavegan_rc.runs.run import Run
from wavegan_rc.training.callbacks.base import StepCallback, due, steps_made
from wavegan_rc.training.wgan_gp import WGANGP
from wavegan_rc.utils.interruptions import OptionalWork

if TYPE_CHECKING:
    from wavegan_rc.training.callbacks.tensorboard import EventFile

# Segments of a spectrogram and of a joined WAV file.
SHOWN_SEGMENTS = 64
# Previews before they become rarer; each takes half a megabyte.
_DENSE_PREVIEWS = 100


@dataclass(frozen=True)
class Reference:
    """Real segments that generated ones are compared with.

    Attributes:
        title: Origin of the segments, in words.
        segments: float32 array of shape (count, samples).
        independent: Number of segments that do not overlap.
    """

    title: str
    segments: np.ndarray
    independent: int


class Synthesizer:
    """The average generator of a model in training, run by this process on one device."""

    def __init__(self, model: WGANGP) -> None:
        self._model = model
        with single_device():
            self._generator = keras.models.clone_model(model.average_generator)

    def __call__(self, latents: np.ndarray) -> np.ndarray:
        """Return segments of shape (count, samples) from latents of shape (count, latent_dim)."""
        sync_variables(self._model)
        with single_device():
            self._generator.set_weights(self._model.average_generator.get_weights())
            return synthesize(self._generator, latents)


class Previews(StepCallback):
    """Log generated segments as audio, beside real ones, and as a spectrogram below theirs.

    A preview is due with each checkpoint, but see `due` for long runs.
    """

    def __init__(
        self,
        synthesize: Callable[[np.ndarray], np.ndarray],
        events: "EventFile",
        run: Run,
        config: Config,
        reference: Reference,
    ) -> None:
        super().__init__()
        self._synthesize = synthesize
        self._events = events
        self._run = run
        self._config = config
        self._latents = draw_latents(SHOWN_SEGMENTS, config.latent_dim, config.seed)
        self._reference = reference
        self._logged = 0
        self._drawing = OptionalWork("the preview")

    def on_step_end(self, step: int, logs: dict[str, Any]) -> None:  # noqa: ARG002
        """Log a preview if one is due."""
        if due(step, self._config.save_every, _DENSE_PREVIEWS):
            self._log(step)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Log a preview of the last step."""
        if self._logged < steps_made(self.model):
            self._log(steps_made(self.model))

    def _log(self, step: int) -> None:
        with self._drawing:
            from wavegan_rc.figures.drawing import figure_pixels, run_title, spectrogram_figure

            segments = self._synthesize(self._latents)
            rate = self._config.sample_rate
            if not self._logged:
                real = self._reference.segments[:SHOWN_SEGMENTS]
                self._events.audio(step, "audio/real", real.ravel(), rate)
            self._events.audio(step, "audio/generated", segments.ravel(), rate)
            rows = {
                self._reference.title: self._reference.segments[:SHOWN_SEGMENTS],
                f"generated: {run_title(self._run, self._config, step)}": segments,
            }
            figure = spectrogram_figure(rows, rate, self._config.cutoff_hz)
            self._events.image(step, "spectrogram", figure_pixels(figure))
        self._logged = step
