"""Redirect the standard error of the whole process, so that C libraries write there too."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def standard_error_to(descriptor: int) -> Iterator[None]:
    """Redirect the standard error of the whole process to another file descriptor."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):  # its reader may be gone
            sys.stderr.flush()
    saved = os.dup(2)
    try:
        os.dup2(descriptor, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


@contextlib.contextmanager
def without_standard_error() -> Iterator[None]:
    """Discard the standard error, if the process has one."""
    try:
        os.fstat(2)
    except OSError:
        yield
        return
    with open(os.devnull, "wb") as nowhere, standard_error_to(nowhere.fileno()):
        yield
