"""Combs found without knowing the generator: planted ones, and none where there is none."""

import numpy as np
import pytest
from scipy import signal

from wavegan_rc.audio.preparation import prepare_corpus
from wavegan_rc.audio.segments import Segments
from wavegan_rc.measurement.blind.comb import find_combs
from wavegan_rc.measurement.blind.evidence import strongest_evidence
from wavegan_rc.measurement.blind.peaks import locking_scores, power_scores, strongest_first
from wavegan_rc.measurement.grouped_spectra import group_spectra

RATE, LENGTH = 16000, 512
BIN_HZ = RATE / LENGTH
# Of white noise of power 1: a Hann window lets 1.5 of its 256 bins' worth into each.
NOISE_IN_BIN_DB = 10 * np.log10(1.5 / (LENGTH / 2))


def measured(segments):
    """Arguments of `find_combs`."""
    spectra = group_spectra(
        [segments], len(segments), segment_length=segments.shape[1], sample_rate=RATE
    )
    sounding = max(spectra.sounding.sum(), 1)
    power = spectra.power.sum(axis=0) / len(segments)
    locking = np.abs(spectra.phasors.sum(axis=0)) / sounding
    return spectra.frequencies_hz, power, locking, sounding


def found(segments):
    frequencies_hz, power, locking, count = measured(segments)
    return find_combs(frequencies_hz, power, RATE, locking=locking, count=count)


def periods(combs):
    """Of combs that stand for themselves."""
    assert all(comb.image_of_hz == 0 for comb in combs)
    return [comb.period for comb in combs if comb.within is None]


def noise(count, seed=0, length=LENGTH, level=1.0):
    rng = np.random.default_rng(seed)
    return level * rng.standard_normal((count, length)).astype(np.float32)


def tones(frequencies_hz, level_db, seed=0, length=LENGTH):
    """A sine of a given mean square at each frequency, with random phases."""
    time = np.arange(length) / RATE
    phases = np.random.default_rng([seed, 1]).uniform(0, 2 * np.pi, len(frequencies_hz))
    total = np.zeros(length)
    for frequency_hz, phase in zip(frequencies_hz, phases, strict=True):
        if 2 * frequency_hz == RATE:  # no phase: a cosine of every other sample
            total += 10 ** (level_db / 20) * np.cos(np.pi * np.arange(length))
        else:
            amplitude = np.sqrt(2) * 10 ** (level_db / 20)
            total += amplitude * np.cos(2 * np.pi * frequency_hz * time + phase)
    return total.astype(np.float32)


