"""Measure what lies at a path, beside real audio, and leave the numbers and arrays in files."""

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wavegan_rc.audio.corpus import Corpus
from wavegan_rc.errors import DataError, ParameterError, WaveganWarning
from wavegan_rc.measure.blind.comb import FoundComb, find_combs, stage_of
from wavegan_rc.measure.comparison import compare, measure
from wavegan_rc.measure.grouped_spectra import StageComb, stage_combs
from wavegan_rc.measure.quantities import Settings, Statistics
from wavegan_rc.measure.readings import ReadSet, read_set
from wavegan_rc.measure.references import data_of_run, reference_parts
from wavegan_rc.measure.result import SCHEMA, Measurement
from wavegan_rc.measure.segments import SegmentSet
from wavegan_rc.measure.sources import open_segments
from wavegan_rc.measure.statistics import mean_power
from wavegan_rc.runs.history import read_history, unfinished
from wavegan_rc.runs.run import Run
from wavegan_rc.utils.atomic_files import whole_file, write_whole

JSON_FILE, ARRAYS_FILE, FIGURE_FILE = "artifacts.json", "artifacts.npz", "artifacts.png"
COMPARISON_FILE = "comparison.json"


@dataclass(frozen=True, kw_only=True)
class Audit:
    """How sets are measured; what is None is taken from the set, where it is known there.

    Attributes:
        reference: Path of real audio; None: a run's own data, if it is one.
        upsampling_factors: Of the generator, first stage first.
        segment_length: In samples.
        stopband_hz: Above it the data holds nothing, in Hz.
        sample_rate: In Hz; for `.npy` files.
        seed: Of generated segments and of the bootstrap.
        corpus: A run's own data, prepared elsewhere; None: they are prepared here.
    """

    reference: str | None = None
    upsampling_factors: Sequence[int] | None = None
    segment_length: int | None = None
    stopband_hz: float | None = None
    sample_rate: int | None = None
    seed: int = 0
    corpus: Corpus | None = None

    def measure(self, path: str) -> "Audited":
        """Open a set and measure it.

        Raises:
            WaveganError: If the path or an argument cannot be used.
        """
        test = open_segments(
            path,
            segment_length=self.segment_length,
            sample_rate=self.sample_rate,
            seed=self.seed,
        )
        stopband_hz = test.stopband_hz if self.stopband_hz is None else self.stopband_hz
        if stopband_hz is not None and not 0 < stopband_hz < test.sample_rate / 2:
            raise ParameterError(
                f"stopband_hz must lie between 0 and half the sample rate, "
                f"{test.sample_rate / 2:g} Hz. Received: {stopband_hz:g}"
            )
        settings = Settings(test.sample_rate, self._combs(test), stopband_hz, self.seed)
        if self.reference is not None:
            sets = reference_parts(self.reference, test)
        else:
            sets = data_of_run(path, test.count, self.corpus)
        read, real, baseline = (
            None if one is None else read_set(one, settings.combs)
            for one in (test, *(sets or (None, None)))
        )
        assert read is not None
        statistics = Statistics(settings, baseline)
        measurement = measure(read, statistics, real)
        combs = _combs_found_in(read, test.sample_rate)
        return Audited(test, read, statistics, measurement, combs, real, _unfinished(path))

    def _combs(self, test: SegmentSet) -> tuple[StageComb, ...]:
        factors = self.upsampling_factors or test.upsampling_factors
        if factors is not None and (min(factors) < 2 or test.segment_length % math.prod(factors)):
            raise ParameterError(
                "upsampling_factors must be at least 2, with a product that divides the segment "
                f"length, {test.segment_length}. Received: {list(factors)}"
            )
        if factors is None:
            message = (
                f"{test.name}: its upsampling factors are not known: combs are only searched for"
            )
            warnings.warn(message, WaveganWarning, stacklevel=3)
            return ()
        return stage_combs(factors, test.sample_rate)


