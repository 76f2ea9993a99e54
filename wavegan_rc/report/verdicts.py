"""A sentence for each kind of artifact, computed from intervals and p-values alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from wavegan_rc.measurement.evaluator import NO_REAL
from wavegan_rc.measurement.quantities import CANNOT_BE_TOLD
from wavegan_rc.report.comparisons import SEGMENTS, Comparison, Difference
from wavegan_rc.report.groups import Group
from wavegan_rc.report.measured import MISSING, Interval, frequencies_text
from wavegan_rc.report.rows import Row

REAL = "real"
_WORDS = {"below": "less", "above": "more"}


@dataclass(frozen=True)
class Kind:
    """A kind of artifact, and the quantity that measures it: the less, the better."""

    name: str
    quantity: str
    noun: str


KINDS = (
    Kind("tonal lines", "line_prominence_db", "line prominence"),
    Kind("phase-locked lines", "phase_locking_excess", "phase-locking excess"),
    Kind("images moving with the signal", "image_coherence", "image coherence"),
    Kind("out-of-band energy", "out_of_band_total_db", "out-of-band energy"),
    Kind("filtering artifact", "filtering_db", "deviation of third-octave levels"),
    Kind("distance to real audio", "frechet_distance", "Frechet distance"),
)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict on one kind of artifact of one group.

    Attributes:
        stage: Stage of the difference. None for the whole set.
        frequency_hz: None: single lines have no verdicts.
        difference: Group minus the other side.
        verdict: `above`, `below`, `equal within ...`, `cannot be told` or empty.
        over: `segments` or `seeds`. None without a difference.
        count: Number of segments or seeds of the group.
        beside_count: Number of segments or seeds of the other group. None for real audio.
        beside: Id of the group compared with, or `real`.
    """

    kind: str
    quantity: str
    unit: str = ""
    stage: int | None = None
    frequency_hz: float | None = None
    difference: Interval = MISSING
    p_value: float | None = None
    verdict: str = ""
    over: str | None = None
    count: int | None = None
    beside_count: int | None = None
    text: str
    group: str
    beside: str


@dataclass(frozen=True)
class _Found:
    """A row's difference between two sides, with the numbers of runs or segments compared."""

    row: Row
    difference: Difference
    over: str
    count: int
    beside_count: int | None

    @property
    def size(self) -> float:
        return abs(self.difference.value or 0)

    @property
    def place(self) -> str:
        """Lines of the stage, as " at 4000 Hz (stage 6)"; empty for the whole set."""
        if self.row.stage is None:
            return ""
        return f" at {frequencies_text(self.row.lines_hz)} Hz (stage {self.row.stage})"

    @property
    def trainings(self) -> str:
        """Trainings compared; segments say nothing about other trainings."""
        ours, theirs = self.count, self.beside_count
        if self.over == SEGMENTS:
            return "one training" if theirs is None else "one training each"
        if theirs is None or theirs == ours:
            return f"{ours} seeds" + ("" if theirs is None else " each")
        return f"{ours} and {theirs} seeds"


def build_verdicts(
    groups: Sequence[Group], rows: Sequence[Row], comparisons: Mapping[str, Comparison]
) -> list[Verdict]:
    """Judge every group beside the reference group, or a single group beside real audio.

    For a kind that is measured by stage, the verdict describes the stage with the largest certain
    difference. Its text counts the stages by direction.
    """
    first, *others = groups
    verdicts = []
    for kind in KINDS:
        own = [row for row in rows if row.name == kind.quantity and row.frequency_hz is None]
        if not others:
            found = [_beside_real(row, first) for row in own]
            verdicts.append(_verdict(kind, found, first, REAL, "real audio"))
        for group in others:
            comparison = comparisons[group.id]
            found = [
                _Found(row, row.differences[group.id], comparison.over, *comparison.counts)
                for row in own
            ]
            verdicts.append(_verdict(kind, found, group, first.id, first.label))
    return verdicts


