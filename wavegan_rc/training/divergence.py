"""Divergence: detect non-finite values, save them for inspection, and roll back."""

import logging
from typing import Any

import keras
import numpy as np

from wavegan_rc.audio.segments import Segments
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, DivergenceError
from wavegan_rc.nn.backend import single_device, sync_variables
from wavegan_rc.runs.begin import record_rollback
from wavegan_rc.runs.checkpoints import (
    MOST_ROLLBACKS,
    Checkpoint,
    cut_logs,
    mark_rollback,
    newest_checkpoint,
    remove_later,
)
from wavegan_rc.runs.run import Run
from wavegan_rc.training.batches import batch, batch_sources
from wavegan_rc.training.callbacks.base import StepCallback
from wavegan_rc.training.updates import CRITIC_LATENTS, FIRST_NONFINITE, GENERATOR_LATENTS
from wavegan_rc.training.wgan_gp import WGANGP
from wavegan_rc.utils.atomic_files import whole_file, write_json
from wavegan_rc.utils.text import one_line, printable

_logger = logging.getLogger(__name__)


class StopAtNonFinite(StepCallback):
    """End training by a `DivergenceError` at the first step that computes a non-finite value.

    The run folder's `diverged/` keeps the batch and the latents of that step.
    """

    def __init__(self, run: Run, segments: Segments, config: Config) -> None:
        super().__init__()
        self._run = run
        self._segments = segments
        self._config = config

    def on_step_end(self, step: int, logs: dict[str, Any]) -> None:
        """Check the step, and remove the result of the check from the logs."""
        first = int(logs.pop(FIRST_NONFINITE))
        if first < 0:
            return
        sync_variables(self.model)
        tensor = self.model.checked[first]
        try:
            kept = f"its batch is in {self._keep(step, tensor)}"
        except Exception as error:  # no error may prevent a rollback
            kept = f"its batch could not be kept: {one_line(error)}"
        after = f" after {self.model.rollbacks} rollbacks" if self.model.rollbacks else ""
        raise DivergenceError(
            f"training diverged at step {step}{after}: not finite, or too large to be squared: "
            f"{tensor}; {kept}; a lower learning_rate may help",
            step=step,
            tensor=tensor,
        )

    def _keep(self, step: int, tensor: str) -> str:
        """Save the batch of a step; return the file's path for a message."""
        rollbacks = self.model.rollbacks
        name = f"step-{step:06d}" + (f"-rollback-{rollbacks}" if rollbacks else "")
        folder = self._run.diverged
        folder.mkdir(exist_ok=True)
        for_critic, for_generator = last_latents(self.model, self._config.batch_size)
        with whole_file(folder / f"{name}.npz") as partial:
            np.savez(
                partial,
                real=batch(self._segments, self._config, step, rollbacks),
                critic_latents=for_critic,
                generator_latents=for_generator,
            )
        sources = batch_sources(self._segments, self._config, step, rollbacks)
        description = {
            "step": step,
            "rollbacks": rollbacks,
            "first_nonfinite": tensor,
            "sources": [{"recording": name, "first_sample": start} for name, start in sources],
        }
        write_json(folder / f"{name}.json", description)
        return f"{printable(str(folder))}/{name}.npz"


def last_latents(model: WGANGP, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the latents of a model's last step again, without effect on the next.

    Those of the critic updates have the shape (critic_steps, batch, latent_dim), those of the
    generator update (batch, latent_dim).
    """
    now = np.asarray(model.seed_generator.state)

    def again(name: str, count: int) -> np.ndarray:
        draws_ago = len(model.drawn) - model.drawn.index(name)
        with single_device():
            seed = keras.random.SeedGenerator(0)
            seed.state.assign(now - [0, draws_ago])
            return np.asarray(model.latents(count, seed))

    for_critic = again(CRITIC_LATENTS, model.critic_steps * batch_size)
    for_critic = for_critic.reshape(model.critic_steps, batch_size, -1)
    return for_critic, again(GENERATOR_LATENTS, batch_size)


def roll_back(run: Run, error: DivergenceError, rollbacks: int) -> Checkpoint | None:
    """Return a run folder to its newest checkpoint, record the rollback, and return the checkpoint.

    Without any, training starts again. `rollbacks` includes this one.
    """
    try:
        checkpoint = newest_checkpoint(run.checkpoints)
    except DataError:
        checkpoint = None
    if checkpoint is not None:
        # Record the rollback first, so that it survives a crash.
        checkpoint = mark_rollback(run.checkpoints, checkpoint, rollbacks)
        cut_logs(run.path, checkpoint, run.logs())
    else:
        for log in run.logs():
            log.unlink()
    to_step = 0 if checkpoint is None else checkpoint.step
    remove_later(run.checkpoints, to_step)
    record_rollback(run, step=error.step, tensor=error.tensor, to_step=to_step)
    _logger.info(
        "%s\nrollback %d of at most %d: resuming from step %d with other random draws",
        error,
        rollbacks,
        MOST_ROLLBACKS,
        to_step,
    )
    return checkpoint
