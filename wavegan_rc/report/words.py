"""Quantities and numbers in words: what is measured, what is better, digits that mean something."""

import math
from functools import cache
from importlib import resources
from typing import NamedTuple

import yaml

from wavegan_rc.measurement.bootstrap import Estimate
from wavegan_rc.measurement.quantities import within_bounds
from wavegan_rc.report.measured import Interval, interval_of

LESS = "less is better"
MOST_NAMED = 3
NO_NUMBER = "\N{EN DASH}"
_HIGHEST_DIGITS = 5
_MINUS = "\N{MINUS SIGN}"


class Meaning(NamedTuple):
    """A quantity in words: short name, what it says, what is better, table heading, page."""

    title: str
    phrase: str
    better: str
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
        name: Meaning(words[0], words[1], words[2], heading, rows["page"])
        for heading, rows in yaml.safe_load(text).items()
        for name, words in rows.items()
        if name != "page"
    }


def number_text(number: float | None, digits: int) -> str:
    """Return a number with so many digits after the point, or a dash for None.

    Example:
        >>> number_text(8.637, 1), number_text(None, 1) == NO_NUMBER
        ('8.6', True)
    """
    if number is None or not math.isfinite(number):
        return NO_NUMBER
    # Adding 0 makes a rounded -0.0 plain 0.
    return f"{round(number, digits) + 0:.{digits}f}".replace("-", _MINUS)


def digits_of(interval: Interval) -> int:
    """Return the digits after the point that mean something: two of half the interval's width.

    A number without an interval has three digits in all.

    Example:
        >>> digits_of(Interval(16.1, 10.6, 21.7)), digits_of(Interval(0.0123, 0.0101, 0.0145))
        (1, 4)
    """
    value, low, high = interval.numbers
    size = 0.0
    if low is not None and high is not None:
        size = 10 * (high - low) / 2
    size = size or abs(value or 0.0)
    return min(max(2 - math.floor(math.log10(size)), 0), _HIGHEST_DIGITS) if size else 1


def interval_text(
    interval: Interval, name: str = "", *, ends: bool = True, most: int = _HIGHEST_DIGITS
) -> str:
    """Return a value with its interval, all with as many digits.

    Args:
        interval: Value and interval.
        name: Name of the quantity, which may have bounds. Empty for differences.
        ends: Whether the ends of the interval follow the value.
        most: Most digits after the point; 1 for levels, of which less cannot be heard.

    Example:
        >>> interval_text(Interval(8.63, 7.9, 10.21)), interval_text(Interval(8.63))
        ('8.6 [7.9, 10.2]', '8.63')
        >>> interval_text(Interval(8.63, 7.9, 10.21), ends=False)
        '8.6'
    """
    most = 1 if name.endswith("_db") else most
    numbers = (math.nan if number is None else number for number in interval.numbers)
    interval = interval_of(within_bounds(name, Estimate(*numbers)))
    digits = min(digits_of(interval), most)
    value, low, high = (number_text(x, digits) for x in interval.numbers)
    return value if None in interval.numbers or not ends else f"{value} [{low}, {high}]"


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
