"""Processes that cannot outlive their time: commands, and workers that answer questions."""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

# A killed process that the system does not let go is left behind.
_KILLED_S = 5.0


class NoAnswerError(Exception):
    """A worker was silent for too long or ended."""


def run_until(command: Sequence[str], end: float, *, grace_s: float, log: Path) -> str:
    """Run a command in a process group of its own, and return how it ended: `done`, or why not.

    It is asked to end by SIGTERM `grace_s` seconds before the end (of `time.monotonic`), and then
    killed. Its output is appended to the log.
    """
    started = time.monotonic()
    if end - grace_s <= started:
        return "no time left"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        code = None
        try:
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(end - grace_s - started)
        finally:  # an error of this process leaves none behind either
            if process.poll() is None:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(grace_s)
            _kill(process)
    seconds = time.monotonic() - started
    if code is None:
        word = "killed" if process.returncode == -signal.SIGKILL else "stopped"
        return f"{word} after {seconds:.0f} s"
    if code:
        lines = log.read_text(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        return f"failed with code {code}: {last.strip()[:200]}"
    return "done"


class Worker:
    """A process that answers a question by a line of JSON; it starts with the first question.

    Its standard error is appended to the log.
    """

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command, self._log = command, log
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, question: Mapping[str, Any], limit_s: float) -> Any:
        """Return the answer.

        Raises:
            NoAnswerError: If the process ends, or is silent for `limit_s` and killed. The next
                question starts another one.
        """
        if self._process is None:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                )
        assert self._process.stdin is not None
        try:
            with suppress(BrokenPipeError):
                self._process.stdin.write(json.dumps(question).encode() + b"\n")
                self._process.stdin.flush()
            return json.loads(self._line(limit_s))
        except BaseException:
            self.close()
            raise

    def _line(self, limit_s: float) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor, end, line = self._process.stdout.fileno(), time.monotonic() + limit_s, b""
        while not line.endswith(b"\n"):
            left = max(0.0, end - time.monotonic())
            if not select.select([descriptor], [], [], left)[0]:
                raise NoAnswerError(f"no answer within {limit_s:.0f} s")
            part = os.read(descriptor, 65536)
            if not part:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(_KILLED_S)
                raise NoAnswerError(f"ended with code {self._process.returncode}")
            line += part
        return line

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            _kill(self._process)
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                with suppress(BrokenPipeError):
                    pipe.close()
            self._process = None


def _kill(process: subprocess.Popen) -> None:
    """Kill a process and those that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_KILLED_S)
