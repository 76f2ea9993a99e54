"""Text of errors and names for one line of a terminal."""

from collections.abc import Iterable
from difflib import get_close_matches

# Letters of an abbreviation; fewer are in too many names.
_FEWEST_LETTERS = 4


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
    # Without the hyphens that all flags share; a word that a name contains is its abbreviation.
    word, names = word.lstrip("-"), {name.lstrip("-"): name for name in known}
    longer = [name for name in names if len(word) >= _FEWEST_LETTERS and word in name]
    close = get_close_matches(word, longer, 1, cutoff=0) or get_close_matches(word, names, 1)
    return f"; did you mean {names[close[0]]}?" if close else ""
