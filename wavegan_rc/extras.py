"""Packages that only some of what this program does needs."""

from importlib.util import find_spec

from wavegan_rc.errors import ParameterError


def require(package: str, *, extra: str, asked: str) -> None:
    """See that an optional package is installed.

    Args:
        package: As it is imported.
        extra: Of this package, that brings it.
        asked: What was asked for.

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
    if find_spec(package) is None:
        raise ParameterError(f"{asked} needs more packages: pip install 'wavegan_rc[{extra}]'")
