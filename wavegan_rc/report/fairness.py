"""What makes a comparison of runs unfair, in words."""

from collections.abc import Mapping, Sequence

from wavegan_rc.config.settings import SETTINGS
from wavegan_rc.measure.quantities import FEWEST_SEGMENTS
from wavegan_rc.report.groups import Group, differing_settings, setting_in_words, setting_names
from wavegan_rc.report.measured import Key, Measured
from wavegan_rc.report.run_files import Run
from wavegan_rc.runs.history import unfinished


def build_warnings(groups: Sequence[Group], measurements: Mapping[str, Measured]) -> list[str]:
    """Everything that a reader should know before believing a difference.

    Args:
        groups: Settings, the first first.
        measurements: By the runs' ids.
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
    """Recordings are told apart by what they hold where that was recorded, else by their path."""
    runs = [group.runs[0] for group in groups]
    paths = {group.label: setting_in_words("data", group.runs[0].config.data) for group in groups}
    prints = {group.label: group.runs[0].data_fingerprint for group in groups}
    # A low-pass or rate of its own changes the fingerprint, and is named by itself.
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
        f"what makes a difference to {first.label} cannot be told where several settings differ "
        f"at once: {'; '.join(found)}"
    ]


def _environments(runs: Sequence[Run]) -> list[str]:
    """Versions and devices that differ between runs, or within one that was resumed."""
    found = []
    packages = list(dict.fromkeys(p for run in runs for s in run.sessions for p in s["versions"]))
    for name in ("device", "python", *packages):
        values = {}
        for run in runs:
            seen = [
                s["versions"].get(name, "not recorded") if name in packages else s[name]
                for s in run.sessions
            ]
            values[run.id] = ", then ".join(dict.fromkeys(seen))
        if len(set(values.values())) > 1 or any(", then " in value for value in values.values()):
            found.append(f"{name} is {_by_value(values)}")
    return found


def _few_trainings(groups: Sequence[Group]) -> list[str]:
    alone = [group.label for group in groups if len(group.runs) == 1]
    if not alone:
        return []
    return [
        f"one training of {', '.join(alone)}: intervals over segments say how surely this training "
        "was measured, and nothing of what another seed would give"
    ]


def _unfinished(runs: Sequence[Run]) -> list[str]:
    reasons = [(run, unfinished(run.history)) for run in runs]
    return [f"{run.in_words}: its training is unfinished: {why}" for run, why in reasons if why]


def _silent_or_alone(runs: Sequence[Run], measurements: Mapping[str, Measured]) -> list[str]:
    found = []
    for run in runs:
        numbers = measurements[run.id].numbers
        level = numbers.get(Key("rms_db"))
        if level is None or level.estimate is None:
            found.append(f"{run.in_words}: its generator is silent")
        if all(number.reference is None for number in numbers.values()):
            found.append(f"{run.in_words}: was measured without real audio")
        independent = measurements[run.id].real_independent
        if independent is not None and independent < FEWEST_SEGMENTS:
            found.append(
                f"{run.in_words}: only {independent} of its real segments neither overlap nor "
                f"repeat; fewer than {FEWEST_SEGMENTS} make intervals too narrow"
            )
    return found


def _by_value(values: Mapping[str, str]) -> str:
    """Values, each with whom it belongs to: 128 (a, b), 256 (c)."""
    groups: dict[str, list[str]] = {}
    for label, value in values.items():
        groups.setdefault(value, []).append(label)
    return ", ".join(f"{value} ({', '.join(labels)})" for value, labels in groups.items())
