"""Work beside training: its failure is a warning, and training continues."""

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from wavegan_rc.errors import WaveganWarning
from wavegan_rc.utils.text import one_line


class Beside:
    """A block of code whose first failure is one warning; later failures are silent.

    Args:
        work: Name of the work, the subject of the warning.

    Warns:
        WaveganWarning: At the first failure.

    Example:
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     beside = Beside("the preview")
        ...     for _ in range(2):
        ...         with beside:
        ...             raise RuntimeError("no LaTeX")
        >>> [str(warning.message) for warning in caught]
        ['the preview failed; training continues without it: no LaTeX']
    """

    def __init__(self, work: str) -> None:
        self._work = work
        self._failed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        if not self._failed:
            self._failed = True
            message = f"{self._work} failed; training continues without it: {one_line(error)}"
            warnings.warn(message, WaveganWarning, stacklevel=2)
        return True


class _Unbroken:
    """A text stream that drops what it cannot write: to a closed terminal, a full disk."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with self._dropping():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._dropping():
            self._stream.flush()

    @contextlib.contextmanager
    def _dropping(self) -> Iterator[None]:
        try:
            yield
        except (UnicodeError, BlockingIOError):
            pass  # this text alone
        except (OSError, ValueError):  # a closed stream raises ValueError
            # What is buffered would fail again when the process ends.
            with suppress(OSError, ValueError):
                own = self._stream.fileno()
                with open(os.devnull, "wb") as nowhere:
                    os.dup2(nowhere.fileno(), own)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def unbroken_streams() -> Iterator[None]:
    """Have no failure to print end a training: the terminal may close, or `tee` end."""
    with (
        contextlib.redirect_stdout(_Unbroken(sys.stdout)),  # pyright: ignore[reportArgumentType]
        contextlib.redirect_stderr(_Unbroken(sys.stderr)),  # pyright: ignore[reportArgumentType]
    ):
        yield
