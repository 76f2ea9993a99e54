"""What makes a training what it is, beside its settings."""

import contextlib
import platform
import time
from importlib import metadata
from typing import Any

import wavegan_rc

_PACKAGES = ("tensorflow", "jax", "keras", "numpy", "scipy", "librosa", "soundfile")


def session(device: str, command_line: list[str]) -> dict[str, Any]:
    """When it began, by which command, and on what.

    Args:
        device: In words.
        command_line: What was typed.

    Returns:
        JSON values.
    """
    import keras  # here, since commands know run folders that need no Keras

    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command_line": command_line,
        "device": device,
        "backend": keras.backend.backend(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    versions = {"wavegan_rc": wavegan_rc.__version__}
    for name in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
