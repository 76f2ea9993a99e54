"""The settings and the record that a run folder holds."""

import json
from pathlib import Path
from typing import Any

from wavegan_rc.config import Config
from wavegan_rc.config.yaml_file import read_settings
from wavegan_rc.errors import DataError, WaveganError


def run_config(run: Path) -> Config | None:
    """The settings of a run; None if the folder holds none.

    Raises:
        DataError: If they cannot be read.
    """
    file = run / "config.yaml"
    if not file.is_file():
        return None
    try:
        return Config(**read_settings(file))
    except WaveganError as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{file}: not the settings of a run: {reason}") from None


def run_record(run: Path) -> dict[str, Any]:
    """Return what a run folder records of its trainings and its recordings.

    Raises:
        DataError: If it is missing, or something else.
    """
    file = run / "environment.json"
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(record["data_fingerprint"], str):
            raise TypeError
        for name in ("resumed", "rollbacks"):
            record[name] = [*record.get(name, [])]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f"{file}: not the record of a run") from None
    return record
