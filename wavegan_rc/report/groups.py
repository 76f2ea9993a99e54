"""Runs grouped by their settings, and settings in words."""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wavegan_rc.config import Config
from wavegan_rc.config.settings import SETTINGS
from wavegan_rc.errors import ParameterError
from wavegan_rc.figures.frequency_axis import hz_text
from wavegan_rc.figures.style import line_style
from wavegan_rc.report.run_files import Run
from wavegan_rc.report.words import named, span_text
from wavegan_rc.utils.text import printable

# The run's place and the intervals of logging do not change what is trained.
_NO_MATTER = {
    setting.name for setting in SETTINGS.values() if setting.may_change and setting.name != "steps"
} | {"out"}


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but the seed.

    Attributes:
        id: `g1`, `g2`, ... in report order; the first group is the reference.
        label: Short name, unique: that of a single run if a person gave one, else the settings that
            tell the groups apart, in words.
        runs: Runs in report order, each with another seed.
    """

    id: str
    label: str
    runs: tuple[Run, ...]

    @property
    def style(self) -> dict[str, str]:
        """Colour and line style, the same in all figures and on the page."""
        return line_style(int(self.id[1:]) - 1)

    def as_json(self) -> dict[str, Any]:
        """Return the group as JSON values, its runs by id."""
        ids, seeds = zip(*((run.id, run.config.seed) for run in self.runs), strict=True)
        color = self.style["color"]
        return {"id": self.id, "label": self.label, "color": color, "runs": ids, "seeds": seeds}


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Group runs whose settings are equal except for the seed.

    Settings that may change when resuming do not count, nor does `out`. `steps` counts: a
    generator that was trained for longer is another one.
    """
    members: dict[tuple[Any, ...], list[Run]] = {}
    for run in runs:
        members.setdefault(_identity(run), []).append(run)
    for together in members.values():
        by_seed: dict[int, Run] = {}
        for run in together:
            other = by_seed.setdefault(run.config.seed, run)
            if other is not run:
                raise ParameterError(
                    "runs must differ in their settings or seeds. Received: "
                    f"{other.folder.path} and {run.folder.path}"
                )
    firsts = [together[0] for together in members.values()]
    names = _telling_names(firsts)
    labels = [
        (_given_name(together[0]) if len(together) == 1 else "") or _label(together[0], names)
        for together in members.values()
    ]
    # Recordings under one path may have changed, and two folders may have one name.
    labels = [f"{x} ({i + 1})" if labels.count(x) > 1 else x for i, x in enumerate(labels)]
    return [
        Group(f"g{i + 1}", label, tuple(together))
        for i, (label, together) in enumerate(zip(labels, members.values(), strict=True))
    ]


def setting_names() -> list[str]:
    """Return the settings that change what is trained, the upsampler first, without the seed."""
    names = [field.name for field in dataclasses.fields(Config)]
    names = [name for name in names if name not in _NO_MATTER and name != "seed"]
    return sorted(names, key=lambda name: name != "upsampler")


def differing_settings(runs: Sequence[Run]) -> list[str]:
    """Return the names of settings that differ between runs, except `seed` and `out`."""
    names = [field.name for field in dataclasses.fields(Config)]
    return [
        name
        for name in names
        if name not in ("seed", "out") and len({_value(run, name) for run in runs}) > 1
    ]


def about_groups(groups: Sequence[Group]) -> str:
    """Return in words what differs between runs, then what all share."""
    runs = [run for group in groups for run in group.runs]

    def shared(name: str) -> Any:
        values = {getattr(run.config, name) for run in runs}
        return values.pop() if len(values) == 1 else False

    data, rate, cutoff, steps = map(shared, ("data", "sample_rate", "cutoff_hz", "steps"))
    seeds = span_text([len(group.runs) for group in groups])
    found = differing_settings(runs)
    names = [name.replace("_", " ") for name in setting_names() if name in found]
    that = f" that differ in {named(names)}" if names else ""
    words = [
        f"{len(runs)} run{'s' * (len(runs) > 1)}{that}",
        "" if data is False else f"trained on {data or 'bundled speech'}",
        f"{hz_text(rate)} sample rate" if rate else "",
        f"low-passed at {hz_text(cutoff)}" if cutoff else "",
        f"{steps:,} steps" if steps else "",
        f"{len(groups)} group{'s' * (len(groups) > 1)} of {seeds} seed{'s' * (seeds != '1')}",
        f"{span_text([run.measured.segments for run in runs])} segments measured of each run",
    ]
    return ", ".join(filter(None, words))


def setting_in_words(name: str, value: Any) -> str:
    """Return a setting's value as text.

    Example:
        >>> setting_in_words("upsampling_factors", (2,) * 7), setting_in_words("data", None)
        ('7 x 2', 'bundled speech')
    """
    if isinstance(value, tuple):
        texts = list(map(str, value))
        many = len(texts) > 2 and len(set(texts)) == 1
        return f"{len(texts)} x {texts[0]}" if many else " ".join(texts)
    if value is None:
        return SETTINGS[name].null
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(f"{value:g}" if isinstance(value, float) else str(value))


def _identity(run: Run) -> tuple[Any, ...]:
    """Return what runs of one group share; recordings count by content."""
    values = [_value(run, name) for name in setting_names() if name != "data"]
    return (*values, run.data_fingerprint)


def _value(run: Run, name: str) -> Any:
    value = getattr(run.config, name)
    if name == "upsampler":
        # One word for all stages equals the same word for each.
        stages = run.config.stage_upsamplers
        return stages[:1] if len(set(stages)) == 1 else stages
    return value


def _telling_names(runs: Sequence[Run]) -> list[str]:
    """Return few settings that tell runs apart: the upsampler, then those that split the most."""
    names = setting_names()

    def kinds(names: Sequence[str]) -> int:
        return len({tuple(_value(run, name) for name in names) for run in runs})

    chosen = names[: kinds(names[:1]) > 1]
    while kinds(chosen) < kinds(names):
        chosen.append(max(names, key=lambda name: kinds([*chosen, name])))
    return [name for name in names if name in chosen]


# Settings whose values name themselves, or read better in another order.
_IN_LABELS = {
    "upsampler": "{}",
    "steps": "{} steps",
    "filters": "{} filters",
    "critic_filters": "{} critic filters",
    "batch_size": "batch {}",
    "critic_steps": "{} critic steps",
    "cutoff_hz": "low-pass {}",
    "upsampling_factors": "factors {}",
    "data": "{}",
}


def _given_name(run: Run) -> str:
    """Return the name of a run's folder if a person chose it; sweeps name runs by settings."""
    is_numbered = re.fullmatch(rf"\d+-{re.escape(run.config.upsampler_name)}", run.name)
    return "" if is_numbered or "=" in run.name else run.name


def _label(run: Run, names: Sequence[str]) -> str:
    if not names:
        return run.config.upsampler_name
    words = []
    for name in names:
        form = _IN_LABELS.get(name, name.replace("_", " ") + " {}")
        words.append(form.format(setting_in_words(name, _value(run, name))))
    return ", ".join(words)