@dataclass(frozen=True)
class Audited:
    """A set and what was found out about it.

    Attributes:
        segment_set: The set.
        read: What was kept of it.
        statistics: That were taken.
        measurement: What they are.
        found_combs: Combs that the spectrum shows, whatever the factors.
        real: What was kept of the real audio beside it; None without.
        unfinished: Of a run, why its training cannot be taken for finished.
    """

    segment_set: SegmentSet
    read: ReadSet
    statistics: Statistics
    measurement: Measurement
    found_combs: tuple[FoundComb, ...]
    real: ReadSet | None = None
    unfinished: str | None = None

    def about(self) -> dict[str, Any]:
        """What the set is, as JSON values."""
        settings = self.statistics.settings
        return {
            "name": self.segment_set.name,
            "sample_rate": settings.sample_rate,
            "segment_length": self.segment_set.segment_length,
            "segments": self.segment_set.count,
            "independent_segments": self.read.independent,
            "training_unfinished": self.unfinished,
            "resampled_together": self.read.spectra.group_size,
            "stopband_hz": settings.stopband_hz,
            "skipped": self.segment_set.skipped,
            "stages": [
                {
                    "stage": comb.stage,
                    "spacing_hz": comb.spacing_hz,
                    "period": comb.period,
                    "lines_hz": [line.frequency_hz for line in comb.lines],
                    "given_to_later_stages_hz": comb.shared_hz,
                }
                for comb in settings.combs
            ],
        }

    def write(self, folder: Path) -> None:
        """Write the numbers as JSON, the arrays as .npz, and the figure drawn from them.

        Raises:
            DataError: If the folder cannot be written.
        """
        try:
            combs, real = self.statistics.settings.combs, self.real
            result = {
                "set": self.about(),
                "real": real
                and {
                    "name": real.name,
                    "segments": real.spectra.count,
                    "independent_segments": real.independent,
                },
                "found_combs": [
                    asdict(comb) | {"stage": stage_of(comb, combs)} for comb in self.found_combs
                ],
                "quantities": self.measurement.as_json(),
            }
            _write_json(result, folder / JSON_FILE)
            arrays = self.measurement.arrays
            with whole_file(folder / ARRAYS_FILE) as partial:
                np.savez_compressed(partial, allow_pickle=False, **arrays)
            _draw(folder)
        except OSError as error:
            raise DataError(f"out cannot be written: {error}") from None

    def compare(self, other: "Audited", folder: Path) -> Measurement:
        """Measure the set beside another, and write the numbers.

        Distances are taken to the other's real audio.

        Raises:
            ParameterError: If the sets differ in sample rate or segment length.
            DataError: If the folder cannot be written.
        """
        forms = [
            f"{audited.segment_set.sample_rate} Hz, {audited.segment_set.segment_length} samples"
            for audited in (self, other)
        ]
        if forms[0] != forms[1]:
            raise ParameterError(
                f"{self.segment_set.name}: sample_rate and segment_length must be those of "
                f"{other.segment_set.name}, {forms[1]}. Received: {forms[0]}"
            )
        reads, statistics = (self.read, other.read), other.statistics
        if self.statistics.settings.combs != statistics.settings.combs:
            message = f"{self.segment_set.name}: compared without lines, since its factors differ"
            warnings.warn(message, WaveganWarning, stacklevel=3)
            statistics = Statistics(replace(statistics.settings, combs=()), statistics.baseline)
            reads = (read_set(self.segment_set), read_set(other.segment_set))
        comparison = compare(*reads, statistics)
        result = {
            "set": self.about(),
            "reference": other.about(),
            "quantities": comparison.as_json(),
        }
        try:
            _write_json(result, folder / COMPARISON_FILE)
        except OSError as error:
            raise DataError(f"out cannot be written: {error}") from None
        return comparison


def _combs_found_in(read: ReadSet, sample_rate: int) -> tuple[FoundComb, ...]:
    spectra = read.spectra
    if not spectra.sounding.any():
        return ()
    uniform = np.full((1, read.groups), 1 / read.groups)
    power = mean_power(spectra, uniform)[0]
    locking, count = spectra.locking_of_groups()
    return find_combs(spectra.frequencies_hz, power, sample_rate, locking=locking, count=count)


def _unfinished(path: str) -> str | None:
    history = Run(Path(path).expanduser()).history
    if not history.is_file():
        return None
    try:
        return unfinished(read_history(history))
    except DataError:
        return "its history cannot be read"


def _draw(folder: Path) -> None:
    from wavegan_rc.figures.artifact_figures import artifact_figure
    from wavegan_rc.figures.drawing import save_figure

    figure = artifact_figure(folder / JSON_FILE, folder / ARRAYS_FILE)
    save_figure(figure, folder / FIGURE_FILE)


def _write_json(result: Mapping[str, Any], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"schema": SCHEMA} | dict(result), indent=1, allow_nan=False)
    write_whole(file, text)
