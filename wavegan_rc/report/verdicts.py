"""A verdict on each kind of artifact, computed from intervals and p-values alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from wavegan_rc.figures.frequency_axis import frequencies_text
from wavegan_rc.measurement.evaluator import NO_REAL
from wavegan_rc.measurement.quantities import CANNOT_BE_TOLD, p_value_text
from wavegan_rc.report.groups import Group
from wavegan_rc.report.measured import SEEDS, SEGMENTS, Difference
from wavegan_rc.report.rows import Row
from wavegan_rc.report.words import interval_text

REAL = "real"
BETTER, WORSE, MIXED, ALIKE = "better", "worse", "better and worse", "alike"
UNKNOWN, NOT_MEASURED = CANNOT_BE_TOLD, "not measured"
# Quantities that judge a setting; for all of them, less is better.
KINDS = (NOISE, NOISE_LINES, LINES, LOCKING, IMAGES, COLOR, DISTANCE) = (
    "out_of_band_total_db",
    "out_of_band_lines_db",
    "line_prominence_db",
    "phase_locking_excess",
    "image_coherence",
    "filtering_db",
    "frechet_distance",
)
_SIDES = {"below": "less", "above": "more", "": CANNOT_BE_TOLD}


@dataclass(frozen=True)
class Verdict:
    """The verdict on one kind of artifact of one group.

    Attributes:
        quantity: Quantity that measures the artifact; less is better.
        group: Id of the group.
        beside: Id of the group compared with, or `real`.
        verdict: `better`, `worse`, `better and worse` (at different stages), `alike`, `cannot be
            told` or `not measured`.
        text: Size, interval, p-value and trainings in words, or the reason for no verdict.
        difference: Group minus the other side, at the stage that decides.
        trainings: Trainings compared, in words. Segments say nothing about other trainings.
        of_stages: How many of the stages decide, as "1 of 7"; empty for the whole.
    """

    quantity: str
    group: str
    beside: str
    verdict: str
    text: str
    difference: float | None = None
    trainings: str = ""
    of_stages: str = ""


def build_verdicts(groups: Sequence[Group], rows: Sequence[Row]) -> list[Verdict]:
    """Judge every group beside the reference group, or a single group beside real audio.

    Returns:
        A verdict for each kind of artifact and group, in the order of `KINDS`.
    """
    first, *others = groups
    verdicts = []
    for quantity in KINDS:
        own = [row for row in rows if row.name == quantity and row.frequency_hz is None]
        for group in others:
            found = [(row, row.differences[group.id]) for row in own]
            counts = len(group.runs), len(first.runs)
            verdicts.append(_verdict((quantity, group.id, first.id), found, counts))
        if not others:
            found = [(row, _beside_real(row, first)) for row in own]
            verdicts.append(_verdict((quantity, first.id, REAL), found, [len(first.runs)]))
    return verdicts


def _beside_real(row: Row, group: Group) -> Difference:
    cell = row.cells[group.id]
    no_real = cell.value is not None and cell.beside_real.value is None
    return cell.difference(NO_REAL if no_real else cell.reason)


def _trainings(counts: Sequence[int]) -> str:
    each = " each" if len(counts) > 1 else ""
    if max(counts) == 1:
        return f"one training{each}"
    different = sorted(set(counts))
    return (
        f"{different[0]} seeds{each}" if len(different) == 1 else "{} and {} seeds".format(*counts)
    )


def _verdict(
    about: tuple[str, str, str], found: Sequence[tuple[Row, Difference]], counts: Sequence[int]
) -> Verdict:
    """Judge what was found of a quantity, a group and the other side, by numbers of trainings."""
    trainings = _trainings(counts)
    told = [(row, each) for row, each in found if each.value is not None or each.verdict]
    sides = [each.verdict for _, each in told]
    if not told:
        reasons = [each.reason for _, each in found if each.reason] or ["no run has it"]
        return Verdict(*about, NOT_MEASURED, reasons[0])
    # The largest certain difference decides; without one, the largest that may be there.
    certain = [pair for pair in told if pair[1].verdict in ("below", "above")]
    untold = [pair for pair in told if pair[1].verdict == CANNOT_BE_TOLD]
    row, chosen = max(certain or untold or told, key=lambda pair: abs(pair[1].value or 0))
    parts = [f"difference {interval_text(chosen)} {row.unit}".strip()]
    if row.stage is not None:
        parts.append(f"at {frequencies_text(row.lines_hz)} (stage {row.stage})")
    if chosen.p_value is not None:
        over = SEGMENTS if max(counts) == 1 else SEEDS
        parts.append(f"p {p_text(chosen.p_value, over)}")
    parts.append(trainings)
    if len(sides) > 1:
        words = [_SIDES.get(side, side) for side in sides]
        ordered = sorted(set(words), key=lambda word: (word not in ("less", "more"), word))
        each_in = [f"{word} in {words.count(word)}" for word in ordered]
        parts.append(f"of {len(words)} stages {', '.join(each_in)}")
    text = ", ".join([*parts, *filter(None, [chosen.reason])])
    of_stages = "" if row.stage is None else f"{len(certain)} of {len(told)}"
    return Verdict(*about, judge(sides), text, chosen.value, trainings, of_stages)


def judge(sides: Sequence[str]) -> str:
    """Return one word for the verdicts on the parts of a quantity, such as stages.

    A part that is certainly less makes a group better, one that is certainly more makes it worse.

    Example:
        >>> judge(["below", "cannot be told"]), judge(["below", "above"]), judge(["", ""])
        ('better', 'better and worse', 'cannot be told')
    """
    if "below" in sides:
        return MIXED if "above" in sides else BETTER
    if "above" in sides:
        return WORSE
    return ALIKE if all(side.startswith("equal") for side in sides) else UNKNOWN


def p_text(p_value: float, over: str) -> str:
    """Return a p-value as text; permutations of segments have a smallest one, seeds have none.

    Example:
        >>> p_text(0.0004, "segments"), p_text(0.0004, "seeds")
        ('< 0.002', '0.0004')
    """
    return p_value_text(p_value) if over == SEGMENTS else p_value_text(p_value, smallest=0)
