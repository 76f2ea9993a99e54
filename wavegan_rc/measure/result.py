"""What a measurement found: numbers with intervals, in words, as a table and as JSON."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wavegan_rc.measure.bootstrap import Estimate
from wavegan_rc.measure.significance import PERMUTATIONS

# Of the JSON; raised when a field changes its meaning or goes.
SCHEMA = "wavegan_rc.artifacts/3"
SIGNIFICANCE = 0.05
CANNOT_BE_TOLD = "cannot be told"
# Differences that do not matter: 1 dB is about the smallest change of level that is heard.
_MARGIN_DB = 1.0
# Of what lies between 0 and 1.
_MARGIN = 0.01
_SHARES = frozenset(
    {"phase_locking", "phase_locking_excess", "image_coherence", "clipped_share"}
    | {"differing_bins_share"}
)
# Estimates without bias of what cannot be negative: by chance they fall below 0.
_NOT_NEGATIVE = frozenset(
    {"phase_locking", "phase_locking_between", "image_coherence", "energy_modulation"}
    | {"kernel_distance"}
)
_SHOWN_LINES = 5
# The next larger p-value that permutations can give: of the smallest, no more is known.
_SMALLEST_P_VALUE = 2 / (1 + PERMUTATIONS)
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
        reason: Why there is no estimate, or what must be known beside it.
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
        which knows how many were looked at, is below 5 %; see `side` for the rest.
        """
        if self.estimate is None:
            return f"not measured: {self.reason}"
        if self.locked_p_value is not None:
            if self.locked_p_value < SIGNIFICANCE:
                return "locked"
            return f"below {_MARGIN:g}" if self.estimate.high < _MARGIN else CANNOT_BE_TOLD
        if self.difference is None or math.isnan(self.difference.low):
            return ""
        if self.p_value is None and math.isfinite(self.difference.value):
            return ""
        # Something beside nothing at all is minus infinity dB apart: for that there is no p-value.
        certain = self.p_value is None or self.p_value < SIGNIFICANCE
        return side(self.name, self.difference, certain=certain)


def side(name: str, difference: Estimate, *, certain: bool = True) -> str:
    """On which side of 0 a difference lies, in words.

    A difference that was not found may be there all the same: equal is only what lies within a
    margin with its whole interval. Levels have 1 dB, what lies between 0 and 1 has 0.01; of others
    it is not said that they are equal.

    Args:
        name: Of the quantity.
        difference: With its interval.
        certain: Whether tests agree that it is not 0.

    Returns:
        `above`, `below`, `equal within ...` or `cannot be told`.

    Example:
        >>> side("rms_db", Estimate(-0.2, -0.7, 0.3)), side("rms_db", Estimate(5.0, -15.0, 24.0))
        ('equal within 1 dB', 'cannot be told')
    """
    if certain and (difference.low > 0 or difference.high < 0):
        return "above" if difference.low > 0 else "below"
    margin = _MARGIN_DB if name.endswith("_db") else _MARGIN if name in _SHARES else 0
    if -margin < difference.low and difference.high < margin:
        return f"equal within {margin:g}{' dB' if name.endswith('_db') else ''}"
    return CANNOT_BE_TOLD


def within_bounds(name: str, estimate: Estimate) -> Estimate:
    """An estimate to be shown: of what cannot be negative, nothing is.

    Example:
        >>> within_bounds("image_coherence", Estimate(-0.0001, -0.001, 0.0005))
        Estimate(value=0.0, low=0.0, high=0.0005)
    """
    if name not in _NOT_NEGATIVE:
        return estimate
    return Estimate(*(math.nan if math.isnan(x) else max(x, 0.0) for x in estimate))


def p_value_text(p_value: float) -> str:
    """A p-value to be shown.

    Example:
        >>> p_value_text(0.0312), p_value_text(1 / 1001)
        ('0.031', '< 0.002')
    """
    if p_value < _SMALLEST_P_VALUE * (1 - 1e-9):
        return f"< {_SMALLEST_P_VALUE:.3f}"
    return f"{p_value:.3f}"


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
    value, reference = (_cell(quantity.name, e) for e in (quantity.estimate, quantity.reference))
    p_value = "" if quantity.p_value is None else p_value_text(quantity.p_value)
    words = quantity.verdict
    if quantity.estimate is not None and quantity.reason:
        words = "; ".join(filter(None, (words, quantity.reason)))
    return f"{label:36}{value:>29}{reference:>29}{p_value:>8}  {words}".rstrip()


def _cell(name: str, estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    estimate = within_bounds(name, estimate)
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
