"""Folders for unfinished work, which the next process resumes if this one is killed."""

import contextlib
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from wavegan_rc.errors import DataError, WaveganWarning
from wavegan_rc.utils.text import printable

_PREFIX = "preparing-"
# Time to resume killed work; after that its disk space is freed.
_KEPT_S = 7 * 24 * 3600


@contextlib.contextmanager
def work_folder(parent: Path, name: str, on_wait: Callable[[], None]) -> Iterator[Path]:
    """Open the folder for work on `name`, with the files that an earlier process left in it.

    One process has the folder at a time; the others wait. The operating system frees the lock when
    a process ends. Without locks, each process has a folder of its own.

    The folder is removed at the end, and after a `DataError`, which would come again. After any
    other error it stays if it holds a file. Folders that nobody has used for a week are removed.

    Args:
        parent: Existing folder.
        name: Name of the work.
        on_wait: Function called once if another process has the folder.

    Warns:
        WaveganWarning: If the file system cannot lock.
    """
    _remove_abandoned(parent, keep=_PREFIX + name)
    folder = parent / (_PREFIX + name)
    folder.mkdir(exist_ok=True)
    lock = _lock(folder)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            on_wait()
            lock.acquire()
    except OSError as error:
        with contextlib.suppress(OSError):
            folder.rmdir()
        message = f"{parent}: the file system cannot lock, so no other process is waited for"
        warnings.warn(printable(f"{message}: {error}"), WaveganWarning, stacklevel=4)
        folder = Path(tempfile.mkdtemp(prefix=folder.name + "-", dir=parent))
    keep = False
    try:
        folder.mkdir(exist_ok=True)
        yield folder
    except DataError:
        raise
    except BaseException:
        keep = lock.is_locked and any(path.is_file() for path in folder.rglob("*"))
        raise
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _lock(folder: Path) -> FileLock:
    """Return the lock of a work folder: a file beside it, which may be removed while locked."""
    return FileLock(folder.with_name(folder.name + ".lock"), fallback_to_soft=False)


def _remove_abandoned(parent: Path, keep: str) -> None:
    for folder in parent.glob(_PREFIX + "*"):
        # Another process may remove the folder first, or hold its lock.
        with contextlib.suppress(OSError):
            age_s = time.time() - folder.stat().st_mtime
            if folder.is_dir() and folder.name != keep and age_s > _KEPT_S:
                with _lock(folder).acquire(timeout=0) as lock:
                    shutil.rmtree(folder, ignore_errors=True)
                    Path(lock.lock_file).unlink()
