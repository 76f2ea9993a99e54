"""Processes that prepare audio side by side.

They are programs of their own, `python -m wavegan_rc.audio.workers`, and no forks: this process may
have TensorFlow's threads running. Nor do they load the program that started this one, as those of
`multiprocessing` do: it may import TensorFlow, which takes seconds and 500 MB in each.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self

# What a task is done by: called with the task, and with what tells of its progress.
Work = Callable[[Any, Callable[[str], None]], None]

_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_ENDED = "a worker process ended before its work (no memory?)"


class Workers:
    """Worker processes, started when first needed and ended with the `with` block.

    If this process is killed, a worker ends when it next tells of its progress.

    Args:
        count: Of processes; 1: tasks are done in this one.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._processes: dict[Connection, subprocess.Popen] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for connection, process in self._processes.items():
            if error is not None:
                process.kill()
            connection.close()  # an idle worker ends
            process.wait()

    def run(
        self,
        work: Work,
        tasks: Iterable[Any],
        on_progress: Callable[[str], None],
        on_done: Callable[[Any], None],
    ) -> None:
        """Do all tasks; they are begun in order.

        Args:
            work: A function of a module; what it raises is raised here.
            tasks: That can be pickled.
            on_progress: Called here with what `work` tells.
            on_done: Called here with each task that is done.

        Raises:
            OSError: If a worker was killed.
        """
        if self._count == 1:
            for task in tasks:
                work(task, on_progress)
                on_done(task)
            return
        left = iter(tasks)
        busy: dict[Connection, Any] = {}

        def give(connection: Connection) -> None:
            with contextlib.suppress(StopIteration):
                task = next(left)
                try:
                    connection.send((work, task))
                except (BrokenPipeError, ConnectionResetError):
                    raise OSError(_ENDED) from None
                busy[connection] = task

        while len(self._processes) < self._count:
            self._start()
        for connection in self._processes:
            give(connection)
        while busy:
            for connection in wait(list(busy)):
                assert isinstance(connection, Connection)
                try:
                    kind, told = connection.recv()
                except (EOFError, ConnectionResetError):
                    raise OSError(_ENDED) from None
                if kind == "progress":
                    on_progress(told)
                elif kind == "error":
                    raise told
                else:
                    on_done(busy.pop(connection))
                    give(connection)

    def _start(self) -> None:
        ours, theirs = Pipe()
        with theirs:
            paths = [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH", "")]
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "wavegan_rc.audio.workers", str(theirs.fileno())],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
                pass_fds=[theirs.fileno()],
                process_group=0,  # Ctrl-C is for this process, which then ends them
            )
        self._processes[ours] = process


def _serve(connection: Connection) -> None:
    """Do what comes until the other end is closed."""
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            work, task = connection.recv()
            try:
                work(task, lambda told: connection.send(("progress", told)))
            except (BrokenPipeError, ConnectionResetError):
                raise
            except Exception as error:
                connection.send(("error", error))
            else:
                connection.send(("done", None))


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])))