def comb(period, level_db, seed=0, length=LENGTH):
    return tones(np.arange(1, period // 2 + 1) * RATE / period, level_db, seed, length)


@pytest.fixture(scope="module")
def speech():
    """Held-out, low-passed: `speech(step, count)` draws anew."""
    corpus = prepare_corpus(None, sample_rate=RATE, cutoff_hz=1500.0, stopband_hz=1700.0)
    segments = Segments(corpus, "held_out", segment_length=LENGTH, silence_db=-40.0, seed=0)
    return segments.draw


# 5, 7, 12, 25 and 30 do not divide 512: most of their lines lie between bins.
@pytest.mark.parametrize("period", [2, 4, 5, 7, 8, 12, 16, 25, 30, 32])
@pytest.mark.parametrize("level_db", [-12, -22])
def test_a_planted_comb_is_found_in_noise(period, level_db):
    """A peak of the noise that happens to lie on a line of twice the period makes it that one."""
    right = 0
    for seed in range(8):
        combs = found(noise(200, seed) + comb(period, level_db, seed))
        if periods(combs) != [period]:
            assert combs
            assert all(c.period % period == 0 or c.p_value > 0.001 for c in combs)
            continue
        right += 1
        (of_period,) = (c for c in combs if c.period == period)
        assert of_period.spacing_hz == RATE / period
        assert 0 < of_period.p_value < 0.05
        lines_hz = np.array(of_period.lines_hz)
        multiples = np.rint(lines_hz / of_period.spacing_hz)
        assert np.abs(lines_hz - multiples * of_period.spacing_hz).max() <= 0.75 * BIN_HZ
        assert len(lines_hz) > 0.6 * (period // 2)
    assert right >= 7


# The floor of the low-passed speech lies 75 dB lower than its speech, in each bin.
@pytest.mark.parametrize(
    ("period", "level_db"), [(2, -70), (4, -60), (5, -40), (16, -70), (25, -60)]
)
def test_a_planted_comb_is_found_in_speech(period, level_db, speech):
    right = 0
    for step in range(4):
        segments = speech(step, 400)
        planted_db = level_db + 10 * np.log10(np.mean(segments**2))
        right += periods(found(segments + comb(period, planted_db, step))) == [period]
    assert right >= 3  # a peak of the noise on a line of twice the period, as above


def test_prominence_is_that_of_the_lines():
    """A line 20 dB above the noise in its bin adds to it."""
    (of_period,) = found(noise(300) + comb(8, NOISE_IN_BIN_DB + 20))
    assert of_period.prominence_db == pytest.approx(10 * np.log10(1 + 10**2), abs=0.7)


@pytest.mark.parametrize("length", [512, 4096])
def test_prominence_is_above_the_bins_that_the_documentation_names(length):
    """Beyond 10 Hz, but at least 2 bins, up to 4 times as far: 12 bins at most here.

    They are 20 dB higher than the rest of the spectrum, and the lines 20 dB higher than they. Taken
    10 to 40 bins away, as it once was at any length and rate, the median was that of the rest.
    """
    bins, lines = length // 2 + 1, np.arange(1, 5) * length // 8
    power = np.random.default_rng(0).gamma(400, size=bins)
    near = np.abs(np.arange(bins)[:, None] - lines).min(axis=1) <= 20
    power[near] *= 100
    power[lines] *= 100
    power[[0, -1]] /= 2
    frequencies_hz = np.arange(bins) * RATE / length
    (of_period,) = find_combs(frequencies_hz, power, RATE, locking=np.zeros(bins), count=100)
    assert of_period.period == 8
    assert of_period.prominence_db == pytest.approx(20, abs=0.5)


def test_a_comb_too_faint_for_the_power_is_found_by_its_phases():
    """9 dB under the noise in its bins: 0.5 dB more there, as much as noise varies."""
    combs = found(noise(400) + comb(32, NOISE_IN_BIN_DB - 9))
    assert periods(combs) == [32]
    assert {c.score for c in combs} == {"locking"}
    assert combs[-1].prominence_db < 1


def test_a_comb_of_segments_cut_anywhere_is_found_by_its_power():
    long = noise(200, length=LENGTH + 64) + comb(16, -18, length=LENGTH + 64)
    starts = np.random.default_rng(0).integers(0, 64, len(long))
    cut = np.stack([row[start : start + LENGTH] for row, start in zip(long, starts, strict=True)])
    combs = found(cut)
    assert periods(combs) == [16]
    assert combs[0].score == "power"


def test_a_period_is_not_reported_with_its_multiples_nor_its_parts():
    """Lines of period 4 are lines of 8, 16 and 32 too, and those of 32 hold those of 4."""
    for period in (4, 8, 16, 32):
        false_parts = 0
        for seed in range(12):
            combs = found(noise(150, seed=seed) + comb(period, -20, seed=seed))
            assert periods(combs) == [period]
            false_parts += len(combs) > 1
        assert false_parts <= 3  # of 12 at 5 %: more once in 400 times


def test_stronger_lines_within_a_comb_are_reported_where_there_are_enough_to_tell():
    segments = noise(200) + comb(25, -25) + comb(5, -8, seed=1)
    wide, narrow = found(segments)
    assert (wide.period, wide.within) == (5, 25)
    assert wide.p_value < 0.05
    assert [round(hz, -2) for hz in wide.lines_hz] == [3200, 6400]
    assert (narrow.period, narrow.within) == (25, None)
    # Few lines are told apart by how much stronger they are.
    wide, narrow = found(noise(200) + comb(8, -25) + comb(4, -8, seed=1))
    assert (wide.period, wide.within, narrow.period) == (4, 8, 8)


def test_two_combs_of_which_neither_holds_the_other_are_both_found():
    assert periods(found(noise(200) + comb(9, -15) + comb(32, -20, seed=1))) == [9, 32]


def test_images_of_a_tone_are_told_from_a_comb_of_their_own():
    """437.5 Hz imaged at 2000 k +- 437.5: multiples of no spacing that is tried."""
    lines_hz = sorted(abs(2000 * k + side * 437.5) for k in range(5) for side in (-1, 1))
    lines_hz = [hz for hz in dict.fromkeys(lines_hz) if hz < RATE / 2]
    (images,) = found(noise(200) + tones(lines_hz, -15))
    assert (images.period, images.image_of_hz) == (8, 437.5)
    both = found(noise(200) + tones(lines_hz, -15) + comb(8, -15, seed=1))
    assert [(c.period, c.image_of_hz) for c in both] == [(8, 0), (8, 437.5)]


@pytest.mark.slow
def test_noise_has_no_comb_in_95_of_100_sets():
    """Over the whole search; bets are cautious, so that it is far fewer than 5 %."""
    false = [bool(found(noise(32, seed, length=256))) for seed in range(1000)]
    assert np.mean(false) <= 0.05


@pytest.mark.parametrize("colour", ["resonance", "edge", "loudness"])
def test_coloured_noise_has_no_comb_either(colour):
    """Once in 1000 times, more than 12 of 100 sets would have one at 5 %."""
    false = []
    for seed in range(100):
        white = noise(64, seed, length=LENGTH + 256)
        if colour == "resonance":
            segments = signal.lfilter([1], [1, -1.6, 0.9], white, axis=1)
        elif colour == "edge":
            low_pass = signal.firwin(129, 3000, fs=RATE)
            segments = signal.lfilter(low_pass, 1, white, axis=1)
            segments = segments + noise(64, seed + 1000, LENGTH + 256, level=1e-4)
        else:
            loudness = 10 ** np.random.default_rng(seed).normal(0, 0.5, (64, 1))
            segments = loudness * white
        false.append(bool(found(segments[:, 256:].astype(np.float32))))
    assert np.sum(false) <= 12


@pytest.mark.parametrize("count", [32, 512])
def test_held_out_speech_has_no_comb(count, speech):
    """Draws of 512 segments overlap, so that their false combs come together."""
    false = [bool(found(speech(step, count))) for step in range(60 if count == 32 else 20)]
    assert np.mean(false) <= 0.1


@pytest.mark.parametrize("number", [1, 2, 5])
def test_unrelated_tones_are_no_comb(number):
    rng = np.random.default_rng(number)
    false = []
    for seed in range(60):
        lines_hz = rng.uniform(200, 7800, number)
        false.append(bool(found(noise(48, seed) + tones(lines_hz, -12, seed))))
    assert np.mean(false) <= 0.05


def test_a_tone_beside_a_comb_changes_nothing():
    segments = noise(200) + comb(16, -20) + tones([3333.0], 0)
    assert periods(found(segments)) == [16]


def test_loudness_changes_nothing():
    segments = noise(150) + comb(25, -20)
    frequencies_hz, power, locking, count = measured(segments)
    reference = find_combs(frequencies_hz, power, RATE, locking=locking, count=count)
    for gain in (1e-12, 2.0**-40, 3.7, 1e9):
        combs = find_combs(frequencies_hz, gain * power, RATE, locking=locking, count=count)
        assert [c.lines_hz for c in combs] == [c.lines_hz for c in reference]
        assert [c.p_value for c in combs] == pytest.approx([c.p_value for c in reference])


def test_arguments_are_left_as_they_are():
    arguments = measured(noise(100) + comb(8, -20))
    copies = [np.copy(array) for array in arguments]
    find_combs(arguments[0], arguments[1], RATE, locking=arguments[2], count=arguments[3])
    for array, copy in zip(arguments, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_sets_without_noise_or_variety_have_no_false_comb():
    """A spectrum of equal scores must not have its peaks at equal distances."""
    assert found(np.zeros((50, LENGTH), np.float32)) == ()
    assert found(np.tile(tones([1234.0], 0), (50, 1))) == ()
    one = [bool(found(noise(1, seed))) for seed in range(60)]
    same = [bool(found(np.repeat(noise(1, seed), 50, axis=0))) for seed in range(60)]
    assert max(np.mean(one), np.mean(same)) <= 0.1
    bins = np.arange(257) * BIN_HZ
    flat = np.ones(257)
    flat[[0, -1]] = 0.5
    assert find_combs(bins, flat, RATE, locking=np.full(257, 0.3), count=100) == ()
    assert periods(found(np.tile(comb(16, 0), (50, 1)))) == [16]


def random_peaks(rng, bins=257):
    """Each in any bin that is farther than 7 from those before."""
    left = np.arange(4, bins)
    while len(left):
        peak = rng.choice(left)
        yield peak
        left = left[np.abs(left - peak) > 7]


def test_wealth_from_peaks_anywhere_passes_x_less_often_than_once_in_x():
    rng = np.random.default_rng(0)
    nothing = np.zeros(257, dtype=bool)
    log_wealth = [
        strongest_evidence(np.array(list(random_peaks(rng))), nothing).log_wealth
        for _ in range(500)
    ]
    for x in (5, 20):
        share = np.mean(np.array(log_wealth) >= np.log(x))
        assert share <= 1 / x
    assert share > 0  # it can be passed


def test_wealth_is_that_of_a_bettor_who_counts_bins():
    """One after the other, as the module's head says; with some bins left out."""
    rng = np.random.default_rng(1)
    explained = np.zeros(257, dtype=bool)
    explained[64::64] = True
    lines = np.arange(32, 257, 32)  # period 16
    others = np.array(list(random_peaks(rng)))
    peaks = [32, 96, 192, 224, 160]
    peaks += [p for p in others if all(abs(p - q) > 7 for q in peaks)]
    is_open = {b for b in range(4, 257) if not explained[b]}
    wealth, most, hits, bets = 0.9 / (16 * 15), 0.0, 0, 0
    for peak in peaks:
        if not explained[peak]:
            chance = len(is_open & set(lines.tolist())) / len(is_open)
            share = (1 + hits) / (2 + bets)
            on_line = peak in lines
            if chance > 0:
                wealth *= share / chance if on_line else (1 - share) / (1 - chance)
            hits, bets, most = hits + on_line, bets + 1, max(most, wealth)
        is_open -= set(range(peak - 7, peak + 8))
    evidence = strongest_evidence(np.array(peaks), explained)
    assert (evidence.comb.period, evidence.comb.image) == (16, 0)
    assert evidence.log_wealth == pytest.approx(np.log(most))
    assert sorted(evidence.hits.tolist()) == [32, 96, 160, 224]


def test_a_tone_almost_midway_between_bins_may_show_in_either():
    """Of period 7, lines lie at 36.57, 73.14 and 109.71 of 256 bins."""
    nothing = np.zeros(129, dtype=bool)
    for peaks, hits in (([37, 73, 110], 3), ([36, 73, 109], 3), ([38, 74, 108], 0)):
        evidence = strongest_evidence(np.array(peaks), nothing)
        on_lines = len(evidence.hits) if evidence.comb.period == 7 else 0
        assert on_lines == hits


def test_the_p_value_is_for_both_scores():
    frequencies_hz, power, _, count = measured(noise(100) + comb(8, -15))
    (of_period,) = find_combs(frequencies_hz, power, RATE, locking=np.zeros(257), count=count)
    power[[0, -1]] *= 2  # as of a two-sided spectrum
    peaks = strongest_first(power_scores(power), power)
    evidence = strongest_evidence(peaks, np.zeros(257, dtype=bool))
    assert of_period.p_value == pytest.approx(2 * np.exp(-evidence.log_wealth))


def test_a_strong_tone_is_one_peak_in_its_own_bin():
    """The bins beside it are as firmly locked."""
    _, power, locking, count = measured(noise(100) + tones([64 * BIN_HZ, 129.3 * BIN_HZ], 20))
    for scores in (power_scores(power), locking_scores(locking, count)):
        assert sorted(strongest_first(scores, power)[:2].tolist()) == [64, 129]


def test_an_edge_is_no_peak():
    """60 dB within 4 bins: nothing there stands above both sides."""
    power = np.random.default_rng(0).gamma(400, size=257)
    power[:100] *= 1e6
    power[100:104] *= 10.0 ** np.array([5, 4, 2, 1])
    first = strongest_first(power_scores(power), power)[:5]
    assert not set(first.tolist()) & set(range(95, 108))
