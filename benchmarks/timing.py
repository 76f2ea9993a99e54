"""Shared tools of the benchmarks: rounds in random order, tables, the file of numbers."""

import platform
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from wavegan_rc.utils.atomic_files import json_ready, write_json, writing
from wavegan_rc.utils.cores import usable_cores

Key = TypeVar("Key", bound=Hashable)
Row = TypeVar("Row")
# Returns the times of some calls, in seconds.
Visit = Callable[[], list[float]]

# Libraries whose versions are recorded if a benchmark has loaded them.
_LIBRARIES = ("numpy", "keras", "tensorflow", "jax", "torch")


def write_numbers(json_file: Path | None, rows: Sequence[Any], **about: Any) -> None:
    """Write the rows measured so far, if a file is wanted.

    Raises:
        DataError: If the file cannot be written.
    """
    if json_file is not None:
        result = {"machine": machine(), **about, "rows": rows}
        with writing(str(json_file)):
            write_json(json_file, json_ready(result))


def timed(function: Callable[[], Any], count: int, *, before: int = 1) -> list[float]:
    """Return the seconds that each of some calls takes, after some that are not timed.

    The function returns when its result is ready. Threads of the previous work come to rest during
    the first calls.

    Example:
        >>> len(timed(lambda: None, 3))
        3
    """
    for _ in range(before):
        function()
    times = []
    for _ in range(count):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return times


def interleaved(visits: Mapping[Key, Visit], repeats: int) -> dict[Key, list[float]]:
    """Collect the times of visits that each run once per round, after one warm-up round.

    Each round has a random order, so that other work of the machine affects all visits alike.

    Example:
        >>> interleaved({"one": lambda: [1.0], "two": lambda: [2.0, 2.0]}, repeats=2)
        {'one': [1.0, 1.0], 'two': [2.0, 2.0, 2.0, 2.0]}
    """
    for visit in visits.values():
        visit()
    keys, rng = list(visits), np.random.default_rng(0)
    times: dict[Key, list[float]] = {key: [] for key in keys}
    for _ in range(repeats):
        for index in rng.permutation(len(keys)):
            times[keys[index]] += visits[keys[index]]()
    return times


def table(
    columns: Mapping[str, Callable[[Row], str]], rows: Sequence[Row], *, left: int = 1
) -> list[str]:
    """Return the lines of a table from functions of a row to a cell, by column title.

    The first `left` columns are aligned left, the others right.

    Example:
        >>> table({"word": str, "length": lambda word: f"{len(word)}"}, ["one", "twenty"])
        ['word    length', 'one          3', 'twenty       6']
    """
    cells = [list(columns), *([cell(row) for cell in columns.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]


def machine() -> dict[str, Any]:
    """Describe this machine: cores, platform, processor, devices and loaded libraries."""
    described: dict[str, Any] = {
        "cores": usable_cores(),
        "platform": platform.platform(),
        "processor": _processor(),
    }
    if "keras" in sys.modules:
        import keras

        described["backend"] = keras.backend.backend()
        described["devices"] = keras.distribution.list_devices()
    return described | {name: version(name) for name in _LIBRARIES if name in sys.modules}


def _processor() -> str:
    try:  # Linux only
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
