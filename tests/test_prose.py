"""Docstrings: argument texts start with a noun phrase, summaries with a verb or a noun."""

import ast
import re

import pytest
from helpers import ROOT

TEXT_STARTS = re.compile(
    "(Of|In|At|By|That|For|From|To|With|As|On|Which|Where|Whether)[^A-Za-z0-9_]"
)
SUMMARY_STARTS = re.compile("(What|Who|How|Whether|Where|When|See that)[^A-Za-z0-9_]")
SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Warns")


MODULES = sorted([*(ROOT / "wavegan_rc").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")])


def booleans_of(node: ast.AST) -> set[str]:
    """Return the names of a function's arguments, or a class's attributes, that are booleans."""
    found = set()
    for part in ast.walk(node):
        if isinstance(part, ast.arg) and part.annotation:
            name, annotation = part.arg, part.annotation
        elif isinstance(part, ast.AnnAssign):
            name, annotation = ast.unparse(part.target), part.annotation
        else:
            continue
        if ast.unparse(annotation) in ("bool", "bool | None"):
            found.add(name)
    return found


def texts_of(docstring: str):
    """Yield the line, the argument's name ("" for a return value) and the text of each entry."""
    section = ""
    for index, line in enumerate(docstring.splitlines()):
        indented = line.startswith(" " * 4)
        if not indented and line:
            section = line.removesuffix(":") if line.endswith(":") else ""
        elif section in ("Args", "Attributes"):
            entry = re.match(r" {4}(\*{0,2}\w+): (.*)", line)
            if entry:
                yield index, entry[1], entry[2]
        elif section in SECTIONS and indented:
            yield index, "", line.strip()
            section = ""


def offences(source: str):
    """Yield the line and the sentence of each docstring text that breaks the rule."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        docstring = ast.get_docstring(node)
        if docstring is None:
            continue
        first = node.body[0].lineno
        summary = docstring.splitlines()[0]
        if SUMMARY_STARTS.match(summary):
            yield first, summary
        booleans = booleans_of(node)
        for index, name, text in texts_of(docstring):
            allowed = text.startswith("Whether ") and name in booleans
            if TEXT_STARTS.match(text) and not allowed:
                yield first + index, f"{name}: {text}" if name else text


def test_docstrings_say_what_things_are():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {sentence}"
        for path in MODULES
        for line, sentence in offences(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ('"""What happens here."""', 1),
        ('"""Fine."""\nclass A:\n    """Who counts."""', 3),
        ('def f():\n    """See that it is so."""', 2),
        ('def f():\n    """Whether it is so."""', 2),
        ('def f(x: int):\n    """Do.\n\n    Args:\n        x: Of the input.\n    """', 5),
        ('def f(x: int):\n    """Do.\n\n    Args:\n        x: In Hz.\n    """', 5),
        ('def f(x: int):\n    """Do.\n\n    Args:\n        x: Whether so.\n    """', 5),
        ('def f(*x: int):\n    """Do.\n\n    Args:\n        *x: By name.\n    """', 5),
        ('def f():\n    """Do.\n\n    Returns:\n        For each, a number.\n    """', 5),
        (
            'class A:\n    """Thing.\n\n    Attributes:\n        x: At which.\n    """\n    x: int',
            5,
        ),
    ],
)
def test_a_text_that_breaks_the_rule_is_found(source, line):
    ((found, _),) = offences(source)
    assert found == line


@pytest.mark.parametrize(
    "source",
    [
        '"""Whatever comes, at once."""',
        'def f(x: bool):\n    """Do.\n\n    Args:\n        x: Whether it is.\n    """',
        'def f(x: int):\n    """Do.\n\n    Args:\n        x: Size.\n            In Hz.\n    """',
        'def f():\n    """Do.\n\n    Returns:\n        Seconds.\n        At most 3.\n    """',
        'def f():\n    """Do.\n\n    Raises:\n        DataError: If it is not.\n    """',
    ],
)
def test_plain_texts_pass(source):
    assert not list(offences(source))
