"""The measurement of a run, made once and kept in its folder."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from wavegan_rc.errors import DataError, WaveganError
from wavegan_rc.measure.bootstrap import Estimate
from wavegan_rc.measure.measure import measure
from wavegan_rc.measure.measurement import ARRAYS_FILE, JSON_FILE, SCHEMA, Measurement
from wavegan_rc.report.run_files import GENERATOR_FILE, Run, finite, read_json

FOLDER = "measurement"
# Of the whole, but of the lines of all stages too.
_OF_ALL_LINES = ("out_of_band_lines_db", "out_of_band_rest_db")
_NOT_STATED = "no reason is stated"


class Key(NamedTuple):
    """What a number is of.

    Attributes:
        name: With the unit as suffix, where it has one.
        stage: That it belongs to; None for the whole.
        frequency_hz: Of a line; None for others.
        lines_hz: Of the stage: stage 1 of other upsampling factors is another. Of all stages for
            what is in lines and beside them; empty for all else.
    """

    name: str
    stage: int | None = None
    frequency_hz: float | None = None
    lines_hz: tuple[float, ...] = ()

    @property
    def family(self) -> tuple[str, bool]:
        """Numbers tested together: of one name, of all stages or of all lines."""
        return self.name, self.frequency_hz is None


@dataclass(frozen=True)
class Number:
    """A quantity of one set, as its file has it.

    Attributes:
        estimate: None where there is no finite value.
        reference: Of real audio, or of the set beside it; None without.
        difference: Set less reference; None without.
        p_value: Of the difference, corrected; None without.
        locked_p_value: Of a line's phase locking; None for others.
        verdict: In words.
        reason: Why something of it is missing.
    """

    estimate: Estimate | None
    reference: Estimate | None
    difference: Estimate | None
    p_value: float | None
    locked_p_value: float | None
    verdict: str
    reason: str | None


@dataclass(frozen=True)
class Measured:
    """What was measured of a run.

    Attributes:
        segments: That were generated for it.
        stages: Of its generator, with their lines.
        numbers: Everything, in the order of the file.
        real_independent: Real segments beside it that neither overlap nor repeat; None: not known.
        measurement: What the comparison of segments needs; None if the numbers were read.
    """

    segments: int
    stages: list[dict[str, Any]]
    numbers: Mapping[Key, Number]
    real_independent: int | None = None
    measurement: Measurement | None = None


def measured(run: Run) -> Measured:
    """Read the measurement in a run's folder, or make it if there is none of this generator.

    Args:
        run: Finished.

    Raises:
        DataError: If it cannot be measured, or its folder cannot be written.
    """
    folder = run.path / FOLDER
    if _is_there(run, folder):
        return read_measured(folder / JSON_FILE)
    print(f"measuring {run.in_words}", flush=True)
    measurement = measured_run(run)
    try:
        folder.mkdir(exist_ok=True)
        measurement.save(folder)
    except (OSError, DataError) as error:
        raise DataError(f"{folder} cannot be written: {error}") from None
    return replace(read_measured(folder / JSON_FILE), measurement=measurement)


def measured_run(run: Run) -> Measurement:
    """Measure a run, with its segments at hand.

    Raises:
        DataError: If it cannot be measured.
    """
    try:
        return measure(str(run.path))
    except WaveganError as error:
        raise DataError(f"{run.path} cannot be measured: {error}") from None


def _is_there(run: Run, folder: Path) -> bool:
    """Whether a folder holds a measurement by this version, of this generator."""
    files = [folder / JSON_FILE, folder / ARRAYS_FILE]
    if not all(file.is_file() for file in files):
        return False
    generator = (run.path / GENERATOR_FILE).stat().st_mtime_ns
    if any(file.stat().st_mtime_ns < generator for file in files):
        return False
    result = read_json(files[0])
    about = result.get("set")
    form = {
        "sample_rate": run.config.sample_rate,
        "segment_length": run.config.segment_length,
        "stopband_hz": run.config.stopband_hz,
    }
    return (
        result.get("schema") == SCHEMA
        and isinstance(about, dict)
        and all(about.get(name) == value for name, value in form.items())
    )


def read_measured(file: Path) -> Measured:
    """Read `artifacts.json`, or `comparison.json`.

    Raises:
        DataError: If it is something else.
    """
    result = read_json(file)
    try:
        if result["schema"] != SCHEMA:
            raise ValueError(f"schema must be {SCHEMA}")
        about = result["set"]
        stages = [_stage(stage) for stage in about["stages"]]
        lines = {stage["stage"]: tuple(stage["lines_hz"]) for stage in stages}
        numbers = {_key(q, lines): _number(q) for q in result["quantities"]}
        real = result.get("real")
        independent = None if real is None else int(real["independent_segments"])
        return Measured(int(about["segments"]), stages, numbers, independent)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"{file}: not a measurement: {error}") from None


def _stage(stage: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "stage": int(stage["stage"]),
        "spacing_hz": _hz(stage["spacing_hz"]),
        "period": int(stage["period"]),
        "lines_hz": [_hz(place) for place in stage["lines_hz"]],
        "given_to_later_stages_hz": [_hz(place) for place in stage["given_to_later_stages_hz"]],
    }


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
    estimate = _estimate(quantity)
    reason = quantity["reason"]
    if estimate is None and reason is None:
        reason = _NOT_STATED
    return Number(
        estimate,
        _estimate(quantity["reference"]),
        _estimate(quantity["difference"]),
        finite(quantity["p_value"]),
        finite(quantity["locked_p_value"]),
        str(quantity["verdict"]),
        None if reason is None else str(reason),
    )


def _estimate(fields: Mapping[str, Any] | None) -> Estimate | None:
    """Value and interval; NaN where there is no limit, None without a value."""
    if fields is None or finite(fields["value"]) is None:
        return None
    numbers = (finite(fields[name]) for name in ("value", "low", "high"))
    return Estimate(*(float("nan") if number is None else number for number in numbers))
