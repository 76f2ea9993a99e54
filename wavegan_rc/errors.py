"""What this package raises and warns of; the command line turns errors into exit code 2."""


class WaveganError(Exception):
    """A mistake that the user can mend: one line with the thing, the rule and what was received."""


class ParameterError(WaveganError, ValueError):
    """An argument or a setting has a value that cannot be used."""


class DataError(WaveganError):
    """A file or a folder cannot be used: missing, unreadable, or not what it should be."""


class DivergenceError(WaveganError):
    """Training has left the finite numbers.

    Args:
        message: For the user.
        step: At which it did.
        tensor: The first that is not finite, in words.
    """

    def __init__(self, message: str, *, step: int, tensor: str) -> None:
        super().__init__(message)
        self.step = step
        self.tensor = tensor


class LostHostError(WaveganError):
    """Of several hosts that train together, another one ended or cannot be reached."""


class WaveganWarning(UserWarning):
    """Something was worked around: a file skipped, a fallback taken."""


def printable(text: str) -> str:
    r"""A text as one line: control characters, and bytes that are no text, become escapes.

    Example:
        >>> printable("two\nlines.wav")
        'two\\nlines.wav'
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
