"""Measured quantities: numbers with intervals, verdicts, tables and records."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wavegan_rc.measurement.bootstrap import Estimate
from wavegan_rc.measurement.significance import PERMUTATIONS, SIGNIFICANCE
from wavegan_rc.utils.atomic_files import json_ready

CANNOT_BE_TOLD = "cannot be told"
COULD_TELL = "more segments or recordings may settle it"
# Largest difference without relevance: 1 dB is about the smallest audible change of level.
_MARGIN_DB = 1.0
# The same for quantities between 0 and 1.
_MARGIN = 0.01
_SHARES = frozenset(
    {"phase_locking", "phase_locking_excess", "image_coherence", "clipped_share"}
    | {"differing_bins_share"}
)
# Unbiased estimates of non-negative quantities, which can fall below 0 by chance.
_NOT_NEGATIVE = frozenset(
    {"phase_locking", "phase_locking_between", "image_coherence", "energy_modulation"}
    | {"frechet_distance", "kernel_distance", "jensen_shannon_bits"}
)
_SHOWN_LINES = 5
# Second smallest p-value of permutations: the smallest is only known to be below it.
_SMALLEST_P_VALUE = 2 / (1 + PERMUTATIONS)
_NOTHING = "nothing is there: minus infinity dB"
_NOTHING_AT_TIMES = "in some resamples nothing is there: minus infinity dB"
_OF_A_PITCH = (
    "not locked in phase, so it may be a pitch of the sound itself, as of another speaker or "
    "instrument"
)
_NO_INTERVAL = "no interval: too few independent units, or a count that resamples would bias"


@dataclass(frozen=True)
class Quantity:
    """A measured quantity of a segment set, with that of a reference.

    Attributes:
        name: Name with the unit as suffix.
        stage: Stage number, from 1. None for the whole set.
        frequency_hz: Frequency of a line in Hz. None for other quantities.
        estimate: Value and interval. None if it could not be measured.
        reference: Value and interval of the reference. None without one.
        difference: Set minus reference. None without one.
        p_value: P-value of the difference, corrected for the number of stages or lines.
        locked_p_value: P-value of a line's phase locking, corrected for the number of lines.
        locked: Whether the line, or any line of the stage, is locked in phase, for levels and
            prominences. None: not known, or another quantity.
        untold: Reason why no verdict is possible. None if one is.
        reason: Reason for a missing estimate, or a note on it.
    """

    name: str
    stage: int | None = None
    frequency_hz: float | None = None
    estimate: Estimate | None = None
    reference: Estimate | None = None
    difference: Estimate | None = None
    p_value: float | None = None
    locked_p_value: float | None = None
    locked: bool | None = None
    untold: str | None = None
    reason: str | None = None

    @property
    def unit(self) -> str:
        """Unit: `dB`, `bits`, or empty for ratios and distances."""
        return unit_of(self.name)

    @property
    def place(self) -> str:
        """Frequency and stage in words, as they follow a name; empty for the whole set."""
        words = "" if self.frequency_hz is None else f", {self.frequency_hz:g} Hz"
        return words if self.stage is None else f"{words}, stage {self.stage}"

    @property
    def verdict(self) -> str:
        """Verdict in words: whether a line is locked, or the side of the reference.

        `above` and `below` need an interval of the difference without 0 and a p-value below 5 %;
        see `side` for the others.
        """
        if self.estimate is None:
            return f"not measured: {self.reason}"
        if self.untold is not None:
            return f"{CANNOT_BE_TOLD}: {self.untold}"
        if self.locked_p_value is not None:
            if self.locked_p_value < SIGNIFICANCE:
                return "locked"
            return f"below {_MARGIN:g}" if self.estimate.high < _MARGIN else CANNOT_BE_TOLD
        if self.difference is None or self.p_value is None or math.isnan(self.difference.low):
            return ""
        return side(self.name, self.difference, certain=self.p_value < SIGNIFICANCE)

    @property
    def note(self) -> str | None:
        """Reason for a missing estimate, or what must be known about it."""
        is_pitch = self.locked is False and self.verdict == "above"
        return self.reason or (_OF_A_PITCH if is_pitch else None)

    def to_json(self) -> dict[str, Any]:
        """Return the entry of the JSON files; missing and infinite numbers are None."""
        reason = self.note
        if self.estimate is not None and not math.isfinite(self.estimate.value):
            reason = _NOTHING
        elif self.estimate is not None and not math.isfinite(self.estimate.low):
            reason = _NO_INTERVAL if math.isnan(self.estimate.low) else _NOTHING_AT_TIMES
        return {
            "name": self.name,
            "stage": self.stage,
            "frequency_hz": self.frequency_hz,
            **json_ready(self.estimate or dict.fromkeys(Estimate._fields)),
            "reference": json_ready(self.reference),
            "difference": json_ready(self.difference),
            "p_value": self.p_value,
            "locked_p_value": self.locked_p_value,
            "locked": self.locked,
            "verdict": self.verdict,
            "reason": reason,
        }

    def to_record(self) -> dict[str, Any]:
        """Return the same as a flat dict, with the unit."""
        record: dict[str, Any] = {}
        for name, value in self.to_json().items():
            if name in ("reference", "difference"):
                numbers = value or dict.fromkeys(Estimate._fields)
                record |= {f"{name}_{end}": number for end, number in numbers.items()}
            else:
                record[name] = value
            if name == "frequency_hz":
                record["unit"] = self.unit
        return record


def unit_of(name: str) -> str:
    """Return the unit that a quantity's name ends with: `dB`, `bits`, or empty."""
    return {"db": "dB", "bits": "bits"}.get(name.rpartition("_")[2], "")


