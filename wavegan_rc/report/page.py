"""The page: one HTML file that holds everything it shows and loads nothing from a network."""

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import get_args

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from wavegan_rc.figures.drawing import RANGE_DB, scale_png
from wavegan_rc.figures.frequency_axis import Scale, frequencies_text, height, hz_text, ticks_hz
from wavegan_rc.figures.style import REAL_COLOR
from wavegan_rc.report import media
from wavegan_rc.report.document import Document
from wavegan_rc.report.groups import setting_in_words, setting_names
from wavegan_rc.report.measured import SEEDS, SEGMENTS, Cell, Interval
from wavegan_rc.report.rows import Row
from wavegan_rc.report.run_files import command_to_repeat
from wavegan_rc.report.sounds import Sounds
from wavegan_rc.report.verdicts import DISTANCE, KINDS, LINES, LOCKING, REAL, UNKNOWN, p_text
from wavegan_rc.report.words import LESS, interval_text, meanings

_SCRIPTS = ("players.js", "table.js", "listening.js")
# Larger drawings, of many curves, are embedded as PNG.
_LARGEST_SVG = 700_000


def render_page(
    document: Document, sounds: Sounds, figures: Sequence[Path], documentation: str | None = None
) -> str:
    """Render the report as HTML that opens from disk.

    Every text of the document is escaped. The page's policy names its scripts and styles by their
    hashes and forbids everything else (Content Security Policy level 3, W3C).
    """
    files = resources.files("wavegan_rc.report")
    environment = _environment()
    css = files.joinpath("page.css").read_text(encoding="utf-8")
    css += environment.get_template("groups.css.j2").render(groups=document.groups, real=REAL_COLOR)
    listening = len(sounds.rows) > 1
    scripts = _SCRIPTS if listening else _SCRIPTS[:-1]
    js = "\n".join(files.joinpath(name).read_text(encoding="utf-8") for name in scripts)
    real_rows = sum(row[0].is_real for row in sounds.rows)
    several = len(document.groups) > 1
    edges = {run.config.stopband_hz for run in document.runs}
    names = [name for name in setting_names() if name in document.differing_settings]
    return environment.get_template("page.html.j2").render(
        document=document,
        sounds=sounds,
        first_sounds={row[0].group: row[0] for row in reversed(sounds.rows)},
        columns=[(REAL, "real", None), *((each.id, each.label, each) for each in document.groups)],
        kinds=KINDS,
        meanings=meanings(),
        edge=edges.pop() if len(edges) == 1 else None,
        verdicts={(each.group, each.quantity): each for each in document.verdicts},
        sections=list(_sections(document.rows)),
        terms=[name for name in meanings() if name in {row.name for row in document.rows}],
        drawings={svg.stem: _addresses(svg) for svg in figures if svg.suffix == ".svg"},
        differing=names,
        documentation=documentation,
        listening=listening,
        # The listening test begins with the first two groups; with one, beside real audio.
        first_choices={"A": real_rows + 1, "B": real_rows + 2 if several else 1},
        scales=get_args(Scale),
        scale=media.data_uri(scale_png(), "image/png"),
        range_db=RANGE_DB,
        real_color=REAL_COLOR,
        policy=Markup(_policy(css, js)),
        css=Markup(css),
        js=Markup(js),
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("wavegan_rc.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "command": command_to_repeat,
        "code": lambda text: Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text)))),
        "fact": _fact,
        "height": lambda hz, rate, scale: round(100 - 100 * height(hz, rate, scale), 2),
        "hz": hz_text,
        "interval": interval_text,
        "lines": frequencies_text,
        "note": _note,
        "settings": asdict,
        "ticks": ticks_hz,
        "tooltip": _tooltip,
        "words": lambda config, name: setting_in_words(name, getattr(config, name)),
    }
    return environment


