"""The folder of a run: its file names, and what it says about the run."""

import dataclasses
import json
import os
import stat
from pathlib import Path
from typing import Any

import yaml

from wavegan_rc.config import Config
from wavegan_rc.config.yaml_file import read_settings
from wavegan_rc.errors import DataError, WaveganError
from wavegan_rc.runs.checkpoints import description_of, steps
from wavegan_rc.utils.atomic_files import write_json, write_whole
from wavegan_rc.utils.text import did_you_mean, one_line, printable

# Files among a run's samples, and in folders of generated audio.
LATENTS_FILE, JOINED_FILE = "latents.npz", "joined.wav"
JOINED_FILES = (JOINED_FILE, "real-joined.wav")


class Run:
    """The folder of a run, and the paths of what is in it.

    Args:
        path: Path of the folder, `NNN-<upsampler>` or a given name.

    Attributes:
        path: Path of the folder. The other paths in it are attributes too.
        stopped_by: Number of the signal that ended `train` early. None otherwise.

    Example:
        >>> Run("runs/001-resize").generator.as_posix()
        'runs/001-resize/generator.keras'
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path = Path(path)
        self.config = path / "config.yaml"  # settings, in the form that `--config` reads
        self.environment = path / "environment.json"  # sessions, rollbacks and recordings
        self.history = path / "history.jsonl"  # losses and measurements by step
        self.generator = path / "generator.keras"
        self.summary = path / "summary.json"  # numbers that a finished run prints
        self.health = path / "health.json"  # findings of the health checks
        self.trackers = path / "trackers.json"  # names of the run in Weights & Biases and MLflow
        self.lock = path / ".lock"  # locked by the training process
        self.checkpoints = path / "checkpoints"
        self.samples = path / "samples"  # WAVs and their latents
        self.joined, self.real_joined = (self.samples / name for name in JOINED_FILES)
        self.figures = path / "figures"
        self.tensorboard = path / "tensorboard"
        self.diverged = path / "diverged"  # batches that gave non-finite values
        self.measurement = path / "measurement"  # what the report measured
        self.stopped_by: int | None = None

    def __repr__(self) -> str:
        """Return the folder, the upsampler and the steps, which a notebook shows."""
        try:
            config = self.read_config()
        except Exception:  # damaged, or not to be read: it is shown all the same
            about = "its settings cannot be read"
        else:
            about = "no settings"
            if config is not None:
                steps_made = f"{self.last_step()} of {config.steps} steps"
                about = f"{config.upsampler_name}, {steps_made}"
        return f"Run({str(self.path)!r}: {about})"

    def folders(self) -> tuple[Path, ...]:
        """Return the folders that every run has."""
        return self.checkpoints, self.tensorboard, self.samples, self.figures

    def logs(self) -> list[Path]:
        """Return the files to which training only appends: history and event files."""
        every = (self.history, *sorted(self.tensorboard.glob("events.*")))
        return [file for file in every if file.exists()]

    def has_begun(self) -> bool:
        """Return whether the run holds a checkpoint or a generator."""
        return bool(steps(self.checkpoints)) or self.generator.exists()

    def last_step(self) -> int:
        """Return the step of the last checkpoint, or 0 without one."""
        return max(steps(self.checkpoints), default=0)

    def generator_step(self) -> int:
        """Return the last checkpoint's step, or 0 if the generator is not of this checkpoint."""
        step = self.last_step()
        if not step or not self.generator.is_file():
            return 0
        # Ctrl-C saves a checkpoint, then the generator; a training that was killed, or still runs,
        # has a checkpoint that is newer than its generator.
        checkpoint = description_of(self.checkpoints, step)
        return step * (self.generator.stat().st_mtime_ns >= checkpoint.stat().st_mtime_ns)

    def without_generator(self) -> str:
        """Return a sentence on a run that has no generator of its last checkpoint."""
        step = self.last_step()
        if not step:
            return f"{self.path}: the run is unfinished and has no checkpoint: train it again"
        return (
            f"{self.path}: the run was killed, or still trains, and has no generator of its last "
            f"checkpoint: `wavegan-rc train --resume {self.path} --steps {step}` writes one"
        )

    def read_config(self) -> Config | None:
        """Read the settings of the run; None if the folder holds none.

        Raises:
            DataError: If the file is damaged, or of an earlier version.
        """
        if not self.config.is_file():
            return None
        try:
            settings = read_settings(self.config)
            config = Config(**settings)
        except (WaveganError, TypeError) as error:
            raise DataError(
                f"{self.config}: not the settings of a run: {one_line(error)}"
            ) from None
        missing = [f.name for f in dataclasses.fields(Config) if f.name not in settings]
        if missing:
            raise DataError(
                f"{self.path} was made by an earlier version of wavegan_rc ({self.config.name} "
                f"lacks {missing[0]}): train it again"
            )
        return config

    def write_config(self, config: Config) -> None:
        """Write the settings of the run."""
        write_whole(self.config, config_as_yaml(config))

    def read_record(self) -> dict[str, Any]:
        """Read the record of the run's sessions, rollbacks and recordings.

        Raises:
            DataError: If the file is missing or damaged.
        """
        try:
            record = json.loads(self.environment.read_text(encoding="utf-8"))
            if not isinstance(record["data_fingerprint"], str):
                raise TypeError
            for name in ("resumed", "rollbacks"):
                record[name] = [*record.get(name, [])]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise DataError(f"{self.environment}: not the record of a run") from None
        return record

    def write_record(self, record: dict[str, Any]) -> None:
        """Write the record of the run's sessions, rollbacks and recordings."""
        write_json(self.environment, record)

    def check_same_data(self, fingerprint: str) -> None:
        """Raise a DataError if the run began with recordings of another fingerprint."""
        if self.read_record()["data_fingerprint"] != fingerprint:
            raise DataError(
                f"{self.path}: its recordings have changed since it began, or data names others: "
                "start a new run"
            )

    def check_own_files(self) -> None:
        """Raise a DataError if the folder has links or pipes; training writes to its files."""
        try:
            inner = [folder for folder in (*self.folders(), self.diverged) if folder.is_dir()]
            # The run's folder comes first, so that nothing is read through a link in it.
            for folder in (self.path, *inner):
                for path in folder.iterdir():
                    mode = path.lstat().st_mode
                    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                        raise DataError(
                            f"{printable(str(path))}: a run that contains links or special files "
                            "cannot be resumed"
                        )
        except OSError as error:
            raise DataError(f"{self.path}: cannot be searched: {one_line(error)}") from None


def holds_generated(folder: Path) -> bool:
    """Return whether a folder is that of a run or of generated audio, as far as it may be read."""
    run = Run(folder)
    is_run = os.path.isfile(run.config) and os.path.isfile(run.environment)
    return is_run or os.path.isfile(folder / LATENTS_FILE)


def similar_name(path: Path) -> str:
    """Return a question if a folder beside a path has a similar name; otherwise nothing."""
    try:
        names = [printable(entry.name) for entry in path.parent.iterdir() if entry.is_dir()]
    except OSError:
        return ""
    return did_you_mean(path.name, names)


def config_as_yaml(config: Config) -> str:
    """Return settings as YAML that `--config` reads.

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
