"""A sentence for each kind of artifact, computed from intervals and p-values alone."""

import math
from collections.abc import Sequence
from typing import Any

from wavegan_rc.measure.evaluator import NO_REAL
from wavegan_rc.measure.quantities import CANNOT_BE_TOLD
from wavegan_rc.report.comparisons import SEGMENTS, Comparison
from wavegan_rc.report.groups import Group

REAL = "real"
# Kind of artifact, the number that tells of it, and what the sentence calls it.
KINDS = (
    ("tonal lines", "line_prominence_db", "line prominence"),
    (
        "phase-locked lines",
        "phase_locking_excess",
        "phase locking of lines beyond the bins around them",
    ),
    ("images moving with the signal", "image_coherence", "image coherence"),
    ("out-of-band energy", "out_of_band_total_db", "out-of-band energy"),
    (
        "filtering artifact",
        "filtering_db",
        "deviation of third-octave levels from real audio",
    ),
    ("distance to real audio", "frechet_distance", "Frechet distance to real audio"),
)
_WORDS = {"below": "less", "above": "more"}
_WOULD_TELL = "more seeds would tell"
_SHOWN_LINES = 2


def build_verdicts(
    groups: Sequence[Group],
    rows: Sequence[dict[str, Any]],
    comparisons: dict[str, Comparison],
) -> list[dict[str, Any]]:
    """Verdicts on every setting beside the first; on a single one, beside real audio.

    Of a kind that is measured by stage, the verdict is on the stage whose difference is largest
    among those that are certain; its text says how many stages go which way.

    Args:
        groups: Settings, the first first.
        rows: Of the report's table.
        comparisons: By the ids of all groups but the first.
    """
    first, *others = groups
    verdicts = []
    for kind, name, noun in KINDS:
        own = [row for row in rows if row["name"] == name and row["frequency_hz"] is None]
        if not others:
            beside = [_beside_real(row, first) for row in own]
            verdicts.append(_verdict((kind, name, noun), beside, first.label, "real audio"))
            verdicts[-1] |= {"group": first.id, "beside": REAL}
        for group in others:
            beside = [_beside_first(row, group, comparisons[group.id]) for row in own]
            verdicts.append(_verdict((kind, name, noun), beside, group.label, first.label))
            verdicts[-1] |= {"group": group.id, "beside": first.id}
    return verdicts


def _beside_first(row: dict[str, Any], group: Group, comparison: Comparison) -> dict[str, Any]:
    """What a row says of a setting beside the first."""
    counts = comparison.counts
    return {
        "row": row,
        "difference": row["differences"][group.id],
        "over": comparison.over,
        "count": counts[0],
        "beside_count": counts[1],
    }


def _beside_real(row: dict[str, Any], group: Group) -> dict[str, Any]:
    """What a row says of a setting beside real audio."""
    cell = row["cells"][group.id]
    difference = cell["beside_real"] | {
        name: cell[name] for name in ("p_value", "verdict", "reason")
    }
    if cell["value"] is not None and difference["value"] is None:
        difference["reason"] = NO_REAL
    return {
        "row": row,
        "difference": difference,
        "over": cell["over"],
        "count": cell["count"],
        "beside_count": None,
    }


def _verdict(
    kind: tuple[str, str, str], found: Sequence[dict[str, Any]], label: str, beside: str
) -> dict[str, Any]:
    """The verdict on one kind of artifact of one setting."""
    noun = kind[2]
    told = [each for each in found if each["difference"]["value"] is not None]
    chosen = _largest(told)
    if chosen is None:
        reasons = [each["difference"]["reason"] for each in found] or ["no run has it"]
        text = f"{noun} of {label} and {beside} was not compared: {reasons[0]}"
        return _as_json(kind, None, text)
    difference, unit = chosen["difference"], chosen["row"]["unit"]
    several = len(found) > 1
    place = f" at {_place(chosen['row'])}" if chosen["row"]["stage"] is not None else ""
    sides = f"{label} and {beside}"
    if difference["verdict"] in _WORDS:
        size = _interval(difference, unit, chosen, absolute=True)
        word = _WORDS[difference["verdict"]]
        text = f"{label} has {size} {word} {noun} than {beside}{place}"
    else:
        size = _interval(difference, unit, chosen)
        size = f"largest{place}: {size}" if several else size
        if difference["verdict"].startswith("equal"):
            text = f"{noun} of {sides} is {difference['verdict']} ({size})"
        else:
            told_by = difference["reason"] or _WOULD_TELL
            text = f"whether {noun} of {sides} differs cannot be told ({size}): {told_by}"
    if several and difference["verdict"]:
        text += f"; {_directions(told)}"
    return _as_json(kind, chosen, text)


