"""What a measurement found: numbers with intervals, in words, as a table and as JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wavegan_rc.artifacts.bootstrap import Estimate

# Of the JSON; raised when a field changes its meaning or goes.
SCHEMA = "wavegan_rc.artifacts/2"
SIGNIFICANCE = 0.05
_SHOWN_LINES = 5
_NOTHING = "nothing is there: minus infinity dB"
_NOTHING_AT_TIMES = "in some resamples nothing is there: minus infinity dB"
_NO_INTERVAL = "no interval: too few segments, or a count that resamples would bias"


@dataclass(frozen=True)
class Quantity:
    """A number with its interval, beside the same of another set.

    Attributes:
        name: With the unit as suffix, where it has one.
        estimate: Of the set; None where it could not be measured.
        stage: That it belongs to; None for the whole.
        frequency_hz: Of a line; None for others.
        reference: Of the set beside it; None without one.
        difference: Set less reference; None without one.
        p_value: Of so large a difference by chance, corrected for the number of stages or lines.
        locked_p_value: Of a line's phase locking by chance, corrected for the number of lines.
        reason: Why there is no estimate.
    """

    name: str
    estimate: Estimate | None = None
    stage: int | None = None
    frequency_hz: float | None = None
    reference: Estimate | None = None
    difference: Estimate | None = None
    p_value: float | None = None
    locked_p_value: float | None = None
    reason: str | None = None

    @property
    def verdict(self) -> str:
        """In words: whether a line is locked, or on which side of the reference the set lies.

        A set lies above or below if the interval of the difference excludes 0 and the p-value,
        which knows how many were looked at, is below 5 %.
        """
        if self.estimate is None:
            return f"not measured: {self.reason}"
        if self.locked_p_value is not None:
            return "locked" if self.locked_p_value < SIGNIFICANCE else "not locked"
        if self.difference is None or math.isnan(self.difference.low):
            return ""
        if self.p_value is None and math.isfinite(self.difference.value):
            return ""
        # Something beside nothing at all is minus infinity dB apart: for that there is no p-value.
        certain = self.p_value is None or self.p_value < SIGNIFICANCE
        if certain and self.difference.low > 0:
            return "above"
        return "below" if certain and self.difference.high < 0 else "not different"


@dataclass(frozen=True)
class Measurement:
    """What was found out about a set.

    Attributes:
        quantities: The whole, by stage, by line, and what could not be measured.
        arrays: `frequencies_hz`, `power` (value, low, high), `phase_locking` and `image_coherence`
            (by stage) of the set, and all but the first of real segments as `real_...`.
    """

    quantities: tuple[Quantity, ...]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    def as_json(self) -> list[dict[str, Any]]:
        """The quantities as JSON values; what is not finite is null, with a reason."""
        return [_as_json(q) for q in self.quantities]

    def table(self, name: str = "value", reference: str = "real") -> str:
        """The whole, each quantity by stage, and the most prominent lines, in columns.

        Args:
            name: Of the set.
            reference: Of what stands beside it.
        """
        whole = [q for q in self.quantities if q.stage is None]
        stages = [q for q in self.quantities if q.stage is not None and q.frequency_hz is None]
        names = list(dict.fromkeys(q.name for q in stages))
        stages.sort(key=lambda q: names.index(q.name))
        lines = [q for q in self.quantities if q.frequency_hz is not None]
        prominent = [q for q in lines if q.name == "line_prominence_db" and q.estimate is not None]
        prominent.sort(key=lambda q: -q.estimate.value)  # pyright: ignore
        rows = [f"{'':36}{f'{name} [95 %]':>29}{f'{reference} [95 %]':>29}{'p':>8}  verdict"]
        rows += [_row(q) for q in [*whole, *stages, *prominent[:_SHOWN_LINES]]]
        if lines:
            rows.append(_of_all_lines(lines, min(_SHOWN_LINES, len(prominent))))
        return "\n".join(rows)


def _of_all_lines(lines: Sequence[Quantity], shown: int) -> str:
    locking = [q for q in lines if q.name == "phase_locking"]
    excess = [q.estimate for q in lines if q.name == "phase_locking_excess" and q.estimate]
    locked = sum(q.verdict == "locked" for q in locking)
    more = sum(float(estimate.low) > 0 for estimate in excess)
    words = f"({shown} most prominent of {len(locking)} predicted lines"
    if any(q.locked_p_value is not None for q in locking):
        words += f"; {locked} of them locked in phase, {more} more firmly than the bins around"
    return words + ")"


def _row(quantity: Quantity) -> str:
    label = quantity.name
    if quantity.frequency_hz is not None:
        label += f", {quantity.frequency_hz:g} Hz"
    if quantity.stage is not None:
        label += f", stage {quantity.stage}"
    value, reference = _cell(quantity.estimate), _cell(quantity.reference)
    p_value = "" if quantity.p_value is None else f"{quantity.p_value:.3f}"
    return f"{label:36}{value:>29}{reference:>29}{p_value:>8}  {quantity.verdict}".rstrip()


def _cell(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    if not math.isfinite(estimate.value):
        return "nothing"
    # Three digits of the largest of them, one at least and five at most after the point.
    largest = max(abs(number) for number in estimate if math.isfinite(number))
    size = math.floor(math.log10(max(largest, 1e-3))) if largest else 0
    digits = max(2 - size, 1)
    # Adding 0 makes a rounded -0.0 plain 0.
    value, low, high = (f"{round(float(number), digits) + 0:.{digits}f}" for number in estimate)
    return value if math.isnan(estimate.low) else f"{value} [{low}, {high}]"


def _as_json(quantity: Quantity) -> dict[str, Any]:
    reason = quantity.reason
    if quantity.estimate is not None and not math.isfinite(quantity.estimate.value):
        reason = _NOTHING
    elif quantity.estimate is not None and not math.isfinite(quantity.estimate.low):
        reason = _NO_INTERVAL if math.isnan(quantity.estimate.low) else _NOTHING_AT_TIMES
    return {
        "name": quantity.name,
        "stage": quantity.stage,
        "frequency_hz": quantity.frequency_hz,
        **_numbers(quantity.estimate),
        "reference": None if quantity.reference is None else _numbers(quantity.reference),
        "difference": None if quantity.difference is None else _numbers(quantity.difference),
        "p_value": quantity.p_value,
        "locked_p_value": quantity.locked_p_value,
        "verdict": quantity.verdict,
        "reason": reason,
    }


def _numbers(estimate: Estimate | None) -> dict[str, float | None]:
    fields = Estimate(np.nan, np.nan, np.nan) if estimate is None else estimate
    return {
        name: float(number) if np.isfinite(number) else None
        for name, number in fields._asdict().items()
    }
