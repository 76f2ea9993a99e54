"""Optional packages, and libraries that need preparation before they are imported."""

import os
import sys
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

from wavegan_rc.errors import ParameterError, WaveganWarning
from wavegan_rc.utils.cache import takes_files, temporary_cache


def require(package: str, *, asked: str, extra: str) -> None:
    """Raise a ParameterError that names the extra if an optional package is not installed.

    Example:
        >>> require("numpy", extra="test", asked="format numpy")
        >>> require("no_such_package", extra="onnx", asked="format onnx")
        Traceback (most recent call last):
            ...
        wavegan_rc.errors.ParameterError: format onnx needs more packages: \
pip install 'wavegan_rc[onnx]'
    """
    if find_spec(package) is None:
        raise ParameterError(f"{asked} needs more packages: pip install 'wavegan_rc[{extra}]'")


def load_before_tensorflow() -> None:
    """Import Triton, PyTorch's compiler for GPUs, if it is installed.

    Imported after TensorFlow 2.21, Triton 3.8 ends the process by a segmentation fault; before it,
    both work. PyTorch imports it when its first optimizer is made.
    """
    if find_spec("triton") is not None and "tensorflow" not in sys.modules:
        import_module("triton")


def load_matplotlib() -> None:
    """Import Matplotlib, whatever the user's folders and settings are.

    The font list goes to a temporary folder if the user's folders are read-only, and a matplotlibrc
    that cannot be decoded is not used. Keras imports Matplotlib too, so call this first.
    """
    _prepare_matplotlib()
    try:
        import_module("matplotlib")
    except UnicodeDecodeError as error:
        message = f"matplotlibrc cannot be decoded, so the default style is used: {error}"
        warnings.warn(message, WaveganWarning, stacklevel=2)
        exists, users = os.path.exists, os.environ.get("MATPLOTLIBRC")

        def is_not_users(path: str) -> bool:
            named = Path(path).name == "matplotlibrc" and "mpl-data" not in Path(path).parts
            return exists(path) and not named and path != users

        for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
            del sys.modules[name]
        with patch("os.path.exists", is_not_users):
            import_module("matplotlib")


def _prepare_matplotlib() -> None:
    """Set a temporary folder for Matplotlib's font list if the user's folders are read-only."""
    if "matplotlib" not in sys.modules and "MPLCONFIGDIR" not in os.environ:
        homes = (("XDG_CONFIG_HOME", "~/.config"), ("XDG_CACHE_HOME", "~/.cache"))
        places = [Path(os.environ.get(name) or os.path.expanduser(home)) for name, home in homes]
        if not all(takes_files(place / "matplotlib") for place in places):
            os.environ["MPLCONFIGDIR"] = temporary_cache()
