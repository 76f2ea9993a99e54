"""The first sentences of a report, made from verdicts by rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from wavegan_rc.figures.frequency_axis import hz_text
from wavegan_rc.report.groups import Group, about_groups
from wavegan_rc.report.rows import Row
from wavegan_rc.report.verdicts import (
    ALIKE,
    BETTER,
    DISTANCE,
    IMAGES,
    KINDS,
    LINES,
    MIXED,
    NOISE,
    NOISE_LINES,
    NOT_MEASURED,
    REAL,
    UNKNOWN,
    WORSE,
    Verdict,
)
from wavegan_rc.report.words import MOST_NAMED, listed, meanings, number_text, span_text
from wavegan_rc.runs.history import unfinished

_CERTAIN = (BETTER, WORSE, MIXED)
_SHORT = {BETTER: "better", WORSE: "worse", MIXED: "mixed"}
# Far from real audio: this much more power where real audio is silent, or such a distance (real
# audio has 0, and each of its features a variance of 1).
_FAR_DB, _FAR_DISTANCE = 10, 1
_UNTOLD = "cannot be told from"
# Seeds of each group beyond which another one narrows an interval little: half the interval of a
# difference is 4.3 standard deviations with 2 of each, 2.3 with 3, 1.5 with 5, 1.3 with 6 (Welch).
_ENOUGH_SEEDS = 5
# Longest finding about many groups, in words, as far as counts instead of names shorten it.
_LONGEST = 45
# Kinds that have clauses in the finding.
_CLAUSES = (NOISE, NOISE_LINES, LINES, IMAGES, DISTANCE)


@dataclass(frozen=True)
class Summary:
    """First words of a report: runs compared, the finding, and how sure it is."""

    about: str
    finding: str
    more: Sequence[str]


def summarize(groups: Sequence[Group], rows: Sequence[Row], verdicts: Sequence[Verdict]) -> Summary:
    """Say in words what was compared, which is better at what, and how sure that is."""
    story = _Story(groups, rows, verdicts)
    finding = story.of_many() if len(groups) > 2 else story.of_two()
    sentences = (
        *(story.untold(), story.more_seeds(), story.without_band()),
        *(story.from_real(), story.unsettled()),
    )
    return Summary(about_groups(groups), finding, tuple(filter(None, sentences)))


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
        self._band = " out of band" + ("" if edge is None else f" (above {hz_text(edge)})")
        # A comma of a label would be taken for one of the sentence.
        names = {each.id: f"“{each.label}”" if "," in each.label else each.label for each in groups}
        self._labels = names | {REAL: self._audio}
        power = {v.group: v.verdict for v in verdicts if v.quantity == NOISE_LINES}

        def is_told(verdict: Verdict) -> bool:
            """Lines are told once, by their power; nothing is nearer to real audio than itself."""
            if verdict.quantity == LINES and power.get(verdict.group) in _CERTAIN:
                return verdict.verdict in {*_CERTAIN, UNKNOWN} - {power[verdict.group]}
            return (verdict.beside, verdict.quantity) != (REAL, DISTANCE)

        told = filter(is_told, verdicts)
        self._kinds: dict[str, list[Verdict]] = {kind: [] for kind in KINDS}
        for verdict in told:
            self._kinds[verdict.quantity].append(verdict)
        # The kind that a finding about many groups is about.
        self._leading = next(
            (k for k in _CLAUSES if any(v.verdict in _CERTAIN for v in self._kinds[k])), None
        )

    def _lead(self) -> str:
        """Say after how many steps and seeds, as "After 5,000 steps and 5 seeds each"."""
        counts = [len(group.runs) for group in self._groups]
        words = f"After {span_text([run.config.steps for run in self._runs])} steps"
        each = " each" if len(counts) > 1 else ""
        if max(counts) == 1:
            return f"{words}, in one training{each},"
        return f"{words} and {span_text(counts)} seeds{each},"

    def _clause(self, verdict: Verdict, *, several: bool = False, brief: bool = False) -> str:
        """Return a verb phrase such as "leaves 6.8 dB less of its power out of band".

        Several groups have no size in common. A brief phrase does not say of what there is less.
        """
        whose = "their" if several else "its"
        has, less, more, of = {
            NOISE: (("leaves", "leave"), "less", "more", f" of {whose} power{self._band}"),
            NOISE_LINES: (("has", "have"), "weaker lines", "stronger lines", self._band),
            LINES: (("has", "have"), "lines that stand out less", "lines that stand out more", ""),
            IMAGES: (("has", "have"), "fainter images", "stronger images", f" of {whose} sound"),
            DISTANCE: (
                ("is", "are"),
                f"closer to {self._audio}",
                f"further from {self._audio}",
                "",
            ),
        }[verdict.quantity]
        words = {BETTER: less, WORSE: more}.get(verdict.verdict)
        if words is None:
            words, of = f"{less}{of} at some stages and {more} at others", ""
        size = abs(verdict.difference or 0) if verdict.quantity in (NOISE, NOISE_LINES) else 0
        # Real audio has no such lines: its number is a limit, set by noise.
        if size and not several and (verdict.quantity, verdict.beside) != (NOISE_LINES, REAL):
            words = f"{number_text(size, 1 if size < 9.95 else 0)} dB {words}"
        told, _, stages = verdict.of_stages.partition(" of ")
        is_whole = told == stages or verdict.verdict == MIXED or several or brief
        where = "" if is_whole else f" at {verdict.of_stages} stages"
        return f"{has[several]} {words}{'' if brief else of}{where}"

    def of_two(self) -> str:
        """Say what a setting does better and worse than another one, or than real audio."""
        told = [verdict for kind in _CLAUSES for verdict in self._kinds[kind]]
        name, other = (self._labels[side] for side in (told[0].group, told[0].beside))
        certain = [each for each in told if each.verdict in _CERTAIN]
        if not certain:
            if words := self._nothing_told(told, f"{name} and {other}"):
                return words
            if told[0].beside == REAL:
                return f"{self._lead()} it cannot be told whether {name} has artifacts."
            return f"{self._lead()} it cannot be told which is better, {name} or {other}."
        better = [self._clause(each) for each in certain if each.verdict == BETTER]
        worse = [self._clause(each) for each in certain if each.verdict != BETTER]
        (better or worse)[0] += f" than {other}"
        told = ", but ".join(filter(None, (listed(better), listed(worse))))
        return self._band_once(f"{self._lead()} {name} {told}.")

    def _nothing_told(self, told: Sequence[Verdict], names: str) -> str:
        """Say that all are alike, or not measured; nothing if more seeds might tell."""
        verdicts = {each.verdict for each in told}
        if UNKNOWN in verdicts:
            return ""
        alike = f"{names} are alike in all that is measured"
        return f"{self._lead()} {alike if ALIKE in verdicts else 'nothing could be measured'}."

    def _band_once(self, text: str) -> str:
        """Name the band once, then say "there"."""
        before, *after = text.split(self._band)
        return self._band.join([before, " there".join(after)]) if after else text

    def of_many(self) -> str:
        """Say which groups have less of an artifact than the first, and which verdicts differ.

        The first kind of artifact with a certain verdict is told in full, then those in which a
        group differs: nobody may take the best at one kind for the best at all.
        """
        if (leading := self._leading) is None:
            told = [verdict for kind in _CLAUSES for verdict in self._kinds[kind]]
            count = len(self._groups)
            untold = f"{self._lead()} it cannot be told which of the {count} groups is best."
            return self._nothing_told(told, f"all {count} groups") or untold
        # All names and quantities, if that is short.
        for full, most in product((True, False), range(MOST_NAMED, 0, -1)):
            found = self._of_leading(leading, most) + self._otherwise(leading, most, full)
            if len(found.split()) <= _LONGEST:
                break
        return found

    def _of_leading(self, leading: str, most: int) -> str:
        own, found = self._kinds[leading], []
        for word in (*_CERTAIN, ALIKE, UNKNOWN, NOT_MEASURED):
            same = [each for each in own if each.verdict == word]
            if not same:
                continue
            several, who = len(same) > 1, self._names([each.group for each in same], most)
            if word in _CERTAIN:
                clause = self._clause(same[0], several=several, brief=bool(found))
                than = "" if found else f" than {self._labels[self._groups[0].id]}"
                found.append(f"{who} {clause}{than}")
            elif word == ALIKE:
                found.append(f"{who} {'are' if several else 'is'} alike")
            else:
                words = "this cannot be told" if word == UNKNOWN else "it was not measured"
                found.append(f"for {who} {words}")
        return f"{self._lead()} {'; '.join(found)}."

    def _otherwise(self, leading: str, most: int, full: bool) -> str:
        """Name the quantities in which a group's certain verdict is not that of the leading one."""
        own = {each.group: each.verdict for each in self._kinds[leading]}
        found: dict[tuple[str, ...], dict[str, list[str]]] = {}
        for kind, word in product(_CLAUSES, _CERTAIN):
            other = [v.group for v in self._kinds[kind] if v.verdict == word != own.get(v.group)]
            if other:
                words = found.setdefault(tuple(other), {})
                words.setdefault(word, []).append(meanings()[kind].title)
        if not found:
            return ""
        if not full:
            ids = list(dict.fromkeys(group for groups in found for group in groups))
            verb = "differ" if len(ids) > 1 else "differs"
            return f" But {self._names(ids, most)} {verb} elsewhere: see the cards."
        clauses = [
            f"{self._names(ids, most)} {'are' if len(ids) > 1 else 'is'} "
            + listed([f"{_SHORT[word]} in {listed(titles)}" for word, titles in words.items()])
            for ids, words in found.items()
        ]
        return f" But {'; '.join(clauses)}."

    def _names(self, group_ids: Sequence[str], most: int = MOST_NAMED) -> str:
        names = [self._labels[each] for each in group_ids]
        if len(names) <= most:
            return listed(names)
        return f"{len(names)} groups"

    def untold(self) -> str:
        """Name the quantities that cannot be told, of which groups, and with how many trainings."""
        unknown = {
            meanings()[kind].title: [each for each in verdicts if each.verdict == UNKNOWN]
            for kind, verdicts in self._kinds.items()
            if len(self._groups) <= 2 or kind != self._leading  # the finding tells that
        }
        words = [
            title
            if len(own) == max(len(self._groups) - 1, 1)
            else f"{title} ({self._names([each.group for each in own])})"
            for title, own in unknown.items()
            if own
        ]
        trainings = {each.trainings for own in unknown.values() for each in own}
        with_these = f" with {trainings.pop()}" if len(trainings) == 1 else ""
        return f"Cannot be told{with_these}: {listed(words)}." if words else ""

    def more_seeds(self) -> str:
        """Say how many seeds to train, where they might change or tell something."""
        counts = [len(group.runs) for group in self._groups]
        unknown = any(v.verdict == UNKNOWN for own in self._kinds.values() for v in own)
        if min(counts) >= _ENOUGH_SEEDS or not (unknown or max(counts) == 1):
            return ""
        why = "Another seed may give another result" if max(counts) == 1 else "More seeds may tell"
        equal = min(counts) == max(counts)
        number = f"{_ENOUGH_SEEDS - counts[0]} more" if equal else f"at least {_ENOUGH_SEEDS}"
        return f"{why}: train {number}{' of each' * (len(counts) > 1)}."

    def without_band(self) -> str:
        """Say why noise is not judged where the data has no low-pass."""
        if any(run.config.cutoff_hz is not None for run in self._runs):
            return ""
        return "The data has no low-pass, so no band is known to hold artifacts alone."

    def from_real(self) -> str:
        """Say how far each group is from real audio."""
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

    def unsettled(self) -> str:
        """Say whether more steps may change the finding."""
        if not any(unfinished(run.history) for run in self._runs):
            return ""
        return "Training may not have settled: more steps may change this."
