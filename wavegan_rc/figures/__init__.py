"""Figures, drawn from arrays and files."""

import os
import sys
import warnings
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

from wavegan_rc.errors import WaveganWarning
from wavegan_rc.utils.extras import prepare_matplotlib


def _import_matplotlib() -> None:
    """Import Matplotlib, without the user's matplotlibrc if that cannot be decoded."""
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


prepare_matplotlib()
_import_matplotlib()