def _beside_real(row: Row, group: Group) -> _Found:
    cell = row.cells[group.id]
    difference = Difference(
        *cell.beside_real.numbers, p_value=cell.p_value, verdict=cell.verdict, reason=cell.reason
    )
    if cell.value is not None and difference.value is None:
        difference = replace(difference, reason=NO_REAL)
    return _Found(row, difference, cell.over, cell.count, None)


def _verdict(
    kind: Kind, found: Sequence[_Found], group: Group, beside: str, beside_label: str
) -> Verdict:
    told = [each for each in found if each.difference.value is not None]
    chosen = _largest(told)
    sides = f"{group.label} and {beside_label}"
    verdict = Verdict(
        kind=kind.name, quantity=kind.quantity, text="", group=group.id, beside=beside
    )
    if chosen is None:
        reasons = [each.difference.reason for each in found] or ["no run has it"]
        return replace(verdict, text=f"{sides} are not compared by {kind.noun}: {reasons[0]}.")
    difference = chosen.difference
    text = _sentence(kind, chosen, group.label, beside_label, several=len(found) > 1)
    if len(found) > 1 and difference.verdict:
        text += f" {_directions(told)}"
    return replace(
        verdict,
        unit=chosen.row.unit,
        stage=chosen.row.stage,
        difference=Interval(*difference.numbers),
        p_value=difference.p_value,
        verdict=difference.verdict,
        over=chosen.over,
        count=chosen.count,
        beside_count=chosen.beside_count,
        text=text,
    )


def _largest(told: Sequence[_Found]) -> _Found | None:
    """Return the largest certain difference; without one, the largest that may be there."""
    certain = [each for each in told if each.difference.verdict in _WORDS]
    untold = [each for each in told if each.difference.verdict == CANNOT_BE_TOLD]
    return max(certain or untold or told, key=lambda each: each.size, default=None)


def _sentence(kind: Kind, chosen: _Found, label: str, beside: str, *, several: bool) -> str:
    """Say that a group is better, worse or equal, or that it cannot be told."""
    difference, unit = chosen.difference, chosen.row.unit
    if difference.verdict in _WORDS:
        better = "better" if difference.verdict == "below" else "worse"
        return (
            f"{label} is {better} than {beside}{chosen.place}: "
            f"{_interval_text(difference, unit, absolute=True)} {_WORDS[difference.verdict]} "
            f"{kind.noun}, {chosen.trainings}."
        )
    size = f"{_interval_text(difference, unit)}{chosen.place}, {chosen.trainings}"
    size = f"{'Largest difference' if several else 'Difference'}: {size}."
    if difference.verdict.startswith("equal"):
        return f"{label} and {beside} are {difference.verdict} in {kind.noun}. {size}"
    reason = difference.reason or "more seeds would tell"
    return f"{label} and {beside} cannot be told apart by {kind.noun}: {reason}. {size}"


def _directions(told: Sequence[_Found]) -> str:
    """Count the stages by direction."""
    verdicts = [each.difference.verdict for each in told]
    counts = [
        f"{_WORDS.get(verdict, verdict)} in {verdicts.count(verdict)}"
        for verdict in [*_WORDS, *sorted(set(verdicts) - set(_WORDS))]
        if verdict and verdict in verdicts
    ]
    return f"Of {len(told)} stages: {', '.join(counts)}."


def _interval_text(difference: Interval, unit: str, *, absolute: bool = False) -> str:
    """Return value, unit and interval, with two digits of the value."""
    value, low, high = difference.value or 0.0, difference.low, difference.high
    if absolute and value < 0:
        value, low, high = -value, *(None if x is None else -x for x in (high, low))
    numbers = [value] if low is None or high is None else [value, low, high]
    digits = 1 if value == 0 else min(max(1 - math.floor(math.log10(abs(value))), 0), 6)
    shown = [f"{number:.{digits}f}" for number in numbers]
    interval = f"[{', '.join(shown[1:])}]" if len(shown) > 1 else ""
    return " ".join(filter(None, (shown[0], unit, interval)))