def _policy(css: str, js: str) -> str:
    def hashed(text: str) -> str:
        digest = hashlib.sha256(text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"

    return (
        f"default-src 'none'; img-src data:; media-src data:; style-src {hashed(css)}; "
        f"script-src {hashed(js)}; base-uri 'none'; form-action 'none'"
    )


def _addresses(svg: Path) -> tuple[str, str]:
    """Return addresses that hold a figure: wide, as SVG unless that is large, and narrow."""
    small = svg.stat().st_size <= _LARGEST_SVG
    file, kind = (svg, "image/svg+xml") if small else (svg.with_suffix(".png"), "image/png")
    narrow = svg.with_name(f"{svg.stem}-narrow.png")
    return media.data_uri(file.read_bytes(), kind), media.data_uri(narrow.read_bytes(), "image/png")


def scope(row: Row) -> str:
    """Return whether a row describes a line, a stage or the whole set."""
    if row.frequency_hz is not None:
        return "line"
    return "whole" if row.stage is None else "stage"


def _sections(rows: Sequence[Row]) -> Iterator[tuple[str, str, list[Row]]]:
    """Yield scope, heading and rows: of the whole set by theme, of stages and lines by quantity."""
    order = list(meanings())
    known = [row for row in rows if row.name in order]
    for name in ("whole", "stage", "line"):
        own = sorted((r for r in known if scope(r) == name), key=lambda row: order.index(row.name))
        for heading, section in groupby(
            own,
            lambda row, name=name: meanings()[row.name].heading if name == "whole" else row.name,
        ):
            yield name, heading, list(section)


def _fact(rows: Sequence[Row], quantity: str, column: str) -> str:
    """Return a number for a card: of lines, that of the strongest; of stages, the highest."""
    own = [row for row in rows if row.name == quantity]
    by_line = quantity == LINES and any(row.frequency_hz is not None for row in own)
    own = [
        (number, row)
        for row in own
        if (row.frequency_hz is not None) == by_line
        and (number := row.real if column == REAL else row.cells[column])
        and number.value is not None
    ]
    if not own:
        return ""
    number, row = max(own, key=lambda pair: pair[0].value or 0)
    if quantity == LOCKING or (column == REAL and quantity == DISTANCE):
        # Unbiased estimates of 0 may be negative.
        number = Interval(max(number.value or 0, 0))
    text = f"{interval_text(number, quantity, ends=False, most=2)} {row.unit}".strip()
    return text if row.frequency_hz is None else f"{text}, {hz_text(row.frequency_hz)}"


def _note(row: Row, group: str) -> str:
    """Return what a cell says below its number: the difference from the reference, or from real."""
    cell, difference = row.cells[group], row.differences.get(group)
    if cell.value is None:
        return cell.reason or ""
    if difference is None:
        judged = {"below": "lower than real", "above": "higher than real"}
        if cell.locked_p_value is None:  # otherwise the verdict is about phase locking
            judged[UNKNOWN] = f"{UNKNOWN} from real"
        return "; ".join(filter(None, (judged.get(cell.verdict, cell.verdict), cell.reason)))
    if difference.value is None:
        return difference.reason or ""
    words = ("better", "worse") if meanings()[row.name].better == LESS else ("lower", "higher")
    judged = {"below": words[0], "above": words[1]}
    over = SEEDS if SEEDS in (each.over for each in row.cells.values()) else SEGMENTS
    p_value = "" if difference.p_value is None else f", p {p_text(difference.p_value, over)}"
    size = f"difference {interval_text(difference)}{p_value}"
    verdict = judged.get(difference.verdict, difference.verdict)
    return "; ".join(filter(None, (verdict, size, difference.reason or cell.reason)))


def _tooltip(cell: Cell) -> str:
    """Return what a cell says when it is pointed at: difference from real audio, single seeds."""
    parts = []
    if cell.beside_real.value is not None:
        p_value = "" if cell.p_value is None else f", p {p_text(cell.p_value, cell.over)}"
        parts.append(f"from real audio: {interval_text(cell.beside_real)}{p_value}")
    if cell.locked_p_value is not None:
        parts.append(f"phase locked: p {p_text(cell.locked_p_value, SEEDS)}")
    values = [f"{value:.3g}" for value in cell.runs.values() if value is not None]
    if len(values) > 1:
        parts.append(f"seeds: {', '.join(values)}")
    return "; ".join(parts)
