"""Read YAML files of settings without trusting them: a bad file gives an error of one line."""

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from wavegan_rc.config.setting import shown
from wavegan_rc.config.settings import SETTINGS
from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.utils.text import did_you_mean, printable

# Files of settings by name.
PRESETS = {file.stem: file for file in sorted(Path(__file__).with_name("presets").glob("*.yaml"))}
# Bytes. A file of all settings has about 1,000; parsing takes time and memory in proportion.
_LONGEST_FILE = 2**14
# Opening brackets of a file; the parser's time is quadratic in nested ones.
_MOST_BRACKETS = 100
# Digits of a number; the time to read one is quadratic in them.
_LONGEST_NUMBER = 100
_TAG = "tag:yaml.org,2002:"


def read_settings(path: str | Path) -> dict[str, Any]:
    """Read a preset, or a YAML file of settings.

    Args:
        path: Name of a preset, or path of a file of at most 16 KiB or of a pipe. The preset wins
            over a file of the same name.

    Returns:
        Values by name, as `Config` takes them.

    Raises:
        DataError: If the file cannot be read, a setting is unknown or stands twice, or a value has
            another type or is out of range. The message names the file, and the setting or line.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w") as file:
        ...     _ = file.write("batch-size: 8  # small")
        ...     file.flush()
        ...     read_settings(Path(file.name))
        {'batch_size': 8}
    """
    values = read_values(PRESETS.get(str(path), Path(path).expanduser()))
    return {key: _checked(key, value, str(path)) for key, value in values.items()}


def read_grids(path: Path) -> tuple[dict[str, Any], list[dict[str, list[Any]]]]:
    r"""Read a YAML file of settings with a `grid:` of settings that have a list of values each.

    A grid may also be a list of grids. Errors are as in `read_settings`.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w") as file:
        ...     _ = file.write("steps: 8\ngrid:\n  upsampler: [sinc, [linear, resize]]")
        ...     file.flush()
        ...     read_grids(Path(file.name))
        ({'steps': 8}, [{'upsampler': [('sinc',), ('linear', 'resize')]}])
    """
    values = read_values(path, _sweep_files())
    found = values.pop("grid", None)
    grids = found if isinstance(found, list) else [found]
    if not grids or not all(isinstance(grid, dict) and grid for grid in grids):
        raise DataError(f"{path}: must have a `grid:` of settings with a list of values each")
    for key, items in (item for grid in grids for item in grid.items()):
        if not isinstance(items, list) or not items:
            raise DataError(f"{path}: grid: {shown(key)} must be a list of values")
    settings = {key: _checked(key, value, str(path)) for key, value in values.items()}
    source = f"{path}: grid"
    return settings, [
        {key: [_checked(key, x, source) for x in items] for key, items in grid.items()}
        for grid in grids
    ]


def _sweep_files() -> list[str]:
    """Return the sweep files of a checkout, or none."""
    folder = Path(__file__).parents[2] / "configs" / "sweeps"
    return sorted(os.path.relpath(file) for file in folder.glob("*.yaml"))


def read_values(path: Path, known: Collection[str] = PRESETS) -> dict[str, Any]:
    """Read a mapping of plain values; hyphens in keys become underscores.

    The message about a missing file lists the `known` ones.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST_FILE + 1)
        text = data.decode("utf-8")
    except FileNotFoundError:
        named = f"; there are: {', '.join(known)}" if known else ""
        raise DataError(f"{path}: no such file{named}{did_you_mean(str(path), known)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {printable(str(error))}") from None
    if len(data) > _LONGEST_FILE:
        raise DataError(f"{path}: is longer than {_LONGEST_FILE} bytes")
    try:
        if text.count("[") + text.count("{") > _MOST_BRACKETS:
            raise RecursionError
        values = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise DataError(f"{path}: {_described(error, text)}") from None
    except RecursionError:
        raise DataError(f"{path}: is nested too deeply") from None
    if values is not None and not isinstance(values, dict):
        raise DataError(f"{path}: must hold `setting: value` lines. Received: {shown(text)}")
    return values or {}


def _checked(key: str, value: Any, source: str) -> Any:
    """Return a setting's value in its declared type."""
    if key not in SETTINGS:
        known = did_you_mean(key, SETTINGS)
        raise DataError(f"{source}: unknown setting: {shown(key)}{known}")
    setting = SETTINGS[key]
    try:
        # YAML takes 1e-4, without a point, and 2,2 for text.
        return setting.check(value) if setting.element in (bool, str) else setting.parse(value)
    except ParameterError as error:
        raise DataError(f"{source}: {error}") from None


class _Loader(yaml.SafeLoader):
    """A loader of plain values: without aliases, which can grow exponentially, and objects."""

    yaml_constructors = {  # noqa: RUF012
        f"{_TAG}{kind}": yaml.SafeLoader.yaml_constructors[f"{_TAG}{kind}"]
        for kind in ("null", "bool", "int", "float", "str", "seq", "map")
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise _error("an alias is not allowed", self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        known = node.tag in self.yaml_constructors
        is_number = node.tag in (f"{_TAG}int", f"{_TAG}float")
        if not known or (is_number and len(node.value) > _LONGEST_NUMBER):
            raise _error("a value must be text, a number, true, false or null", node.start_mark)
        try:
            return super().construct_object(node, deep)
        # The constructors raise these for text that does not suit its tag.
        except (ValueError, LookupError, AttributeError, OverflowError):
            raise _error("a value does not suit its tag", node.start_mark) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Any]:  # noqa: ARG002
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _error("a setting must be a word", key_node.start_mark)
            key = key_node.value.replace("-", "_")
            if key in values:
                raise _error(f"{shown(key)} is set twice", key_node.start_mark)
            values[key] = self.construct_object(value_node)
        return values


def _error(problem: str, mark: yaml.Mark) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, mark)


def _described(error: yaml.YAMLError, text: str) -> str:
    """Return a syntax error in words, with the line that it is in."""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "is not YAML"
    lines = re.split("\r\n|[\r\n\x85\u2028\u2029]", text)  # YAML's line breaks
    # A quote or bracket that is never closed is a problem at the end, but began at the context. A
    # character unknown to YAML has a position only.
    marks = [getattr(error, name, None) for name in ("problem_mark", "context_mark")]
    numbers = [mark.line for mark in marks if mark is not None]
    numbers += [text.count("\n", 0, getattr(error, "position", 0))]
    number = next((n for n in numbers if n < len(lines) and lines[n].strip()), 0)
    return f"line {number + 1}: {shown(problem)}. Received: {shown(lines[number])}"
