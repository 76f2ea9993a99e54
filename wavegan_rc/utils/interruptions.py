"""Interruptions of a program: end signals, closed terminals, failures of optional work."""

import _thread
import contextlib
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

from wavegan_rc.errors import WaveganWarning
from wavegan_rc.utils.text import one_line

_logger = logging.getLogger(__name__)

# Ctrl-C, SIGTERM, SIGHUP (the connection drops), SIGXCPU (a limit of CPU time), and the signals by
# which schedulers announce the end of a job: SIGUSR1 (Grid Engine; SLURM with --signal) and SIGUSR2
# (LSF, Grid Engine).
END_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGXCPU,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
# Written instead of the number of a signal.
_NO_MORE = b"\0"


class EndSignals:
    """A context that notes the first of `END_SIGNALS`; Ctrl-C after it raises KeyboardInterrupt.

    Python handles signals between two instructions of the main thread. Compiling a network is one
    instruction for a minute, so a thread answers the first signal, and ends the process if the main
    thread does not handle a second Ctrl-C within a second.

    Other signals are not counted: shells and `timeout` send one signal twice. A signal that is
    ignored from the start, as under `nohup`, stays ignored. At the first signal the message is
    logged and `then` is called, in the signal's handler.

    Attributes:
        received: Number of the first signal; None before it.
    """

    def __init__(self, message: str, then: Callable[[], None] = lambda: None) -> None:
        self.received: int | None = None
        self._message = message
        self._then = then
        self._previous: dict[int, Any] = {}
        self._interrupted = threading.Event()

    def __enter__(self) -> Self:
        # Only the main thread may set handlers.
        if threading.current_thread() is threading.main_thread():
            reading, self._writing = os.pipe()
            os.set_blocking(self._writing, False)
            self._wakeup = signal.set_wakeup_fd(self._writing)
            self._thread = threading.Thread(target=self._answer, args=[reading], daemon=True)
            self._thread.start()
            for number in END_SIGNALS:
                # None: a handler that was not set from Python, and cannot be set again.
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *error: object) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.set_wakeup_fd(self._wakeup)
            os.write(self._writing, _NO_MORE)  # closing ends nothing while a forked process lives
            os.close(self._writing)
            self._thread.join()
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.received is not None:
            return
        self.received = number
        if signal.SIGINT in self._previous:
            signal.signal(signal.SIGINT, self._on_ctrl_c)
        self._then()

    def _on_ctrl_c(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._interrupted.set()
        raise KeyboardInterrupt

    def _answer(self, pipe: int) -> None:
        """Answer signals, whose numbers Python writes to a pipe at once."""
        answered = ended = False
        with open(pipe, "rb", buffering=0) as signals:
            while not ended:
                numbers = signals.read(64)
                # A signal just before the end comes with it in one piece.
                ended = numbers.endswith(_NO_MORE)
                if not answered and set(numbers) & set(END_SIGNALS):
                    answered = True
                    # The terminal may be gone.
                    with suppress(OSError, RuntimeError):
                        _logger.warning("\n%s", self._message)
                    # Shells and `timeout` send a signal twice: what came until now counts as one.
                    os.set_blocking(pipe, False)
                    ended = ended or (signals.read(64) or b"").endswith(_NO_MORE)
                    os.set_blocking(pipe, True)
                elif signal.SIGINT in numbers and not (ended or self._interrupted.wait(0.1)):
                    # Signals of one instruction count as one: Ctrl-C is sent until it is handled.
                    for _ in range(10):
                        _thread.interrupt_main()
                        if self._interrupted.wait(0.1):
                            break
                    else:
                        os._exit(128 + signal.SIGINT)


class OptionalWork:
    """A block of code whose first failure is one warning about the work; later ones are silent.

    Example:
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     warnings.simplefilter("always")
        ...     preview = OptionalWork("the preview")
        ...     for _ in range(2):
        ...         with preview:
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


class _UnbrokenStream:
    """A text stream that drops what it cannot write: to a closed terminal or a full disk."""

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
            pass  # drop this text alone
        except (OSError, ValueError):  # a closed stream raises ValueError
            # Buffered text would fail again when the process ends.
            with suppress(OSError, ValueError):
                own = self._stream.fileno()
                with open(os.devnull, "wb") as nowhere:
                    os.dup2(nowhere.fileno(), own)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def unbroken_streams() -> Iterator[None]:
    """Ignore failures to print: the terminal may close, or `tee` may end."""
    with (
        contextlib.redirect_stdout(_UnbrokenStream(sys.stdout)),  # pyright: ignore[reportArgumentType]
        contextlib.redirect_stderr(_UnbrokenStream(sys.stderr)),  # pyright: ignore[reportArgumentType]
    ):
        yield
