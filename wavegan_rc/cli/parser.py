"""The parser of all commands: flags are declared like settings and checked like them."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from wavegan_rc.config.setting import Setting
from wavegan_rc.errors import ParameterError
from wavegan_rc.utils.text import did_you_mean, printable


class Parser(argparse.ArgumentParser):
    """A parser that raises a ParameterError of one line, and takes `--a_b` for `--a-b`.

    Args:
        program: Name of the program in `--help`.
        description: First line of `--help`.
        examples: Arguments of calls that `--help` ends with.
        usage: Arguments in the usage line, for a command with too many flags to list; None lists
            all.
    """

    def __init__(
        self,
        program: str,
        description: str | None,
        examples: Sequence[str] = (),
        usage: str | None = None,
    ) -> None:
        lines = [f"  {program} {example}" for example in examples]
        super().__init__(
            prog=program,
            description=description,
            usage=usage and f"{program} {usage}",
            epilog="\n".join(["examples:", *lines]) if lines else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self._sections: dict[str, argparse._ArgumentGroup] = {}

    def argument(self, name: str, kind: Any, description: str, **options: Any) -> None:
        """Add a positional argument of a type; a tuple takes one or more."""
        setting = Setting(name=name, kind=kind, help=description)
        if setting.is_list:
            options["nargs"] = "+"
        self.add_argument(name, action=_Store, setting=setting, help=description, **options)

    def flag(
        self,
        name: str,
        kind: Any,
        description: str,
        *,
        metavar: str | None = None,
        required: bool = False,
        **declared: Any,
    ) -> None:
        """Add a flag by attributes of `Setting`."""
        setting = Setting(name=name, kind=kind, help=description, **declared)
        self.declare(setting, metavar=metavar or _metavar(setting), required=required)

    def switch(self, name: str, description: str, group: str = "") -> None:
        """Add a flag without a value, which is False unless given."""
        self._section(group).add_argument(
            f"--{name.replace('_', '-')}", action="store_true", help=description
        )

    def declare(self, setting: Setting, **options: Any) -> None:
        """Add a flag for a setting, with its group as heading."""
        section = self._section(setting.group)
        if setting.is_list:
            options["nargs"] = "+"
        section.add_argument(
            setting.flag,
            action=_Store,
            setting=setting,
            help=setting.help_text,
            **{"metavar": _metavar(setting), "default": setting.default, **options},
        )

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """Return the checked value of each argument.

        Raises:
            ParameterError: If an argument is unknown, missing, or not what its flag takes.
        """
        flags, unknown = self.parse_known_args([_with_hyphens(argument) for argument in argv])
        if unknown:
            wrong = next((word for word in unknown if word.startswith("-")), unknown[0])
            meant = did_you_mean(wrong.partition("=")[0], self._option_string_actions)
            self.error(f"unknown argument: {wrong}{meant}")
        return flags

    def error(self, message: str) -> NoReturn:
        """Raise a ParameterError; argparse itself would print the usage and exit."""
        raise ParameterError(printable(message))

    def _section(self, title: str) -> argparse._ActionsContainer:
        if not title:
            return self
        if title not in self._sections:
            self._sections[title] = self.add_argument_group(title)
        return self._sections[title]


class _Store(argparse.Action):
    """Store the checked value of a declared argument."""

    def __init__(self, *, setting: Setting, **options: Any) -> None:
        super().__init__(**options)
        self._setting = setting

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        setattr(namespace, self.dest, self._setting.parse(values))


def _metavar(setting: Setting) -> str:
    if setting.words:
        return "WORD" if setting.is_list else f"{{{','.join(setting.words)}}}"
    return {int: "N", float: "X", bool: "{true,false}"}.get(setting.element, "PATH")


def _with_hyphens(argument: str) -> str:
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value
