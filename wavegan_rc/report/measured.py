"""The measurement of a run, made once and kept in its folder."""

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, WaveganError
from wavegan_rc.measurement.bootstrap import Estimate
from wavegan_rc.measurement.measure import measure
from wavegan_rc.measurement.measurement import ARRAYS_FILE, JSON_FILE, SCHEMA, Measurement
from wavegan_rc.measurement.quantities import CANNOT_BE_TOLD
from wavegan_rc.measurement.references import data_of_run
from wavegan_rc.runs.run import Run
from wavegan_rc.utils.text import printable

_logger = logging.getLogger(__name__)

# What a number and its interval are over.
SEGMENTS, SEEDS = "segments", "seeds"

# Whole-set quantities that depend on the lines of all stages.
_OF_ALL_LINES = ("out_of_band_lines_db", "out_of_band_rest_db")
_NOT_STATED = "no reason is stated"


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval; None for what is not finite or not measured."""

    value: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def numbers(self) -> tuple[float | None, float | None, float | None]:
        """Value, lower end, upper end."""
        return self.value, self.low, self.high


MISSING = Interval()


def interval_of(estimate: Estimate) -> Interval:
    """Return an estimate as an interval, with None for what is not finite."""
    return Interval(*(_finite(float(number)) for number in estimate))


@dataclass(frozen=True, kw_only=True)
class Difference(Interval):
    """One number minus another; `value` is None where there is no difference.

    Attributes:
        p_value: P-value, corrected for the number of stages or lines. None without a test.
        verdict: `above`, `below`, `equal within ...`, `cannot be told` or empty.
        reason: Reason for a missing value or interval. None if nothing is missing.
    """

    p_value: float | None = None
    verdict: str = ""
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Cell(Interval):
    """A group's number: one run's value, or the mean over seeds.

    Attributes:
        over: `segments` or `seeds`, the units that are counted and that the interval describes.
        p_value: P-value of the difference from real audio. None without a test.
        verdict: Verdict beside real audio, or on a line's phase locking.
        reason: Reason for a missing value or interval. None if nothing is missing.
        runs: Values by run id.
        locked_p_value: P-value of a line's phase locking in a single run.
    """

    over: str
    count: int
    p_value: float | None = None
    verdict: str = ""
    reason: str | None = None
    runs: Mapping[str, float | None]
    beside_real: Interval = MISSING
    locked_p_value: float | None = None

    def difference(self, reason: str | None) -> Difference:
        """Return the difference from real audio, or from the other set, with its test."""
        return Difference(
            *self.beside_real.numbers, p_value=self.p_value, verdict=self.verdict, reason=reason
        )


class Key(NamedTuple):
    """The name of a quantity and the part of the signal it describes.

    Attributes:
        name: Name, with the unit as suffix.
        stage: Stage number. None for the whole set.
        frequency_hz: Frequency of a line. None for other quantities.
        lines_hz: Frequencies of the stage's lines, which tell apart stages of other upsampling
            factors. All lines for out-of-band power in and beside lines. Else empty.
    """

    name: str
    stage: int | None = None
    frequency_hz: float | None = None
    lines_hz: tuple[float, ...] = ()

    @property
    def family(self) -> tuple[str, bool]:
        """Quantities tested together: one name, over all stages or over all lines."""
        return self.name, self.frequency_hz is None


@dataclass(frozen=True)
class Measured:
    """The measurement of a run.

    Attributes:
        segments: Number of generated segments.
        stages: Lines in Hz by stage of the generator, first one first.
        cells: Quantities, in the order of the file.
        real: Those of real audio, or of the other set of a comparison, where they were measured.
        real_independent: Number of real segments that neither overlap nor repeat. None if unknown.
        measurement: Measurement for comparisons, if it is kept.
    """

    segments: int = 0
    stages: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    cells: Mapping[Key, Cell] = field(default_factory=dict)
    real: Mapping[Key, Interval] = field(default_factory=dict)
    real_independent: int | None = None
    measurement: Measurement | None = None

    def value(self, key: Key) -> float | None:
        """Return the value of a quantity, or None if it was not measured."""
        return self.cells[key].value if key in self.cells else None


def measured(run: Run, config: Config, name: str, *, keep: bool) -> Measured:
    """Read a run's measurement, or measure it.

    A measurement is made again if it is older than the generator, was made by another version, or
    lacks real audio that can be read now. `keep` holds its segments in memory, for comparisons.

    Raises:
        DataError: If the run cannot be measured, or its folder cannot be written.
    """
    folder = run.measurement
    if _is_current(run, config):
        return read_measured(folder / JSON_FILE)
    _logger.info("measuring %s", name)
    measurement = measured_run(run)
    try:
        folder.mkdir(exist_ok=True)
        measurement.save(folder)
    except (OSError, DataError) as error:
        raise DataError(f"{folder} cannot be written: {error}") from None
    return replace(read_measured(folder / JSON_FILE), measurement=measurement if keep else None)


def measured_run(run: Run) -> Measurement:
    """Measure a run; a DataError names it."""
    try:
        return measure(str(run.path))
    except WaveganError as error:
        raise DataError(f"{run.path} cannot be measured: {error}") from None


def _is_current(run: Run, config: Config) -> bool:
    files = [run.measurement / JSON_FILE, run.measurement / ARRAYS_FILE]
    if not all(file.is_file() for file in files):
        return False
    generator = run.generator.stat().st_mtime_ns
    if any(file.stat().st_mtime_ns < generator for file in files):
        return False
    result = _read_json(files[0])
    about = result.get("set")
    form = ("sample_rate", "segment_length", "stopband_hz")
    if result.get("schema") != SCHEMA or not isinstance(about, dict):
        return False
    if any(about.get(name) != getattr(config, name) for name in form):
        return False
    # One segment is enough to know whether the recordings can be read.
    return result.get("real") is not None or data_of_run(str(run.path), 1) is None


def read_measured(file: Path) -> Measured:
    """Read `artifacts.json` or `comparison.json`; a DataError names the file."""
    result = _read_json(file)
    try:
        if result["schema"] != SCHEMA:
            raise ValueError(f"schema must be {SCHEMA}")
        about = result["set"]
        stages = {int(s["stage"]): tuple(map(_hz, s["lines_hz"])) for s in about["stages"]}
        count, quantities = int(about["segments"]), result["quantities"]
        cells = {_key(each, stages): _cell(each, count) for each in quantities}
        references = {_key(each, stages): _interval(each["reference"]) for each in quantities}
        known = {key: each for key, each in references.items() if each.value is not None}
        real = result.get("real")
        independent = None if real is None else int(real["independent_segments"])
        return Measured(count, stages, cells, known, independent)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"{file}: not a measurement: {error}") from None


def _read_json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{file}: cannot be read: {printable(str(error))}") from None
    if not isinstance(value, dict):
        raise DataError(f"{file}: must hold a JSON object")
    return value


def _hz(value: Any) -> float:
    number = _finite(value)
    if number is None:
        raise ValueError("a frequency must be a finite number")
    return number


def _key(quantity: Mapping[str, Any], lines: Mapping[int, tuple[float, ...]]) -> Key:
    name, stage = quantity["name"], quantity["stage"]
    if not isinstance(name, str):
        raise TypeError("a name must be text")
    if stage is None:
        every = tuple(hz for own in lines.values() for hz in own)
        return Key(name, lines_hz=every if name in _OF_ALL_LINES else ())
    return Key(name, stage, _finite(quantity["frequency_hz"]), lines[stage])


def _cell(quantity: Mapping[str, Any], count: int) -> Cell:
    estimate, reason = _interval(quantity), quantity["reason"]
    if estimate.value is None and reason is None:
        reason = _NOT_STATED
    verdict = str(quantity["verdict"])
    if verdict.startswith(f"{CANNOT_BE_TOLD}: "):
        verdict, _, reason = verdict.partition(": ")
    return Cell(
        *estimate.numbers,
        over=SEGMENTS,
        count=count,
        p_value=_finite(quantity["p_value"]),
        verdict=verdict,
        reason=None if reason is None else str(reason),
        runs={},
        beside_real=_interval(quantity["difference"]),
        locked_p_value=_finite(quantity["locked_p_value"]),
    )


def _interval(fields: Mapping[str, Any] | None) -> Interval:
    """Read an interval; without a finite value its ends do not count."""
    if fields is None or _finite(fields["value"]) is None:
        return MISSING
    return Interval(*(_finite(fields[name]) for name in ("value", "low", "high")))


def _finite(value: Any) -> float | None:
    """Return a value as a finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number of 400 digits
        return None
