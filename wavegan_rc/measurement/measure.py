"""Measure artifacts of a segment set, and compare two sets."""

import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wavegan_rc.errors import DataError, ParameterError, WaveganWarning
from wavegan_rc.measurement.blind.comb import find_combs
from wavegan_rc.measurement.blind.findings import Findings
from wavegan_rc.measurement.blind.images import beside_real, find_images
from wavegan_rc.measurement.blind.narrow_peaks import strongest_peaks
from wavegan_rc.measurement.estimation import estimate_curves, estimate_quantities
from wavegan_rc.measurement.evaluator import QuantityEvaluator
from wavegan_rc.measurement.independence import FEWEST_UNITS
from wavegan_rc.measurement.measurement import Comparison, MeasuredSet, Measurement
from wavegan_rc.measurement.references import data_of_run, reference_parts
from wavegan_rc.measurement.segments import SegmentSet
from wavegan_rc.measurement.set_sums import sum_segments
from wavegan_rc.measurement.sources import Source, open_segments
from wavegan_rc.measurement.statistics import mean_power
from wavegan_rc.runs.history import read_history, unfinished
from wavegan_rc.runs.run import Run
from wavegan_rc.spectrogram import StageComb, stage_combs

# Images this coherent repeat the peaks of the band below.
_REPEATS = 0.1


def measure(
    x: Source,
    *,
    sample_rate: int | None = None,
    reference: Source | None = None,
    upsampling_factors: Sequence[int] | None = None,
    stopband_hz: float | None = None,
    segment_length: int | None = None,
    seed: int = 0,
) -> Measurement:
    """Measure the artifacts of a segment set, with 95 % intervals, and of real audio alike.

    Args:
        x: Run folder; generator file; folder, glob or file of audio; `.npy` file or array of shape
            (segments, samples), or (samples,) with `segment_length`.
        sample_rate: Sample rate in Hz; required for arrays. None: that of the source.
        reference: Real audio, in the same forms; of another rate, it is resampled. None: a run's
            own data; for other sources no reference.
        upsampling_factors: Upsampling factors of the generator, first stage first, each at least 2.
            None: those of the run or generator; for other sources no lines are measured.
        stopband_hz: Frequency in Hz above which the training data is empty, between 0 and half the
            sample rate. None: that of the run or generator; for other sources not known.
        segment_length: Segment length in samples. None: that of the generator or array; for
            recordings the least that separates the lines, 2048 without factors.
        seed: Seed of generated segments and of resamples, at least 0.

    Raises:
        WaveganError: If a source or an argument cannot be used.

    Warns:
        WaveganWarning: If audio is skipped or resampled, a run's data cannot be used, or the
            upsampling factors are not known.

    Example:
        >>> noise = np.random.default_rng(0).normal(0, 0.1, (20, 256)).astype(np.float32)
        >>> tone = 0.1 * np.sin(2 * np.pi * 4000 * np.arange(256) / 16000)
        >>> found = measure(noise + tone, sample_rate=16000, upsampling_factors=[4])
        >>> lines = {q.frequency_hz: q for q in found.quantities if q.name == "line_prominence_db"}
        >>> lines[4000.0].estimate.low > 10 > lines[8000.0].estimate.high
        True
    """
    measured = _read(
        x, sample_rate, reference, upsampling_factors, stopband_hz, segment_length, seed
    )
    sums, real, evaluator = measured.sums, measured.real, measured.evaluator
    quantities = estimate_quantities(sums, real, evaluator, with_locking=True)
    curves = estimate_curves(sums, real, evaluator)
    return Measurement(quantities, measured, _findings(measured), curves)


