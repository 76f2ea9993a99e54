"""TensorBoard's event files, written without TensorFlow."""

import io
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from wavegan_rc.audio.files import write_wav


class EventWriter:
    """Write scalars, audio and pictures where TensorBoard finds them.

    An event is in the file once its method has returned: nothing waits in a thread or a buffer. If
    the file cannot be written, the method raises an error, and the file is closed: later events are
    dropped, since after a part of an event none could be read.

    Args:
        folder: Existing; a new event file is begun in it.

    Raises:
        OSError: As all methods, if the file cannot be written.

    Source:
        TensorFlow, "TFRecord and tf.train.Example", TFRecords format details; `event.proto` and
        `summary.proto` of TensorBoard.
    """

    def __init__(self, folder: Path) -> None:
        name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
        self._file = (folder / name).open("xb")
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Write numbers by name."""
        self._summary(step, [Summary.Value(tag=tag, simple_value=v) for tag, v in values.items()])

    def audio(self, step: int, tag: str, samples: np.ndarray, sample_rate: int) -> None:
        """Write samples of shape (samples,) in [-1, 1] as a sound."""
        encoded = io.BytesIO()
        write_wav(encoded, samples, sample_rate)
        sound = Summary.Audio(
            sample_rate=sample_rate,
            num_channels=1,
            length_frames=len(samples),
            encoded_audio_string=encoded.getvalue(),
            content_type="audio/wav",
        )
        self._summary(step, [Summary.Value(tag=tag, audio=sound)])

    def image(self, step: int, tag: str, pixels: np.ndarray) -> None:
        """Write a picture of shape (height, width, channels), uint8."""
        encoded = io.BytesIO()
        Image.fromarray(pixels).save(encoded, "png")
        height, width, channels = pixels.shape
        picture = Summary.Image(
            height=height,
            width=width,
            colorspace=channels,
            encoded_image_string=encoded.getvalue(),
        )
        self._summary(step, [Summary.Value(tag=tag, image=picture)])

    def _summary(self, step: int, values: list[Any]) -> None:
        summary = Summary(value=values)
        self._write(Event(wall_time=time.time(), step=step, summary=summary))

    def _write(self, event: Event) -> None:
        if self._file.closed:
            return
        record = io.BytesIO()
        RecordWriter(record).write(event.SerializeToString())
        end = self._file.tell()
        try:
            self._file.write(record.getvalue())
            self._file.flush()
        except OSError:
            with suppress(OSError):
                self._file.close()
            with suppress(OSError):
                os.truncate(self._file.name, end)
            raise