def side(name: str, difference: Estimate, *, certain: bool = True) -> str:
    """Return the side of 0 on which a difference lies, in words.

    A difference is `equal` if its whole interval lies within a margin: 1 dB for levels, 0.01 for
    quantities between 0 and 1, none for others.
    """
    if certain and (difference.low > 0 or difference.high < 0):
        return "above" if difference.low > 0 else "below"
    margin = _MARGIN_DB if name.endswith("_db") else _MARGIN if name in _SHARES else 0
    if -margin < difference.low and difference.high < margin:
        return f"equal within {margin:g}{' dB' if name.endswith('_db') else ''}"
    return CANNOT_BE_TOLD


def within_bounds(name: str, estimate: Estimate) -> Estimate:
    """Return an estimate to show: non-negative quantities are raised to 0.

    Example:
        >>> within_bounds("image_coherence", Estimate(-0.0001, -0.001, 0.0005))
        Estimate(value=0.0, low=0.0, high=0.0005)
    """
    if name not in _NOT_NEGATIVE:
        return estimate
    return Estimate(*(math.nan if math.isnan(x) else max(x, 0.0) for x in estimate))


def p_value_text(p_value: float, smallest: float = _SMALLEST_P_VALUE) -> str:
    """Return a p-value as text."""
    if p_value < smallest * (1 - 1e-9):
        return f"< {smallest:.3f}"
    return f"{p_value:.3f}" if p_value >= 0.001 else f"{p_value:.1g}"


@dataclass(frozen=True)
class QuantityList:
    """Quantities of the whole set, by stage and by line, and those that could not be measured."""

    quantities: tuple[Quantity, ...]

    def to_records(self) -> list[dict[str, Any]]:
        """Return a flat dict for each quantity, as for `pandas.DataFrame`."""
        return [quantity.to_record() for quantity in self.quantities]

    def table(self, name: str = "value", reference: str = "real") -> str:
        """Return a table of the whole set, the stages and the most prominent lines.

        Args:
            name: Heading of the values.
            reference: Heading of the reference.
        """
        whole = [q for q in self.quantities if q.stage is None]
        stages = [q for q in self.quantities if q.stage is not None and q.frequency_hz is None]
        names = list(dict.fromkeys(q.name for q in stages))
        stages.sort(key=lambda q: names.index(q.name))
        lines = [q for q in self.quantities if q.frequency_hz is not None]
        prominent = [q for q in lines if q.name == "line_prominence_db" and q.estimate is not None]
        prominent.sort(key=lambda q: -q.estimate.value)  # pyright: ignore
        rows = [f"{'':36}{f'{name} [95 %]':>29}{f'{reference} [95 %]':>29}{'p':>8}  verdict"]
        shown = [*whole, *stages, *prominent[:_SHOWN_LINES]]
        rows += [_row(q) for q in shown]
        if lines:
            rows.append(_of_all_lines(lines, min(_SHOWN_LINES, len(prominent))))
        if any(q.verdict == CANNOT_BE_TOLD for q in shown):
            rows.append(f"({CANNOT_BE_TOLD}: the interval is too wide; {COULD_TELL})")
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
    label = quantity.name + quantity.place
    value, reference = (_cell(quantity.name, e) for e in (quantity.estimate, quantity.reference))
    p_value = "" if quantity.p_value is None else p_value_text(quantity.p_value)
    words = quantity.verdict
    if quantity.estimate is not None and quantity.note:
        words = "; ".join(filter(None, (words, quantity.note)))
    return f"{label:36}{value:>29}{reference:>29}{p_value:>8}  {words}".rstrip()


def _cell(name: str, estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    estimate = within_bounds(name, estimate)
    if not math.isfinite(estimate.value):
        return "nothing"
    # Three digits of the largest number, with one to five decimals.
    largest = max(abs(number) for number in estimate if math.isfinite(number))
    size = math.floor(math.log10(max(largest, 1e-3))) if largest else 0
    digits = max(2 - size, 1)
    # Adding 0 makes a rounded -0.0 plain 0.
    value, low, high = (f"{round(float(number), digits) + 0:.{digits}f}" for number in estimate)
    return value if math.isnan(estimate.low) else f"{value} [{low}, {high}]"
