"""The history of a run: a JSON object of numbers for each logged step."""

import contextlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import linear_regression
from typing import Any

from wavegan_rc.errors import DataError
from wavegan_rc.utils.text import printable

# A training has converged if measurements are steady over this last share of its steps.
_LAST = 0.25
_FEWEST_MEASUREMENTS = 4
# Names or prefixes in the history, names in words, and the largest change in dB.
_HELD = (
    ("out_of_band_total_db", "out-of-band level", 1.0),
    ("line_prominence_db/", "line prominence of {}", 2.0),
)


def read_history(file: Path) -> list[dict[str, Any]]:
    """Read the rows of a `history.jsonl`.

    Raises:
        DataError: If a line is no JSON object with a whole `step`, or steps decrease.
    """
    rows: list[dict[str, Any]] = []
    try:
        for line in file.read_text(encoding="utf-8").splitlines():
            # A whole number of hundreds of digits becomes infinite: no library can convert it.
            row = json.loads(line, parse_int=lambda text: (int, float)[len(text) > 18](text))
            if type(row["step"]) is not int or row["step"] < (rows[-1]["step"] if rows else 0):
                raise ValueError(f"step {row['step']!r:.40} in line {len(rows) + 1}")
            rows.append(row)
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        reason = printable(f"{type(error).__name__}: {error}")
        raise DataError(f"{file}: not the history of a run: {reason}") from None
    return rows


def logged_steps(file: Path) -> set[int]:
    """Return the steps of a history, if it exists, without incomplete lines of a killed process."""
    steps = set()
    text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    for line in text.splitlines():
        with contextlib.suppress(ValueError, LookupError, TypeError, RecursionError):
            steps.add(json.loads(line)["step"])
    return steps


def unfinished(history: Sequence[Mapping[str, Any]]) -> str | None:
    """Return why a training has not converged.

    The measurements of the last quarter of the steps must be steady: a straight line through at
    least 4 of them may rise or fall by 1 dB (out-of-band level) or 2 dB (line prominences).

    Returns:
        Reason in words. None if the measurements are steady.

    Example:
        >>> rows = [{"step": i, "out_of_band_total_db": -i / 2} for i in range(1, 21)]
        >>> unfinished(rows)
        'over the last quarter of 20 steps, the out-of-band level changed by -2.5 dB'
        >>> unfinished(rows[:4])
        'the last quarter of 4 steps has 1 measurement; 4 are needed to tell'
    """
    steps = history[-1]["step"] if history else 0
    rows = [row for row in history if row["step"] > (1 - _LAST) * steps]
    most, moved = 0, []
    for name in sorted({name for row in rows for name in row}):
        for beginning, words, limit in _HELD:
            if not name.startswith(beginning):
                continue
            points = [(row["step"], row.get(name)) for row in rows]
            points = [(x, y) for x, y in points if isinstance(y, int | float) and math.isfinite(y)]
            most = max(most, len(points))
            if len(points) < _FEWEST_MEASUREMENTS:
                continue
            slope = linear_regression(*zip(*points, strict=True)).slope
            change = slope * _LAST * steps
            if abs(change) > limit:
                what = words.format(name.partition("/")[2].replace("_", " "))
                moved.append(f"the {what} changed by {change:+.1f} dB")
    if most < _FEWEST_MEASUREMENTS:
        return (
            f"the last quarter of {steps} steps has {most} measurement{'s' * (most != 1)}; "
            f"{_FEWEST_MEASUREMENTS} are needed to tell"
        )
    return f"over the last quarter of {steps} steps, {', '.join(moved)}" if moved else None
