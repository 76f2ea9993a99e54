"""Read YAML files of settings without trusting them: a bad file gives an error of one line."""

import contextlib
import re
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from wavegan_rc.config.setting import shown
from wavegan_rc.config.settings import SETTINGS
from wavegan_rc.errors import DataError, ParameterError, printable

# Bytes. A file of all settings has about 1,000; parsing takes time and memory in proportion.
_LONGEST_FILE = 2**14
# Values of a list, and opening brackets of a file. The parser's time is quadratic in nesting.
_LONGEST_LIST = 100
# Digits of a number. The time to read one is quadratic in them.
_LONGEST_NUMBER = 100
_LIST_TAG = "tag:yaml.org,2002:seq"
_NUMBER_TAGS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def read_settings(path: Path) -> dict[str, Any]:
    """Read a YAML file of settings.

    Args:
        path: File of at most 16 KiB, or a pipe.

    Returns:
        Values by name, as `Config` takes them.

    Raises:
        DataError: If the file cannot be read, a setting is unknown or stands twice, or a value has
            another type or is out of range. The message names the file and the setting.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w") as file:
        ...     _ = file.write("batch-size: 8  # small")
        ...     file.flush()
        ...     read_settings(Path(file.name))
        {'batch_size': 8}
    """
    return {key: _setting(key, node, path) for key, node in _nodes(path).items()}


def read_grid(path: Path) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    r"""Read a YAML file of settings with a `grid:` of settings that have a list of values each.

    Args:
        path: File of at most 16 KiB, or a pipe.

    Returns:
        Values by name, and lists of values by name.

    Raises:
        DataError: As for `read_settings`, or if there is no grid.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w") as file:
        ...     _ = file.write("steps: 8\ngrid:\n  upsampler: [sinc, [linear, resize]]")
        ...     file.flush()
        ...     read_grid(Path(file.name))
        ({'steps': 8}, {'upsampler': [('sinc',), ('linear', 'resize')]})
    """
    nodes = _nodes(path)
    grid = nodes.pop("grid", None)
    if not isinstance(grid, yaml.MappingNode) or not grid.value:
        raise DataError(f"{path}: must have a `grid:` of settings with a list of values each")
    settings = {key: _setting(key, node, path) for key, node in nodes.items()}
    lists = {}
    for key, node in _by_key(grid, path).items():
        if not isinstance(node, yaml.SequenceNode) or node.tag != _LIST_TAG or not node.value:
            raise DataError(f"{path}: grid: {shown(key)} must be a list of values")
        lists[key] = [_setting(key, item, f"{path}: grid") for item in node.value]
    return settings, lists


def read_values(path: Path) -> dict[str, Any]:
    """Read text, numbers, booleans, nulls, and lists of them, by key; unknown keys are allowed.

    Values are built one by one from the parsed tree, so that the file can make neither objects nor
    nested aliases of exponential size.

    Args:
        path: File of at most 16 KiB, or a pipe.

    Returns:
        Values by key, with underscores for hyphens in keys.

    Raises:
        DataError: If the file cannot be read or holds anything else. The message names the file,
            and the key where there is one.
    """
    return {key: _value(node, f"{path}: {shown(key)}") for key, node in _nodes(path).items()}


def _setting(key: str, node: yaml.Node, source: object) -> Any:
    """Return a setting's value in its declared type."""
    value = _value(node, f"{source}: {shown(key)}")
    if key not in SETTINGS:
        raise DataError(f"{source}: unknown setting: {shown(key)}")
    setting = SETTINGS[key]
    try:
        # YAML takes 1e-4, without a point, for text.
        return setting.parse(value) if setting.is_number else setting.check(value)
    except ParameterError as error:
        raise DataError(f"{source}: {error}") from None


def _nodes(path: Path) -> dict[str, yaml.Node]:
    """Return the parsed value of each key."""
    text = _read_text(path)
    if text.count("[") + text.count("{") > _LONGEST_LIST:
        raise DataError(f"{path}: is nested too deeply")
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise DataError(f"{path}: {_described(error, text)}") from None
    except RecursionError:
        raise DataError(f"{path}: is nested too deeply") from None
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise DataError(f"{path}: must hold `setting: value` lines. Received: {shown(text)}")
    return _by_key(root, path)


def _by_key(mapping: yaml.MappingNode, path: Path) -> dict[str, yaml.Node]:
    nodes: dict[str, yaml.Node] = {}
    for key_node, value_node in mapping.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise DataError(f"{path}: line {line}: a setting must be a word")
        key = key_node.value.replace("-", "_")
        if key in nodes:
            raise DataError(f"{path}: line {line}: {shown(key)} is set twice")
        nodes[key] = value_node
    return nodes


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST_FILE + 1)
        if len(data) > _LONGEST_FILE:
            raise DataError(f"{path}: is longer than {_LONGEST_FILE} bytes")
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {printable(str(error))}") from None


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


def _value(node: yaml.Node, named: str) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, named)
    if isinstance(node, yaml.SequenceNode) and node.tag == _LIST_TAG:
        scalars = [item for item in node.value if isinstance(item, yaml.ScalarNode)]
        if len(node.value) > _LONGEST_LIST:
            raise DataError(
                f"{named} must have at most {_LONGEST_LIST} values. Received: {len(node.value)}"
            )
        if len(scalars) == len(node.value):
            return [_scalar(item, named) for item in scalars]
    raise DataError(f"{named} must be one value or a plain list. Received: a nested one")


def _scalar(node: yaml.ScalarNode, named: str) -> Any:
    # The constructors raise these for text that does not suit its tag.
    unsuitable = (yaml.YAMLError, ValueError, LookupError, AttributeError, OverflowError)
    with contextlib.suppress(*unsuitable):
        if node.tag not in _NUMBER_TAGS or len(node.value) <= _LONGEST_NUMBER:
            value = SafeConstructor().construct_object(node)
            if isinstance(value, str | int | float | None):
                return value
    raise DataError(
        f"{named} must be text, a number, true, false or null. Received: {shown(node.value)}"
    )
