"""Packages that only some of what this program does needs."""

import sys
import warnings
from importlib import import_module
from importlib.util import find_spec

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