def _largest(told: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The largest of the differences that are certain; if none is, of those that may be there."""
    verdicts = [each["difference"]["verdict"] for each in told]
    certain = [each for each, word in zip(told, verdicts, strict=True) if word in _WORDS]
    untold = [each for each, word in zip(told, verdicts, strict=True) if word == CANNOT_BE_TOLD]
    return max(
        certain or untold or told, key=lambda each: abs(each["difference"]["value"]), default=None
    )


def _as_json(kind: tuple[str, str, str], chosen: dict | None, text: str) -> dict[str, Any]:
    name, quantity, noun = kind
    difference = {"value": None, "low": None, "high": None}
    row: dict[str, Any] = {"stage": None, "frequency_hz": None, "unit": ""}
    if chosen is not None:
        row = chosen["row"]
        difference = {key: chosen["difference"][key] for key in difference}
    return {
        "kind": name,
        "quantity": quantity,
        "unit": row["unit"],
        "stage": row["stage"],
        "frequency_hz": row["frequency_hz"],
        "difference": difference,
        "p_value": None if chosen is None else chosen["difference"]["p_value"],
        "verdict": "" if chosen is None else chosen["difference"]["verdict"],
        "over": None if chosen is None else chosen["over"],
        "count": None if chosen is None else chosen["count"],
        "beside_count": None if chosen is None else chosen["beside_count"],
        "text": text[:1].upper() + text[1:] if text.startswith((noun, "whether")) else text,
    }


def _place(row: dict[str, Any]) -> str:
    """Lines of a stage: "4000 Hz (stage 6)", "1000, 3000, ... Hz (stage 4)"."""
    lines = row["lines_hz"]
    more = ", ..." if len(lines) > _SHOWN_LINES else ""
    return f"{', '.join(f'{hz:g}' for hz in lines[:_SHOWN_LINES])}{more} Hz (stage {row['stage']})"


def _directions(told: Sequence[dict[str, Any]]) -> str:
    """How many stages go which way."""
    verdicts = [each["difference"]["verdict"] for each in told]
    counts = [
        f"{_WORDS.get(verdict, verdict)} in {verdicts.count(verdict)}"
        for verdict in [*_WORDS, *sorted(set(verdicts) - set(_WORDS))]
        if verdict and verdict in verdicts
    ]
    return f"of {len(told)} stages: {', '.join(counts)}"


def _interval(
    difference: dict[str, Any], unit: str, chosen: dict[str, Any], *, absolute: bool = False
) -> str:
    """Value and interval with the unit, and what the interval is over."""
    value, low, high = (difference[name] for name in ("value", "low", "high"))
    if absolute and value < 0:
        value, low, high = -value, *(None if x is None else -x for x in (high, low))
    numbers = [value] if low is None or high is None else [value, low, high]
    shown = [f"{number:.{_digits(numbers)}f}" for number in numbers]
    interval = f"{', '.join(shown[1:])}; " if len(shown) > 1 else ""
    return f"{' '.join(filter(None, (shown[0], unit)))} [{interval}{_over(chosen)}]"


def _digits(numbers: Sequence[float]) -> int:
    """Digits after the point: two of the value, at least so many that it is not 0."""
    size = abs(numbers[0])
    return 1 if size == 0 else min(max(1 - math.floor(math.log10(size)), 0), 6)


def _over(chosen: dict[str, Any]) -> str:
    """What an interval is over; segments say nothing of other trainings."""
    ours, theirs = chosen["count"], chosen["beside_count"]
    if chosen["over"] == SEGMENTS:
        return "one training each" if theirs is not None else "one training"
    if theirs is None or theirs == ours:
        return f"{ours} seeds" + ("" if theirs is None else " each")
    return f"{ours} and {theirs} seeds"
