"""The declaration of one setting: its type, its range, and its text in help and messages."""

import contextlib
import math
import os
import reprlib
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from wavegan_rc.errors import ParameterError, printable

_LONGEST_SHOWN = 80
_ONE = {int: "a whole number", float: "a finite number", bool: "true or false"}
_TEXT = "text that can name a file"
_MANY = {int: "whole numbers", float: "finite numbers"}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A setting, or a flag of a command.

    Attributes:
        name: Name with underscores.
        kind: Annotated type: int, float, bool, str, Path or a `Literal` of words; a tuple of one
            of these; or one of these or None.
        default: Default value.
        help: Noun phrase for `--help`, without unit, range and default.
        group: Heading in `--help`; empty for none.
        unit: Unit, such as Hz; empty for none.
        low: Smallest value allowed.
        high: Largest value allowed.
        above: Lower bound that is not allowed itself.
        below: Upper bound that is not allowed itself.
        count: Smallest and largest number of values in a list; None for any number.
        null: Meaning of None.
        zero: Meaning of 0, where it is a special value.
        may_change: Whether a run may be resumed with another value.
        unfair: Whether runs that differ in it cannot be compared fairly.
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
    count: tuple[int, int] | None = None
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
        """Whether None is a value."""
        return type(None) in get_args(self.kind)

    @property
    def is_list(self) -> bool:
        """Whether its value is a tuple."""
        return get_origin(self._kind) is tuple

    @property
    def is_number(self) -> bool:
        """Whether its value is a number or a list of numbers."""
        return self._element in (int, float)

    @property
    def words(self) -> tuple[str, ...]:
        """Words to choose from; empty unless the type is a `Literal`."""
        return get_args(self._element) if get_origin(self._element) is Literal else ()

    @property
    def metavar(self) -> str:
        """A placeholder of one value in `--help`."""
        if self.words:
            return "WORD" if self.is_list else f"{{{','.join(self.words)}}}"
        return {int: "N", float: "X", bool: "{true,false}"}.get(self._element, "PATH")

    @property
    def rule(self) -> str:
        """The values it takes, in words.

        Example:
            >>> Setting(name="steps", kind=int, low=1, high=9).rule
            'a whole number from 1 to 9'
            >>> Setting(name="betas", kind=tuple[float, ...], low=0, below=1, count=(2, 2)).rule
            'a list of 2 finite numbers from 0 to below 1'
        """
        element, bounds = self._element, f" {self.bounds}" if self.bounds else ""
        if self.words:
            text = f"one of {', '.join(self.words)}"
            text += ", or a list of them" if self.is_list else ""
        elif self.is_list:
            low, high = self.count or (None, None)
            number = "" if low is None else f"{low} " if low == high else f"{low} to {high} "
            text = f"a list of {number}{_MANY.get(element, 'paths')}{bounds}"
        else:
            text = _ONE.get(element, _TEXT) + bounds
        return text + (" or null" if self.takes_null else "")

    @property
    def bounds(self) -> str:
        """The range in words; empty if there is none."""
        low = None if self.low is None else f"{self.low}"
        if low is not None and self.high is not None:
            return f"from {low} to {self.high}"
        if low is not None and self.below is not None:
            return f"from {low} to below {self.below}"
        if low is not None:
            return f"of at least {low}"
        if self.above is not None:
            return f"above {self.above}"
        return "" if self.high is None else f"of at most {self.high}"

    @property
    def help_text(self) -> str:
        """The whole text for `--help`.

        Example:
            >>> Setting(name="rate", kind=int, default=8, help="rate", unit="Hz", low=1).help_text
            'rate (Hz; at least 1; default: 8)'
        """
        facts = [self.unit, self.bounds.removeprefix("of ").removeprefix("from ")]
        facts.append(f"0: {self.zero}" if self.zero else "")
        if self.default is None:
            facts.append(f"default: {self.null}" if self.null != "none" else "")
        else:
            facts.append(f"null: {self.null}" if self.takes_null else "")
            facts.append(f"default: {as_text(self.default)}" if self.default != () else "")
        text = "; ".join(filter(None, facts))
        return f"{self.help} ({text})" if text else self.help

    def check(self, value: Any) -> Any:
        """Return a value in the declared type.

        Args:
            value: A whole number serves as a real one, a list as a tuple, and one word as a list
                of words.

        Raises:
            ParameterError: If it has another type or lies outside the range.

        Example:
            >>> Setting(name="rate", kind=float, above=0).check(3)
            3.0
            >>> Setting(name="steps", kind=int, low=1, high=9).check("5")
            Traceback (most recent call last):
                ...
            wavegan_rc.errors.ParameterError: steps must be a whole number from 1 to 9. \
Received: '5'
        """
        if value is None and self.takes_null:
            return None
        try:
            if not self.is_list:
                return self._checked(value)
            values = [value] if self.words and isinstance(value, str) else value
            low, high = self.count or (0, math.inf)
            if not isinstance(values, list | tuple) or not low <= len(values) <= high:
                raise ValueError
            return tuple(map(self._checked, values))
        except (ValueError, OverflowError):
            received = shown(value if self.words and isinstance(value, str) else _repr(value))
            raise ParameterError(f"{self.name} must be {self.rule}. Received: {received}") from None

    def parse(self, text: Any) -> Any:
        """Return the value that a text, or a list of texts, stands for.

        Raises:
            ParameterError: If it is no value of this setting.

        Example:
            >>> Setting(name="cutoff", kind=float | None).parse("null")
            >>> Setting(name="factors", kind=tuple[int, ...]).parse(["2", "4"])
            (2, 4)
        """
        if isinstance(text, list):
            return self.check([self._parsed(item) for item in text])
        return self.check(None if text == "null" and self.takes_null else self._parsed(text))

    @property
    def _kind(self) -> Any:
        """The type without None."""
        if not self.takes_null:
            return self.kind
        return next(kind for kind in get_args(self.kind) if kind is not type(None))

    @property
    def _element(self) -> Any:
        """The type of one value."""
        return get_args(self._kind)[0] if self.is_list else self._kind

    def _checked(self, value: Any) -> Any:
        """Return one value; raise a ValueError or OverflowError if it is not allowed."""
        element = self._element
        if self.is_number:
            number = Integral if element is int else Real
            if isinstance(value, number) and not isinstance(value, bool):
                value = element(value)
                if self._in_range(value):
                    return value
        elif self.words:
            if value in self.words:
                return value
        elif element is bool:
            if isinstance(value, bool):
                return value
        # os.fsencode raises a ValueError for text that is not Unicode.
        elif isinstance(value, element) and os.fsencode(value) and "\0" not in str(value):
            return value
        raise ValueError

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
        element = self._element
        if not isinstance(text, str):
            return text
        if element is bool:
            return {"true": True, "false": False}.get(text, text)
        with contextlib.suppress(ValueError):
            if self.is_number:
                return element(text)
        return Path(os.path.expanduser(text)) if element is Path else text


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


def _repr(value: Any) -> str:
    return reprlib.repr(list(value) if isinstance(value, tuple) else value)
