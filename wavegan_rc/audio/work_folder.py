"""Folders to prepare something in that do not outlive the process, even if it is killed."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "preparing-"
_LOCK = "lock"


@contextlib.contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """A new folder in `parent`, removed at the end with what was not moved out of it.

    A file in it stays locked meanwhile. The system lets go of the lock when the process ends, by
    whatever end, but not while it sleeps: so `remove_abandoned` knows what it may remove.

    Args:
        parent: An existing folder.

    Raises:
        OSError: If `parent` cannot be written.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        with contextlib.suppress(FileNotFoundError):  # it was taken for abandoned: once more
            lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR)
            with contextlib.suppress(OSError):  # a file system without locks: never abandoned
                fcntl.flock(lock, fcntl.LOCK_EX)
            if (folder / _LOCK).exists():
                break
            os.close(lock)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_abandoned(parent: Path) -> None:
    """Remove the work folders of processes that were killed.

    Args:
        parent: May be missing; what cannot be removed stays.
    """
    for folder in parent.glob(_PREFIX + "*"):
        with contextlib.suppress(OSError):
            folder.rmdir()  # killed before there was a lock: only an empty folder goes
        with contextlib.suppress(OSError):  # gone meanwhile, or somebody holds the lock
            lock = os.open(folder / _LOCK, os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
