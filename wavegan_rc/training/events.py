"""TensorBoard's event files, where what writes them is installed."""

import contextlib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np

from wavegan_rc.training.beside import Beside


class Events(Protocol):
    """What a training logs; see `EventWriter`."""

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Write numbers by name."""

    def audio(self, step: int, tag: str, samples: np.ndarray, sample_rate: int) -> None:
        """Write samples of shape (samples,) in [-1, 1] as a sound."""

    def image(self, step: int, tag: str, pixels: np.ndarray) -> None:
        """Write a picture of shape (height, width, channels), uint8."""


def events(folder: Path) -> AbstractContextManager[Events | None]:
    """A new event file.

    Args:
        folder: Existing; the file is begun in it.

    Returns:
        Its writer. None if the file cannot be written.

    Warns:
        WaveganWarning: If there is no writer.
    """
    from wavegan_rc.training.event_writer import EventWriter

    with Beside("the event file of TensorBoard"):
        return EventWriter(folder)
    return contextlib.nullcontext()
