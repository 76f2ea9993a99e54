"""Measure what lies at a path, beside real audio, and leave the numbers and arrays in files."""

import itertools
import json
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml

from wavegan_rc.artifacts.result import Measurement
from wavegan_rc.artifacts.spectra import StageComb, stage_combs
from wavegan_rc.audio.corpus import Corpus, prepare_corpus
from wavegan_rc.audio.segments import Segments, Split
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, ParameterError, WaveganError, WaveganWarning
from wavegan_rc.measurement import FEWEST_SEGMENTS, measure
from wavegan_rc.report.artifact_figures import artifact_figure
from wavegan_rc.report.figures import save_figure
from wavegan_rc.segment_sets import SegmentSet, open_segments

# Neighbouring segments are alike: parts of a reference are made of stretches, about 1 s each.
_STRETCH = 8

JSON_FILE, ARRAYS_FILE, FIGURE_FILE = "artifacts.json", "artifacts.npz", "artifacts.png"


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
    """

    reference: str | None = None
    upsampling_factors: Sequence[int] | None = None
    segment_length: int | None = None
    stopband_hz: float | None = None
    sample_rate: int | None = None
    seed: int = 0

    def measure(self, path: str) -> tuple[SegmentSet, Measurement]:
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
        real, baseline = self._real_sets(path, test)
        measurement = measure(
            test,
            real=real,
            baseline=baseline,
            combs=self._combs(test),
            stopband_hz=stopband_hz,
            seed=self.seed,
        )
        return replace(test, stopband_hz=stopband_hz), measurement

    def _combs(self, test: SegmentSet) -> tuple[StageComb, ...]:
        factors = self.upsampling_factors or test.upsampling_factors
        if factors is not None and (min(factors) < 2 or test.segment_length % math.prod(factors)):
            raise ParameterError(
                "upsampling_factors must be at least 2, with a product that divides the segment "
                f"length, {test.segment_length}. Received: {list(factors)}"
            )
        if factors is None:
            message = f"{test.name}: its upsampling factors are not known: no lines are looked for"
            warnings.warn(message, WaveganWarning, stacklevel=3)
            return ()
        return stage_combs(factors, test.sample_rate)

    def _real_sets(
        self, path: str, test: SegmentSet
    ) -> tuple[SegmentSet | None, SegmentSet | None]:
        """Real segments to be measured alike, and others to which distances are taken."""
        if self.reference is not None:
            reference = open_segments(
                self.reference, segment_length=test.segment_length, sample_rate=test.sample_rate
            )
            if reference.count < 2 * FEWEST_SEGMENTS:
                raise DataError(
                    f"{reference.name}: a reference must have at least {2 * FEWEST_SEGMENTS} "
                    f"segments. Received: {reference.count}"
                )
            return _part(reference, 1), _part(reference, 0)
        config_file = Path(path).expanduser() / "config.yaml"
        if not config_file.is_file():
            return None, None
        try:
            config = Config(**yaml.safe_load(config_file.read_text(encoding="utf-8")))
            corpus = prepare_corpus(
                config.data,
                sample_rate=config.sample_rate,
                cutoff_hz=config.cutoff_hz,
                stopband_hz=config.stopband_hz,
            )
            return (
                _drawn(corpus, "held_out", config, test.count),
                _drawn(corpus, "training", config, test.count),
            )
        except (WaveganError, OSError, TypeError, yaml.YAMLError) as error:
            message = f"{path}: without real audio, since its data cannot be read: {error}"
            warnings.warn(" ".join(message.split()), WaveganWarning, stacklevel=3)
            return None, None


def _drawn(corpus: Corpus, split: Split, config: Config, count: int) -> SegmentSet:
    segments = Segments(
        corpus,
        split,
        segment_length=config.segment_length,
        silence_db=config.silence_db,
        seed=config.seed,
    )
    drawn = segments.draw(0, count)
    return SegmentSet(
        f"real ({split.replace('_', ' ')})",
        config.sample_rate,
        config.segment_length,
        count,
        lambda: iter([drawn]),
    )


def _part(whole: SegmentSet, part: int) -> SegmentSet:
    """Every other stretch of neighbouring segments, so that all recordings are in both parts."""

    def belongs(index: np.ndarray) -> np.ndarray:
        return index // _STRETCH % 2 == part

    def source() -> Iterator[np.ndarray]:
        start = 0
        for block in whole.blocks():
            yield block[belongs(np.arange(start, start + len(block)))]
            start += len(block)

    count = int(belongs(np.arange(whole.count)).sum())
    return replace(whole, name=f"{whole.name} (part {part + 1})", count=count, source=source)


def write_measurement(segment_set: SegmentSet, measurement: Measurement, folder: Path) -> None:
    """Write the numbers as JSON, the arrays as .npz, and the figure drawn from them.

    Raises:
        DataError: If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        about = {
            "set": {
                "name": segment_set.name,
                "sample_rate": segment_set.sample_rate,
                "segment_length": segment_set.segment_length,
                "segments": segment_set.count,
                "stopband_hz": segment_set.stopband_hz,
                "skipped": segment_set.skipped,
            }
        }
        text = json.dumps(about | measurement.as_json(), indent=1, allow_nan=False)
        (folder / JSON_FILE).write_text(text, encoding="utf-8")
        np.savez_compressed(folder / ARRAYS_FILE, allow_pickle=False, **measurement.arrays)
        save_figure(artifact_figure(folder / JSON_FILE, folder / ARRAYS_FILE), folder / FIGURE_FILE)
    except OSError as error:
        raise DataError(f"out cannot be written: {error}") from None


