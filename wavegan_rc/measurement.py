"""All artifact statistics of a set of segments, beside the same of real ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wavegan_rc.artifacts import statistics as st
from wavegan_rc.artifacts.bootstrap import Estimate, benjamini_hochberg, bootstrap_weights, estimate
from wavegan_rc.artifacts.distribution import (
    Bins,
    frechet_distance,
    kernel_distance,
    nearest_distance,
)
from wavegan_rc.artifacts.features import level_statistics, log_mel_features, standardize
from wavegan_rc.artifacts.result import Measurement, Quantity
from wavegan_rc.artifacts.spectra import GroupedSpectra, StageComb, group_spectra
from wavegan_rc.errors import ParameterError
from wavegan_rc.segment_sets import SegmentSet

# Levels and features are made of at most so many segments.
_MOST_SEGMENTS = 2000
# What the Frechet distance's covariances and the k-means bins need.
FEWEST_SEGMENTS = 100

_UNMEASURABLE = {
    "line_prominence_db": "silence, or lines too close together for this segment length",
    "dc_offset_db": "no offset",
    "filtering_db": "silence, or no third-octave band below the stopband edge",
}

# What a statistic is called: its name, the stage or None, the frequency of a line or None.
Key = tuple[str, int | None, float | None]


@dataclass(frozen=True)
class ReadSet:
    """What is kept of a set after reading it once.

    Attributes:
        spectra: Sums over groups of segments.
        segments: Evenly spaced ones, at most 2000, shape (segments, samples).
    """

    spectra: GroupedSpectra
    segments: np.ndarray


def read_set(segment_set: SegmentSet, combs: Sequence[StageComb]) -> ReadSet:
    """Read a set once, in bounded memory."""
    count = segment_set.count
    kept = np.unique(np.linspace(0, count - 1, min(count, _MOST_SEGMENTS)).astype(int))
    sample = np.empty((len(kept), segment_set.segment_length), np.float32)

    def blocks() -> Iterator[np.ndarray]:
        start = 0
        for block in segment_set.blocks():
            here = (kept >= start) & (kept < start + len(block))
            sample[here] = block[kept[here] - start]
            start += len(block)
            yield block

    spectra = group_spectra(
        blocks(),
        count,
        segment_length=segment_set.segment_length,
        sample_rate=segment_set.sample_rate,
        combs=combs,
    )
    return ReadSet(spectra, sample)


def measure(
    test: SegmentSet,
    *,
    real: SegmentSet | None = None,
    baseline: SegmentSet | None = None,
    combs: Sequence[StageComb] = (),
    stopband_hz: float | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Measurement:
    """Measure a set, and real segments alike.

    Args:
        test: What is judged.
        real: Real segments: each quantity is given for them too.
        baseline: Other real segments, to which distances and long-term levels are taken.
        combs: Stages of the generator; empty: no lines are looked for.
        stopband_hz: Above it the data holds nothing; None: not known.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        ParameterError: If sets differ in rate or segment length, or one is too small.
    """
    for other in (test, real, baseline):
        if other is None:
            continue
        if _form(other) != _form(test):
            raise ParameterError(
                f"{other.name}: sample_rate and segment_length must be those of {test.name}, "
                f"{_form(test)}. Received: {_form(other)}"
            )
        if other.count < FEWEST_SEGMENTS:
            raise ParameterError(
                f"{other.name} must have at least {FEWEST_SEGMENTS} segments. "
                f"Received: {other.count}"
            )
    base = None if baseline is None else read_set(baseline, ())
    ours, arrays = _values(test, base, combs, stopband_hz, bootstrap=(resamples, 2 * seed))
    theirs: dict[Key, np.ndarray] = {}
    if real is not None:
        # Another seed: the two sets are resampled independently.
        theirs, of_real = _values(
            real, base, combs, stopband_hz, bootstrap=(resamples, 2 * seed + 1)
        )
        arrays |= {f"real_{name}": a for name, a in of_real.items() if name != "frequencies_hz"}
    p_values = _line_p_values(arrays, max(arrays.pop("sounding").item(), 1), combs)
    arrays.pop("real_sounding", None)
    return Measurement(
        tuple(_quantity(key, ours[key], theirs.get(key), p_values) for key in ours), arrays
    )


def _form(segment_set: SegmentSet) -> str:
    return f"{segment_set.sample_rate} Hz, {segment_set.segment_length} samples"


def _values(
    segment_set: SegmentSet,
    baseline: ReadSet | None,
    combs: Sequence[StageComb],
    stopband_hz: float | None,
    *,
    bootstrap: tuple[int, int],
) -> tuple[dict[Key, np.ndarray], dict[str, np.ndarray]]:
    """Statistics under bootstrap weights, and the curves of the set itself."""
    resamples, seed = bootstrap
    read = read_set(segment_set, combs)
    weights = bootstrap_weights(len(read.spectra.counts), resamples, seed=seed)
    values = _whole_values(read.spectra, weights, combs, stopband_hz)
    if baseline is not None:
        highest = stopband_hz or segment_set.sample_rate / 2
        values["filtering_db", None, None] = st.filtering_db(
            read.spectra, baseline.spectra, weights, highest
        )
    values |= _distribution_values(
        read.segments,
        segment_set.sample_rate,
        None if baseline is None else baseline.segments,
        bootstrap_weights(len(read.segments), resamples, seed=seed),
    )
    values |= _comb_values(read.spectra, weights, combs)
    arrays = {
        "frequencies_hz": read.spectra.frequencies_hz,
        "power": np.stack(estimate(st.mean_power(read.spectra, weights))),
        "phase_locking": st.phase_locking(read.spectra, weights[:1])[0],
        "image_coherence": st.image_coherence(read.spectra, weights[:1])[:, 0],
        "sounding": read.spectra.sounding.sum(),
    }
    return values, arrays


def _whole_values(
    spectra: GroupedSpectra,
    weights: np.ndarray,
    combs: Sequence[StageComb],
    stopband_hz: float | None,
) -> dict[Key, np.ndarray]:
    if stopband_hz is None:
        return {}
    lines_hz = [line.frequency_hz for comb in combs for line in comb.lines]
    parts = st.out_of_band_db(spectra, weights, stopband_hz, lines_hz)
    return {(f"out_of_band_{part}_db", None, None): ratio for part, ratio in parts.items()}


def _comb_values(
    spectra: GroupedSpectra, weights: np.ndarray, combs: Sequence[StageComb]
) -> dict[Key, np.ndarray]:
    """By stage, then by line."""
    lines = [line for comb in combs for line in comb.lines]
    if not lines:
        return {}
    lines_hz = [line.frequency_hz for line in lines]
    at_line = st.bins_of(spectra, lines_hz)
    prominence = st.prominence_db(spectra, weights, lines_hz)
    locking = st.unbiased_square(st.phase_locking(spectra, weights), spectra, weights)
    coherence = st.unbiased_square(st.image_coherence(spectra, weights), spectra, weights)
    modulation = st.energy_modulation(spectra, weights, combs)
    values: dict[Key, np.ndarray] = {}
    for i, comb in enumerate(combs):
        own = [j for j, line in enumerate(lines) if line.stage == comb.stage]
        values["line_prominence_db", comb.stage, None] = np.median(prominence[:, own], axis=1)
        values["phase_locking", comb.stage, None] = locking[:, at_line[own]].mean(axis=1)
        # At 0 Hz and half the rate spectra are real: there the phase is 0 or pi.
        values["image_coherence", comb.stage, None] = coherence[i][:, 1:-1].mean(axis=1)
        values["energy_modulation", comb.stage, None] = modulation[:, i]
    for j, line in enumerate(lines):
        values["line_prominence_db", line.stage, line.frequency_hz] = prominence[:, j]
        values["phase_locking", line.stage, line.frequency_hz] = locking[:, at_line[j]]
    return values


def _distribution_values(
    segments: np.ndarray, sample_rate: int, baseline: np.ndarray | None, weights: np.ndarray
) -> dict[Key, np.ndarray]:
    values = level_statistics(segments, weights)._asdict()
    if baseline is not None:
        of_baseline = log_mel_features(baseline, sample_rate)
        reference = standardize(of_baseline, of_baseline)
        test = standardize(log_mel_features(segments, sample_rate), of_baseline)
        bins = Bins(reference)
        values |= {
            "frechet_distance": frechet_distance(test, reference, weights),
            "kernel_distance": kernel_distance(test, reference, weights),
            "jensen_shannon_bits": bins.jensen_shannon_divergence(test, weights),
            # Its resamples are biased; the value alone is sound.
            "differing_bins_share": bins.differing_share(test, weights[:1]),
            "nearest_distance": nearest_distance(test, reference, weights),
        }
    return {(name, None, None): value for name, value in values.items()}


def _line_p_values(
    arrays: Mapping[str, np.ndarray], count: float, combs: Sequence[StageComb]
) -> dict[float, float]:
    """Rayleigh p-values of the lines' phase locking, corrected for testing many."""
    lines_hz = np.array([line.frequency_hz for comb in combs for line in comb.lines])
    if not lines_hz.size:
        return {}
    bins = np.rint(lines_hz / arrays["frequencies_hz"][1]).astype(int)
    locking = arrays["phase_locking"][bins]
    at_half_the_rate = bins == len(arrays["frequencies_hz"]) - 1
    p_values = np.where(
        at_half_the_rate, st.sign_p_values(locking, count), st.rayleigh_p_values(locking, count)
    )
    return dict(zip(lines_hz.tolist(), benjamini_hochberg(p_values).tolist(), strict=True))


def _quantity(
    key: Key, ours: np.ndarray, theirs: np.ndarray | None, p_values: Mapping[float, float]
) -> Quantity:
    name, stage, frequency_hz = key
    place = {"stage": stage, "frequency_hz": frequency_hz}
    if np.isnan(ours[0]):
        return Quantity(name, None, reason=_UNMEASURABLE.get(name, "silence"), **place)
    p_value = None
    if name == "phase_locking" and frequency_hz is not None:
        p_value = p_values[frequency_hz]
    real = difference = None
    if theirs is not None and not np.isnan(theirs[0]):
        real = _estimate(theirs)
        with np.errstate(invalid="ignore"):
            difference = _estimate(ours - theirs)
    return Quantity(name, _estimate(ours), real, difference, p_value=p_value, **place)


def _estimate(values: np.ndarray) -> Estimate:
    """Value and interval as floats; without resamples the interval is unknown."""
    if len(values) == 1:
        return Estimate(float(values[0]), np.nan, np.nan)
    return Estimate(*(float(number) for number in estimate(values)))
