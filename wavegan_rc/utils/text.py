"""Text of errors and names for one line of a terminal."""


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
