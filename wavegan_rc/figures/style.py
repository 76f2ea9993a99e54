"""One look for all figures, whatever the user's matplotlibrc says."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib

REAL_COLOR = "#767676"
# Colours that any colour vision tells apart: M. Okabe, K. Ito, "Color Universal Design" (2008).
# Their yellow is faint on white. From the seventh set on, lines are dashed.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_DASHES = ("-", "--", ":")


def line_style(index: int) -> dict[str, Any]:
    """Return the colour and the line style of the set with this index.

    Example:
        >>> line_style(0), line_style(6)["linestyle"]
        ({'color': '#0072B2', 'linestyle': '-'}, '--')
    """
    color = _COLORS[index % len(_COLORS)]
    return {"color": color, "linestyle": _DASHES[index // len(_COLORS) % len(_DASHES)]}


@contextmanager
def default_style(**settings: str) -> Iterator[None]:
    """Draw with Matplotlib's own defaults, and restore the user's settings at the end.

    Also a decorator. Some texts take their settings when they are made, others when they are
    drawn: every function that makes or writes a figure needs it. `settings` replace defaults, by
    name with `_` for the dot.

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
