"""The folder that a run leaves: its layout, its number, and what it records before step one."""

import dataclasses
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from wavegan_rc.config import Config
from wavegan_rc.errors import DataError
from wavegan_rc.runs.checkpoints import Checkpoint, cut_logs, remove_later
from wavegan_rc.runs.session import session
from wavegan_rc.runs.settings import run_record
from wavegan_rc.utils.atomic_files import remove_partial_files, write_whole


@dataclass(frozen=True)
class RunDirectory:
    """Where everything of a run lies.

    Attributes:
        path: `NNN-<upsampler>`, or of a name that was asked for.
    """

    path: Path

    @property
    def config(self) -> Path:
        """Settings, as `--config` takes them."""
        return self.path / "config.yaml"

    @property
    def environment(self) -> Path:
        """Versions, device, command lines."""
        return self.path / "environment.json"

    def folders(self) -> tuple[Path, ...]:
        """Those that every run has."""
        return self.checkpoints, self.tensorboard, self.samples, self.figures

    def logs(self) -> list[Path]:
        """Files that are only ever appended to."""
        return [*([self.history] if self.history.exists() else []), *self.event_files()]

    def event_files(self) -> list[Path]:
        """TensorBoard's, one of each time that the training went on."""
        return sorted(self.tensorboard.glob("events.*"))

    @property
    def history(self) -> Path:
        """Losses by step, one JSON object a line."""
        return self.path / "history.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Weights, optimizers, average and random states."""
        return self.path / "checkpoints"

    @property
    def health(self) -> Path:
        """Bad signs in the history."""
        return self.path / "health.json"

    @property
    def diverged(self) -> Path:
        """Batches at which training left the finite numbers; made when it does."""
        return self.path / "diverged"

    @property
    def tensorboard(self) -> Path:
        """Event files with losses, audio and spectrogram images."""
        return self.path / "tensorboard"

    @property
    def samples(self) -> Path:
        """WAVs and the latents that made them."""
        return self.path / "samples"

    @property
    def figures(self) -> Path:
        """Pictures."""
        return self.path / "figures"

    @property
    def summary(self) -> Path:
        """The numbers that the run prints at its end."""
        return self.path / "summary.json"


