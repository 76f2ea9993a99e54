"""The declaration of one setting: its type, its range, and its text in help and messages."""

import contextlib
import math
import os
import reprlib
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from wavegan_rc.errors import ParameterError
from wavegan_rc.utils.text import did_you_mean, printable

_LONGEST_SHOWN = 80
_ONE = {int: "a whole number", float: "a finite number", bool: "true or false"}
_MANY = {int: "whole numbers", float: "finite numbers"}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A setting, or a flag of a command.

    Attributes:
        name: Name with underscores.
        kind: Annotated type: int, float, bool, str, Path, a `Literal` of words, a tuple of one of
            these, or `X | None` of one of these.
        default: Default value.
        help: Meaning, for `--help`.
        group: Heading in `--help`; empty for none.
        unit: Unit, such as Hz; empty for none.
        low: Smallest value allowed.
        high: Largest value allowed.
        above: Lower bound that is not allowed itself.
        below: Upper bound that is not allowed itself.
        count: Smallest and largest number of values in a list.
        null: Meaning of None.
        zero: Meaning of 0, where it is a special value.
        may_change: Whether a run may be resumed with another value.
        unfair: Whether a comparison of runs that differ in it is unfair.
    """

    name: str
    kind: Any
    default: Any = None
    help: str = ""
    group: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    count: tuple[float, float] = (0, math.inf)
    null: str = "none"
    zero: str = ""
    may_change: bool = False
    unfair: bool = False

    @property
    def flag(self) -> str:
        """The flag that sets it."""
        return "--" + self.name.replace("_", "-")

    @property
    def takes_null(self) -> bool:
        """Return whether None is a value."""
        return type(None) in get_args(self.kind)

    @property
    def is_list(self) -> bool:
        """Return whether the value is a tuple."""
        return get_origin(self._without_null) is tuple

    @property
    def element(self) -> Any:
        """Type of a value, or of each value of a list."""
        return get_args(self._without_null)[0] if self.is_list else self._without_null

    @property
    def words(self) -> tuple[str, ...]:
        """Words to choose from; empty unless the type is a `Literal`."""
        return get_args(self.element) if get_origin(self.element) is Literal else ()

    @property
    def _without_null(self) -> Any:
        return get_args(self.kind)[0] if self.takes_null else self.kind

    @property
    def _bounds(self) -> str:
        if None not in (self.low, self.high):
            return f"{self.low} to {self.high}"
        if None not in (self.low, self.below):
            return f"{self.low} to below {self.below}"
        words = {"at least": self.low, "above": self.above, "at most": self.high}
        return "".join(f"{word} {bound}" for word, bound in words.items() if bound is not None)

    @property
    def rule(self) -> str:
        """The values that it takes, in words.

        Example:
            >>> Setting(name="steps", kind=int, low=1, high=9).rule
            'a whole number (1 to 9)'
            >>> Setting(name="betas", kind=tuple[float, ...], low=0, below=1, count=(2, 2)).rule
            'a list of 2 finite numbers (0 to below 1)'
        """
        if self.words:
            text = f"one of {', '.join(self.words)}" + ", or a list of them" * self.is_list
        elif self.is_list:
            low, high = self.count
            number = "" if high == math.inf else f"{low} " if low == high else f"{low} to {high} "
            text = f"a list of {number}{_MANY.get(self.element, 'texts')}"
        else:
            text = _ONE.get(self.element, "text that can name a file")
        text += f" ({self._bounds})" if self._bounds else ""
        return text + " or null" * self.takes_null

    @property
    def help_text(self) -> str:
        """The whole text for `--help`.

        Example:
            >>> Setting(name="rate", kind=int, default=8, help="rate", unit="Hz", low=1).help_text
            'rate (Hz; at least 1; default: 8)'
        """
        facts = [self.unit, self._bounds, self.zero and f"0: {self.zero}"]
        if self.default is None:
            facts.append("" if self.null == "none" else f"default: {self.null}")
        elif self.default != ():
            facts += [f"null: {self.null}" * self.takes_null, f"default: {as_text(self.default)}"]
        text = "; ".join(filter(None, facts))
        return f"{self.help} ({text})" if text else self.help

    def check(self, value: Any) -> Any:
        """Return a value in the declared type, or raise a ParameterError.

        A whole number serves as a real one, a list as a tuple, and one word as a list of words.

        Example:
            >>> Setting(name="rate", kind=float, above=0).check(3)
            3.0
            >>> Setting(name="steps", kind=int, low=1, high=9).check("5")
            Traceback (most recent call last):
                ...
            wavegan_rc.errors.ParameterError: steps must be a whole number (1 to 9). Received: '5'
        """
        if value is None and self.takes_null:
            return None
        try:
            if not self.is_list:
                return self._checked(value)
            values = [value] if self.words and isinstance(value, str) else value
            if not isinstance(values, list | tuple):
                raise ValueError
            if not self.count[0] <= len(values) <= self.count[1]:
                raise ValueError
            return tuple(map(self._checked, values))
        except (ValueError, OverflowError):
            raise ParameterError(
                f"{self.name} must be {self.rule}. Received: {self._received(value)}"
            ) from None

    def parse(self, text: Any) -> Any:
        """Return the value that a text, or a list of texts, stands for, or raise a ParameterError.

        Example:
            >>> factors = Setting(name="factors", kind=tuple[int, ...])
            >>> factors.parse(["2", "4"]), factors.parse("2,4")
            ((2, 4), (2, 4))
        """
        # Paths and other texts may hold a comma.
        if self.is_list and (self.words or self.element in (int, float)):
            items = [text] if isinstance(text, str) else text
            if isinstance(items, list):
                text = [part for item in items for part in _split(item)]
        if isinstance(text, list):
            return self.check([self._parsed(item) for item in text])
        return self.check(None if text == "null" and self.takes_null else self._parsed(text))

    def _received(self, value: Any) -> str:
        """Return a wrong value for a message; of words, the first wrong one, and what was meant."""
        values = value if isinstance(value, list | tuple) else [value]
        wrong = [word for word in values if isinstance(word, str) and word not in self.words]
        if self.words and wrong and wrong[0]:
            return shown(wrong[0]) + did_you_mean(wrong[0], self.words)
        return shown(reprlib.repr(list(value) if isinstance(value, tuple) else value))

    def _checked(self, value: Any) -> Any:
        """Return one value; raise a ValueError or OverflowError if it is not allowed."""
        kind, allowed = self.element, False
        if kind in (int, float):
            allowed = isinstance(value, Integral if kind is int else Real)
            allowed = allowed and not isinstance(value, bool) and self._in_range(kind(value))
            value = kind(value) if allowed else value
        elif self.words:
            allowed = value in self.words
        elif isinstance(value, kind):
            # os.fsencode raises a ValueError for text that is not Unicode.
            allowed = kind is bool or (os.fsencode(value) and "\0" not in str(value))
        if not allowed:
            raise ValueError
        return value

    def _in_range(self, value: float) -> bool:
        return (
            math.isfinite(value)
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def _parsed(self, text: Any) -> Any:
        """Return the value of one text, or the text itself if it has none."""
        if not isinstance(text, str) or self.words or not text:
            return text
        if self.element is bool:
            return {"true": True, "false": False}.get(text, text)
        with contextlib.suppress(ValueError):
            return self.element(os.path.expanduser(text) if self.element is Path else text)
        return text


def _split(item: Any) -> list[Any]:
    return item.strip(",").split(",") if isinstance(item, str) else [item]


def as_text(value: Any) -> str:
    """Return a value as a flag takes it.

    Example:
        >>> as_text((2, 2)), as_text(None), as_text(True), as_text(0.5)
        ('2 2', 'null', 'true', '0.5')
    """
    if isinstance(value, list | tuple):
        return " ".join(map(as_text, value))
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def shown(value: Any) -> str:
    r"""Return a value for a message: one line of at most 80 characters.

    Example:
        >>> shown("two\nlines"), len(shown("x" * 1000))
        ('two\\nlines', 80)
    """
    text = printable(value if isinstance(value, str) else repr(value))
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."
