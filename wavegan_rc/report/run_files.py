"""Finished runs as a report reads them: settings, trainings, history."""

import dataclasses
import json
import math
import shlex
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wavegan_rc.config import Config
from wavegan_rc.errors import DataError
from wavegan_rc.runs.history import read_history
from wavegan_rc.runs.run import Run as RunFolder
from wavegan_rc.utils.text import printable

GENERATOR_FILE = "generator.keras"


@dataclass(frozen=True)
class Session:
    """One training session of a run: the first, or a resumption."""

    versions: Mapping[str, str]
    python: str
    platform: str
    device: str
    started: str


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        id: `r1`, `r2`, ... in report order.
        path: Run folder, as given.
        config: Settings.
        sessions: Training sessions, the first one first.
        data_fingerprint: Fingerprint of the recordings. None if it was not recorded.
        history: Rows of the history.
    """

    id: str
    path: Path
    config: Config
    sessions: Sequence[Session]
    data_fingerprint: str | None
    history: Sequence[Mapping[str, Any]]

    @property
    def name(self) -> str:
        """Name of the folder, as one line of text."""
        return printable(self.path.absolute().name)

    @property
    def path_text(self) -> str:
        """Path, as one line of text."""
        return printable(str(self.path))

    @property
    def in_words(self) -> str:
        """Id and name."""
        return f"{self.id} ({self.name})"

    @property
    def steps_per_s(self) -> float | None:
        """Median speed. None if no speed was recorded."""
        speeds = self._speeds()
        return statistics.median(speeds) if speeds else None

    @property
    def train_seconds(self) -> float | None:
        """Time of the updates alone: steps of each history row over its speed, or over the median.

        The row at which a training was resumed has no speed.
        """
        speeds = self._speeds()
        if not speeds or min(speeds) <= 0:
            return None
        seconds, before = 0.0, 0
        for row in self.history:
            speed = finite(row.get("steps_per_s")) or statistics.median(speeds)
            seconds += (row["step"] - before) / speed
            before = row["step"]
        return finite(seconds)

    def _speeds(self) -> list[float]:
        found = [finite(row.get("steps_per_s")) for row in self.history]
        return [speed for speed in found if speed is not None]

    def about(self) -> dict[str, Any]:
        """Return how the run was made, as JSON values."""
        config = self.config
        return {
            "id": self.id,
            "name": self.name,
            "path": self.path_text,
            "seed": config.seed,
            "settings": json.loads(json.dumps(dataclasses.asdict(config))),
            **dataclasses.asdict(self.sessions[0]),
            "resumed": len(self.sessions) - 1,
            "data_fingerprint": self.data_fingerprint,
            "command": command_to_repeat(config),
            "train_seconds": self.train_seconds,
            "steps": config.steps,
            "steps_per_s": self.steps_per_s,
            "sample_rate": config.sample_rate,
            "segment_length": config.segment_length,
            "cutoff_hz": config.cutoff_hz,
            "stopband_hz": config.stopband_hz,
        }


def read_run(path: Path, run_id: str) -> Run:
    """Read a run folder and check that its training is complete.

    Raises:
        DataError: If the folder holds no run, the run has steps left, or a file cannot be read.
    """
    if not path.is_dir():
        raise DataError(f"{path}: no such run folder")
    config = RunFolder(path).read_config()
    if config is None:
        raise DataError(f"{path}: not a run folder: it holds no config.yaml")
    history_file = path / "history.jsonl"
    history = read_history(history_file) if history_file.is_file() else []
    made = max((int(row["step"]) for row in history), default=0)
    finished = made >= config.steps and (path / "summary.json").is_file()
    if not finished or not (path / GENERATOR_FILE).is_file():
        raise DataError(
            f"{path}: a run must be finished, with a {GENERATOR_FILE}; `train --resume` continues "
            f"it. Received: step {made} of {config.steps}"
        )
    record = read_json(path / "environment.json")
    fingerprint, resumed = record.get("data_fingerprint"), record.get("resumed", [])
    try:
        sessions = [_session(each) for each in (record, *resumed)]
        if not isinstance(fingerprint, str | None):
            raise TypeError
    except (LookupError, TypeError, ValueError):
        raise DataError(f"{path / 'environment.json'}: not the record of a run") from None
    return Run(run_id, path, config, sessions, fingerprint, history)


def _session(record: Any) -> Session:
    fields = {field.name: record[field.name] for field in dataclasses.fields(Session)}
    fields["versions"] = dict(fields["versions"])
    texts = [fields[name] for name in fields if name != "versions"]
    if not all(isinstance(text, str) for text in (*texts, *fields["versions"].values())):
        raise TypeError
    return Session(**fields)


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object from a file that may hold anything.

    Raises:
        DataError: If the file cannot be read or holds something else.
    """
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{file}: cannot be read: {printable(str(error))}") from None
    if not isinstance(value, dict):
        raise DataError(f"{file}: must hold a JSON object")
    return value


def finite(value: Any) -> float | None:
    """Return a value as a finite number, or None for anything else.

    Example:
        >>> finite(1), finite(float("nan")), finite("1")
        (1.0, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number of 400 digits
        return None
    return number if math.isfinite(number) else None


def command_to_repeat(config: Config) -> str:
    """Return the command that trains with the same settings, except `out`.

    Example:
        >>> command_to_repeat(Config(seed=3, cutoff_hz=None))
        'python scripts/train.py --upsampler resize --cutoff-hz null --seed 3'
    """
    words = ["python", "scripts/train.py", "--upsampler", *config.upsampler]
    for field in dataclasses.fields(Config):
        value = getattr(config, field.name)
        if field.name in ("upsampler", "out") or value == field.default:
            continue
        flag = "--" + field.name.replace("_", "-")
        if isinstance(value, tuple):
            words += [flag, *map(str, value)]
        elif str(value).startswith("-"):
            words.append(f"{flag}={value}")
        else:
            words += [flag, argument_text(value)]
    return printable(shlex.join(words))


def argument_text(value: Any) -> str:
    """Return a setting's value as `train` takes it.

    Example:
        >>> argument_text((2, 2)), argument_text(None), argument_text(True), argument_text(0.5)
        ('2 2', 'null', 'true', '0.5')
    """
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)
