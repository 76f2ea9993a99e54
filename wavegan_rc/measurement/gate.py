"""Limits on a measurement, for checks that can fail a build.

A limit `NAME=X` fails if NAME is above X. NAME is one of:

- a quantity: the largest value of any stage or line counts;
- `difference.` and a quantity: the largest difference to the reference counts;
- `above`: number of quantities with this verdict, compared with the reference;
- `found`: number of patterns found without knowing the factors;
- `not_measured`: number of quantities without a value;
- `skipped`: number of files that could not be used. It is 0 unless another number is given.

A limit on a quantity also fails if the quantity was not measured.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from wavegan_rc.errors import ParameterError
from wavegan_rc.measurement.evaluator import QUANTITIES
from wavegan_rc.measurement.measurement import Measurement
from wavegan_rc.measurement.quantities import Quantity
from wavegan_rc.measurement.sources import JOINS_SEGMENTS

_DIFFERENCE = "difference."
_COUNTS: dict[str, Callable[[Measurement], int]] = {
    "above": lambda m: sum(q.verdict == "above" for q in m.quantities),
    "found": lambda m: len(m.found_in_words()),
    "not_measured": lambda m: sum(q.estimate is None for q in m.quantities),
    # A joined file repeats others, so its segments are not missing.
    "skipped": lambda m: sum(why != JOINS_SEGMENTS for _, why in m.measured.segments.skipped),
}


class Outcome(NamedTuple):
    """The result of one limit.

    Attributes:
        passed: Whether the limit is kept.
        words: Value and limit in words.
    """

    passed: bool
    words: str


def parse_limits(limits: Sequence[str]) -> dict[str, float]:
    """Return bounds by name from `NAME=X` words.

    Raises:
        ParameterError: If a word has another form, or names nothing that can be limited.

    Example:
        >>> parse_limits(["line_prominence_db=6", "above=0"])
        {'line_prominence_db': 6.0, 'above': 0.0}
    """
    bounds = {}
    for limit in limits:
        name, _, text = limit.partition("=")
        if name not in _COUNTS and name.removeprefix(_DIFFERENCE) not in QUANTITIES:
            raise ParameterError(
                f"fail_above must name one of {', '.join((*QUANTITIES, *_COUNTS))}, or a quantity "
                f"after {_DIFFERENCE}. Received: {name}"
            )
        try:
            bounds[name] = float(text)
        except ValueError:
            bounds[name] = math.nan
        if math.isnan(bounds[name]):
            raise ParameterError(f"fail_above must be NAME=X, X a number. Received: {limit}")
    return bounds


def check_limits(measurement: Measurement, bounds: Mapping[str, float]) -> list[Outcome]:
    """Return an outcome for each limit; none without limits.

    Args:
        measurement: Measurement to check.
        bounds: Result of `parse_limits`.
    """
    if not bounds:
        return []
    return [_outcome(measurement, *item) for item in ({"skipped": 0.0} | dict(bounds)).items()]


def _outcome(measurement: Measurement, name: str, bound: float) -> Outcome:
    if name in _COUNTS:
        return _compared(name, _COUNTS[name](measurement), bound)
    quantity = name.removeprefix(_DIFFERENCE)
    named = [q for q in measurement.quantities if q.name == quantity]
    if not named:
        return Outcome(False, f"{name} was not measured: no upsampling factors are known")
    values = np.array([_value(q, name != quantity) for q in named])
    largest = int(np.nan_to_num(values, nan=-np.inf, posinf=np.inf, neginf=-np.inf).argmax())
    missing = [q for q, value in zip(named, values, strict=True) if math.isnan(value)]
    if missing and not values[largest] > bound:
        reason = missing[0].reason or "no reference to compare with"
        more = f"; nor {len(missing) - 1} more of them" if len(missing) > 1 else ""
        return Outcome(False, f"{name}{missing[0].place} was not measured: {reason}{more}")
    words = name + named[largest].place
    if quantity == "line_prominence_db":
        words += f" (bandwidth {measurement.measured.bandwidth_hz:.3g} Hz)"
    return _compared(words, values[largest], bound)


def _value(quantity: Quantity, of_difference: bool) -> float:
    chosen = quantity.difference if of_difference else quantity.estimate
    return math.nan if chosen is None else float(chosen.value)


def _compared(name: str, value: float, bound: float) -> Outcome:
    passed = value <= bound
    return Outcome(passed, f"{name} is {value:.3g}, {'at most' if passed else 'above'} {bound:g}")
