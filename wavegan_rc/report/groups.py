"""Runs of one setting and several seeds, taken together."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wavegan_rc.config import Config
from wavegan_rc.config.settings import SETTINGS
from wavegan_rc.errors import ParameterError, printable
from wavegan_rc.report.run_files import Run

# Neither where a run lies nor how often it is looked at changes what is trained.
_NO_MATTER = {
    setting.name for setting in SETTINGS.values() if setting.may_change and setting.name != "steps"
} | {"out"}


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but the seed.

    Attributes:
        id: `g1`, `g2`, ... in the order given; others are compared with the first.
        label: What it is, in the settings that differ between groups; no two are alike.
        runs: Of it, in the order given; no two have one seed.
    """

    id: str
    label: str
    runs: tuple[Run, ...]

    def about(self) -> dict[str, Any]:
        """What it is, as JSON values."""
        return {
            "id": self.id,
            "label": self.label,
            "runs": [run.id for run in self.runs],
            "seeds": [run.config.seed for run in self.runs],
        }


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Put runs together whose settings are equal but for the seed.

    Settings that a run can go on with another value of do not count, nor does `out`; `steps` does:
    a generator trained for longer is another.

    Args:
        runs: In the order of the report.

    Raises:
        ParameterError: If two runs have equal settings and one seed: as trainings of their own they
            would make intervals over seeds too narrow.
    """
    prints = all(run.data_fingerprint is not None for run in runs)
    members: dict[tuple[Any, ...], list[Run]] = {}
    for run in runs:
        members.setdefault(_identity(run, prints), []).append(run)
    for together in members.values():
        by_seed: dict[int, Run] = {}
        for run in together:
            other = by_seed.setdefault(run.config.seed, run)
            if other is not run:
                raise ParameterError(
                    "runs must differ in their settings or seeds. Received: "
                    f"{other.path} and {run.path}"
                )
    firsts = [together[0] for together in members.values()]
    names = [name for name in setting_names() if len({_value(run, name) for run in firsts}) > 1]
    labels = [_label(run, names) for run in firsts]
    # Recordings under one path may have been changed, and two folders may be called alike.
    labels = [f"{x} ({i + 1})" if labels.count(x) > 1 else x for i, x in enumerate(labels)]
    return [
        Group(f"g{i + 1}", label, tuple(together))
        for i, (label, together) in enumerate(zip(labels, members.values(), strict=True))
    ]


def setting_names() -> list[str]:
    """Settings that matter to what is trained, the upsampler first, without the seed."""
    names = [field.name for field in dataclasses.fields(Config)]
    names = [name for name in names if name not in _NO_MATTER and name != "seed"]
    return sorted(names, key=lambda name: name != "upsampler")


def differing_settings(runs: Sequence[Run]) -> list[str]:
    """Names of the settings that differ between runs, seed and `out` apart."""
    names = [field.name for field in dataclasses.fields(Config)]
    return [
        name
        for name in names
        if name not in ("seed", "out") and len({_value(run, name) for run in runs}) > 1
    ]


def setting_in_words(name: str, value: Any) -> str:
    """A setting's value as text.

    Example:
        >>> setting_in_words("upsampling_factors", (2, 2)), setting_in_words("data", None)
        ('2 2', 'bundled speech')
    """
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if value is None:
        return SETTINGS[name].null
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(f"{value:g}" if isinstance(value, float) else str(value))


def _identity(run: Run, prints: bool) -> tuple[Any, ...]:
    """What makes runs seeds of one setting; recordings are told by what they hold, if known."""
    values = [_value(run, name) for name in setting_names() if name != "data"]
    return (*values, run.data_fingerprint if prints else run.config.data)


def _value(run: Run, name: str) -> Any:
    value = getattr(run.config, name)
    if name == "upsampler":
        # One word for all stages and the word for each are the same.
        stages = run.config.stage_upsamplers
        return stages[:1] if len(set(stages)) == 1 else stages
    return value


def _label(run: Run, names: Sequence[str]) -> str:
    if not names:
        return run.config.upsampler_name
    words = []
    for name in names:
        text = setting_in_words(name, _value(run, name))
        words.append(text if name == "upsampler" else f"{name} {text}")
    return ", ".join(words)
