"""The page: one HTML file that holds everything it shows and asks nothing of a network."""

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from wavegan_rc.measure.bootstrap import Estimate
from wavegan_rc.measure.quantities import p_value_text, within_bounds
from wavegan_rc.report import media
from wavegan_rc.report.comparisons import estimate_json
from wavegan_rc.report.sounds import Sound, Sounds

_TEMPLATE = "page.html.j2"
_SCRIPTS = ("players.js", "table.js", "listening.js")
_CAPTIONS = {
    "spectra": "Mean spectra with bands of uncertainty; predicted lines with their stages.",
    "phase-locking": "Phase locking: 0 where the phase differs from window to window, as in real "
    "audio; 1 where it is always the same.",
    "training": "Artifacts over the steps of training.",
}
_HIGHEST_DIGITS = 5
# Drawings with more curves than this are smaller as pixels.
_LARGEST_SVG = 700_000


@dataclass(frozen=True)
class Drawing:
    """A figure of the page.

    Attributes:
        source: Address that holds it.
        caption: What it shows.
    """

    source: str
    caption: str


def render_page(document: Mapping[str, Any], sounds: Sounds, figures: Sequence[Path]) -> str:
    """Render the report as a page that opens from disk.

    Every text of the document is escaped, and the page's policy lets nothing run or load but what
    was written here: scripts and styles are named by their hashes (Content Security Policy level 3,
    W3C).

    Args:
        document: Numbers of the report.
        sounds: Pictures and players.
        figures: Files of the comparison figures, each as PNG and SVG.

    Returns:
        HTML.
    """
    files = resources.files("wavegan_rc.report")
    css = files.joinpath("page.css").read_text(encoding="utf-8")
    js = "\n".join(files.joinpath(name).read_text(encoding="utf-8") for name in _SCRIPTS)
    real_rows = sum(row[0].id.startswith("real-") for row in sounds.rows)
    groups = document["groups"]
    # The first two settings; of one alone, real audio beside it.
    choices = {"A": real_rows + 1, "B": real_rows + 2 if len(groups) > 1 else 1}
    return (
        _environment()
        .get_template(_TEMPLATE)
        .render(
            document=document,
            sounds=sounds,
            figures=drawings(figures),
            labels={group["id"]: group["label"] for group in groups},
            headings=table_headings(groups),
            first_choices=choices,
            scale=media.data_uri(media.scale_png(), "image/png"),
            range_db=media.RANGE_DB,
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
        "duration": duration_text,
        "frequencies": frequencies_text,
        "frequency_ticks": frequency_ticks,
        "height": _height,
        "interval": interval_text,
        "notes": cell_notes,
        "number": number_text,
        "scope": scope,
        "setting": setting_text,
        "single": lambda number, name: number_text(
            bounded({"value": number, "low": None, "high": None}, name)["value"]
        ),
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
    """Figures in the order given, each once: as SVG unless that is large."""
    found = []
    for stem in dict.fromkeys(file.with_suffix("") for file in files):
        svg, png = stem.with_suffix(".svg"), stem.with_suffix(".png")
        small = svg.is_file() and svg.stat().st_size <= _LARGEST_SVG
        file, kind = (svg, "image/svg+xml") if small else (png, "image/png")
        found.append(Drawing(media.data_uri(file.read_bytes(), kind), _CAPTIONS[stem.name]))
    return found


def table_headings(groups: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the columns of the table of all numbers.

    Example:
        >>> table_headings([{"label": "transposed"}, {"label": "resize"}])[3:6]
        ['real', 'transposed', 'resize']
    """
    first, *others = [group["label"] for group in groups]
    differences = [f"{other} \N{MINUS SIGN} {first}" for other in others]
    return ["quantity", "Hz", "stage", "real", first, *others, *differences]


def scope(row: Mapping[str, Any]) -> str:
    """What a row of numbers is about: a line, a stage or the whole."""
    if row["frequency_hz"] is not None:
        return "line"
    return "whole" if row["stage"] is None else "stage"


def number_text(number: float | None, digits: int | None = None) -> str:
    """A number to read, with three digits in all, one at least after the point.

    Args:
        number: None: there is none.
        digits: After the point; None: as many as make three in all.

    Example:
        >>> [number_text(x) for x in (8.637, 21.5, 0.01234, 1234.56, 0.0)]
        ['8.64', '21.5', '0.0123', '1234.6', '0.0']
    """
    if number is None or not math.isfinite(number):
        return "\N{EN DASH}"
    digits = _digits(number) if digits is None else digits
    # Adding 0 makes a rounded -0.0 plain 0.
    return f"{round(number, digits) + 0:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _digits(*numbers: float) -> int:
    """After the point, so that the largest has three in all."""
    largest = max(map(abs, numbers))
    if not largest:
        return 1
    return min(max(2 - math.floor(math.log10(largest)), 1), _HIGHEST_DIGITS)


def interval_text(estimate: Mapping[str, Any], name: str = "") -> str:
    """A value with its interval, all with as many digits.

    Args:
        estimate: `value`, `low` and `high`; None for those that there are not.
        name: Quantity, whose bounds hold; differences have none.

    Example:
        >>> interval_text({"value": 8.63, "low": 7.9, "high": 10.21})
        '8.6 [7.9, 10.2]'
        >>> interval_text({"value": 8.63, "low": None, "high": None})
        '8.63'
    """
    estimate = bounded(estimate, name)
    bounds = [estimate["low"], estimate["high"]]
    known = [x for x in (estimate["value"], *bounds) if x is not None and math.isfinite(x)]
    digits = _digits(*known) if known else 1
    value, low, high = (number_text(x, digits) for x in (estimate["value"], *bounds))
    return value if None in bounds else f"{value} [{low}, {high}]"


def bounded(estimate: Mapping[str, Any], name: str) -> dict[str, float | None]:
    """An estimate to be shown, by name of its quantity: see `within_bounds`."""
    fields = {key: estimate[key] for key in Estimate._fields}
    numbers = (math.nan if number is None else number for number in fields.values())
    return estimate_json(within_bounds(name, Estimate(*numbers)))


def cell_notes(cell: Mapping[str, Any]) -> list[str]:
    """What is said below a number: p-values, verdict, why something is missing.

    Example:
        >>> cell_notes({"value": 2.0, "p_value": 0.012, "verdict": "above"})
        ['p 0.012', 'above']
    """
    p_value, locked = cell.get("p_value"), cell.get("locked_p_value")
    notes = [] if p_value is None else [f"p {p_value_text(p_value)}"]
    if locked is not None:
        notes.append(f"locked: p {p_value_text(locked)}")
    return notes + [cell[name] for name in ("verdict", "reason") if cell.get(name)]


def duration_text(seconds: float | None) -> str:
    """Seconds as hours, minutes and seconds.

    Example:
        >>> duration_text(42.2), duration_text(515), duration_text(7325)
        ('42 s', '8 min 35 s', '2 h 2 min')
    """
    if seconds is None:
        return "\N{EN DASH}"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def setting_text(value: Any) -> str:
    """A setting's value as `train.py` takes it.

    Example:
        >>> setting_text([2, 2]), setting_text(None), setting_text(True), setting_text(0.5)
        ('2 2', 'null', 'true', '0.5')
    """
    if isinstance(value, list | tuple):
        return " ".join(map(setting_text, value))
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def frequencies_text(frequencies_hz: Sequence[float]) -> str:
    """Frequencies of a row, in Hz, of many the first two.

    Example:
        >>> frequencies_text([2000.0, 6000.0]), frequencies_text([125.0, 375.0, 625.0])
        ('2000, 6000', '125, 375, ...')
    """
    words = [f"{frequency:g}" for frequency in frequencies_hz]
    return ", ".join(words if len(words) <= 2 else [*words[:2], "..."])


def frequency_ticks(sound: Sound) -> list[tuple[float, float]]:
    """Frequencies in Hz to be written beside a spectrogram, and their heights from above in %."""
    highest = sound.sample_rate / 2
    spacing = 10 ** math.floor(math.log10(highest / 2))
    step = next(m * spacing for m in (1, 2, 5, 10) if highest / (m * spacing) <= 5)
    ticks = [i * step for i in range(math.floor(highest / step) + 1)]
    return [(tick, _height(tick, sound)) for tick in ticks]


def _height(frequency_hz: float, sound: Sound) -> float:
    """Of a frequency in a spectrogram, from above, in %."""
    return round(100 * (1 - frequency_hz / (sound.sample_rate / 2)), 3)
