"""What a measurement found: numbers with intervals, in words, as a table and as JSON."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wavegan_rc.artifacts.bootstrap import Estimate

# Of the JSON; raised when a field changes its meaning or goes.
SCHEMA = "wavegan_rc.artifacts/1"
# Share of unlocked lines that are called locked.
SIGNIFICANCE = 0.05
_SHOWN_LINES = 5


@dataclass(frozen=True)
class Quantity:
    """A number with its interval, beside the same of real segments.

    Attributes:
        name: With the unit as suffix, where it has one.
        estimate: Of the set; None where it could not be measured.
        real: Of real segments; None without them.
        difference: Set less real; None without real ones.
        stage: That it belongs to; None for the whole.
        frequency_hz: Of a line; None for others.
        p_value: Of phase locking by chance, corrected for the number of lines.
        reason: Why there is no estimate.
    """

    name: str
    estimate: Estimate | None
    real: Estimate | None = None
    difference: Estimate | None = None
    stage: int | None = None
    frequency_hz: float | None = None
    p_value: float | None = None
    reason: str | None = None

    @property
    def verdict(self) -> str:
        """In words: whether a line is locked, or on which side of real the set lies for certain."""
        if self.estimate is None:
            return f"not measured: {self.reason}"
        if self.p_value is not None:
            return "locked" if self.p_value < SIGNIFICANCE else "not locked"
        if self.difference is None or math.isnan(self.difference.low):
            return ""
        if self.difference.low > 0:
            return "above real"
        return "below real" if self.difference.high < 0 else "not different"


@dataclass(frozen=True)
class Measurement:
    """What was found out about a set.

    Attributes:
        quantities: The whole first, then by stage, then by line.
        arrays: `frequencies_hz`, `power` (value, low, high), `phase_locking` and `image_coherence`
            (by stage) of the set, and all but the first of real segments as `real_...`.
    """

    quantities: tuple[Quantity, ...]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The quantities as JSON values; what is not finite is null, with a reason."""
        return {"schema": SCHEMA, "quantities": [_as_json(q) for q in self.quantities]}

    def table(self) -> str:
        """The whole, the stages and the most prominent lines, in columns."""
        whole = [q for q in self.quantities if q.stage is None]
        stages = [q for q in self.quantities if q.stage is not None and q.frequency_hz is None]
        lines = [q for q in self.quantities if q.frequency_hz is not None]
        prominent = [q for q in lines if q.name == "line_prominence_db" and q.estimate is not None]
        prominent.sort(key=lambda q: -q.estimate.value)  # pyright: ignore
        locking = [q for q in lines if q.name == "phase_locking"]
        rows = [f"{'':36}{'value [95 % interval]':>28}{'real [95 % interval]':>28}  verdict"]
        rows += [_row(q) for q in [*whole, *stages, *prominent[:_SHOWN_LINES]]]
        if lines:
            locked = sum(q.verdict == "locked" for q in locking)
            rows.append(
                f"({min(_SHOWN_LINES, len(prominent))} most prominent of {len(locking)} predicted "
                f"lines; {locked} of them locked in phase)"
            )
        return "\n".join(rows)


def _row(quantity: Quantity) -> str:
    label = quantity.name
    if quantity.frequency_hz is not None:
        label += f", {quantity.frequency_hz:g} Hz"
    if quantity.stage is not None:
        label += f", stage {quantity.stage}"
    value, real = _cell(quantity.estimate), _cell(quantity.real)
    return f"{label:36}{value:>28}{real:>28}  {quantity.verdict}"


def _cell(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    if not math.isfinite(estimate.value):
        return "nothing"
    digits = 1 if abs(estimate.value) >= 10 else 2 if abs(estimate.value) >= 1 else 3
    # Adding 0 makes a rounded -0.0 plain 0.
    value, low, high = (f"{round(float(number), digits) + 0:.{digits}f}" for number in estimate)
    return value if math.isnan(estimate.low) else f"{value} [{low}, {high}]"


def _as_json(quantity: Quantity) -> dict[str, Any]:
    return {
        "name": quantity.name,
        "stage": quantity.stage,
        "frequency_hz": quantity.frequency_hz,
        **_numbers(quantity.estimate),
        "real": None if quantity.real is None else _numbers(quantity.real),
        "difference": None if quantity.difference is None else _numbers(quantity.difference),
        "p_value": quantity.p_value,
        "verdict": quantity.verdict,
        "reason": quantity.reason,
    }


def _numbers(estimate: Estimate | None) -> dict[str, float | None]:
    fields = Estimate(np.nan, np.nan, np.nan) if estimate is None else estimate
    return {
        name: float(number) if np.isfinite(number) else None
        for name, number in fields._asdict().items()
    }
