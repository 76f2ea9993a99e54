"""The history that a run keeps: a JSON object of numbers for each line that was due."""

import json
from pathlib import Path
from typing import Any

from wavegan_rc.errors import DataError, printable


def read_history(file: Path) -> list[dict[str, Any]]:
    """The rows of a run's history.

    Args:
        file: `history.jsonl` of a run.

    Raises:
        DataError: If a line is no JSON object with a whole `step`, or steps go back.
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
