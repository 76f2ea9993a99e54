"""TensorBoard's event files: scalars, audio, images and hyperparameters."""

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

import numpy as np
from tensorboardX import RecordWriter, summary
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.summary import Summary


class EventFile(AbstractContextManager):
    """A new event file.

    An event is in the file once its method has returned. `tensorboardX.SummaryWriter` cannot
    promise this: a thread writes its queue, and a full disk ends the thread, after which the
    training would wait for room in the queue forever. After a failed write, the file is cut to its
    last whole event, because readers stop at a broken one, and later events are dropped.

    Raises:
        OSError: If the file cannot be written; all methods raise it.
    """

    def __init__(self, folder: Path, suffix: str = "") -> None:
        name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}{suffix}"
        self._path = folder / name
        self._records = RecordWriter(str(self._path))
        self._failed = False
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):  # the events are in the file already
            self._records.close()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write numbers by name."""
        event = Event(wall_time=time.time(), step=step, summary=Summary())
        for name, value in values.items():
            event.summary.MergeFrom(summary.scalar(name, value))
        self._write(event)

    def audio(self, step: int, tag: str, samples: np.ndarray, sample_rate: int) -> None:
        """Write samples of shape (samples,), clipped to [-1, 1]."""
        self._summary(step, summary.audio(tag, samples.clip(-1, 1), sample_rate))

    def image(self, step: int, tag: str, pixels: np.ndarray) -> None:
        """Write uint8 pixels of shape (height, width, channels)."""
        self._summary(step, summary.image(tag, pixels, dataformats="HWC"))

    def hparams(self, values: Mapping[str, bool | int | float | str]) -> None:
        """Write hyperparameters; the last scalars of the folder are their metrics."""
        # An experiment summary without metrics would hide the scalars.
        _, session_start, _ = summary.hparams(dict(values), {})
        self._summary(0, session_start)

    def _summary(self, step: int, content: Summary) -> None:
        self._write(Event(wall_time=time.time(), step=step, summary=content))

    def _write(self, event: Event) -> None:
        if self._failed:
            return
        size = 0
        try:
            size = self._path.stat().st_size
            self._records.write(event.SerializeToString())
            # Not its own flush(), which waits for the disk and fails on file systems without fsync.
            self._records._writer.flush()
        except OSError:
            self._failed = True
            with contextlib.suppress(OSError):
                self._records.close()
            with contextlib.suppress(OSError):
                os.truncate(self._path, size)
            raise
