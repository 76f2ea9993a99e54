"""Signals by which terminals, shells and schedulers ask a program to end."""

import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

# Beside Ctrl-C and SIGTERM: SIGHUP comes when a connection drops, SIGXCPU at a limit of CPU time.
# Schedulers warn of the end of a job by SIGUSR1 (Grid Engine; SLURM, as asked by --signal) or
# SIGUSR2 (LSF, Grid Engine).
END_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGXCPU,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


class EndSignals:
    """A context that notes the first of `END_SIGNALS`; Ctrl-C after it ends at once.

    Other signals are not counted: shells and `timeout` send one signal twice. A signal that is
    ignored from the start, as `nohup` has it, stays so.

    Args:
        message: Line for the user.
        then: Called at the first signal, in the signal's handler.

    Attributes:
        received: Number of the signal; None before.
    """

    def __init__(self, message: str, then: Callable[[], None] = lambda: None) -> None:
        self.received: int | None = None
        self._message = message
        self._then = then
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        # Only the main thread may set handlers.
        if threading.current_thread() is threading.main_thread():
            for number in END_SIGNALS:
                # None: a handler that was not set from Python, and cannot be set again.
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.received is not None:
            return
        self.received = number
        if signal.SIGINT in self._previous:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        # The terminal may be gone, or the signal have come in the middle of another line.
        with suppress(OSError, RuntimeError):
            print(f"\n{self._message}", file=sys.stderr)
        self._then()
