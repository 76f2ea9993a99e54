"""The process that trains one cell of a sweep: `python -m wavegan_rc.cli.cell JSON NAME`.

Sweeps start it, with a pipe as its standard input.
"""

import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from wavegan_rc.cli.process import run_command
from wavegan_rc.cli.train import train_and_tell
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError
from wavegan_rc.runs.lock import run_lock
from wavegan_rc.runs.run import Run
from wavegan_rc.sweep.grid import SweepCell, log_hparams


def command_of_cell(cell: SweepCell) -> list[str]:
    """Return the command line of the process that begins or resumes a cell's run."""
    text = json.dumps({"config": asdict(cell.config), "grid": dict(cell.settings)})
    return [sys.executable, "-m", "wavegan_rc.cli.cell", text, cell.name]


def cell_command(program: str, argv: Sequence[str]) -> int:
    """Begin or resume a cell's run."""
    text, name = argv
    settings = json.loads(text)
    config = Config(**settings["config"])
    run = Run(Path(config.out) / name)
    resume = None
    if run.path.is_dir():
        # A killed sweep leaves cells that still save: wait for this one to end.
        with run_lock(run.path, wait=True):
            pass
        if run.has_begun():
            resume, begun = run.path, run.read_config()
            config = config if begun is None else config.resumed(begun)
        else:
            _remove_unbegun(run, config)
    from wavegan_rc.utils.interruptions import OptionalWork

    command_line = [program, *config.as_flags(), f"--name={name}"]
    code = train_and_tell(config, resume=resume, name=name, command_line=command_line)
    if code:
        return code
    with OptionalWork("the event file of the cell's settings"):
        log_hparams(run.tensorboard, settings["grid"])
    return 0


def _remove_unbegun(run: Run, config: Config) -> None:
    """Remove what a killed process left of this cell's run before its first checkpoint."""
    begun = Run(run.path).read_config()
    if begun is not None:
        config.resumed(replace(begun, out=config.out))
    elif not all(path.is_dir() or path.name == run.lock.name for path in run.path.rglob("*")):
        raise DataError(f"{run.path} exists and is not a run: it is left as it is")
    shutil.rmtree(run.path)


def end_with(pipe: int) -> None:
    """Send this process SIGTERM, so that it saves, once the other end of a pipe is closed."""

    def watch() -> None:
        with suppress(OSError):
            while os.read(pipe, 1):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    end_with(sys.stdin.fileno())
    run_command(cell_command, "train", sys.argv[1:])