def compare(
    x: Source | Measurement,
    y: Source | Measurement,
    *,
    sample_rate: int | None = None,
    reference: Source | None = None,
    upsampling_factors: Sequence[int] | None = None,
    stopband_hz: float | None = None,
    segment_length: int | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare a segment set with another: differences with 95 % intervals and p-values.

    Distances are taken to the reference of `y`.

    Args:
        x: Set to judge: a source as for `measure`, or a measurement, whose options are kept.
        y: Set to compare with, in the same forms.
        sample_rate: Sample rate in Hz; this and all that follows as for `measure`.
        reference: Real audio for distances.
        upsampling_factors: Upsampling factors of both generators.
        stopband_hz: Frequency in Hz above which the training data is empty.
        segment_length: Segment length in samples.
        seed: Seed of generated segments and of resamples, at least 0.

    Raises:
        ParameterError: If the sets differ in sample rate or segment length.
        WaveganError: If a source or an argument cannot be used.

    Warns:
        WaveganWarning: If upsampling factors differ: then lines are not compared.

    Example:
        >>> quiet, loud = np.random.default_rng(0).normal(0, [[[0.1]], [[0.2]]], (2, 20, 256))
        >>> found = compare(loud, quiet, sample_rate=16000, upsampling_factors=[4])
        >>> [q.verdict for q in found.quantities if q.name == "rms_db"]
        ['above']
    """
    options = sample_rate, reference, upsampling_factors, stopband_hz, segment_length, seed
    ours, theirs = (
        each.measured if isinstance(each, Measurement) else _read(each, *options) for each in (x, y)
    )
    test, other, evaluator = ours.segments, theirs.segments, theirs.evaluator
    check_comparable(test, other)
    sums = ours.sums, theirs.sums
    if ours.evaluator.combs != evaluator.combs:
        message = f"{test.name}: lines are not compared, since the upsampling factors differ"
        warnings.warn(message, WaveganWarning, stacklevel=2)
        evaluator = QuantityEvaluator(
            evaluator.sample_rate, (), evaluator.stopband_hz, evaluator.baseline, evaluator.seed
        )
        sums = sum_segments(test), sum_segments(other)
    return Comparison(estimate_quantities(*sums, evaluator), ours, theirs)


def check_comparable(test: SegmentSet, other: SegmentSet) -> None:
    """Raise a ParameterError if two sets differ in sample rate or segment length."""
    forms = [f"{s.sample_rate} Hz, {s.segment_length} samples" for s in (test, other)]
    if forms[0] != forms[1]:
        raise ParameterError(
            f"{test.name}: sample_rate and segment_length must be those of {other.name}, "
            f"{forms[1]}. Received: {forms[0]}"
        )


def _read(
    x: Source,
    sample_rate: int | None,
    reference: Source | None,
    upsampling_factors: Sequence[int] | None,
    stopband_hz: float | None,
    segment_length: int | None,
    seed: int,
) -> MeasuredSet:
    """Open a source and its reference, check the options, and sum both."""
    if upsampling_factors is not None and min(upsampling_factors, default=0) < 2:
        raise ParameterError(
            f"upsampling_factors must be at least 2. Received: {list(upsampling_factors)}"
        )
    test = open_segments(
        x,
        segment_length=segment_length,
        upsampling_factors=upsampling_factors,
        sample_rate=sample_rate,
        seed=seed,
    )
    stopband_hz = test.stopband_hz if stopband_hz is None else stopband_hz
    if stopband_hz is not None and not 0 < stopband_hz < test.sample_rate / 2:
        raise ParameterError(
            f"stopband_hz must lie between 0 and half the sample rate, "
            f"{test.sample_rate / 2:g} Hz. Received: {stopband_hz:g}"
        )
    combs = _combs(test, upsampling_factors)
    is_path = isinstance(x, (str, Path))
    parts, needed = None, FEWEST_UNITS
    if reference is not None:
        parts = reference_parts(reference, test, rate_is_given=sample_rate is not None)
        needed = 2 * FEWEST_UNITS
    elif is_path:
        parts = data_of_run(x, test.count)
    sums, unfinished = sum_segments(test, combs), _unfinished(x) if is_path else None
    if parts is None:
        evaluator = QuantityEvaluator(test.sample_rate, combs, stopband_hz, None, seed)
        return MeasuredSet(test, sums, evaluator, unfinished=unfinished)
    real, baseline = (sum_segments(part, combs) for part in parts)
    evaluator = QuantityEvaluator(test.sample_rate, combs, stopband_hz, baseline, seed)
    needs = _needs(parts, needed) if real.units.too_few else None
    return MeasuredSet(test, sums, evaluator, real, parts[0].skipped, needs, unfinished)


def _needs(parts: tuple[SegmentSet, SegmentSet], needed: int) -> str:
    """Return the number of units of a reference that has too few, and of those needed, in words."""
    words = f"{needed} are needed for verdicts"
    if needed == FEWEST_UNITS:  # the other part is training data
        return words
    numbers = [part.places.recording for part in parts if part.places is not None]
    if not numbers:
        return f"{sum(part.count for part in parts)} segments in all; {words}"
    count = len(np.unique(np.concatenate(numbers)))
    return f"{count} recording{'s' * (count != 1)} in all; {words}, or long ones"


def _combs(test: SegmentSet, factors: Sequence[int] | None) -> tuple[StageComb, ...]:
    factors = test.upsampling_factors if factors is None else factors
    if factors is None:
        message = (
            f"{test.name}: upsampling factors are not known, so no lines are measured; combs are "
            "searched for"
        )
        warnings.warn(message, WaveganWarning, stacklevel=4)
        return ()
    if test.segment_length % math.prod(factors):
        raise ParameterError(
            "upsampling_factors must have a product that divides the segment length, "
            f"{test.segment_length}. Received: {list(factors)}"
        )
    return stage_combs(factors, test.sample_rate)


def _unfinished(path: str | Path) -> str | None:
    history = Run(Path(path).expanduser()).history
    if not history.is_file():
        return None
    try:
        return unfinished(read_history(history))
    except DataError:
        return "its history cannot be read"


def _findings(measured: MeasuredSet) -> Findings:
    """Search for images, combs and narrow peaks without knowing the factors."""
    sums, real, evaluator = measured.sums, measured.real, measured.evaluator
    spectra, sample_rate = sums.spectra, evaluator.sample_rate
    images = find_images(sums.segments, sums.group, sample_rate)
    repeating = [each.period for each in images if each.coherence > _REPEATS]
    if images and real is not None:
        images = beside_real(images, real.segments, real.group, sample_rate)
    locking, count = spectra.locking_of_recordings()
    if sums.phases_untold:
        locking = np.zeros_like(locking)
    combs = find_combs(
        spectra.frequencies_hz,
        mean_power(spectra, spectra.uniform())[0],
        sample_rate,
        locking=locking,
        count=count,
        repeats_every=max(repeating, default=None),
    )
    peaks = strongest_peaks(spectra, (locking, count), evaluator.combs, combs, images)
    return Findings(images, combs, peaks)
