"""Exceptions and warnings of this package; the command line exits with code 2 on an error."""


class WaveganError(Exception):
    """An error that the user can correct: one line with the rule and the value received."""


class ParameterError(WaveganError, ValueError):
    """An argument or a setting is out of range."""


class DataError(WaveganError):
    """A file or a folder is missing, unreadable or of the wrong kind."""


class DivergenceError(WaveganError):
    """Training has produced a value that is not finite.

    Args:
        message: One line for the user.
        step: Training step of the first non-finite value.
        tensor: Name of the first tensor that is not finite.
    """

    def __init__(self, message: str, *, step: int, tensor: str) -> None:
        super().__init__(message)
        self.step = step
        self.tensor = tensor


class LostHostError(WaveganError):
    """Another host of the same training has stopped or cannot be reached."""


class WaveganWarning(UserWarning):
    """A problem that was worked around, such as a skipped file."""
