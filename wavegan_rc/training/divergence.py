"""When training leaves the finite numbers: it is noticed, kept for study, and gone back from."""

import json
from typing import Any

import numpy as np

from wavegan_rc.audio.segments import Segments
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, DivergenceError
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
from wavegan_rc.training.backend import bring_up_to_date
from wavegan_rc.training.batches import batch, batch_sources
from wavegan_rc.training.steps import StepCallback
from wavegan_rc.training.wgan_gp import FIRST_NONFINITE
from wavegan_rc.utils.atomic_files import whole_file, write_whole
from wavegan_rc.utils.text import printable


class StopAtNonFinite(StepCallback):
    """End training at the first step that computes something that is not finite.

    Listed before all callbacks that read the logs or save: none of them sees such a step. What is
    trained on in it is kept in the run folder's `diverged/`.

    Args:
        run: Folder of the run.
        segments: Of the training recordings.
        config: Settings.

    Raises:
        DivergenceError: At that step. Its message names the first tensor that is not finite.
    """

    def __init__(self, run: Run, segments: Segments, config: Config) -> None:
        super().__init__()
        self._run = run
        self._segments = segments
        self._config = config

    def on_step_end(self, step: int, logs: dict[str, Any]) -> None:
        """Look at the step that was made; take what was found out of the logs."""
        first = int(logs.pop(FIRST_NONFINITE))
        if first < 0:
            return
        bring_up_to_date(self.model)
        tensor = self.model.checked[first]
        print(flush=True)  # the progress bar leaves its line open
        try:
            kept = f"its batch is in {self._keep(step, tensor)}"
        except OSError as error:
            kept = f"its batch could not be kept: {error}"
        after = f" after {self.model.rollbacks} rollbacks" if self.model.rollbacks else ""
        raise DivergenceError(
            f"training diverged at step {step}{after}: not finite, or too large to be squared: "
            f"{tensor}; {kept}; a lower learning_rate may help",
            step=step,
            tensor=tensor,
        )

    def _keep(self, step: int, tensor: str) -> str:
        rollbacks = self.model.rollbacks
        name = f"step-{step:06d}" + (f"-rollback-{rollbacks}" if rollbacks else "")
        folder = self._run.diverged
        folder.mkdir(exist_ok=True)
        for_critic, for_generator = self.model.last_latents(self._config.batch_size)
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
        write_whole(folder / f"{name}.json", json.dumps(description, indent=1))
        return f"{printable(str(folder))}/{name}.npz"


def go_back(run: Run, error: DivergenceError, rollbacks: int) -> Checkpoint | None:
    """Bring a run's folder back to its last checkpoint, and write down that it was.

    Args:
        run: That diverged.
        error: How.
        rollbacks: With this one.

    Returns:
        The checkpoint to load, which goes on with random draws of its own; None: there is none
        yet, so that training begins again.
    """
    try:
        checkpoint = newest_checkpoint(run.checkpoints)
    except DataError:
        checkpoint = None
    if checkpoint is not None:
        # Before anything else: who is killed from here on and resumed knows of the rollback.
        checkpoint = mark_rollback(run.checkpoints, checkpoint, rollbacks)
        cut_logs(run.path, checkpoint, run.logs())
    else:
        for log in run.logs():
            log.unlink()
    to_step = 0 if checkpoint is None else checkpoint.step
    remove_later(run.checkpoints, to_step)
    record_rollback(run, step=error.step, tensor=error.tensor, to_step=to_step)
    print(
        f"{error}\nrollback {rollbacks} of at most {MOST_ROLLBACKS}: going on from step {to_step} "
        "with other random draws",
        flush=True,
    )
    return checkpoint