def crossed(measurement: Measurement, limits: Mapping[str, float]) -> list[str]:
    """What lies above a limit, in words.

    Args:
        measurement: Of a set.
        limits: Bounds by name; the largest value over stages and lines counts.

    Raises:
        ParameterError: If a limit names nothing that is measured.
    """
    found = []
    for name, bound in limits.items():
        named = [q for q in measurement.quantities if q.name == name]
        if not named:
            names = ", ".join(dict.fromkeys(q.name for q in measurement.quantities))
            raise ParameterError(f"fail_above must name one of {names}. Received: {name}")
        values = [float(q.estimate.value) for q in named if q.estimate]
        if max(values, default=-np.inf) > bound:
            found.append(f"{name} is {max(values):.3g}, above {bound:g}")
    return found


def parse_limits(limits: Sequence[str]) -> dict[str, float]:
    """Bounds by the name of the quantity, from `name=value` words.

    Raises:
        ParameterError: If a word is not of this form.

    Example:
        >>> parse_limits(["line_prominence_db=6"])
        {'line_prominence_db': 6.0}
    """
    bounds = {}
    for limit in limits:
        name, _, text = limit.partition("=")
        try:
            bounds[name] = float(text)
        except ValueError:
            bounds[name] = math.nan
        if math.isnan(bounds[name]):
            raise ParameterError(f"fail_above must be name=value. Received: {limit}")
    return bounds


def audit(
    paths: Sequence[str], settings: Audit, *, out: Path, limits: Sequence[str] = ()
) -> list[str]:
    """Measure sets one after the other, print their tables and leave their files.

    Args:
        paths: Of the sets.
        settings: How they are measured.
        out: Folder; with several paths each gets a numbered one in it.
        limits: `name=value` each; see `crossed`.

    Returns:
        What lies above a limit.
    """
    found = []
    bounds = parse_limits(limits)
    for number, path in zip(itertools.count(1), paths, strict=False):
        segment_set, measurement = settings.measure(path)
        folder = out if len(paths) == 1 else out / f"{number:02d}"
        write_measurement(segment_set, measurement, folder)
        print(
            f"{path}: {segment_set.count} segments of {segment_set.segment_length} samples, "
            f"{segment_set.sample_rate} Hz\n{measurement.table()}\nwrote {folder}",
            flush=True,
        )
        found += [f"{path}: {message}" for message in crossed(measurement, bounds)]
    return found
