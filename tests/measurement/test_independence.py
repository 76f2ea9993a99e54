"""What is independent in recordings: whole ones, or stretches that hang together with no other."""

from typing import Any

import numpy as np
import pytest
import soundfile
from scipy import signal

from wavegan_rc.measurement.bootstrap import Groups, bootstrap_weights, estimate
from wavegan_rc.measurement.distances import (
    concentration_of_means,
    frechet_distance,
    kernel_distance,
)
from wavegan_rc.measurement.estimation import estimate_quantities
from wavegan_rc.measurement.evaluator import QuantityEvaluator
from wavegan_rc.measurement.features import level_statistics
from wavegan_rc.measurement.independence import FEWEST_UNITS, stretch_length
from wavegan_rc.measurement.measure import measure
from wavegan_rc.measurement.references import reference_parts
from wavegan_rc.measurement.segments import Places, SegmentSet, consecutive
from wavegan_rc.measurement.set_sums import pool, sum_segments
from wavegan_rc.measurement.sources import open_segments

RATE, LENGTH = 16000, 512


def segment_set(recordings, places: Any = "consecutive"):
    """Segments of recordings, each an array of a whole number of segments."""
    counts = [len(recording) // LENGTH for recording in recordings]
    segments = np.concatenate(recordings).reshape(-1, LENGTH).astype(np.float32)
    where = consecutive(counts, LENGTH) if places == "consecutive" else places
    return SegmentSet("a", RATE, LENGTH, len(segments), lambda: iter([segments]), places=where)


def noises(count, segments, seed=0, spread_db=0.0):
    """Recordings of noise, each with a loudness of its own."""
    rng = np.random.default_rng(seed)
    loudness = 0.05 * 10 ** (spread_db * rng.standard_normal((count, 1)) / 20)
    return list(loudness * rng.standard_normal((count, segments * LENGTH)))


def folder(path, recordings, rate=RATE):
    path.mkdir()
    for number, recording in enumerate(recordings):
        soundfile.write(path / f"{number:03}.wav", recording, rate, subtype="FLOAT")
    return path


def test_recordings_are_units_whatever_the_number_of_their_segments():
    rng = np.random.default_rng(0)
    recordings = [0.1 * rng.standard_normal(n * LENGTH) for n in (1, 40, *range(2, 20))]
    sums = sum_segments(segment_set(recordings))
    assert (sums.units.count, sums.units.kind) == (20, "recording")
    np.testing.assert_array_equal(sums.spectra.counts, [len(r) // LENGTH for r in recordings])
    power = [np.mean(recording**2) for recording in recordings]
    of_groups = sums.spectra.power.sum(axis=1) / sums.spectra.counts / 1.5
    np.testing.assert_allclose(of_groups, power, rtol=0.2)


def test_of_very_many_recordings_a_group_has_several():
    places = Places(np.repeat(np.arange(3000), 2), np.tile([0, LENGTH], 3000))
    sums = sum_segments(segment_set([np.ones(6000 * LENGTH)], places))
    assert (sums.units.count, sums.groups) == (3000, 750)
    assert set(sums.spectra.counts) == {8}


@pytest.mark.parametrize("memory", [0.0, 0.9, 0.98])
def test_a_stretch_is_so_long_that_its_mean_is_independent_of_the_next(memory):
    """An autoregression of known autocorrelation time; at most a tenth is shared."""
    rng = np.random.default_rng(0)
    levels = signal.lfilter([1], [1, -memory], rng.standard_normal((40_000, 1)), axis=0)
    length = stretch_length(levels, np.zeros(40_000, int), np.arange(40_000))
    assert length is not None
    assert length == pytest.approx(5 * (1 + memory) / (1 - memory), rel=0.35, abs=2)
    means = levels[: len(levels) // length * length].reshape(-1, length).mean(axis=1)
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.15


def test_recordings_that_differ_have_no_independent_stretches():
    alike = sum_segments(segment_set(noises(4, 200)))
    assert alike.units.kind == "stretch"
    assert alike.units.recordings == 4
    assert alike.units.count >= 40
    differ = sum_segments(segment_set(noises(4, 200, spread_db=3.0)))
    assert (differ.units.count, differ.units.kind) == (4, "recording")
    assert differ.units.too_few == "4 independent recordings, at least 10 are needed"


def test_no_stretch_crosses_from_one_recording_into_the_next():
    sums = sum_segments(segment_set(noises(3, 67)))
    first = np.cumsum(sums.spectra.counts)
    assert {67, 134} <= set(first.tolist())
    assert set(np.bincount(sums.spectra.recordings)) == {sums.groups // 3}


def test_segments_at_random_positions_are_divided_by_where_they_lie():
    rng = np.random.default_rng(0)
    start = np.sort(rng.integers(0, 400 * LENGTH, 300))
    places = Places(np.zeros(300, int), start, random=True)
    sums = sum_segments(segment_set([rng.standard_normal(300 * LENGTH)], places))
    assert sums.units.kind == "stretch"
    assert sums.units.seconds >= 5 * LENGTH / RATE
    # Each stretch has the segments of one part of the recording.
    ends = start[np.cumsum(sums.spectra.counts) - 1]
    assert (np.diff(ends) > 0).all()
    assert sums.phases_untold is None


def test_a_reference_has_no_recording_in_both_parts(tmp_path):
    recordings = [np.full(LENGTH * n, 0.001 * (n + 1)) for n in (3, 9, 4, 5, 2, 7, 8)]
    real, baseline = reference_parts(folder(tmp_path / "r", recordings), segment_set(noises(2, 10)))
    levels = [
        {round(float(x), 4) for block in part.blocks() for x in block[:, 0]}
        for part in (real, baseline)
    ]
    assert not levels[0] & levels[1]
    assert sum(map(len, levels)) == 7
    assert abs(real.count - baseline.count) <= 9
    assert real.count + baseline.count == 38
    one, other = reference_parts(
        folder(tmp_path / "one", [np.arange(40 * LENGTH) / 1e5]), segment_set(noises(2, 10))
    )
    last = max(block.max() for block in other.blocks())
    assert min(block.min() for block in one.blocks()) > last


def speakers(count, seed):
    """Recordings of coloured noise, each with a colour and a loudness of its own."""
    rng, recordings = np.random.default_rng(seed), []
    for _ in range(count):
        noise = rng.standard_normal(4 * LENGTH)
        x = signal.lfilter([1], [1, -rng.uniform(0.6, 0.9)], noise)
        recordings.append(0.05 * 10 ** (3 * rng.standard_normal() / 20) * x / x.std())
    return recordings


@pytest.mark.slow
def test_recordings_of_their_own_loudness_and_colour_are_not_called_different():
    """Of 8 pairs of sets, drawn alike, a quantity differs in 5 %; by segments most did."""
    found = []
    for seed in range(8):
        test, real, baseline = (
            sum_segments(segment_set(speakers(40, [seed, part]))) for part in range(3)
        )
        evaluator = QuantityEvaluator(RATE, (), 4000.0, baseline, seed)
        quantities = estimate_quantities(test, real, evaluator, resamples=199)
        told = [q for q in quantities if q.p_value is not None]
        assert len(told) == 11
        found.append(np.mean([q.verdict in ("above", "below") for q in told]))
    # Quantities of a pair hang together: three standard errors of 8 pairs.
    assert np.mean(found) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 8)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::wavegan_rc.errors.WaveganWarning")
def test_two_folders_of_one_kind_do_not_differ(tmp_path):
    """Issue 19, through files: with seconds of audio as units, 7 of 11 quantities were `above`."""
    rng = np.random.default_rng(0)
    for name, count in (("a", 40), ("b", 80)):
        recordings = []
        for _ in range(count):
            noise = rng.normal(size=8 * RATE)
            x = signal.lfilter([1], [1, -rng.uniform(0.6, 0.9)], noise)
            recordings.append(0.05 * 10 ** (rng.normal() * 3 / 20) * x / x.std())
        folder(tmp_path / name, recordings)
    found = measure(tmp_path / "a", reference=tmp_path / "b", stopband_hz=4000.0)
    tested = [q for q in found.quantities if q.p_value is not None]
    assert len(tested) == 11
    # At 5 % each more than two are false once in 66 if quantities are independent.
    assert sum(q.verdict in ("above", "below") for q in tested) <= 2


@pytest.mark.filterwarnings("ignore::wavegan_rc.errors.WaveganWarning")
def test_of_too_few_recordings_nothing_is_told(tmp_path):
    first, second = noises(4, 60, 0, spread_db=6.0), noises(30, 60, 1, spread_db=6.0)
    result = measure(
        folder(tmp_path / "a", first),
        reference=folder(tmp_path / "b", second),
        segment_length=LENGTH,
        upsampling_factors=[4, 4],
        stopband_hz=4000.0,
    )
    compared = [q for q in result.quantities if q.difference is not None]
    assert len(compared) > 20
    for quantity in compared:
        assert quantity.p_value is None
        assert quantity.verdict == (
            "cannot be told: 4 independent recordings, at least 10 are needed"
        )
        assert np.isnan(quantity.estimate.low)
    assert "cannot be told: 4 independent recordings" in result.table()
    words = result.measured.in_words()
    assert ", 4 independent recordings (" in words
    assert "reference: 900 real segments, 15 independent recordings" in words
    assert result.measured.to_json()["independent_units"]["count"] == 4
    found = {q.name: q for q in result.quantities}
    # There is a value all the same, and the reference has its interval.
    assert np.isfinite(found["frechet_distance"].estimate.value)
    assert found["rms_db"].reference.low < found["rms_db"].reference.high


@pytest.mark.filterwarnings("ignore::wavegan_rc.errors.WaveganWarning")
@pytest.mark.parametrize(("count", "segments"), [(8, 60), (2, 240), (40, 12)])
def test_a_steady_tone_of_a_recording_is_locked_to_nothing(tmp_path, count, segments):
    """1 kHz at -30 dB, its phase random by file: not locked, however long the files are."""
    rng = np.random.default_rng(count)
    time = np.arange(segments * LENGTH) / RATE
    tones = [np.sin(2 * np.pi * (1000 * time + rng.random())) for _ in range(count)]
    recordings = [
        x + 0.05 * 10**-1.5 * np.sqrt(2) * tone
        for x, tone in zip(noises(count, segments, count), tones, strict=True)
    ]
    path = folder(tmp_path / "a", recordings)
    result = measure(path, segment_length=LENGTH, upsampling_factors=[4, 4])
    lines = [q for q in result.quantities if q.name == "phase_locking" and q.frequency_hz]
    assert len(lines) == 8
    assert "locked" not in {q.verdict for q in lines}
    # The figure's curve has the rule of the table: as many phases as recordings.
    at_tone = result.arrays["phase_locking"][round(1000 * LENGTH / RATE)]
    assert at_tone < np.sqrt(-np.log(1e-4) / count)
    assert result.arrays["phase_count"] == count
    if count < FEWEST_UNITS:
        assert {q.verdict for q in lines} == {
            f"cannot be told: {count} independent recordings, at least 10 are needed"
        }


@pytest.mark.filterwarnings("ignore::wavegan_rc.errors.WaveganWarning")
def test_mains_hum_locks_no_stage(tmp_path):
    """Issue 19: hum of 50 Hz has a phase of its own in each recording, and keeps it for a minute.

    By segments, stages 3 to 6 were locked: p = 0.001.
    """
    rng, rate, length = np.random.default_rng(0), 8000, 60 * 8000
    recordings = 0.05 * rng.standard_normal((2, FEWEST_UNITS, length))
    for recording in recordings[0]:
        bins = np.zeros(length // 2 + 1, complex)
        bins[60 * 50 :: 60 * 50] = np.exp(2j * np.pi * rng.random(len(bins[60 * 50 :: 60 * 50])))
        recording += 0.005 * length * np.fft.irfft(bins)
    path, other = (
        folder(tmp_path / name, own, rate) for name, own in zip("ab", recordings, strict=True)
    )
    found = measure(path, upsampling_factors=[2] * 7, reference=other)
    locking = [q for q in found.quantities if q.name.startswith("phase_locking")]
    assert {q.stage for q in locking} == set(range(1, 8))
    assert not [q for q in locking if q.verdict in ("locked", "above")]
    # It stands out all the same.
    out = [q for q in found.quantities if q.name == "line_level_db" and q.verdict == "above"]
    assert {q.stage for q in out} >= {3, 5}
    assert {q.locked for q in out} == {False}


@pytest.mark.filterwarnings("ignore::wavegan_rc.errors.WaveganWarning")
def test_a_tone_that_begins_alike_in_every_recording_is_locked(tmp_path):
    time = np.arange(12 * LENGTH) / RATE
    tone = 0.05 * np.sin(2 * np.pi * 1000 * time + 0.3)
    path = folder(tmp_path / "a", [x + tone for x in noises(20, 12)])
    result = measure(path, segment_length=LENGTH, upsampling_factors=[4, 4])
    locked = [q.frequency_hz for q in result.quantities if q.verdict == "locked"]
    assert locked == [1000.0]
    value = next(q for q in result.quantities if q.frequency_hz == 1000 and "lock" in q.name)
    assert value.estimate.value > 0.5


def by_pairs(groups, of_pair):
    """Mean over pairs of values from different groups, by a plain loop."""
    pairs = [
        of_pair(x, y)
        for i, one in enumerate(groups)
        for j, other in enumerate(groups)
        if i != j
        for x in one
        for y in other
    ]
    return np.mean(pairs)


def test_variances_and_kernels_are_of_pairs_from_different_recordings():
    rng = np.random.default_rng(0)
    groups = [rng.standard_normal((5, 3)) + rng.standard_normal(3) for _ in range(12)]
    test, units = np.concatenate(groups), np.repeat(np.arange(12), 5)
    uniform = np.full((1, 60), 1 / 60)
    reference = rng.standard_normal((200, 3))
    distance = kernel_distance(test, reference, Groups(uniform, units)).item()
    within = by_pairs(groups, lambda x, y: (x @ y / 3 + 1) ** 3)
    of_reference = (reference @ reference.T / 3 + 1) ** 3
    np.fill_diagonal(of_reference, 0)
    across = ((test @ reference.T / 3 + 1) ** 3).mean()
    assert distance == pytest.approx(
        within + of_reference.sum() / (200 * 199) - 2 * across, rel=1e-10
    )
    segments = [10 ** (g[:, :1] / 20) * np.ones((5, 8)) for g in groups]
    spread = level_statistics(np.concatenate(segments), Groups(uniform, units)).spread_db.item()
    expected = by_pairs([g[:, 0] for g in groups], lambda x, y: (x - y) ** 2 / 2)
    assert spread == pytest.approx(np.sqrt(expected), rel=1e-6)


def test_the_effective_number_of_segments_is_that_of_recordings_if_those_are_uniform():
    rng = np.random.default_rng(0)
    effective = []
    for alike in (0.0, 1.0):
        values = np.repeat(rng.standard_normal((200, 2)), 10, axis=0)
        values = np.sqrt(alike) * values + np.sqrt(1 - alike) * rng.standard_normal((2000, 2))
        uniform = np.full((1, 2000), 1 / 2000)
        units = np.repeat(np.arange(200), 10)
        effective.append(1 / concentration_of_means(values, Groups(uniform, units)).item())
    assert effective == pytest.approx([2000, 200], rel=0.2)


def test_the_frechet_distance_of_recordings_has_no_bias_in_the_set_nor_in_its_resamples():
    """Sets of 30 recordings whose means differ: 0 on average. By segments it would be 0.5."""
    rng = np.random.default_rng(0)
    reference = np.sqrt(2) * rng.standard_normal((20_000, 4))
    units = np.repeat(np.arange(30), 10)
    values, resampled = [], []
    for seed in range(60):
        means = np.repeat(rng.standard_normal((30, 4)), 10, axis=0)
        test = means + rng.standard_normal((300, 4))
        weights = bootstrap_weights(30, 50, seed=seed)[:, units] / 10
        distances = frechet_distance(test, reference, Groups(weights, units))
        values.append(distances[0])
        resampled.append(distances[1:].mean() - distances[0])
    error = np.std(values) / np.sqrt(60)
    assert abs(np.mean(values)) < 4 * error < 0.1
    assert abs(np.mean(resampled)) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("units", [10, 20, 100])
def test_intervals_of_few_units_hold_the_truth_as_often_as_of_many(units):
    """Means of normal numbers: 95 +- 1.5 %. Without expansion it is 90 % for 10 units."""
    rng, held = np.random.default_rng(0), []
    for seed in range(5):
        weights = bootstrap_weights(units, seed=seed).astype(float)
        interval = estimate(weights @ rng.standard_normal((units, 1000)), units)
        held.append((interval.low <= 0) & (interval.high >= 0))
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)


def test_groups_of_two_sets_are_made_alike_and_no_recording_is_in_both():
    generated = sum_segments(segment_set([np.ones(500 * LENGTH)], None))
    recorded = sum_segments(segment_set(noises(25, 20)))
    together, first = pool(generated, recorded)
    assert (first, together.groups - first) == (25, 25)
    np.testing.assert_array_equal(together.spectra.counts, 20)
    assert len(set(together.spectra.recordings)) == 50
    assert together.group.max() == 49


def test_a_signal_in_an_array_is_one_recording(tmp_path):
    np.save(tmp_path / "a.npy", np.concatenate(noises(1, 300)))
    source = tmp_path / "a.npy"
    sums = sum_segments(open_segments(source, segment_length=LENGTH, sample_rate=RATE))
    assert (sums.units.kind, sums.units.recordings) == ("stretch", 1)
    assert 300 / 10 <= sums.units.count <= 300 / 5


def test_the_level_of_draws_from_one_recording_has_an_interval_that_holds_the_truth():
    """1000 segments drawn from 600, as a run draws its held-out ones; levels swell like syllables.

    Of 240 such recordings the interval held the truth in 92 %; with the draws as units in 55 %.
    """
    rng, held = np.random.default_rng(1), []
    swelling = signal.lfilter([1], [1, -0.6], rng.standard_normal(100_000))[1000:]
    levels = 3 * swelling / swelling.std()
    truth = 10 * np.log10(np.mean(10 ** (levels / 10)))
    for part in levels[: 40 * 601].reshape(40, 601):
        segments = 10 ** (part[:, None] / 20) * rng.standard_normal((601, LENGTH))
        start = np.sort(rng.integers(0, 600 * LENGTH, 1000))
        drawn = segments.ravel()[start[:, None] + np.arange(LENGTH)]
        places = Places(np.zeros(1000, int), start, random=True)
        sums = sum_segments(segment_set([drawn.ravel()], places))
        assert sums.units.kind == "stretch"
        weights = bootstrap_weights(sums.groups, 400, seed=1)
        power = weights @ sums.spectra.power.sum(axis=1) / (weights @ sums.spectra.counts) / 1.5
        interval = estimate(10 * np.log10(power), sums.units.count)
        held.append(interval.low <= truth <= interval.high)
    assert np.mean(held) >= 0.85


def test_segments_too_long_for_ten_groups_have_values_without_intervals():
    """Twelve segments of half a minute fit into six groups, whose resamples mean nothing."""
    audio = np.random.default_rng(0).standard_normal((12, 2**19), dtype=np.float32)
    sums = sum_segments(SegmentSet("a", RATE, 2**19, 12, lambda: iter([audio])))
    assert (sums.groups, sums.units.count, sums.units.too_few) == (6, 12, None)
    assert sums.too_few.startswith("segments of 524288 samples, too long to keep 10 groups apart")
    found = estimate_quantities(sums, sums, QuantityEvaluator(RATE), resamples=20)
    (level,) = [q for q in found if q.name == "rms_db"]
    assert level.estimate.value == pytest.approx(0, abs=0.1)
    assert np.isnan(np.array([level.estimate.low, level.difference.low])).all()
    assert level.verdict.startswith("cannot be told: segments of 524288 samples")


@pytest.mark.filterwarnings("ignore::wavegan_rc.errors.WaveganWarning")
@pytest.mark.parametrize(
    ("count", "needs"), [(7, " (7 recordings in all; 20 are needed"), (20, "")]
)
def test_a_reference_of_too_few_recordings_says_how_many_are_needed(tmp_path, count, needs):
    audio = np.concatenate(noises(20, 1)).reshape(20, LENGTH)
    real = folder(tmp_path / "real", noises(count, 4, 1, spread_db=6.0))
    words = measure(audio, sample_rate=RATE, reference=real).measured.in_words()
    assert words.endswith("independent recordings") == (not needs)
    assert needs in words
