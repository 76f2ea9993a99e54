"""One look for all figures, whatever the user's matplotlibrc says."""

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib


@contextmanager
def default_style(**settings: str) -> Iterator[None]:
    """Draw with Matplotlib's own defaults, and restore the user's settings at the end.

    Also a decorator. Some texts take their settings when they are made, others when they are
    drawn: every function that makes or writes a figure needs it.

    Args:
        settings: Values that replace defaults, by name with `_` for the dot.

    Example:
        >>> matplotlib.rcParams["text.usetex"] = True
        >>> with default_style(svg_hashsalt="salt"):
        ...     matplotlib.rcParams["text.usetex"], matplotlib.rcParams["svg.hashsalt"]
        (False, 'salt')
        >>> matplotlib.rcParams["text.usetex"]
        True
        >>> matplotlib.rcParams["text.usetex"] = False
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        known = {name.replace("_", "."): v for name, v in settings.items()}
        matplotlib.rcParams.update(known)  # pyright: ignore[reportCallIssue, reportArgumentType]
        yield
