"""Folders for what can be made again: the user's cache, or a temporary one."""

import contextlib
import functools
import logging
import os
import stat
import tempfile
from pathlib import Path

import platformdirs

from wavegan_rc.errors import DataError

_logger = logging.getLogger(__name__)


def cache_path(*parts: str) -> Path:
    """Return a path in the user's cache folder, or in a temporary one if nothing can be made there.

    What is in the user's cache is used although it may be read-only, and the folder that
    XDG_CACHE_HOME names is never replaced. Nothing is made at the path.

    Raises:
        DataError: If no temporary folder can be written either.
    """
    with contextlib.suppress(RuntimeError):  # there is no home folder
        path = platformdirs.user_cache_path("wavegan_rc").joinpath(*parts)
        is_named = os.environ.get("XDG_CACHE_HOME")
        if is_named or os.path.exists(path) or takes_files(path.parent):
            return path
    path = Path(temporary_cache(), *parts)
    if not path.exists():
        _logger.info(
            "the cache folder in the home folder cannot be written, so %s is used "
            "(set XDG_CACHE_HOME to use another)",
            path.parent,
        )
    return path


def takes_files(folder: Path) -> bool:
    """Return whether a file can be made in a folder, which is made if it is missing."""
    if not folder.is_absolute():  # `~` of a user without a home folder
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


@functools.cache
def temporary_cache() -> str:
    """Return a folder that later processes of this user find again.

    What a library reads there must not come from another user. If another user may write it, a new
    folder for this process is made.

    Raises:
        DataError: If no temporary folder can be written.
    """
    try:
        folder = os.path.join(tempfile.gettempdir(), f"wavegan_rc-cache-{os.getuid()}")
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        found = os.lstat(folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            folder = tempfile.mkdtemp(prefix="wavegan_rc-cache-")
    except OSError as error:
        raise DataError(
            "XDG_CACHE_HOME and XDG_CONFIG_HOME must name folders that can be written, since the "
            f"home folder and temporary ones cannot: {error}"
        ) from None
    return folder
