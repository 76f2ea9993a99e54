"""Warnings: what makes a comparison of runs unfair or uncertain, and what to do about it."""

from collections.abc import Iterator, Sequence

from wavegan_rc.config.settings import SETTINGS
from wavegan_rc.measurement.evaluator import FEWEST_SEGMENTS
from wavegan_rc.report.groups import Group, differing_settings, setting_names
from wavegan_rc.report.measured import Key
from wavegan_rc.report.run_files import Run
from wavegan_rc.report.words import listed, named
from wavegan_rc.runs.history import unfinished


def build_warnings(groups: Sequence[Group]) -> list[str]:
    """Return what a reader must know before believing a difference, one warning of each kind."""
    runs = [run for group in groups for run in group.runs]
    return [
        *_settings(groups),
        *_other_data(groups),
        *_environments(runs),
        *_few_trainings(groups),
        *_runs(runs),
    ]


def _settings(groups: Sequence[Group]) -> Iterator[str]:
    """Name the settings that make a comparison unfair; the page's table has their values."""
    first, *others = [group.runs[0] for group in groups]
    at_once = max((len(_differing([first, other])) for other in others), default=0)
    names = _differing([first, *others])
    unfair = [name for name in names if SETTINGS[name].unfair]
    if at_once > 1:
        yield (
            f"The groups differ in {at_once} settings at once ({_words(names)}), so that no "
            "difference can be put down to one of them. Compare runs that differ in one setting."
        )
    elif unfair:
        yield (
            f"Not a fair comparison of upsamplers: {_words(unfair)} differ"
            f"{'s' if len(unfair) == 1 else ''}. Train all groups with the same."
        )


def _differing(runs: Sequence[Run]) -> list[str]:
    return [name for name in differing_settings(runs) if name in setting_names()]


def _words(names: Sequence[str]) -> str:
    return listed([name.replace("_", " ") for name in names])


def _other_data(groups: Sequence[Group]) -> Iterator[str]:
    """Compare recordings by their fingerprints."""
    runs = [group.runs[0] for group in groups]
    # Another low-pass or rate changes the fingerprint too, and has a warning of its own.
    forms = {(run.config.sample_rate, run.config.cutoff_hz) for run in runs}
    if len(forms) > 1 or len({run.data_fingerprint for run in runs}) == 1:
        return
    if len({run.config.data for run in runs}) > 1:
        yield "Not a fair comparison: the recordings differ. Train all on the same."
    else:
        yield "Not a fair comparison: the recordings were changed between runs. Train all again."


def _environments(runs: Sequence[Run]) -> Iterator[str]:
    """Name versions and devices that differ between runs, or within one that was resumed."""
    sessions = [session for run in runs for session in run.sessions]
    packages = dict.fromkeys(name for session in sessions for name in session.versions)
    seen = {name: {getattr(each, name) for each in sessions} for name in ("device", "python")}
    seen |= {name: {each.versions.get(name) for each in sessions} for name in packages}
    names = listed([name for name, values in seen.items() if len(values) > 1])
    if names:
        yield f"Environments differ ({names}; see each run below), which may change results."


def _few_trainings(groups: Sequence[Group]) -> Iterator[str]:
    """Name groups that were trained once beside others that were trained several times."""
    alone = [group.label for group in groups if len(group.runs) == 1]
    if 0 < len(alone) < len(groups):
        yield (
            f"Only one training of {listed(alone)}: nothing is known of the variation between "
            "seeds. Train other seeds and report all runs together."
        )


def _runs(runs: Sequence[Run]) -> Iterator[str]:
    """Name the runs of which a reader must know something."""
    stopped = [
        f"{run.in_words} at step {run.config.steps:,} of {run.steps_asked:,}"
        for run in runs
        if run.config.steps < run.steps_asked
    ]
    if stopped:
        yield (
            f"Stopped early, and compared as it was then: {named(stopped)}. "
            "`wavegan-rc train --resume RUN` continues it."
        )
    independent = {run.in_words: run.measured.real_independent for run in runs}
    names_by_warning = {
        "Levels still changed when training ended, or were measured too seldom to tell: {}. "
        "`wavegan-rc train --resume RUN --steps N` trains longer.": [
            run.in_words for run in runs if unfinished(run.history)
        ],
        "Silent generator: {}. Leave these runs out, or train them again.": [
            run.in_words for run in runs if run.measured.value(Key("rms_db")) is None
        ],
        "Measured without real audio: {}. Put the recordings back where `data` names them and "
        "report again.": [run.in_words for run in runs if not run.measured.real],
        f"Fewer than {FEWEST_SEGMENTS} real segments that neither overlap nor repeat: "
        "{}. Their comparison with real audio is rough. Use more recordings.": [
            f"{name} has {count}"
            for name, count in independent.items()
            if count is not None and count < FEWEST_SEGMENTS
        ],
    }
    for text, names in names_by_warning.items():
        if names:  # or the number of the runs, if it is that of all
            who = f"all {len(runs)} runs" if 2 < len(names) == len(runs) else named(names)
            yield text.format(who)
