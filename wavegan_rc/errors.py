"""Exceptions and warnings of this package; the command line turns errors into exit code 2."""


class WaveganError(Exception):
    """A mistake that the user can correct, in one line: the name, the rule, the value received."""


class ParameterError(WaveganError, ValueError):
    """An invalid argument or setting."""


class DataError(WaveganError):
    """A file or folder that is missing, unreadable or of another kind."""


class DivergenceError(WaveganError):
    """A loss, gradient or weight that is not finite.

    Args:
        message: Message for the user.
        step: Training step of the first non-finite value.
        tensor: Name of the first tensor that is not finite.
    """

    def __init__(self, message: str, *, step: int, tensor: str) -> None:
        super().__init__(message)
        self.step = step
        self.tensor = tensor


class LostHostError(WaveganError):
    """The loss of another host of a training on several hosts."""


class WaveganWarning(UserWarning):
    """A workaround: a file skipped, a fallback taken."""
