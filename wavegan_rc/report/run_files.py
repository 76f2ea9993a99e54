"""What a finished run's folder says about how it was made."""

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
# A record has 1 kB, a measurement of 64 lines 85 kB.
_LONGEST_FILE = 2**26


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        id: `r1`, `r2`, ... in the order given.
        path: As given.
        config: Its settings.
        sessions: Records of its trainings: the first, then each resumption.
        data_fingerprint: Of its recordings; None if an older version did not record it.
        history: Rows of its history.
    """

    id: str
    path: Path
    config: Config
    sessions: Sequence[Mapping[str, Any]]
    data_fingerprint: str | None
    history: Sequence[Mapping[str, Any]]

    @property
    def name(self) -> str:
        """Of the folder, as one line of text."""
        return printable(self.path.absolute().name)

    @property
    def in_words(self) -> str:
        """Id and name."""
        return f"{self.id} ({self.name})"

    def about(self) -> dict[str, Any]:
        """How it was made, as JSON values."""
        first = self.sessions[0]
        speeds = _values(self.history, "steps_per_s")
        return {
            "id": self.id,
            "name": self.name,
            "path": printable(str(self.path)),
            "seed": self.config.seed,
            "settings": json.loads(json.dumps(dataclasses.asdict(self.config))),
            "versions": first["versions"],
            "python": first["python"],
            "platform": first["platform"],
            "device": first["device"],
            "started": first["started"],
            "resumed": len(self.sessions) - 1,
            "data_fingerprint": self.data_fingerprint,
            "command": command_to_repeat(self.config),
            "train_seconds": _seconds_of_updates(self.history),
            "steps": self.config.steps,
            "steps_per_s": statistics.median(speeds) if speeds else None,
            "sample_rate": self.config.sample_rate,
            "segment_length": self.config.segment_length,
            "cutoff_hz": self.config.cutoff_hz,
            "stopband_hz": self.config.stopband_hz,
        }


def read_run(path: Path, run_id: str) -> Run:
    """Read what a run left, and see that it is finished.

    Args:
        path: Of the run folder.
        run_id: What it is called in the report.

    Raises:
        DataError: If it is no run, unfinished, or its files cannot be read.
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
            f"{path}: a run must be finished, with a {GENERATOR_FILE}; `train.py --resume` goes "
            f"on with it. Received: step {made} of {config.steps}"
        )
    record = read_json(path / "environment.json")
    first, fingerprint = _session(record), record.get("data_fingerprint")
    resumed = record.get("resumed", [])
    sessions = [_session(each) for each in resumed] if isinstance(resumed, list) else [None]
    if first is None or None in sessions or not isinstance(fingerprint, str | None):
        raise DataError(f"{path / 'environment.json'}: not the record of a run")
    known = [session for session in (first, *sessions) if session is not None]
    return Run(run_id, path, config, known, fingerprint, history)


def _session(record: Any) -> dict[str, Any] | None:
    """What a training was made with; None if this does not say so."""
    if not isinstance(record, dict) or not isinstance(record.get("versions"), dict):
        return None
    names = ("started", "device", "python", "platform")
    session = {name: record.get(name) for name in names} | dict(record["versions"])
    if not all(isinstance(value, str) for value in session.values()):
        return None
    return {name: session[name] for name in names} | {"versions": dict(record["versions"])}


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object from a file that may hold anything.

    Raises:
        DataError: If it cannot be read or holds something else.
    """
    try:
        if file.stat().st_size > _LONGEST_FILE:
            raise DataError(f"{file}: is longer than {_LONGEST_FILE} bytes")
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{file}: cannot be read: {printable(str(error))}") from None
    if not isinstance(value, dict):
        raise DataError(f"{file}: must hold a JSON object")
    return value


def finite(value: Any) -> float | None:
    """A value as a finite number; None if it is none.

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


def _values(history: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    found = [finite(row.get(name)) for row in history]
    return [value for value in found if value is not None]


def _seconds_of_updates(history: Sequence[Mapping[str, Any]]) -> float | None:
    """Time of the updates alone: steps of each row over its speed, or over the median speed.

    The row at which a training was resumed has no speed.
    """
    speeds = _values(history, "steps_per_s")
    if not speeds or min(speeds) <= 0:
        return None
    seconds, before = 0.0, 0
    for row in history:
        speed = finite(row.get("steps_per_s")) or statistics.median(speeds)
        seconds += (row["step"] - before) / speed
        before = row["step"]
    return finite(seconds)


def command_to_repeat(config: Config) -> str:
    """The command that trains with the same settings, `out` apart.

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
            words += [flag, _as_argument(value)]
    return printable(shlex.join(words))


def _as_argument(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)