def check_writable(parent: Path, name: str | None = None) -> None:
    """See that runs can be kept in a folder, before any work is done; nothing is made yet.

    Args:
        parent: Folder.
        name: That a run in it shall have; None: the next number and the upsampler.

    Raises:
        DataError: If the folder, or the nearest one above it that exists, cannot be written, or
            it has a run of this name.
    """
    if name is not None:
        _check_is_new(parent / name)
    nearest = parent.absolute()
    try:
        while not nearest.exists():
            nearest = nearest.parent
    except OSError as error:  # no permission, too long a name
        raise DataError(f"out cannot be written: {error}") from None
    if not nearest.is_dir():
        raise DataError(f"out cannot be written: {nearest} is not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise DataError(f"out cannot be written: no permission for {nearest}")


def create_run_directory(
    config: Config,
    *,
    name: str | None = None,
    device: str,
    command_line: list[str],
    data_fingerprint: str,
) -> RunDirectory:
    """Make the next numbered folder, with the resolved settings, versions and device in it.

    Args:
        config: Settings; `out` is the parent folder.
        name: Of the folder, instead of the next number and the upsampler.
        device: In words.
        command_line: What was typed.
        data_fingerprint: Of the prepared recordings.

    Raises:
        DataError: If it cannot be written.
    """
    parent = Path(config.out).expanduser()
    try:
        parent.mkdir(parents=True, exist_ok=True)
        if name is None:
            run = RunDirectory(_next_folder(parent, config.upsampler_name))
        else:
            run = RunDirectory(parent / name)
            _check_is_new(run.path)
            run.path.mkdir()
    except OSError as error:
        raise DataError(f"out cannot be written: {error}") from None
    try:
        for folder in run.folders():
            folder.mkdir()
        write_whole(run.config, config_as_yaml(config))
        record = session(device, command_line) | {
            "data_fingerprint": data_fingerprint,
            "resumed": [],
            "rollbacks": [],
        }
        write_whole(run.environment, json.dumps(record, indent=1))
    except OSError as error:
        shutil.rmtree(run.path, ignore_errors=True)
        raise DataError(f"out cannot be written: {error}") from None
    return run


def is_finished(run: RunDirectory, config: Config, checkpoint: Checkpoint) -> bool:
    """Whether a run has made all its steps and written the last line of its history."""
    if checkpoint.step < config.steps or not run.history.is_file():
        return False
    last = f'{{"step": {checkpoint.step}, '
    return any(line.startswith(last) for line in run.history.read_text().splitlines())


def has_begun(run: RunDirectory) -> bool:
    """Whether a run holds anything worth keeping: a checkpoint, or a generator."""
    return any(run.checkpoints.glob("step-*.json")) or (run.path / "generator.keras").exists()


def record_resumption(
    run: RunDirectory,
    config: Config,
    checkpoint: Checkpoint,
    *,
    device: str,
    command_line: list[str],
) -> None:
    """Record that a training goes on, with which settings, and forget what came after a checkpoint.

    Args:
        run: To go on with.
        config: Settings from now on.
        checkpoint: To go on from.
        device: In words.
        command_line: What was typed.
    """
    for folder in run.folders():  # copies may lack empty ones
        folder.mkdir(exist_ok=True)
    remove_partial_files(run.path)
    remove_later(run.checkpoints, checkpoint.step)
    if not is_finished(run, config, checkpoint):
        cut_logs(run.path, checkpoint, run.logs())
    record = run_record(run.path)
    record["resumed"].append({"from_step": checkpoint.step} | session(device, command_line))
    write_whole(run.environment, json.dumps(record, indent=1))
    write_whole(run.config, config_as_yaml(config))


def record_rollback(run: RunDirectory, *, step: int, tensor: str, to_step: int) -> None:
    """Record that a training diverged and goes on from an earlier state.

    Args:
        run: Of the training.
        step: At which it diverged.
        tensor: The first that was not finite.
        to_step: From which it goes on.
    """
    record = run_record(run.path)
    record["rollbacks"].append({"step": step, "first_nonfinite": tensor, "to_step": to_step})
    write_whole(run.environment, json.dumps(record, indent=1))


def check_same_data(run: RunDirectory, fingerprint: str) -> None:
    """See that a run goes on with the recordings that it began with.

    Raises:
        DataError: If they have changed, or its record cannot be read.
    """
    if run_record(run.path)["data_fingerprint"] != fingerprint:
        raise DataError(
            f"{run.path}: its recordings have changed since it began, or --data names others: "
            "start a new run"
        )


def _next_folder(parent: Path, name: str) -> Path:
    """Make `NNN-<name>`, numbered one above the highest there; no two runs get one number."""
    while True:
        number = max(_numbers(parent), default=0) + 1
        # The number is reserved whatever the name: making a folder is one indivisible step.
        reservation = parent / f".{number:03d}-reserved"
        try:
            reservation.mkdir()
        except FileExistsError:  # another run is just taking it
            continue
        try:
            if _numbers(parent).count(number) == 1:  # the reservation itself
                folder = parent / f"{number:03d}-{name}"
                folder.mkdir()
                return folder
        finally:
            reservation.rmdir()


def _check_is_new(folder: Path) -> None:
    if os.path.lexists(folder):
        raise DataError(f"{folder} exists: a run is never overwritten")


def _numbers(parent: Path) -> list[int]:
    matches = [re.match(r"\.?(\d+)-", entry.name) for entry in parent.iterdir()]
    return [int(match[1]) for match in matches if match]


def config_as_yaml(config: Config) -> str:
    """The settings as YAML that `--config` takes.

    Example:
        >>> print(config_as_yaml(Config()).splitlines()[4])
        silence_db: -40.0
    """
    values = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in dataclasses.asdict(config).items()
    }
    first, *more = config.upsampler
    values["upsampler"] = [first, *more] if more else first
    return yaml.safe_dump(values, sort_keys=False, default_flow_style=None, allow_unicode=True)
