"""The settings that a run folder holds."""

from pathlib import Path

from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, WaveganError
from wavegan_rc.settings_file import read_settings


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
    except (WaveganError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{file}: not the settings of a run: {reason}") from None
