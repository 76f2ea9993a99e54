"""Limits that a measurement may not cross."""

import math
from collections.abc import Mapping, Sequence

from wavegan_rc.errors import ParameterError
from wavegan_rc.measure.quantities import QUANTITIES
from wavegan_rc.measure.result import Measurement


def crossed(measurement: Measurement, limits: Mapping[str, float]) -> list[str]:
    """What lies above a limit, in words.

    Args:
        measurement: Of a set.
        limits: Bounds by name; the largest value over stages and lines counts.

    Raises:
        ParameterError: If a limit names nothing that could be measured.
    """
    found = []
    for name, bound in limits.items():
        named = [q for q in measurement.quantities if q.name == name]
        if not named:
            names = ", ".join(dict.fromkeys(q.name for q in measurement.quantities))
            raise ParameterError(f"fail_above must name one of {names}. Received: {name}")
        values = [float(q.estimate.value) for q in named if q.estimate]
        if not values:
            raise ParameterError(f"fail_above: {name} was not measured: {named[0].reason}")
        if max(values) > bound:
            found.append(f"{name} is {max(values):.3g}, above {bound:g}")
    return found


def parse_limits(limits: Sequence[str]) -> dict[str, float]:
    """Bounds by the name of the quantity, from `name=value` words.

    Raises:
        ParameterError: If a word is not of this form, or names no quantity.

    Example:
        >>> parse_limits(["line_prominence_db=6"])
        {'line_prominence_db': 6.0}
    """
    bounds = {}
    for limit in limits:
        name, _, text = limit.partition("=")
        try:
            bounds[name] = float(text)
        except ValueError:
            bounds[name] = math.nan
        if math.isnan(bounds[name]):
            raise ParameterError(f"fail_above must be name=value. Received: {limit}")
        if name not in QUANTITIES:
            names = ", ".join(QUANTITIES)
            raise ParameterError(f"fail_above must name one of {names}. Received: {name}")
    return bounds
