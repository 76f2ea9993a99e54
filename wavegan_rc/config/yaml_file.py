"""Read a YAML file of settings without trusting it: whatever it holds, the answer is one line."""

import contextlib
import re
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from wavegan_rc.errors import DataError
from wavegan_rc.utils.text import printable

# A file of all settings has 1 kB. Parsing takes time, and memory, in proportion.
_LONGEST_FILE = 2**14
# Of lists, and of the brackets that open one. In nested brackets the parser's time is quadratic.
_LONGEST_LIST = 100
# Digits of a number. Reading one takes time in proportion to their square.
_LONGEST_NUMBER = 100
_SHOWN = 80
_LIST_TAG = "tag:yaml.org,2002:seq"
_NUMBER_TAGS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a YAML file, as plain values; whether they suit is not asked here.

    Values are built one by one from the parsed tree: of text, numbers, booleans and null, or lists
    of them. So neither an object nor nested aliases that grow exponentially are ever built.

    Args:
        path: File of at most 16 KiB; a pipe will do.

    Returns:
        Values by key, hyphens in keys replaced by underscores.

    Raises:
        DataError: If it cannot be read, or holds anything but `setting: value` lines, each setting
            once. The message names the file, and the key where there is one.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w") as file:
        ...     _ = file.write("batch-size: 8  # small")
        ...     file.flush()
        ...     read_settings(Path(file.name))
        {'batch_size': 8}
    """
    nodes = _nodes(path)
    return {key: _value(node, f"{path}: {shown(key)}") for key, node in nodes.items()}


def read_grid(path: Path) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    r"""The settings in a YAML file, and its `grid`: settings that have a list of values each.

    Args:
        path: As for `read_settings`.

    Returns:
        Values by key, and lists of values by key; a value of a list can be a list itself.

    Raises:
        DataError: As `read_settings` does, or if there is no grid.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w") as file:
        ...     _ = file.write("steps: 8\ngrid:\n  upsampler: [sinc, [linear, resize]]")
        ...     file.flush()
        ...     read_grid(Path(file.name))
        ({'steps': 8}, {'upsampler': ['sinc', ['linear', 'resize']]})
    """
    nodes = _nodes(path)
    grid = nodes.pop("grid", None)
    if not isinstance(grid, yaml.MappingNode) or not grid.value:
        raise DataError(f"{path}: must have a `grid:` of settings with a list of values each")
    settings = {key: _value(node, f"{path}: {shown(key)}") for key, node in nodes.items()}
    lists = {}
    for key, node in _by_key(grid, path).items():
        named = f"{path}: grid: {shown(key)}"
        if not isinstance(node, yaml.SequenceNode) or node.tag != _LIST_TAG or not node.value:
            raise DataError(f"{named} must be a list of values")
        lists[key] = [_value(item, named) for item in node.value]
    return settings, lists


def _nodes(path: Path) -> dict[str, yaml.Node]:
    """The parsed tree of a file: a node for every key."""
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


def shown(value: Any) -> str:
    r"""A value for an error message: one line, not too long.

    Example:
        >>> shown("two\nlines"), len(shown("x" * 1000))
        ('two\\nlines', 80)
    """
    text = printable(value if isinstance(value, str) else repr(value))
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


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
    """A syntax error: what, and the line with its text, which has the key."""
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "is not YAML"
    lines = re.split("\r\n|[\r\n\x85\u2028\u2029]", text)  # YAML's line breaks
    # A quote or bracket that is never closed is a problem at the end, but began at the context. Of
    # a character that YAML does not know, only the position is told.
    marks = [getattr(error, name, None) for name in ("problem_mark", "context_mark")]
    numbers = [mark.line for mark in marks if mark is not None]
    numbers += [text.count("\n", 0, getattr(error, "position", 0))]
    number = next((n for n in numbers if n < len(lines) and lines[n].strip()), 0)
    return f"line {number + 1}: {shown(what)}. Received: {shown(lines[number])}"


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
    # What its constructors raise on text that its tag does not suit.
    unsuitable = (yaml.YAMLError, ValueError, LookupError, AttributeError, OverflowError)
    with contextlib.suppress(*unsuitable):
        if node.tag not in _NUMBER_TAGS or len(node.value) <= _LONGEST_NUMBER:
            value = SafeConstructor().construct_object(node)
            if isinstance(value, str | int | float | None):
                return value
    raise DataError(
        f"{named} must be text, a number, true, false or null. Received: {shown(node.value)}"
    )
