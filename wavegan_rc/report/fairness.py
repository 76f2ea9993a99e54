"""Warnings: what makes a comparison of runs unfair or uncertain."""

from collections.abc import Mapping, Sequence

from wavegan_rc.config.settings import SETTINGS
from wavegan_rc.measurement.evaluator import FEWEST_SEGMENTS
from wavegan_rc.report.groups import Group, differing_settings, setting_in_words, setting_names
from wavegan_rc.report.measured import Key, Measured
from wavegan_rc.report.run_files import Run
from wavegan_rc.runs.history import unfinished


def build_warnings(groups: Sequence[Group], measurements: Mapping[str, Measured]) -> list[str]:
    """Return what a reader must know before believing a difference, one warning of each kind.

    Args:
        groups: Groups in report order; the first is the reference.
        measurements: Measurements by run id.
    """
    runs = [run for group in groups for run in group.runs]
    found = _unfair_settings(groups)
    found += _other_data(groups)
    found += _several_at_once(groups)
    found += _environments(runs)
    found += _few_trainings(groups)
    found += _unfinished(runs)
    return found + _silent_or_alone(runs, measurements)


def _unfair_settings(groups: Sequence[Group]) -> list[str]:
    differing = differing_settings([group.runs[0] for group in groups])
    found = []
    for name in differing:
        if SETTINGS[name].unfair:
            values = {
                group.label: setting_in_words(name, getattr(group.runs[0].config, name))
                for group in groups
            }
            found.append(f"not a fair comparison: {name} is {_by_value(values)}")
    return found


def _other_data(groups: Sequence[Group]) -> list[str]:
    """Compare recordings by their fingerprints where all runs have one, else by their paths."""
    runs = [group.runs[0] for group in groups]
    paths = {group.label: setting_in_words("data", group.runs[0].config.data) for group in groups}
    prints = {group.label: group.runs[0].data_fingerprint for group in groups}
    # Another low-pass or rate changes the fingerprint too, and has a warning of its own.
    prepared = {(run.config.sample_rate, run.config.cutoff_hz) for run in runs}
    if None not in prints.values() and len(set(prints.values())) == 1:
        return []
    if len(set(paths.values())) > 1:
        return [f"not a fair comparison: data is {_by_value(paths)}"]
    known = {label: mark for label, mark in prints.items() if mark is not None}
    if len(set(known.values())) > 1 and len(prepared) == 1:
        marks = {label: f"as recorded in {mark[:8]}" for label, mark in known.items()}
        path = next(iter(paths.values()))
        return [
            f"not a fair comparison: the recordings of {path} were changed between runs: "
            f"{_by_value(marks)}"
        ]
    return []


def _several_at_once(groups: Sequence[Group]) -> list[str]:
    first, *others = groups
    found = []
    for group in others:
        names = differing_settings([first.runs[0], group.runs[0]])
        names = [name for name in names if name in setting_names()]
        if len(names) > 1:
            found.append(f"{group.label} ({', '.join(names)})")
    if not found:
        return []
    return [
        f"several settings differ at once from {first.label}, so that no difference can be put "
        f"down to one of them: {'; '.join(found)}"
    ]


def _environments(runs: Sequence[Run]) -> list[str]:
    """Name versions and devices that differ between runs, or within one that was resumed."""
    found = []
    packages = dict.fromkeys(p for run in runs for s in run.sessions for p in s.versions)
    for name in ("device", "python", *packages):
        values = {}
        for run in runs:
            seen = [
                s.versions.get(name, "not recorded") if name in packages else getattr(s, name)
                for s in run.sessions
            ]
            values[run.id] = ", then ".join(dict.fromkeys(seen))
        if len(set(values.values())) > 1 or any(", then " in value for value in values.values()):
            found.append(f"{name} is {_by_value(values)}")
    return [f"environments differ, which may change results: {'; '.join(found)}"] if found else []


def _few_trainings(groups: Sequence[Group]) -> list[str]:
    alone = [group.label for group in groups if len(group.runs) == 1]
    if not alone:
        return []
    return [
        f"only one training of {', '.join(alone)}: the intervals show measurement uncertainty "
        "only, not variation between seeds. Train other seeds and report all runs together"
    ]


def _unfinished(runs: Sequence[Run]) -> list[str]:
    reasons = {run.in_words: why for run in runs if (why := unfinished(run.history))}
    if not reasons:
        return []
    why, *others = dict.fromkeys(reasons.values())
    if others:
        why = "levels still changed (`training_unfinished` in measurement/artifacts.json)"
    return [
        f"unfinished training of {', '.join(reasons)}: {why}. Continue by "
        "`train --resume RUN --steps N`"
    ]


def _silent_or_alone(runs: Sequence[Run], measurements: Mapping[str, Measured]) -> list[str]:
    silent, alone, few = [], [], []
    for run in runs:
        found = measurements[run.id]
        if found.value(Key("rms_db")) is None:
            silent.append(run.in_words)
        if all(number.reference.value is None for number in found.numbers.values()):
            alone.append(run.in_words)
        independent = found.real_independent
        if independent is not None and independent < FEWEST_SEGMENTS:
            few.append(f"{run.in_words} has {independent}")
    warnings = {
        "silent generator: {}. Leave these runs out, or train them again": silent,
        "measured without real audio: {}. Put the recordings back where `data` names them and "
        "report again": alone,
        f"fewer than {FEWEST_SEGMENTS} real segments that neither overlap nor repeat: "
        "{}. Their intervals are too narrow. Use more recordings": few,
    }
    return [text.format(", ".join(named)) for text, named in warnings.items() if named]


def _by_value(values: Mapping[str, str]) -> str:
    """Return values with the labels that have them: 128 (a, b), 256 (c)."""
    groups: dict[str, list[str]] = {}
    for label, value in values.items():
        groups.setdefault(value, []).append(label)
    return ", ".join(f"{value} ({', '.join(labels)})" for value, labels in groups.items())
