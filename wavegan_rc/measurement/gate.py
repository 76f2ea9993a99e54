"""Limits on a measurement, for checks that can fail a build.

A limit `NAME=X` fails if NAME is above X. NAME is one of:

- a quantity: the largest value of any stage or line counts;
- `difference.` and a quantity: the largest difference to the reference counts;
- `above`: number of quantities with this verdict, compared with the reference;
- `found`: number of patterns found without knowing the factors, and not in real audio;
- `not_measured`: number of quantities without a value, of the set or of its reference;
- `skipped`: number of files of both that could not be used. It is 0 unless another number is given.

A limit on a quantity also fails if the quantity was not measured.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from wavegan_rc.errors import ParameterError
from wavegan_rc.measurement.evaluator import QUANTITIES
from wavegan_rc.measurement.measurement import MeasuredSet, Measurement
from wavegan_rc.measurement.quantities import Quantity
from wavegan_rc.measurement.sources import JOINS_SEGMENTS

_DIFFERENCE = "difference."
_COUNTS: dict[str, Callable[[Measurement], int]] = {
    "above": lambda m: sum(q.verdict == "above" for q in m.quantities),
    "found": lambda m: m.findings.count,
    "not_measured": lambda m: sum(_is_missing(q, m) for q in m.quantities),
    "skipped": lambda m: _skipped(m.measured),
}


def _is_missing(quantity: Quantity, measurement: Measurement) -> bool:
    no_reference = measurement.measured.real is not None and quantity.reference is None
    return quantity.estimate is None or no_reference


def _skipped(measured: MeasuredSet) -> int:
    files = (*measured.segments.skipped, *measured.reference_skipped)
    # A joined file repeats others, so its segments are not missing.
    return sum(why != JOINS_SEGMENTS for _, why in files)


class LimitResult(NamedTuple):
    """The result of one limit: `passed`, and its value and limit in words."""

    passed: bool
    words: str


def parse_limits(limits: Sequence[str]) -> dict[str, float]:
    """Return bounds by name from `NAME=X` words."""
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


def check_limits(measurement: Measurement, bounds: Mapping[str, float]) -> list[LimitResult]:
    """Return an outcome for each limit; none without limits."""
    if not bounds:
        return []
    return [_outcome(measurement, *item) for item in ({"skipped": 0.0} | dict(bounds)).items()]


def _outcome(measurement: Measurement, name: str, bound: float) -> LimitResult:
    if name in _COUNTS:
        return _compared(name, _COUNTS[name](measurement), bound)
    quantity = name.removeprefix(_DIFFERENCE)
    named = [q for q in measurement.quantities if q.name == quantity]
    if not named:
        return LimitResult(False, f"{name} was not measured: no upsampling factors are known")
    values = np.array([_value(q, name != quantity) for q in named])
    largest = int(np.nan_to_num(values, nan=-np.inf, posinf=np.inf, neginf=-np.inf).argmax())
    missing = [q for q, value in zip(named, values, strict=True) if math.isnan(value)]
    if missing and not values[largest] > bound:
        reason = missing[0].reason or "no reference to compare with"
        more = f"; nor {len(missing) - 1} more of them" if len(missing) > 1 else ""
        return LimitResult(False, f"{name}{missing[0].place} was not measured: {reason}{more}")
    words = name + named[largest].place
    if quantity == "line_prominence_db":
        words += f" (bandwidth {measurement.measured.bandwidth_hz:.3g} Hz)"
    return _compared(words, values[largest], bound)


def _value(quantity: Quantity, of_difference: bool) -> float:
    chosen = quantity.difference if of_difference else quantity.estimate
    return math.nan if chosen is None else float(chosen.value)


def _compared(name: str, value: float, bound: float) -> LimitResult:
    passed = value <= bound
    return LimitResult(
        passed, f"{name} is {value:.3g}, {'at most' if passed else 'above'} {bound:g}"
    )
