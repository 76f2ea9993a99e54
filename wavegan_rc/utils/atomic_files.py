"""Files that appear whole or not at all, even if the program or the machine stops."""

import errno
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wavegan_rc.errors import DataError

_PARTIAL = ".partial-"
# Errors of file systems that cannot flush a file, or a folder.
_NO_FSYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write a file under a temporary name, with its suffix, then flush it and rename it.

    An existing file is replaced atomically.

    Source:
        POSIX rename() is atomic, and after fsync() of the file and of its folder survives a loss
        of power.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with whole_file(Path(folder) / "a.txt") as partial:
        ...         _ = partial.write_text("all of it")
        ...     (Path(folder) / "a.txt").read_text()
        'all of it'
    """
    partial = path.with_name(_PARTIAL + path.name)
    try:
        yield partial
        flush(partial)
        os.replace(partial, path)
        flush(path.parent)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """Write a file or a folder in a temporary folder, then rename it.

    Several processes may write the same path at once; an existing file or empty folder is replaced
    atomically. Nothing is flushed to the disk: a loss of power may lose data.
    """
    with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=path.parent) as folder:
        partial = Path(folder) / path.name
        yield partial
        os.replace(partial, path)


@contextmanager
def whole_files(folder: Path) -> Iterator[Path]:
    """Write files into a temporary folder, then flush each and move it into an existing folder."""
    partial = folder.with_name(_PARTIAL + folder.name)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        files = sorted(partial.iterdir())
        for file in files:
            flush(file)
        for file in files:
            os.replace(file, folder / file.name)
        flush(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_whole(path: Path, text: str) -> None:
    r"""Write a text file in UTF-8, as `whole_file` does.

    Undecodable bytes of a path become escapes (`\udce9`), which JSON reads back.
    """
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


def json_ready(value: Any) -> Any:
    """Return mappings, named tuples and sequences as JSON values; NaN and infinities are null.

    Example:
        >>> json_ready({"level_db": float("-inf"), "lines_hz": (125.0, 250.0)})
        {'level_db': None, 'lines_hz': [125.0, 250.0]}
    """
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {key: json_ready(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole; NaN and infinities are errors."""
    write_whole(path, json.dumps(value, indent=1, allow_nan=False))


@contextmanager
def writing(what: str = "out") -> Iterator[None]:
    """Raise a DataError that names `what` if files cannot be written.

    Example:
        >>> with writing("run"):
        ...     _ = Path("/nowhere/file").write_text("")
        Traceback (most recent call last):
            ...
        wavegan_rc.errors.DataError: run cannot be written: [Errno 2] No such file or directory: \
'/nowhere/file'
    """
    try:
        yield
    except OSError as error:
        raise DataError(f"{what} cannot be written: {error}") from None


def remove_partial_files(folder: Path) -> None:
    """Remove the temporary files of a killed program from a folder and its subfolders."""
    for partial in list(folder.rglob(f"{_PARTIAL}*")):
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk, if the file system can."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FSYNC:
            raise
    finally:
        os.close(descriptor)
