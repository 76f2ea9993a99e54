"""One process trains in a run folder at a time."""

import json
import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wavegan_rc.errors import DataError, WaveganWarning, printable

try:
    import fcntl
except ImportError:  # Windows has no such locks: there nobody is kept out
    fcntl = None

_LOCK_FILE = ".lock"


@contextmanager
def run_lock(run: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a run folder.

    The operating system gives the lock back when its process ends, however it ends: what is left in
    the file is only a name.

    Args:
        run: Folder that exists.
        wait: For another process to let go of it.

    Raises:
        DataError: If another process holds it, and it is not waited for.

    Warns:
        WaveganWarning: If the file system has no locks; then nobody is kept out.
    """
    with (run / _LOCK_FILE).open("a+", encoding="utf-8") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise DataError(f"{run} is being trained, by {_owner(run)}") from None
            except OSError as error:  # a file system without locks
                message = f"{run} cannot be locked: train in it from one process only: {error}"
                warnings.warn(printable(message), WaveganWarning, stacklevel=3)
        file.truncate(0)
        file.write(json.dumps({"process": os.getpid(), "host": socket.gethostname()}))
        file.flush()
        yield


def _owner(run: Path) -> str:
    try:
        owner = json.loads((run / _LOCK_FILE).read_text(encoding="utf-8"))
        return f"process {owner['process']} on {owner['host']}"
    except (OSError, ValueError, KeyError, TypeError):  # it is just writing its name
        return "another process"
