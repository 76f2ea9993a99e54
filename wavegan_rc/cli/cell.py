"""The process that trains one cell of a sweep: `python -m wavegan_rc.cli.cell JSON NAME`.

No command of the program: sweeps start it, with a pipe as its standard input.
"""

import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from wavegan_rc.cli.process import EXIT_BY_SIGNAL, quiet_start, run_command
from wavegan_rc.cli.settings import as_flags
from wavegan_rc.config import Config
from wavegan_rc.runs.lock import run_lock
from wavegan_rc.runs.run import Run
from wavegan_rc.sweep.grid import Cell, log_hparams


def command_of_cell(cell: Cell) -> list[str]:
    """The command line of the process that begins a cell's run, or goes on with it."""
    text = json.dumps({"config": asdict(cell.config), "grid": dict(cell.settings)})
    return [sys.executable, "-m", "wavegan_rc.cli.cell", text, cell.name]


def cell_command(program: str, argv: Sequence[str]) -> int:
    """Begin a cell's run, or go on with it."""
    text, name = argv
    settings = json.loads(text)
    config = Config(**settings["config"])
    run = Run(Path(config.out) / name)
    with quiet_start():
        from wavegan_rc.training.interruptions import OptionalWork
        from wavegan_rc.training.train import train
    if run.path.is_dir():
        # The sweep before this one may have been killed just now: its cells save, and end.
        with run_lock(run.path, wait=True):
            pass
        if not run.has_begun():
            shutil.rmtree(run.path)
    resume = run.path if run.path.is_dir() else None
    begun = None if resume is None else Run(resume).read_config()
    if begun is not None:
        config = config.going_on(begun)
    command_line = [program, *as_flags(config), f"--name={name}"]
    _, received = train(config, command_line, resume=resume, name=name)
    if received is not None:
        return EXIT_BY_SIGNAL + received
    with OptionalWork("the event file of the cell's settings"):
        log_hparams(run.tensorboard, settings["grid"])
    return 0


def end_with(pipe: int) -> None:
    """Have this process end in good order once the other end of a pipe is closed."""

    def watch() -> None:
        with suppress(OSError):
            while os.read(pipe, 1):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    end_with(sys.stdin.fileno())
    run_command(cell_command, "train.py", sys.argv[1:])
