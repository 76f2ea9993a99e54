"""The measurement of a run, made once and kept in its folder."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from wavegan_rc.errors import DataError, WaveganError
from wavegan_rc.measurement.bootstrap import Estimate
from wavegan_rc.measurement.measure import measure
from wavegan_rc.measurement.measurement import ARRAYS_FILE, JSON_FILE, SCHEMA, Measurement
from wavegan_rc.measurement.quantities import CANNOT_BE_TOLD
from wavegan_rc.measurement.references import data_of_run
from wavegan_rc.report.run_files import Run, finite, read_json
from wavegan_rc.runs.run import Run as RunFolder

_logger = logging.getLogger(__name__)

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
    return Interval(*(finite(float(number)) for number in estimate))


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
class Number:
    """A quantity of one set, with a reference; see `measurement.quantities.Quantity`."""

    estimate: Interval
    reference: Interval
    difference: Interval
    p_value: float | None
    locked_p_value: float | None
    verdict: str
    reason: str | None


@dataclass(frozen=True)
class Measured:
    """The measurement of a run.

    Attributes:
        segments: Number of generated segments.
        stages: Lines in Hz by stage of the generator, first one first.
        numbers: Quantities, in the order of the file.
        real_independent: Number of real segments that neither overlap nor repeat. None if unknown.
        measurement: Measurement for comparisons. None if it was read from a file.
    """

    segments: int
    stages: Mapping[int, tuple[float, ...]]
    numbers: Mapping[Key, Number]
    real_independent: int | None = None
    measurement: Measurement | None = None

    def value(self, key: Key) -> float | None:
        """Return the value of a quantity, or None if it was not measured."""
        return self.numbers[key].estimate.value if key in self.numbers else None


def measured(run: Run) -> Measured:
    """Read a run's measurement, or measure it.

    A measurement is made again if it is older than the generator, was made by another version, or
    lacks real audio that can be read now.

    Raises:
        DataError: If the run cannot be measured, or its folder cannot be written.
    """
    folder = RunFolder(run.path).measurement
    if _is_current(run, folder):
        return read_measured(folder / JSON_FILE)
    _logger.info("measuring %s", run.in_words)
    measurement = measured_run(run)
    try:
        folder.mkdir(exist_ok=True)
        measurement.save(folder)
    except (OSError, DataError) as error:
        raise DataError(f"{folder} cannot be written: {error}") from None
    return replace(read_measured(folder / JSON_FILE), measurement=measurement)


def measured_run(run: Run) -> Measurement:
    """Measure a run and keep its segments; a DataError names the run."""
    try:
        return measure(str(run.path))
    except WaveganError as error:
        raise DataError(f"{run.path} cannot be measured: {error}") from None


def _is_current(run: Run, folder: Path) -> bool:
    files = [folder / JSON_FILE, folder / ARRAYS_FILE]
    if not all(file.is_file() for file in files):
        return False
    generator = RunFolder(run.path).generator.stat().st_mtime_ns
    if any(file.stat().st_mtime_ns < generator for file in files):
        return False
    result = read_json(files[0])
    about = result.get("set")
    form = ("sample_rate", "segment_length", "stopband_hz")
    if result.get("schema") != SCHEMA or not isinstance(about, dict):
        return False
    if any(about.get(name) != getattr(run.config, name) for name in form):
        return False
    # One segment is enough to know whether the recordings can be read.
    return result.get("real") is not None or data_of_run(str(run.path), 1) is None


def read_measured(file: Path) -> Measured:
    """Read `artifacts.json` or `comparison.json`; a DataError names the file."""
    result = read_json(file)
    try:
        if result["schema"] != SCHEMA:
            raise ValueError(f"schema must be {SCHEMA}")
        about = result["set"]
        stages = {int(s["stage"]): tuple(map(_hz, s["lines_hz"])) for s in about["stages"]}
        numbers = {_key(q, stages): _number(q) for q in result["quantities"]}
        real = result.get("real")
        independent = None if real is None else int(real["independent_segments"])
        return Measured(int(about["segments"]), stages, numbers, independent)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"{file}: not a measurement: {error}") from None


def _hz(value: Any) -> float:
    number = finite(value)
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
    return Key(name, stage, finite(quantity["frequency_hz"]), lines[stage])


def _number(quantity: Mapping[str, Any]) -> Number:
    estimate, reason = _interval(quantity), quantity["reason"]
    if estimate.value is None and reason is None:
        reason = _NOT_STATED
    verdict = str(quantity["verdict"])
    if verdict.startswith(f"{CANNOT_BE_TOLD}: "):
        verdict, _, reason = verdict.partition(": ")
    return Number(
        estimate,
        _interval(quantity["reference"]),
        _interval(quantity["difference"]),
        finite(quantity["p_value"]),
        finite(quantity["locked_p_value"]),
        verdict,
        None if reason is None else str(reason),
    )


def _interval(fields: Mapping[str, Any] | None) -> Interval:
    """Read an interval; without a finite value its ends do not count."""
    if fields is None or finite(fields["value"]) is None:
        return MISSING
    return Interval(*(finite(fields[name]) for name in ("value", "low", "high")))
