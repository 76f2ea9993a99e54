"""Checkpoints of a training: verified by checksums, the last two kept."""

import hashlib
import json
import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wavegan_rc.errors import DataError, WaveganWarning
from wavegan_rc.utils.atomic_files import flush, whole_file, write_json
from wavegan_rc.utils.text import one_line, printable

_KEPT = 2
# Each rollback has another data order and other random draws. A training that diverges in all of
# them has unsuitable settings, not bad luck.
MOST_ROLLBACKS = 3
# Errors on reading a damaged description.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)
_DESCRIPTION = re.compile(r"step-(\d+)\.json")


@dataclass(frozen=True)
class Checkpoint:
    """A saved state of a training.

    Its description, `step-NNNNNN.json`, is written after the weights, so that a checkpoint exists
    only as a whole.

    Attributes:
        step: Number of training steps made.
        weights: File of all variables: networks, optimizers, average, random states, metrics.
        log_lengths: Length of each log in bytes, by its path relative to the run; what was logged
            after the checkpoint is cut off on resuming.
        rollbacks: Number of rollbacks so far, including one to this checkpoint.
        sha256: Checksum of the weights.
    """

    step: int
    weights: Path
    log_lengths: Mapping[str, int]
    rollbacks: int
    sha256: str


def steps(folder: Path) -> list[int]:
    """Return the steps of the checkpoints in a folder."""
    matches = [_DESCRIPTION.fullmatch(path.name) for path in folder.glob("step-*.json")]
    return [int(match[1]) for match in matches if match]


def description_of(folder: Path, step: int) -> Path:
    """Return the file that describes the checkpoint of a step."""
    return folder / f"step-{step:06d}.json"


def save_checkpoint(
    folder: Path,
    step: int,
    save_weights: Callable[[Path], None],
    logs: Sequence[Path],
    rollbacks: int = 0,
) -> None:
    """Write a checkpoint and remove all but the last two.

    `save_weights` writes all variables to a file. `logs` are only appended to by training, and
    flushed by their writers.
    """
    weights = _weights_file(folder, step)
    with whole_file(weights) as partial:
        save_weights(partial)
    for log in logs:
        flush(log)
    description = {
        "step": step,
        "weights": weights.name,
        "sha256": _checksum(weights),
        "log_lengths": {
            log.relative_to(folder.parent).as_posix(): log.stat().st_size for log in logs
        },
        "rollbacks": rollbacks,
    }
    write_json(description_of(folder, step), description)
    for old_step in sorted(steps(folder))[:-_KEPT]:
        _remove(folder, old_step)


def mark_rollback(folder: Path, checkpoint: Checkpoint, rollbacks: int) -> Checkpoint:
    """Record the number of rollbacks, this one included, in the checkpoint returned to."""
    path = description_of(folder, checkpoint.step)
    description = json.loads(path.read_text(encoding="utf-8")) | {"rollbacks": rollbacks}
    write_json(path, description)
    return replace(checkpoint, rollbacks=rollbacks)


def newest_checkpoint(folder: Path) -> Checkpoint:
    """Find the newest checkpoint that is not damaged.

    Raises:
        DataError: If there is none.

    Warns:
        WaveganWarning: If a newer one is damaged.
    """
    reasons = []
    for step in sorted(steps(folder), reverse=True):
        try:
            checkpoint = _open(folder, step)
        except _UNREADABLE as error:
            reasons.append(f"step {step}: {one_line(error)}")
            continue
        if reasons:
            message = f"{folder}: damaged checkpoints, resuming from step {step}: "
            warnings.warn(message + "; ".join(reasons), WaveganWarning, stacklevel=2)
        return checkpoint
    raise DataError(f"{folder}: no usable checkpoint" + "".join(f"; {why}" for why in reasons))


def cut_logs(run: Path, checkpoint: Checkpoint, logs: Sequence[Path]) -> None:
    """Cut all logs of a run to their lengths at a checkpoint; remove logs that began after it.

    Warns:
        WaveganWarning: If a log is missing or shorter; its lost lines are not written again.
    """
    there = {log.relative_to(run).as_posix(): log for log in logs}
    for name, log in there.items():
        if name not in checkpoint.log_lengths:
            log.unlink()
    for name, length in checkpoint.log_lengths.items():
        size = there[name].stat().st_size if name in there else 0
        if size > length:
            os.truncate(there[name], length)
        elif size < length:
            message = f"{run / name}: {length - size} bytes from before step {checkpoint.step} are"
            warnings.warn(f"{printable(message)} lost", WaveganWarning, stacklevel=2)


def remove_later(folder: Path, step: int) -> None:
    """Remove checkpoints after a step, which are damaged, and weights without a description."""
    found = steps(folder)
    for later in [other for other in found if other > step]:
        _remove(folder, later)
    described = {_weights_file(folder, each) for each in found}
    for weights in set(folder.glob("step-*.weights.h5")) - described:
        weights.unlink()


def _remove(folder: Path, step: int) -> None:
    # The description comes first: weights alone are no checkpoint, and do no harm.
    description_of(folder, step).unlink(missing_ok=True)
    _weights_file(folder, step).unlink(missing_ok=True)


def _open(folder: Path, step: int) -> Checkpoint:
    description = json.loads(description_of(folder, step).read_text(encoding="utf-8"))
    weights = _weights_file(folder, step)
    if _checksum(weights) != description["sha256"]:
        raise ValueError(f"{weights.name} is not what was written: its checksum differs")
    lengths, rollbacks = dict(description["log_lengths"]), description["rollbacks"]
    numbers = [*lengths.values(), rollbacks]
    if (
        description["step"] != step
        or any(type(number) is not int or number < 0 for number in numbers)
        or rollbacks > MOST_ROLLBACKS
    ):
        raise ValueError("its step, log_lengths or rollbacks are not what was written")
    return Checkpoint(step, weights, lengths, rollbacks, description["sha256"])


def _weights_file(folder: Path, step: int) -> Path:
    return folder / f"step-{step:06d}.weights.h5"


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
