"""Pages of the reference that follow from the program: commands, settings, modules.

They are written before the sources are read, so that they never differ from the program.
"""

import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

from sphinx.application import Sphinx

COMMANDS = ("train", "generate", "measure", "report", "sweep", "explain", "export")
# Folders in the order in which data flows; others follow by name.
FOLDERS = [
    "config",
    "theory",
    "audio",
    "spectrogram",
    "runs",
    "nn",
    "generator",
    "measurement",
    "figures",
    "network_audit",
    "explain",
    "training",
    "report",
    "sweep",
]
# Internal: commands are described by their `--help`.
LEFT_OUT = {"cli"}
ROOT = Path(__file__).parents[2]


def write(file: Path, text: str) -> None:
    """Write a page only if it changed, so that the next build is quick."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")


def commands_page() -> str:
    parts = []
    for command in COMMANDS:
        # A call of its own for each, as a user makes it.
        shown = subprocess.run(
            [sys.executable, ROOT / "scripts" / f"{command}.py", "--help"],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"COLUMNS": "78", "NO_COLOR": "1"},
        ).stdout
        parts.append(f"## {command}\n\n```text\n{shown.rstrip()}\n```\n")
    return "\n".join(parts)


def settings_page() -> str:
    from wavegan_rc.config.settings import SETTINGS

    entries = []
    for name, setting in SETTINGS.items():
        facts = [f"Value: {setting.rule}"]
        if setting.may_change:
            facts.append("May change on resume")
        entries.append(f"`{name}`\n: {setting.help_text}\n\n  {'. '.join(facts)}.\n")
    return "\n".join(entries)


def module_pages() -> dict[str, str]:
    """A page for each folder, and each module at the root, with all documented modules in it."""
    import wavegan_rc

    names: dict[str, list[str]] = {}
    for module in pkgutil.walk_packages(wavegan_rc.__path__, "wavegan_rc."):
        concern = module.name.split(".")[1]
        if concern in LEFT_OUT or any(part.startswith("_") for part in module.name.split(".")):
            continue
        names.setdefault(concern, []).append(module.name)
    pages = {}
    for concern in sorted(names, key=lambda name: (_place(name), name)):
        modules = [name for name in names[concern] if not _is_plain_package(name)]
        body = "\n".join(f"## {name}\n\n{_automodule(name)}\n" for name in modules)
        head = f"# {concern}\n\n"
        if f"wavegan_rc.{concern}" not in modules:
            head += _automodule(f"wavegan_rc.{concern}", members=False) + "\n\n"
        pages[concern] = head + body
    public = [name for name in getattr(wavegan_rc, "__all__", ()) if not name.startswith("_")]
    if public:
        pages = {"public": _public_page(public)} | pages
    return pages


def _public_page(names: list[str]) -> str:
    parts = [f".. autodata:: wavegan_rc.{name}\n   :no-value:\n" for name in names]
    parts = [
        re.sub("autodata(.*)\n.*\n", rf"{_kind_of(name)}\1\n", part)
        for name, part in zip(names, parts, strict=True)
    ]
    body = "\n".join(parts)
    return f"# import wavegan_rc\n\nThe public API.\n\n```{{eval-rst}}\n{body}```\n"


def _kind_of(name: str) -> str:
    import inspect

    import wavegan_rc

    value = getattr(wavegan_rc, name)
    if inspect.isclass(value):
        return "autoclass"
    return "autofunction" if callable(value) else "autodata"


def _place(concern: str) -> int:
    return FOLDERS.index(concern) if concern in FOLDERS else len(FOLDERS)


def _is_plain_package(name: str) -> bool:
    """Whether a name is a package, whose `__init__` only says what it holds."""
    return (ROOT / Path(*name.split("."))).is_dir()


def _automodule(name: str, *, members: bool = True) -> str:
    options = "" if members else "   :no-members:\n"
    return f"```{{eval-rst}}\n.. automodule:: {name}\n{options}```"


def write_pages(app: Sphinx) -> None:
    reference = Path(app.srcdir) / "reference"
    write(reference / "_generated" / "commands.md", commands_page())
    write(reference / "_generated" / "settings.md", settings_page())
    pages = module_pages()
    for concern, text in pages.items():
        write(reference / "api" / f"{concern}.md", text)
    for file in (reference / "api").glob("*.md"):
        if file.stem not in pages:
            file.unlink()
    entries = "\n".join(f"api/{concern}" for concern in pages)
    text = f"```{{toctree}}\n:maxdepth: 1\n\n{entries}\n```\n"
    write(reference / "_generated" / "modules.md", text)


def escape_docstring(_app, _what, _name, _obj, _options, lines: list[str]) -> None:
    """Keep `|` and `*` of formulas, which reStructuredText would take for marks of its own."""
    for i, line in enumerate(lines):
        if line.lstrip().startswith((">>>", "...")):
            continue
        parts = re.split(r"(`+[^`]*`+)", line)
        parts[::2] = [re.sub(r"(?<!\\)([|*])", r"\\\1", part) for part in parts[::2]]
        lines[i] = "".join(parts)


def write_explaining_page(app: Sphinx, error: Exception | None) -> None:
    """Write the page that explains and plays beside the site's own pages."""
    if error is None and app.builder.format == "html":
        from wavegan_rc.explain.page import write_page

        write_page(Path(app.outdir) / "explain.html")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write_pages)
    app.connect("build-finished", write_explaining_page)
    # Before napoleon, which writes marks that must stay.
    app.connect("autodoc-process-docstring", escape_docstring, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
