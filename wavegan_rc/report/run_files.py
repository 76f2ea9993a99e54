"""Finished runs as a report reads them: settings, trainings, history."""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wavegan_rc.config import Config
from wavegan_rc.errors import DataError
from wavegan_rc.report.measured import Measured
from wavegan_rc.runs.history import read_history
from wavegan_rc.runs.run import Run as RunFolder
from wavegan_rc.runs.run import similar_name
from wavegan_rc.utils.text import printable


@dataclass(frozen=True)
class SessionRecord:
    """One training session of a run: the first, or a resumption."""

    versions: Mapping[str, str]
    python: str
    platform: str
    device: str
    started: str


@dataclass(frozen=True)
class Run:
    """A run with a generator.

    Attributes:
        id: `r1`, `r2`, ... in report order.
        config: Settings, with the number of steps that the generator was trained for.
        steps_asked: Number of steps that the run was to make; more, if it was stopped early.
        measured: Measurement; empty until it is read or made.
    """

    id: str
    folder: RunFolder
    config: Config
    steps_asked: int
    sessions: Sequence[SessionRecord]
    data_fingerprint: str
    history: Sequence[Mapping[str, Any]]
    measured: Measured = dataclasses.field(default_factory=Measured)

    @property
    def name(self) -> str:
        """Name of the folder, as one line of text."""
        return printable(self.folder.path.absolute().name)

    @property
    def path_text(self) -> str:
        """Path, as one line of text."""
        return printable(str(self.folder.path))

    @property
    def in_words(self) -> str:
        """Id and name."""
        return f"{self.id} ({self.name})"

    def as_json(self, group: str) -> dict[str, Any]:
        """Return how the run was made, and its stages, as JSON values."""
        config, stages = self.config, self.measured.stages.items()
        return {
            "id": self.id,
            "name": self.name,
            "path": self.path_text,
            "seed": config.seed,
            "settings": dataclasses.asdict(config),
            **dataclasses.asdict(self.sessions[0]),
            "resumed": len(self.sessions) - 1,
            "data_fingerprint": self.data_fingerprint,
            "command": command_to_repeat(config),
            "steps": config.steps,
            "steps_asked": self.steps_asked,
            "sample_rate": config.sample_rate,
            "segment_length": config.segment_length,
            "cutoff_hz": config.cutoff_hz,
            "stopband_hz": config.stopband_hz,
            "group": group,
            "segments": self.measured.segments,
            "stages": [{"stage": stage, "lines_hz": lines} for stage, lines in stages],
        }


def read_runs(paths: Sequence[Path]) -> tuple[list[Run], list[str]]:
    """Read runs, and those in folders of runs; return why runs without a generator are left out."""
    runs, left_out = [], []
    for path in (path.expanduser() for path in paths):
        inner = []
        if path.is_dir() and not RunFolder(path).config.is_file():
            try:
                inner = sorted(each for each in path.iterdir() if RunFolder(each).config.is_file())
            except OSError as error:
                raise DataError(f"{path}: cannot be searched: {error}") from None
        for each in inner or [path]:
            try:
                runs.append(read_run(each, f"r{len(runs) + 1}"))
            except DataError as error:
                if not inner:
                    raise
                left_out.append(str(error))
    return runs, left_out


def read_run(path: Path, run_id: str) -> Run:
    """Read a run folder: a finished run, or one that was stopped early and left a generator."""
    if not path.is_dir():
        raise DataError(f"{path}: no such run folder{similar_name(path)}")
    folder = RunFolder(path)
    config = folder.read_config()
    if config is None:
        raise DataError(f"{path}: not a run folder: it holds no {folder.config.name}")
    history = read_history(folder.history) if folder.history.is_file() else []
    made = max((int(row["step"]) for row in history), default=0)
    if made < config.steps or not folder.summary.is_file():
        made = folder.generator_step()
    if not made or not folder.generator.is_file():
        raise DataError(folder.without_generator())
    record = folder.read_record()
    try:
        sessions = [_session(each) for each in (record, *record["resumed"])]
    except (LookupError, TypeError, ValueError):
        raise DataError(f"{folder.environment}: not the record of a run") from None
    done = dataclasses.replace(config, steps=made)
    history = [row for row in history if row["step"] <= made]
    return Run(run_id, folder, done, config.steps, sessions, record["data_fingerprint"], history)


def _session(record: Any) -> SessionRecord:
    fields = {field.name: record[field.name] for field in dataclasses.fields(SessionRecord)}
    fields["versions"] = dict(fields["versions"])
    texts = [fields[name] for name in fields if name != "versions"]
    if not all(isinstance(text, str) for text in (*texts, *fields["versions"].values())):
        raise TypeError
    return SessionRecord(**fields)


def command_to_repeat(config: Config) -> str:
    """Return the command that trains with the same settings, except `out`.

    Example:
        >>> command_to_repeat(Config(seed=3, cutoff_hz=None, out="elsewhere"))
        'wavegan-rc train --cutoff-hz=null --seed=3'
    """
    flags = dataclasses.replace(config, out=Config().out).as_flags()
    return printable(shlex.join(["wavegan-rc", "train", *flags]))
