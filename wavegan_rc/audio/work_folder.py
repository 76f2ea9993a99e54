"""Folders to prepare something in, which the next process takes over if this one is killed."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from wavegan_rc.errors import DataError

_PREFIX = "preparing-"
_LOCK = "lock"
# Time enough to start a killed preparation again; then its room on the disk is given back.
_KEPT_S = 7 * 24 * 3600


@contextlib.contextmanager
def work_folder(parent: Path, name: str, on_wait: Callable[[], None]) -> Iterator[Path]:
    """The folder in `parent` for preparing `name`, with what an earlier process left in it.

    A file in it stays locked meanwhile, and whoever asks for the same folder waits. The system lets
    go of the lock when the process ends, by whatever end, but not while it sleeps. On a file system
    without locks, every process has a folder of its own.

    At the end, and after a `DataError`, which would come again, the folder is removed with what was
    not moved out of it. After any other error it stays, to go on from, if there is anything in it.

    Args:
        parent: An existing folder.
        name: What is prepared.
        on_wait: Called once if another process has the folder.

    Raises:
        OSError: If `parent` cannot be written.
    """
    folder, lock = _locked(parent, name, on_wait)
    keep = False
    try:
        yield folder
    except DataError:
        raise
    except BaseException:
        keep = lock is not None and any(p.is_file() and p.name != _LOCK for p in folder.rglob("*"))
        raise
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _locked(parent: Path, name: str, on_wait: Callable[[], None]) -> tuple[Path, int | None]:
    folder = parent / (_PREFIX + name)
    while True:
        folder.mkdir(exist_ok=True)
        try:
            lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR)
        except FileNotFoundError:  # removed meanwhile
            continue
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(lock, fcntl.LOCK_EX)
            # The one who had it may have removed it, and a new one may be there.
            if os.path.samestat(os.fstat(lock), os.stat(folder / _LOCK)):
                return folder, lock
        except FileNotFoundError:
            pass
        except OSError:
            os.close(lock)
            shutil.rmtree(folder, ignore_errors=True)
            return Path(tempfile.mkdtemp(prefix=folder.name + "-", dir=parent)), None
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)


def remove_abandoned(parent: Path, keep: str) -> None:
    """Remove the work folders that killed processes left a week ago.

    Args:
        parent: May be missing; what cannot be removed stays.
        keep: What is about to be prepared; its folder stays.
    """
    for folder in parent.glob(_PREFIX + "*"):
        with contextlib.suppress(OSError):  # gone meanwhile, or somebody holds the lock
            if folder.name == _PREFIX + keep or time.time() - folder.stat().st_mtime < _KEPT_S:
                continue
            lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
