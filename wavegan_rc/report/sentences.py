"""The first sentences of a report, made from verdicts by rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wavegan_rc.figures.frequency_axis import hz_text
from wavegan_rc.report.groups import Group, differing_settings, setting_names
from wavegan_rc.report.rows import Row
from wavegan_rc.report.verdicts import (
    ALIKE,
    BETTER,
    DISTANCE,
    IMAGES,
    LINES,
    MIXED,
    NOISE,
    NOISE_LINES,
    REAL,
    UNKNOWN,
    WORSE,
    Verdict,
)
from wavegan_rc.report.words import MOST_NAMED, listed, named, number_text
from wavegan_rc.runs.history import unfinished

_CERTAIN = (BETTER, WORSE, MIXED)
# Far from real audio: this much more power where real audio is silent, or such a distance (real
# audio has 0, and each of its features a variance of 1).
_FAR_DB, _FAR_DISTANCE = 10, 1
_UNTOLD = "cannot be told from"


@dataclass(frozen=True)
class Summary:
    """First words of a report: runs compared, the finding, and how sure it is."""

    about: str
    finding: str
    more: Sequence[str]


def summarize(groups: Sequence[Group], rows: Sequence[Row], verdicts: Sequence[Verdict]) -> Summary:
    """Say in words what was compared, which is better at what, and how sure that is."""
    story = _Story(groups, rows, verdicts)
    sentences = (story.untold(), story.without_band(), story.from_real(), story.sureness())
    finding = story.of_many() if len(groups) > 2 else story.of_two()
    return Summary(_about(groups), finding, tuple(filter(None, sentences)))


def _about(groups: Sequence[Group]) -> str:
    """Name what differs, then what all runs share."""
    runs = [run for group in groups for run in group.runs]

    def shared(name: str) -> Any:
        values = {getattr(run.config, name) for run in runs}
        return values.pop() if len(values) == 1 else False

    data, rate, cutoff, steps = map(shared, ("data", "sample_rate", "cutoff_hz", "steps"))
    seeds = _span([len(group.runs) for group in groups])
    found = differing_settings(runs)
    names = [name.replace("_", " ") for name in setting_names() if name in found]
    that = f" that differ in {named(names)}" if names else ""
    words = [
        f"{len(runs)} run{'s' * (len(runs) > 1)}{that}",
        "" if data is False else f"trained on {data or 'bundled speech'}",
        f"{hz_text(rate)} sample rate" if rate else "",
        f"low-passed at {hz_text(cutoff)}" if cutoff else "",
        f"{steps:,} steps" if steps else "",
        f"{seeds} seed{'s' * (seeds != '1')} a setting",
        f"{_span([run.measured.segments for run in runs])} windows measured of each",
    ]
    return ", ".join(filter(None, words))


def _span(values: Sequence[int]) -> str:
    return " to ".join(f"{value:,}" for value in sorted({min(values), max(values)}))


class _Story:
    """Sentences about groups of runs."""

    def __init__(
        self, groups: Sequence[Group], rows: Sequence[Row], verdicts: Sequence[Verdict]
    ) -> None:
        self._groups, self._rows = groups, rows
        self._runs = [run for group in groups for run in group.runs]
        is_speech = {run.config.data for run in self._runs} == {None}
        self._audio = "real speech" if is_speech else "real audio"
        edges = {run.config.stopband_hz for run in self._runs}
        edge = edges.pop() if len(edges) == 1 else None
        self._band = "the band" if edge is None else hz_text(edge)
        self._labels = {group.id: group.label for group in groups} | {REAL: self._audio}
        power = {v.group: v.verdict for v in verdicts if v.quantity == NOISE_LINES}

        def is_told(verdict: Verdict) -> bool:
            """Lines are told once, by their power; nothing is nearer to real audio than itself."""
            if verdict.quantity == LINES and power.get(verdict.group) in _CERTAIN:
                return verdict.verdict in _CERTAIN and verdict.verdict != power[verdict.group]
            return (verdict.beside, verdict.quantity) != (REAL, DISTANCE)

        self._told = [
            [verdict for verdict in verdicts if verdict.quantity == kind and is_told(verdict)]
            for kind in (NOISE, NOISE_LINES, LINES, IMAGES, DISTANCE)
        ]

    def _lead(self) -> str:
        """Say after how many steps and seeds, as "After 5,000 steps and 5 seeds each"."""
        counts = [len(group.runs) for group in self._groups]
        words = f"After {_span([run.config.steps for run in self._runs])} steps"
        each = " each" if len(counts) > 1 else ""
        if max(counts) == 1:
            return f"{words}, in one training{each},"
        return f"{words} and {_span(counts)} seeds{each},"

    def _clause(self, verdict: Verdict, several: bool = False) -> str:
        """Return a verb phrase such as "leaves 6.8 dB less of its power above 1.7 kHz"."""
        whose = "their" if several else "its"
        has, less, more = {
            NOISE: (("leaves", "leave"), f"less of {whose} power", f"more of {whose} power"),
            NOISE_LINES: (("has", "have"), "weaker lines", "stronger lines"),
            LINES: (("has", "have"), "lines that stand out less", "lines that stand out more"),
            IMAGES: (("has", "have"), "fainter mirror images", "stronger mirror images"),
            DISTANCE: (("is", "are"), f"closer to {self._audio}", f"further from {self._audio}"),
        }[verdict.quantity]
        words = {BETTER: less, WORSE: more}.get(verdict.verdict)
        words = words or f"{less} at some stages and {more} at others"
        if verdict.quantity in (NOISE, NOISE_LINES):
            size = abs(verdict.difference or 0)
            # Real audio has no such lines: its number is a limit, set by noise.
            if size and not several and (verdict.quantity, verdict.beside) != (NOISE_LINES, REAL):
                words = f"{number_text(size, 1 if size < 9.95 else 0)} dB {words}"
            words += f" above {self._band}"
        return f"{has[several]} {words}"

    def of_two(self) -> str:
        """Say what a setting does better and worse than another one, or than real audio."""
        told = [verdict for kind in self._told for verdict in kind]
        name, other = (self._labels[side] for side in (told[0].group, told[0].beside))
        certain = [each for each in told if each.verdict in _CERTAIN]
        lead = self._lead()
        if not certain:
            verdicts = {each.verdict for each in told}
            if UNKNOWN not in verdicts:
                alike = f"{name} and {other} are alike in all that is measured"
                return f"{lead} {alike if ALIKE in verdicts else 'nothing could be measured'}."
            if told[0].beside == REAL:
                return f"{lead} it cannot be told whether {name} has artifacts."
            return f"{lead} it cannot be told which is better, {name} or {other}."
        better = [self._clause(each) for each in certain if each.verdict == BETTER]
        worse = [self._clause(each) for each in certain if each.verdict != BETTER]
        (better or worse)[0] += f" than {other}"
        told = ", but ".join(filter(None, (listed(better), listed(worse))))
        return self._band_once(f"{lead} {name} {told}.")

    def _band_once(self, text: str) -> str:
        """Name the band once, then say "there"."""
        band = f" above {self._band}"
        before, *after = text.split(band)
        return band.join([before, " there".join(after)]) if after else text

    def of_many(self) -> str:
        """Say which settings have less of an artifact than the first, for the first such kind."""
        lead, found = self._lead(), []
        own = next((k for k in self._told if any(v.verdict in _CERTAIN for v in k)), None)
        if own is None:
            return f"{lead} it cannot be told which of the {len(self._groups)} settings is best."
        for word in _CERTAIN:
            same = [each for each in own if each.verdict == word]
            if same:
                than = "" if found else f" than {self._groups[0].label}"
                clause = self._clause(same[0], several=len(same) > 1)
                found.append(f"{self._names([each.group for each in same])} {clause}{than}")
        alike = [each.group for each in own if each.verdict == ALIKE]
        if alike:
            found.append(f"{self._names(alike)} {'are' if len(alike) > 1 else 'is'} alike")
        unknown = [each.group for each in own if each.verdict not in (*_CERTAIN, ALIKE)]
        if unknown:
            found.append(f"for {self._names(unknown)} it cannot be told")
        return f"{lead} {'; '.join(found)}."

    def _names(self, group_ids: Sequence[str]) -> str:
        names = [self._labels[each] for each in group_ids]
        return listed(names) if len(names) <= MOST_NAMED else f"{len(names)} settings"

    def untold(self) -> str:
        """Say what cannot be told of two settings, and with how many trainings."""
        nouns = (
            f"less of its power above {self._band}",
            f"weaker lines above {self._band}",
            "lines that stand out less",
            "fainter mirror images",
            f"the smaller distance from {self._audio}",
        )
        unknown = [
            (noun, each)
            for noun, kind in zip(nouns, self._told, strict=True)
            for each in kind
            if each.verdict == UNKNOWN and each.beside != REAL
        ]
        if len(self._groups) != 2 or not unknown:
            return ""
        which = self._band_once(listed([noun for noun, _ in unknown], "or"))
        trainings = unknown[0][1].trainings
        return f"{trainings[0].upper()}{trainings[1:]} cannot tell which has {which}."

    def without_band(self) -> str:
        """Say why noise is not judged where the data has no low-pass."""
        if any(run.config.cutoff_hz is not None for run in self._runs):
            return ""
        return "The data has no low-pass, so noise above its band cannot be told from sound."

    def from_real(self) -> str:
        """Say how far each setting is from real audio."""
        found: dict[str, list[str]] = {}
        for group in self._groups:
            found.setdefault(self._nearness(group), []).append(group.id)
        words = []
        for nearness, names in found.items():
            all_of = {1: "it", 2: "both"}.get(len(names), "all")
            subject = all_of if len(names) == len(self._groups) else self._names(names)
            if nearness:
                verb = "" if nearness == _UNTOLD else "is " if len(names) == 1 else "are "
                words.append(f"{subject} {verb}{nearness} {self._audio}")
        text = "; ".join(words)
        return f"{text[0].upper()}{text[1:]}." if text else ""

    def _nearness(self, group: Group) -> str:
        cells = {row.name: row.cells[group.id] for row in self._rows if row.stage is None}
        own = {name: cells[name] for name in (NOISE, DISTANCE) if name in cells}
        above = {name: cell for name, cell in own.items() if cell.verdict == "above"}
        far = NOISE in above and (above[NOISE].beside_real.value or 0) >= _FAR_DB
        if far or (DISTANCE in above and (above[DISTANCE].low or 0) >= _FAR_DISTANCE):
            return "far from"
        if above:
            return "still different from"
        tested = any(cell.beside_real.value is not None for cell in own.values())
        return _UNTOLD if tested else ""

    def sureness(self) -> str:
        """Say how sure the finding is beyond the runs that were measured."""
        words = []
        if all(len(group.runs) == 1 for group in self._groups):
            words.append("Another seed may give another result: train three or more of each.")
        if any(unfinished(run.history) for run in self._runs):
            words.append("Training was too short to settle: more steps may change this.")
        return " ".join(words)
