import ast
import sys
from pathlib import Path

import pytest
from helpers import ROOT

from wavegan_rc.runs.run import LATENTS_FILE, Run

PACKAGE = ROOT / "wavegan_rc"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Data flows one way; a module may import from its own layer's package and from layers before it.
LAYERS = [
    "errors",
    "utils",
    "config",
    "theory",
    "runs",
    "audio",
    "spectrogram",
    "nn",  # plain arguments: it does not know the settings
    "generator",
    "figures",
    "measurement",
    "explain",
    "training",
    "network_audit",
    "report",
    "sweep",
    "cli",
]


def layer_of(module: str) -> str:
    return module.split(".")[1]


def imports_of(path: Path) -> set[str]:
    """Every module of this package that a file imports, wherever the statement stands."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            assert node.module
            bare = node.module == "wavegan_rc"
            found.update(f"wavegan_rc.{a.name}" for a in node.names if bare)
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return {name for name in found if name.startswith("wavegan_rc.")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    if parts == ("__init__",):
        return  # its imports are lazy
    own = LAYERS.index(parts[0])
    for module in imports_of(path):
        assert LAYERS.index(layer_of(module)) <= own, f"{path.name} imports {module}"


def test_there_are_no_circles():
    graph = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): imports_of(path) for path in MODULES
    }
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join([*above, module])
        if module not in done:
            for imported in graph.get(module, ()):
                visit(imported, (*above, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_are_short_and_keras_is_used_through_its_public_names(path):
    text = path.read_text()
    assert text.count("\n") <= 300
    assert "keras.src" not in text


def test_commands_in_texts_are_those_of_an_installed_package():
    """A wheel has no `scripts`."""
    for path in PACKAGE.rglob("*"):
        if path.suffix in (".py", ".j2", ".js", ".md", ".yaml"):
            assert "scripts/" not in path.read_text(encoding="utf-8"), path


def test_the_names_of_a_runs_files_stand_in_one_module():
    attributes = vars(Run("run")).values()
    names = {path.name for path in attributes if isinstance(path, Path)} | {LATENTS_FILE}
    names = {name for name in names if "." in name[1:]}
    assert {"history.jsonl", "real-joined.wav"} < names
    for path in MODULES:
        if path == PACKAGE / "runs" / "run.py":
            continue
        tree = ast.parse(path.read_text())
        texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        ends = {text.rpartition("/")[2] for text in texts if isinstance(text, str)}
        assert not ends & names, path


def test_no_two_folders_have_a_public_class_or_function_of_one_name():
    homes: dict[str, set[str]] = {}
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name[0] != "_":
                homes.setdefault(node.name, set()).add(path.relative_to(PACKAGE).parts[0])
    twice = {name for name, folders in homes.items() if len(folders) > 1}
    assert twice == {"Run"}  # a report's, which holds the folder


def test_settings_use_the_standard_library_only():
    for path in (PACKAGE / "config").glob("*.py"):
        if path.name == "yaml_file.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            outside = {module.split(".")[0] for module in modules} - sys.stdlib_module_names
            assert outside <= {"wavegan_rc"}, path
