"""Packages that only some of what this program does needs."""

import os
import stat
import sys
import tempfile
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from wavegan_rc.errors import ParameterError, WaveganWarning

# What is imported by another name than it is installed by.
_DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn", "yaml": "pyyaml"}


def require(package: str, *, asked: str, extra: str | None = None) -> None:
    """See that an optional package is installed.

    Args:
        package: As it is imported.
        asked: What was asked for.
        extra: Of this package, that brings it; None: it belongs to the package itself.

    Raises:
        ParameterError: If it is not.

    Example:
        >>> require("numpy", extra="test", asked="format numpy")
        >>> require("no_such_package", extra="onnx", asked="format onnx")
        Traceback (most recent call last):
            ...
        wavegan_rc.errors.ParameterError: format onnx needs more packages: \
pip install 'wavegan_rc[onnx]'
    """
    for name in missing(package):
        what = name if extra is None else f"'wavegan_rc[{extra}]'"
        raise ParameterError(f"{asked} needs more packages: pip install {what}")


def missing(*packages: str) -> list[str]:
    """Which of some packages are not installed.

    Args:
        packages: As they are imported.

    Returns:
        Their names as they are installed by.

    Example:
        >>> missing("numpy", "no_such_package")
        ['no_such_package']
    """
    absent = [package for package in packages if find_spec(package) is None]
    return [_DISTRIBUTIONS.get(package, package) for package in absent]


def installed(*packages: str, needed_for: str) -> bool:
    """Whether packages are installed; if not, say what is left out.

    Where this package was installed without what it depends on, training and measuring do without
    whatever they can.

    Args:
        packages: As they are imported.
        needed_for: What is left out without them.

    Warns:
        WaveganWarning: If one is missing.

    Example:
        >>> installed("numpy", "keras", needed_for="training")
        True
    """
    absent = missing(*packages)
    if absent:
        message = f"left out: {needed_for}; not installed: {', '.join(absent)}"
        warnings.warn(message, WaveganWarning, stacklevel=2)
    return not absent


def load_before_tensorflow() -> None:
    """Load Triton, PyTorch's compiler for GPUs, if it is installed, for who uses both libraries.

    Loaded after TensorFlow 2.21, Triton 3.8 ends the process by a segmentation fault; before it,
    both work. PyTorch loads it when its first optimizer is made.
    """
    if not missing("triton") and "tensorflow" not in sys.modules:
        import_module("triton")


def load_librosa() -> Any:
    """Import librosa, also where numba has no place for its compiled code.

    numba, which librosa loads, keeps that code beside librosa or in the user's cache folder. It
    raises an error where it can write to neither.

    Returns:
        The module.
    """
    spec = find_spec("librosa")
    if spec is not None and "numba" not in sys.modules:
        from platformdirs import user_cache_path  # librosa needs it too

        places = [Path(place) / "__pycache__" for place in spec.submodule_search_locations or ()]
        places.append(user_cache_path("numba"))
        if "NUMBA_CACHE_DIR" in os.environ:
            places.append(Path(os.environ["NUMBA_CACHE_DIR"]))
        if not any(map(_takes_files, places)):
            os.environ["NUMBA_CACHE_DIR"] = _temporary_cache()
    return import_module("librosa")


def prepare_matplotlib() -> None:
    """Give Matplotlib a folder for its list of fonts where it cannot write to the user's."""
    if "matplotlib" not in sys.modules and "MPLCONFIGDIR" not in os.environ:
        homes = (("XDG_CONFIG_HOME", "~/.config"), ("XDG_CACHE_HOME", "~/.cache"))
        places = [Path(os.environ.get(name) or os.path.expanduser(home)) for name, home in homes]
        if not all(_takes_files(place / "matplotlib") for place in places):
            os.environ["MPLCONFIGDIR"] = _temporary_cache()


def _takes_files(folder: Path) -> bool:
    """Whether a file can be made in a folder, which is made if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _temporary_cache() -> str:
    """Return a folder that later processes of this user find again.

    numba runs the code that it finds in its folder, so no other user may have made it.
    """
    folder = os.path.join(tempfile.gettempdir(), f"wavegan_rc-cache-{os.getuid()}")
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        found = os.lstat(folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            return tempfile.mkdtemp(prefix="wavegan_rc-cache-")
    return folder
