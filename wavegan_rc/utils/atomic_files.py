"""Files that appear whole or not at all, whenever the program or the machine stops."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PARTIAL = ".partial-"
# What file systems answer that cannot flush a file, or a folder.
_NO_FSYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write to a name beside a file's own; at the end it is on the disk and takes its place.

    Args:
        path: Of the file; one that exists is replaced in one step.

    Yields:
        Name to write to; it has the same suffix.

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
def whole_file_of_many(path: Path) -> Iterator[Path]:
    """As `whole_file`, where several processes may write the same at once: each has its own name.

    It is not flushed to the disk: a killed process loses nothing that it has written, but a loss of
    power may. Who needs to know looks at the file's length.

    Args:
        path: Of the file; one that exists is replaced in one step.

    Yields:
        Name to write to, the same in another folder.
    """
    with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=path.parent) as folder:
        partial = Path(folder) / path.name
        yield partial
        os.replace(partial, path)


@contextmanager
def whole_files(folder: Path) -> Iterator[Path]:
    """Write files into a folder beside; at the end each of them moves to where it belongs.

    Args:
        folder: That they belong in; others there stay.

    Yields:
        Folder to write to.
    """
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
    r"""Write a text file, in UTF-8, as `whole_file` does.

    A path may have bytes that are no text; they become escapes (`\udce9`), which JSON reads back.
    """
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


def remove_partial_files(folder: Path) -> None:
    """Remove what a killed program left, in a folder and those in it."""
    for partial in list(folder.rglob(f"{_PARTIAL}*")):
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Have a file, or the entries of a folder, written to the disk, where its file system can."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FSYNC:
            raise
    finally:
        os.close(descriptor)
