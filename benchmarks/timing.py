"""What the benchmarks share: rounds in drawn order, the machine in words, the file of numbers."""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Hashable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.utils.atomic_files import write_whole
from wavegan_rc.utils.cores import usable_cores

Key = TypeVar("Key", bound=Hashable)

# Whose versions are stated, where a benchmark has loaded them.
_LIBRARIES = ("numpy", "keras", "tensorflow", "jax", "torch")


def check_request(repeats: int, json_file: Path | None) -> None:
    """See that a benchmark can run and leave its numbers: better now than after minutes.

    Raises:
        ParameterError: If `repeats` is smaller than 1.
        DataError: If the file cannot be written.
    """
    if repeats < 1:
        raise ParameterError(f"repeats must be at least 1. Received: {repeats}")
    if json_file is not None:
        folder = json_file.absolute().parent
        if json_file.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise DataError(
                f"{json_file} cannot be written: no file, or no permission for {folder}"
            )


def write_numbers(json_file: Path | None, result: dict[str, Any]) -> None:
    """Write a result, if a file is asked for; whatever has been measured is kept so.

    Raises:
        DataError: If it cannot be written.
    """
    if json_file is not None:
        try:
            write_whole(json_file, json.dumps(result, indent=1))
        except OSError as error:
            raise DataError(f"{json_file} cannot be written: {error}") from None


def timed(function: Callable[[], Any], count: int, *, before: int = 1) -> list[float]:
    """Seconds of each of some calls that wait for their results.

    Args:
        function: To be called.
        count: Times to return.
        before: Calls made first, in which the threads of what was timed before come to rest.

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


def interleaved(
    functions: Mapping[Key, Callable[[], list[float]]], repeats: int
) -> dict[Key, list[float]]:
    """All times that functions take of themselves, each run once in every round.

    Each round has an order of its own: what else the machine does then falls on all of them alike.

    Args:
        functions: Each returns the times of one visit, in seconds.
        repeats: Rounds, after one that is not counted.

    Example:
        >>> interleaved({"one": lambda: [1.0], "two": lambda: [2.0, 2.0]}, repeats=2)
        {'one': [1.0, 1.0], 'two': [2.0, 2.0, 2.0, 2.0]}
    """
    for function in functions.values():
        function()
    keys, rng = list(functions), np.random.default_rng(0)
    times: dict[Key, list[float]] = {key: [] for key in keys}
    for _ in range(repeats):
        for index in rng.permutation(len(keys)):
            times[keys[index]] += functions[keys[index]]()
    return times


def medians_ms(times: Mapping[Key, list[float]]) -> dict[Key, float]:
    """The median of each list of seconds, in milliseconds."""
    return {key: 1000 * statistics.median(values) for key, values in times.items()}


def machine() -> dict[str, Any]:
    """What numbers were measured on: cores, platform, devices, and what is loaded of libraries."""
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
    """The processor's name, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
