"""YAML and flags become a `Config`; the only module that knows the parser's own ways."""

import dataclasses
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from wavegan_rc.config import Config
from wavegan_rc.config.ranges import kind_in_words
from wavegan_rc.config.yaml_file import read_settings, shown
from wavegan_rc.errors import DataError, ParameterError


class Parser(ArgumentParser):
    """A parser whose errors are one line and an exception, and which takes `--a_b` for `--a-b`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(exit_on_error=False, allow_abbrev=False, **kwargs)

    def parse_command_line(self, argv: Sequence[str]) -> Namespace:
        """What the arguments say; a mistake raises a ParameterError."""
        try:
            return self.parse_args([_with_hyphens(argument) for argument in argv])
        except ArgumentError as error:
            raise ParameterError(one_line(error)) from None
        # What the parser lets through of values that look like YAML.
        except (ValueError, LookupError, AttributeError, OverflowError, RecursionError) as error:
            raise ParameterError(f"arguments cannot be read: {one_line(error)}") from None


def _with_hyphens(argument: str) -> str:
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value


def one_line(error: Exception) -> str:
    """A parser's message without line breaks, in this package's words where a setting is named."""
    text = " ".join(str(error).split())
    # jsonargparse writes: Parser key "steps": Expected a <class 'int'>. Got value: x
    match = re.match(r'Parser key "(\w+)".*(?:Got|Given) value: (.*)$', text)
    if not match or match[1] not in _kinds():
        return text.replace("typing.Literal", "one of ")
    return f"{match[1]} must be {kind_in_words(_kinds()[match[1]])}. Received: {shown(match[2])}"


def _kinds() -> dict[str, Any]:
    """Types of all settings, and of flags that are none."""
    others = {"count": int, "draws": int, "repeats": int, "factors": tuple[int, ...]}
    return get_type_hints(Config) | others


def add_settings(parser: ArgumentParser) -> None:
    """Add a flag for every field of `Config`."""
    metavars = {int: "N", float: "X", str: "PATH"}
    for name, kind in get_type_hints(Config).items():
        field = Config.__dataclass_fields__[name]
        default: Any = field.default
        options: dict[str, Any] = {"type": kind, "default": default}
        if get_origin(kind) is tuple:
            kind, *_ = get_args(kind)
            options = {"type": kind, "nargs": "+", "default": [*default]}
        plain = kind if kind in metavars else next(iter(get_args(kind)), None)
        if plain in metavars:
            options["metavar"] = metavars[plain]
        parser.add_argument("--" + name.replace("_", "-"), help=field.metadata["help"], **options)


def settings_parser() -> Parser:
    """A parser of all settings and nothing else."""
    parser = Parser()
    add_settings(parser)
    return parser


def read_config(path: Path) -> dict[str, Any]:
    """The settings in a YAML file, each of the right type; errors name the file and the key."""
    given, parser = read_settings(path), settings_parser()
    return {key: typed(key, value, str(path), parser) for key, value in given.items()}


def typed(key: str, value: Any, source: str, parser: Parser) -> Any:
    """A setting's value from a YAML file, as `Config` takes it.

    Args:
        key: Of the setting.
        value: As read.
        source: Where it stands, for the error.
        parser: From `settings_parser`.

    Raises:
        DataError: If there is no such setting, or the value is of another type.
    """
    if key not in Config.__dataclass_fields__:
        raise DataError(f"{source}: unknown setting: {shown(key)}")
    kind = kind_in_words(_kinds()[key])
    try:
        # The parser takes null for every setting.
        if value is None and "null" not in kind:
            raise TypeError
        is_list = get_origin(get_type_hints(Config)[key]) is tuple
        value_or_list = [value] if is_list and isinstance(value, str) else value
        return parser.parse_object({key: value_or_list})[key]
    except (ArgumentError, TypeError):
        raise DataError(f"{source}: {key} must be {kind}. Received: {shown(repr(value))}") from None


def as_flags(config: Config) -> list[str]:
    """The flags of `train` that give some settings; what is as by default is left out.

    Example:
        >>> as_flags(Config(upsampler=("sinc",), cutoff_hz=None, seed=3))
        ['--cutoff-hz=null', '--upsampler', 'sinc', '--seed=3']
    """
    flags = []
    for field in dataclasses.fields(config):
        value, flag = getattr(config, field.name), "--" + field.name.replace("_", "-")
        if value == field.default:
            continue
        if isinstance(value, tuple):
            flags += [flag, *map(str, value)]
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            flags.append(f"{flag}={text}")
    return flags
