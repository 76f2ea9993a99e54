"""Pictures look the same whatever the user's matplotlibrc says."""

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib


@contextmanager
def default_style(**settings: str) -> Iterator[None]:
    """Draw with Matplotlib's own defaults, and leave the user's settings as they were.

    Also a decorator: texts take their settings when they are made, others when they are drawn, so
    every function that makes a figure and every one that writes it has it.

    Args:
        settings: Values beside the defaults, by name with `_` for the dot.

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
