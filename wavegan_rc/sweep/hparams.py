"""What a grid gives a cell, for TensorBoard's page of hyperparameters."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.hparams.summary_v2 import hparams_pb  # its api loads TensorFlow
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from wavegan_rc.sweep.grid import word

_SUFFIX = ".hparams"


def write_hparams(tensorboard: Path, name: str, settings: Mapping[str, Any]) -> None:
    """Log some settings beside the scalars of a finished run.

    TensorBoard finds losses and artifacts there by itself: what a run logged last are the metrics
    of its cell.

    Args:
        tensorboard: Folder of the run's event files.
        name: Of the cell; seeds of one setting stay apart, each being a trial.
        settings: That the grid gives it.
    """
    for earlier in tensorboard.glob(f"events.*{_SUFFIX}"):
        earlier.unlink()
    values = {
        key: value if isinstance(value, bool | int | float | str) else word(value)
        for key, value in settings.items()
    }
    writer = EventFileWriter(str(tensorboard), filename_suffix=_SUFFIX)
    writer.add_event(Event(step=0, summary=hparams_pb(values, trial_id=name)))
    writer.close()
