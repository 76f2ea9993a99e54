"""The page: one HTML file that holds everything it shows and loads nothing from a network."""

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from wavegan_rc.figures.drawing import RANGE_DB
from wavegan_rc.measurement.bootstrap import Estimate
from wavegan_rc.measurement.quantities import p_value_text as permutation_p_value_text
from wavegan_rc.measurement.quantities import within_bounds
from wavegan_rc.report import media
from wavegan_rc.report.comparisons import SEGMENTS, Difference, compared_over
from wavegan_rc.report.document import Document
from wavegan_rc.report.groups import Group
from wavegan_rc.report.measured import Interval, frequencies_text, interval_of
from wavegan_rc.report.rows import Cell, Row
from wavegan_rc.report.run_files import argument_text, command_to_repeat
from wavegan_rc.report.sounds import Sound, Sounds

_TEMPLATE = "page.html.j2"
_SCRIPTS = ("players.js", "table.js", "listening.js")
_CAPTIONS = {
    "spectra": "Mean spectra with their bands, and the predicted lines of each stage.",
    "phase-locking": "Phase locking: 0 where the phase differs from window to window, as in real "
    "audio; 1 where it is always the same.",
    "training": "Artifacts over the training steps.",
}
_HIGHEST_DIGITS = 5
# Larger drawings, of many curves, are embedded as PNG.
_LARGEST_SVG = 700_000
_NO_NUMBER = "\N{EN DASH}"


@dataclass(frozen=True)
class Drawing:
    """A figure of the page: an address that holds it, and its caption."""

    source: str
    caption: str


