"""Text of errors and names for one line of a terminal."""

from collections.abc import Iterable
from difflib import get_close_matches


def one_line(error: BaseException) -> str:
    r"""Return the message of an error as one printable line of at most 300 characters.

    Example:
        >>> one_line(ValueError("first\n  second \x1b[31m"))
        'first second [31m'
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return "".join(filter(str.isprintable, text))[:300]


def printable(text: str) -> str:
    r"""Escape control characters and undecodable bytes, so that a text fits in one line.

    Example:
        >>> printable("two\nlines.wav")
        'two\\nlines.wav'
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question after a wrong word, if it resembles a known one; otherwise nothing.

    Example:
        >>> did_you_mean("trian", ["train", "sweep"]), did_you_mean("bake", ["train", "sweep"])
        ('; did you mean train?', '')
    """
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
