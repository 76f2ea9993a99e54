"""Begin a run or resume one: the folder, its number, and the record of each session."""

import contextlib
import os
import platform
import re
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import wavegan_rc
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError
from wavegan_rc.runs.checkpoints import Checkpoint, cut_logs, remove_later
from wavegan_rc.runs.history import logged_steps
from wavegan_rc.runs.run import JOINED_FILE, Run
from wavegan_rc.utils.atomic_files import remove_partial_files, whole_path, writing

_PACKAGES = ("tensorflow", "jax", "keras", "numpy", "scipy", "librosa", "soundfile")
# Files by which the folder of a run, or of generated sounds, is known.
_MARKS = {Run("").config.name, JOINED_FILE}


def check_writable(parent: Path, name: str | None = None) -> None:
    """Raise a DataError if `parent` cannot be made or written, or holds a run of this name."""
    if name is not None:
        _check_is_new(parent / name)
    nearest = parent.absolute()
    with writing():  # no permission, too long a name
        while not nearest.exists():
            nearest = nearest.parent
    if not nearest.is_dir():
        raise DataError(f"out cannot be written: {nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise DataError(f"out cannot be written: no permission for {nearest}")


def create_run(
    config: Config,
    session: dict[str, Any],
    *,
    name: str | None = None,
    data_fingerprint: str,
) -> Run:
    """Make the folder of a new run, with its settings and its record, whole or not at all.

    It lies in the folder `config.out`. Without a name, it has the next number and the upsampler.
    """
    parent = Path(config.out).expanduser()
    record = {"data_fingerprint": data_fingerprint, "resumed": [], "rollbacks": []}
    with writing():
        parent.mkdir(parents=True, exist_ok=True)
        if name is None:
            path = numbered_folder(parent, config.upsampler_name)
        else:
            path = parent / name
            _check_is_new(path)
        try:
            with whole_path(path) as partial:
                run = Run(partial)
                for folder in (run.path, *run.folders()):
                    folder.mkdir()
                run.write_config(config)
                run.write_record(session | record)
        except BaseException:
            if name is None:
                path.rmdir()
            raise
    return Run(path)


def record_resumption(
    run: Run, config: Config, checkpoint: Checkpoint, session: dict[str, Any]
) -> None:
    """Record a resumption with settings, and remove what was logged after its checkpoint."""
    for folder in run.folders():  # copies may lack empty ones
        folder.mkdir(exist_ok=True)
    remove_partial_files(run.path)
    remove_later(run.checkpoints, checkpoint.step)
    if not is_finished(run, config, checkpoint):
        cut_logs(run.path, checkpoint, run.logs())
    record = run.read_record()
    record["resumed"].append({"from_step": checkpoint.step} | session)
    run.write_record(record)
    run.write_config(config)


def is_finished(run: Run, config: Config, checkpoint: Checkpoint) -> bool:
    """Return whether a run has made all its steps and logged the last one."""
    return checkpoint.step >= config.steps and checkpoint.step in logged_steps(run.history)


def record_rollback(run: Run, *, step: int, tensor: str, to_step: int) -> None:
    """Record a rollback from the first non-finite value, of a tensor, to a checkpoint's step."""
    record = run.read_record()
    record["rollbacks"].append({"step": step, "first_nonfinite": tensor, "to_step": to_step})
    run.write_record(record)


def describe_session(device: str, command_line: Sequence[str]) -> dict[str, Any]:
    """Return what makes a session of training what it is, besides its settings."""
    import keras  # here, since some commands need run folders but no Keras

    versions = {"wavegan_rc": wavegan_rc.__version__}
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command_line": [*command_line],
        "device": device,
        "backend": keras.backend.backend(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions,
    }


def numbered_folder(parent: Path, name: str) -> Path:
    """Make `NNN-<name>`, numbered one above the highest there; no two runs get one number.

    Only runs, generated sounds and empty folders, which become one of them, are counted.
    """
    number = max((n for entry, n in _numbered(parent) if _is_counted(entry)), default=0)
    while True:
        number += 1
        # The number is reserved whatever the name, since making a folder is atomic.
        reservation = parent / f".{number:03d}-reserved"
        with contextlib.suppress(FileExistsError):  # another run is taking it
            reservation.mkdir()
            try:
                if [n for _, n in _numbered(parent)].count(number) == 1:  # the reservation itself
                    folder = parent / f"{number:03d}-{name}"
                    folder.mkdir()
                    return folder
            finally:
                reservation.rmdir()


def _check_is_new(folder: Path) -> None:
    if os.path.lexists(folder):
        raise DataError(f"{folder} exists: a run is never overwritten")


def _numbered(parent: Path) -> list[tuple[Path, int]]:
    matches = [(entry, re.match(r"\.?(\d+)-", entry.name)) for entry in parent.iterdir()]
    return [(entry, int(match[1])) for entry, match in matches if match]


def _is_counted(entry: Path) -> bool:
    # An empty folder is one that another process made or reserved, and may be gone by now.
    names = {path.name for path in entry.glob("*")}
    return entry.is_dir() and (not names or bool(names & _MARKS))
