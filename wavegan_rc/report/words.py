"""Quantities and numbers in words: what is measured, what is better, digits that mean something."""

import math
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

import yaml

from wavegan_rc.measurement.bootstrap import Estimate
from wavegan_rc.measurement.quantities import within_bounds
from wavegan_rc.report.measured import Interval

LESS = "less is better"
MOST_NAMED = 3
NO_NUMBER = "\N{EN DASH}"
_HIGHEST_DIGITS = 5
_MINUS = "\N{MINUS SIGN}"


class Meaning(NamedTuple):
    """A quantity in words: short name, what it says, what is better, definition, heading, page."""

    title: str
    phrase: str
    better: str
    definition: str
    heading: str
    page: str


@cache
def meanings() -> dict[str, Meaning]:
    """Return all quantities in words, in the order of the table.

    Example:
        >>> meanings()["rms_db"].better
        'nearest to real is best'
    """
    text = resources.files("wavegan_rc.report").joinpath("quantities.yaml").read_text("utf-8")
    return {
        name: Meaning(words[0], words[1], words[2], words[3], heading, rows["page"])
        for heading, rows in yaml.safe_load(text).items()
        for name, words in rows.items()
        if name != "page"
    }


def number_text(number: float, digits: int) -> str:
    """Return a number with so many digits after the point, or a dash for NaN.

    Example:
        >>> number_text(8.637, 1), number_text(math.nan, 1) == NO_NUMBER
        ('8.6', True)
    """
    if math.isnan(number):
        return NO_NUMBER
    # Adding 0 makes a rounded -0.0 plain 0.
    return f"{round(number, digits) + 0:.{digits}f}".replace("-", _MINUS)


def interval_text(
    interval: Interval, name: str = "", *, ends: bool = True, most: int = _HIGHEST_DIGITS
) -> str:
    """Return a value with its interval, all with the digits that mean something.

    Two digits of half the interval's width mean something, three in all without an interval. At
    `most` so many follow the point, and one for levels, of which less cannot be heard. Quantities
    that cannot be negative, by their `name`, are shown as 0 at least.

    Example:
        >>> interval_text(Interval(8.63, 7.9, 10.21)), interval_text(Interval(8.63))
        ('8.6 [7.9, 10.2]', '8.63')
        >>> interval_text(Interval(8.63, 7.9, 10.21), ends=False)
        '8.6'
    """
    known = (math.nan if number is None else number for number in interval.numbers)
    numbers = [float(number) for number in within_bounds(name, Estimate(*known))]
    value, low, high = numbers
    size = 10 * (high - low) / 2 if low < high else abs(value)
    digits = max(2 - math.floor(math.log10(size)), 0) if size > 0 else 1
    digits = min(digits, 1 if name.endswith("_db") else most)
    text, *of_ends = (number_text(number, digits) for number in numbers)
    shown = ends and not any(map(math.isnan, numbers))
    return f"{text} [{', '.join(of_ends)}]" if shown else text


def listed(words: list[str], last: str = "and") -> str:
    """Return words as a list in a sentence.

    Example:
        >>> listed(["a", "b", "c"]), listed(["a"])
        ('a, b and c', 'a')
    """
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), words[-1]))) if words else ""


def named(names: list[str]) -> str:
    """Return a few names; of many, the first ones and the number of the rest.

    Example:
        >>> named(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    more = len(names) - MOST_NAMED
    return listed([*names[:MOST_NAMED], f"{more} more"] if more > 1 else names)


def span_text(numbers: Sequence[int]) -> str:
    """Return the range of whole numbers.

    Example:
        >>> span_text([5, 3, 4]), span_text([1000])
        ('3 to 5', '1,000')
    """
    return " to ".join(f"{number:,}" for number in sorted({min(numbers), max(numbers)}))
