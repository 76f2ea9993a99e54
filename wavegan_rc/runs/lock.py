"""One process trains in a run folder at a time."""

import json
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from wavegan_rc.errors import DataError, WaveganWarning
from wavegan_rc.runs.run import Run
from wavegan_rc.utils.text import printable


@contextmanager
def run_lock(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a run folder; the operating system frees the lock when the process ends.

    Raises:
        DataError: If another process holds it and `wait` is false.

    Warns:
        WaveganWarning: If the file system has no locks; then no process is kept out.
    """
    file = Run(folder).lock
    lock = FileLock(file, fallback_to_soft=False)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        raise DataError(f"{folder} is being trained, by {_owner(file)}") from None
    except OSError as error:
        message = f"{folder} cannot be locked: train in it from one process only: {error}"
        warnings.warn(printable(message), WaveganWarning, stacklevel=3)
    try:
        file.write_text(json.dumps({"process": os.getpid(), "host": socket.gethostname()}))
        yield
    finally:
        lock.release()


def _owner(file: Path) -> str:
    try:
        owner = json.loads(file.read_text(encoding="utf-8"))
        return f"process {owner['process']} on {owner['host']}"
    except (OSError, ValueError, KeyError, TypeError):  # not written yet
        return "another process"