def render_page(document: Document, sounds: Sounds, figures: Sequence[Path]) -> str:
    """Render the report as HTML that opens from disk.

    Every text of the document is escaped. The page's policy names its scripts and styles by their
    hashes and forbids everything else (Content Security Policy level 3, W3C).

    Args:
        document: Content of the report.
        sounds: Pictures and players.
        figures: Files of the figures, each as PNG and SVG.
    """
    files = resources.files("wavegan_rc.report")
    css = files.joinpath("page.css").read_text(encoding="utf-8")
    js = "\n".join(files.joinpath(name).read_text(encoding="utf-8") for name in _SCRIPTS)
    real_rows = sum(row[0].is_real for row in sounds.rows)
    first, *others = document.groups
    # The listening test begins with the first two groups; with one group, beside real audio.
    choices = {"A": real_rows + 1, "B": real_rows + 2 if others else 1}
    return (
        _environment()
        .get_template(_TEMPLATE)
        .render(
            document=document,
            sounds=sounds,
            figures=drawings(figures),
            headings=table_headings(document.groups),
            over={group.id: compared_over(group, first) for group in others},
            first_choices=choices,
            scale=media.data_uri(media.scale_png(), "image/png"),
            range_db=RANGE_DB,
            policy=Markup(_policy(css, js)),
            css=Markup(css),
            js=Markup(js),
        )
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
        "argument": argument_text,
        "command": command_to_repeat,
        "duration": duration_text,
        "frequencies": frequencies_text,
        "frequency_ticks": frequency_ticks,
        "height": _height,
        "interval": interval_text,
        "notes": cell_notes,
        "number": number_text,
        "scope": scope,
        "settings": asdict,
        "single": lambda value, name: number_text(_bounded(Interval(value), name).value),
        "words": lambda name: name.replace("_", " ").removesuffix(" db"),
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


def drawings(files: Sequence[Path]) -> list[Drawing]:
    """Return the figures in the order given, each once: as SVG unless that is large."""
    found = []
    for stem in dict.fromkeys(file.with_suffix("") for file in files):
        svg, png = stem.with_suffix(".svg"), stem.with_suffix(".png")
        small = svg.is_file() and svg.stat().st_size <= _LARGEST_SVG
        file, kind = (svg, "image/svg+xml") if small else (png, "image/png")
        found.append(Drawing(media.data_uri(file.read_bytes(), kind), _CAPTIONS[stem.name]))
    return found


def table_headings(groups: Sequence[Group]) -> list[str]:
    """Return the names of the columns of the table of all numbers.

    Example:
        >>> table_headings([Group("g1", "transposed", ()), Group("g2", "resize", ())])[3:6]
        ['real', 'transposed', 'resize']
    """
    first, *others = [group.label for group in groups]
    differences = [f"{other} \N{MINUS SIGN} {first}" for other in others]
    return ["quantity", "Hz", "stage", "real", first, *others, *differences]


def scope(row: Row) -> str:
    """Return whether a row describes a line, a stage or the whole set."""
    if row.frequency_hz is not None:
        return "line"
    return "whole" if row.stage is None else "stage"


def number_text(number: float | None, digits: int | None = None) -> str:
    """Return a number with three digits in all, at least one of them after the point.

    Args:
        number: Number. None gives a dash.
        digits: Digits after the point. None gives three in all.

    Example:
        >>> [number_text(x) for x in (8.637, 21.5, 0.01234, 1234.56, 0.0)]
        ['8.64', '21.5', '0.0123', '1234.6', '0.0']
    """
    if number is None or not math.isfinite(number):
        return _NO_NUMBER
    digits = _digits(number) if digits is None else digits
    # Adding 0 makes a rounded -0.0 plain 0.
    return f"{round(number, digits) + 0:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _digits(*numbers: float) -> int:
    """Return the digits after the point with which the largest number has three in all."""
    largest = max(map(abs, numbers))
    if not largest:
        return 1
    return min(max(2 - math.floor(math.log10(largest)), 1), _HIGHEST_DIGITS)


def interval_text(interval: Interval, name: str = "") -> str:
    """Return a value with its interval, all with as many digits.

    Args:
        interval: Value and interval.
        name: Name of the quantity, which may have bounds. Empty for differences.

    Example:
        >>> interval_text(Interval(8.63, 7.9, 10.21)), interval_text(Interval(8.63))
        ('8.6 [7.9, 10.2]', '8.63')
    """
    interval = _bounded(interval, name)
    known = [x for x in interval.numbers if x is not None and math.isfinite(x)]
    digits = _digits(*known) if known else 1
    value, low, high = (number_text(x, digits) for x in interval.numbers)
    return value if None in (interval.low, interval.high) else f"{value} [{low}, {high}]"


def _bounded(interval: Interval, name: str) -> Interval:
    numbers = (math.nan if number is None else number for number in interval.numbers)
    return interval_of(within_bounds(name, Estimate(*numbers)))


def cell_notes(cell: Interval, over: str) -> list[str]:
    """Return the notes below a number: p-values, verdict, reason for what is missing.

    Example:
        >>> cell_notes(Difference(2.0, p_value=0.0004, verdict="above"), "seeds")
        ['p 0.0004', 'above']
    """
    if not isinstance(cell, Cell | Difference):
        return []
    notes = [] if cell.p_value is None else [f"p {p_value_text(cell.p_value, over)}"]
    locked = cell.locked_p_value if isinstance(cell, Cell) else None
    if locked is not None:
        notes.append(f"locked: p {_plain_p_value_text(locked)}")
    return notes + [text for text in (cell.verdict, cell.reason) if text]


def p_value_text(p_value: float, over: str) -> str:
    """Return a p-value as text.

    Args:
        p_value: P-value.
        over: `segments` for a permutation test, which has a smallest p-value; `seeds` for
            Student's or Welch's test, which has none.

    Example:
        >>> p_value_text(0.00041, "seeds"), p_value_text(3e-7, "seeds"), p_value_text(0.03, "seeds")
        ('0.0004', '3e-07', '0.030')
        >>> p_value_text(0.00041, "segments")
        '< 0.002'
    """
    if over == SEGMENTS:
        return permutation_p_value_text(p_value)
    return _plain_p_value_text(p_value)


def _plain_p_value_text(p_value: float) -> str:
    return f"{p_value:.3f}" if p_value >= 0.001 else f"{p_value:.1g}"


def duration_text(seconds: float | None) -> str:
    """Return seconds as hours, minutes and seconds.

    Example:
        >>> duration_text(42.2), duration_text(515), duration_text(7325)
        ('42 s', '8 min 35 s', '2 h 2 min')
    """
    if seconds is None:
        return _NO_NUMBER
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def frequency_ticks(sound: Sound) -> list[tuple[float, float]]:
    """Return frequencies in Hz to write beside a spectrogram, with heights in % from the top."""
    highest = sound.sample_rate / 2
    spacing = 10 ** math.floor(math.log10(highest / 2))
    step = next(m * spacing for m in (1, 2, 5, 10) if highest / (m * spacing) <= 5)
    ticks = [i * step for i in range(math.floor(highest / step) + 1)]
    return [(tick, _height(tick, sound)) for tick in ticks]


def _height(frequency_hz: float, sound: Sound) -> float:
    return round(100 * (1 - frequency_hz / (sound.sample_rate / 2)), 3)
