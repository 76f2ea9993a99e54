"""Statistics against planted artifacts of known level, and against nothing planted."""

import numpy as np
import pytest
from helpers import spectra as helped
from helpers.spectra import RATE, phase_locking, prominence_db, uniform
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal, stats

from wavegan_rc.audio.preparation import prepare_corpus
from wavegan_rc.audio.segments import Segments
from wavegan_rc.errors import ParameterError
from wavegan_rc.measurement.bootstrap import bootstrap_weights, estimate
from wavegan_rc.measurement.grouped_spectra import group_spectra, join_groups, most_groups
from wavegan_rc.measurement.lines import line_powers
from wavegan_rc.measurement.significance import rayleigh_p_values, sign_p_values
from wavegan_rc.measurement.statistics import (
    energy_modulation,
    filtering_db,
    image_coherence,
    locking_square,
    mean_coherence_square,
    mean_power,
    out_of_band_db,
    relative_db,
    third_octave_levels_db,
    whole_power,
)
from wavegan_rc.spectrogram import stage_combs

LENGTH = 512
COMBS = stage_combs((4, 4), RATE)
LINES = [line.frequency_hz for comb in COMBS for line in comb.lines]


def grouped(segments, combs=COMBS):
    return helped.grouped(segments, combs)


def out_of_band(spectra, weights, stopband_hz, lines_hz):
    power = mean_power(spectra, weights)
    above = line_powers(spectra, power, lines_hz).of(np.array(lines_hz) > stopband_hz)
    return out_of_band_db(spectra, power, stopband_hz, above)


def third_octaves_db(spectra):
    power = mean_power(spectra, uniform(spectra))
    return third_octave_levels_db(spectra.frequencies_hz, power, 8000.0)


def noise(count, seed=0, level=0.1):
    return level * np.random.default_rng(seed).standard_normal((count, LENGTH)).astype(np.float32)


def tone(frequency_hz, level_db, phase=0.3):
    """A sine of a given mean square in dB, the same in every segment."""
    time = np.arange(LENGTH) / RATE
    amplitude = np.sqrt(2 * 10 ** (level_db / 10))
    return (amplitude * np.sin(2 * np.pi * frequency_hz * time + phase)).astype(np.float32)


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    corpus = prepare_corpus(None, sample_rate=RATE, cutoff_hz=1500.0, stopband_hz=1700.0)
    segments = Segments(corpus, "held_out", segment_length=LENGTH, silence_db=-40.0, seed=0)
    return segments.draw(0, 400)


def zero_stuffed(low_rate, factor):
    high = np.zeros((len(low_rate), low_rate.shape[1] * factor), np.float32)
    high[:, ::factor] = low_rate
    return high


def random_low_rate(factor, count=200, seed=0):
    return np.random.default_rng(seed).standard_normal((count, LENGTH // factor))


def test_power_is_that_of_scipys_periodogram():
    segments = noise(150)
    spectra = grouped(segments)
    frequencies, power = signal.periodogram(
        segments, RATE, window="hann", detrend=False, scaling="spectrum"
    )
    np.testing.assert_allclose(spectra.frequencies_hz, frequencies)
    np.testing.assert_allclose(
        mean_power(spectra, uniform(spectra))[0], power.mean(axis=0), rtol=1e-3, atol=1e-12
    )


@pytest.mark.parametrize("background", ["noise", "speech", "silence"])
@pytest.mark.parametrize("level_db", [-60, -40, -20, -10])
@pytest.mark.parametrize("frequency_hz", [4000.0, 3031.25])
def test_a_planted_tone_is_recovered_where_it_stands_6_db_over_the_floor(
    background, level_db, frequency_hz, speech
):
    """On and off the comb's bins; its level relative to the background's."""
    below = {"noise": noise(400), "speech": speech, "silence": np.zeros((400, LENGTH))}[background]
    reference_db = 0.0 if background == "silence" else 10 * np.log10(np.mean(below**2))
    planted = below + tone(frequency_hz, reference_db + level_db)
    spectra = grouped(planted.astype(np.float32))
    index = round(frequency_hz / spectra.frequencies_hz[1])
    power = mean_power(spectra, uniform(spectra))[0]
    beside = np.r_[index - 5 : index - 2, index + 3 : index + 6]
    floor = np.median(power[beside])
    if power[index] > 4 * floor:
        measured_db = 10 * np.log10(power[index] - floor)
        assert measured_db - reference_db == pytest.approx(level_db, abs=0.5)
    else:  # only noise can hide a tone: white noise has -22 dB of its power in a bin of 512
        assert (background, level_db) != ("noise", -10)
        assert background == "noise"
    if frequency_hz in LINES:
        prominence = prominence_db(spectra, uniform(spectra), LINES)[0, LINES.index(frequency_hz)]
        if background == "silence":
            assert prominence > 40 or np.isnan(prominence)
        elif power[index] > 4 * floor:
            assert prominence > 5


def test_the_out_of_band_power_is_split_into_lines_and_the_rest():
    """Noise below 1700 Hz, a tone of -20 dB and high noise of -30 dB above, relative to it."""
    rng = np.random.default_rng(0)
    low_pass = signal.firwin(101, 1200, fs=RATE)
    low = signal.lfilter(low_pass, 1, rng.standard_normal((300, LENGTH + 100)))[:, 100:]
    high_pass = signal.firwin(101, 2200, fs=RATE, pass_zero=False)
    high = signal.lfilter(high_pass, 1, rng.standard_normal((300, LENGTH + 100)))[:, 100:]
    low, high = (x / np.sqrt(np.mean(x**2)) for x in (low, high))
    segments = low + tone(4000.0, -20) + 10 ** (-30 / 20) * high
    spectra = grouped(segments.astype(np.float32))
    parts = out_of_band(spectra, uniform(spectra), 1700.0, LINES)
    assert parts["lines"][0] == pytest.approx(-20, abs=0.3)
    assert parts["rest"][0] == pytest.approx(-30, abs=0.5)
    total = 10 * np.log10(10**-2 + 10**-3)
    assert parts["total"][0] == pytest.approx(total, abs=0.3)


def with_valleys(segments, lines_hz):
    """Nothing in the bins of some lines and the two on either side."""
    spectrum = np.fft.rfft(segments)
    for hz in lines_hz:
        index = round(hz / (RATE / LENGTH))
        spectrum[:, index - 2 : index + 3] = 0
    return np.fft.irfft(spectrum)


def test_valleys_at_lines_take_nothing_from_the_lines_elsewhere():
    """Two lines of -14 and -17 dB; the valleys, with their signs, would leave half of them."""
    planted = 10 ** (np.array([-14, -17]) / 10)
    segments = noise(300, level=1.0)
    segments = with_valleys(segments, [hz for hz in LINES[:-1] if hz not in (3000, 4000)])
    segments = segments + tone(4000.0, -14) + tone(3000.0, -17)
    spectra = grouped(segments.astype(np.float32))
    weights = bootstrap_weights(300, seed=0)
    parts = out_of_band(spectra, weights, 1700.0, LINES)
    expected = 10 * np.log10(planted.sum() / np.mean(segments**2))
    found = estimate(parts["lines"])
    assert found.value == pytest.approx(expected, abs=0.5)
    assert found.low < found.value < found.high
    added = 10 ** (parts["lines"] / 10) + 10 ** (parts["rest"] / 10)
    np.testing.assert_allclose(10 * np.log10(added), parts["total"], atol=1e-6)


def test_of_noise_alone_lines_have_the_level_that_it_could_hide_and_intervals_hold_weak_ones():
    """The floor is two standard errors of the sum of the lines' bins."""
    above = [hz for hz in LINES if hz > 1700]
    floor = 10 * np.log10(2 * np.sqrt((len(above) - 0.75) / 200) * 1.5 / (LENGTH / 2))
    at_floor, covered = [], []
    for seed in range(60):
        clean = noise(200, seed, level=1.0)
        spectra = grouped(clean, ())
        parts = out_of_band(spectra, uniform(spectra), 1700.0, LINES)
        power = mean_power(spectra, uniform(spectra))
        own = line_powers(spectra, power, LINES).of([LINES.index(hz) for hz in above])
        least = relative_db(own.together()[1], whole_power(power))
        assert least[0] == pytest.approx(floor, abs=0.6)
        at_floor.append(parts["lines"][0] == least[0])
        weak = clean + tone(4000.0, floor + 6, phase=seed)
        spectra = grouped(weak.astype(np.float32), ())
        weights = bootstrap_weights(200, 200, seed=seed)
        found = estimate(out_of_band(spectra, weights, 1700.0, LINES)["lines"])
        covered.append(found.low < floor + 6 < found.high)
    assert np.mean(at_floor) > 0.9
    assert np.mean(covered) == pytest.approx(0.95, abs=0.08)


def test_lines_that_cannot_be_measured_are_not_said_to_be_nothing():
    """17 bins for 8 lines are too few, and above 7900 Hz no line is left but the last."""
    close = noise(50)[:, :32]
    spectra = grouped(close, stage_combs((4, 4), RATE)[1:])
    parts = out_of_band(spectra, uniform(spectra), 1700.0, LINES)
    assert np.isnan(parts["lines"][0])
    assert np.isfinite(parts["total"][0])
    spectra = grouped(noise(50))
    parts = out_of_band(spectra, uniform(spectra), 7900.0, LINES[:-1])
    assert np.isnan([parts["lines"][0], parts["rest"][0]]).all()


def test_silence_has_no_ratio_and_clean_segments_have_nothing_out_of_band():
    silent = grouped(np.zeros((20, LENGTH), np.float32))
    assert np.isnan(out_of_band(silent, uniform(silent), 1700.0, LINES)["total"][0])
    assert np.isnan(prominence_db(silent, uniform(silent), LINES)).all()
    assert np.isnan(energy_modulation(silent, uniform(silent), COMBS)).all()


def test_a_locked_tone_is_locked_and_unlocked_noise_has_uniform_p_values():
    """False positives at 5 %: 5 +- 2 %, over 1000 sets of noise."""
    rejected = []
    lines = np.rint(np.array(LINES[:-1]) / (RATE / LENGTH)).astype(int)  # without half the rate
    for seed in range(1000):
        spectra = grouped(noise(40, seed), ())
        locking = phase_locking(spectra, uniform(spectra))[0, lines[seed % len(lines)]]
        rejected.append(rayleigh_p_values(locking, 40))
    assert np.mean(np.array(rejected) < 0.05) == pytest.approx(0.05, abs=0.02)
    assert stats.kstest(rejected, "uniform").pvalue > 0.001
    spectra = grouped(noise(200) + tone(4000.0, -40))
    locking = phase_locking(spectra, uniform(spectra))[0]
    p_values = rayleigh_p_values(locking, 200)
    assert p_values[round(4000 / (RATE / LENGTH))] < 1e-3


def test_held_out_speech_is_not_locked(speech):
    """Its segments start anywhere: 5 +- 2 % of its bins at 5 %."""
    spectra = grouped(speech)
    locking = phase_locking(spectra, uniform(spectra))[0, 1:-1]
    share = np.mean(rayleigh_p_values(locking, len(speech)) < 0.05)
    assert share == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize("stage", [1, 2])
def test_zero_stuffing_is_seen_as_images_of_its_stage(stage):
    """Zeros inserted at the stage's input rate: the spectrum repeats with that spacing."""
    period = COMBS[stage - 1].period
    spectra = grouped(zero_stuffed(random_low_rate(period), period))
    coherence = image_coherence(spectra, stage)[1:-1]
    assert coherence.mean() > 0.99
    if stage == 2:  # later zeros say nothing of the first stage
        of_first = image_coherence(spectra, 1)[1:-1]
        assert np.mean(of_first**2) == pytest.approx(1 / spectra.count, rel=0.3)


def test_a_faint_image_that_moves_with_the_signal_is_seen_by_coherence_not_by_the_spectrum():
    """Images of noise, 10 dB down, beneath noise: flat spectrum, tied phases."""
    image = zero_stuffed(random_low_rate(4, count=400), 4)
    segments = noise(400, seed=1, level=1.0) + image * np.float32(np.sqrt(0.1 * 4))
    spectra = grouped(segments)
    prominence = prominence_db(spectra, uniform(spectra), LINES)[0]
    assert np.abs(prominence).max() < 1.5
    clean = grouped(noise(400, seed=2, level=1.0))
    square, null = (mean_coherence_square(s, uniform(s), 2)[0] for s in (spectra, clean))
    # Squares of unrelated phases are exponential with mean 1 / n; a fourth of the bins differ.
    spread = 1 / 400 / np.sqrt(LENGTH / 4)
    assert square > 5 * spread
    assert abs(null) < 4 * spread


def test_held_samples_leave_valleys_where_zeros_leave_images():
    low = random_low_rate(4, count=300) + 1.0
    zeros = grouped(zero_stuffed(low, 4))
    held = grouped(np.repeat(low, 4, axis=1).astype(np.float32))
    line = LINES.index(4000.0)
    assert prominence_db(zeros, uniform(zeros), LINES)[0, line] > 15
    assert prominence_db(held, uniform(held), LINES)[0, line] < -10


def test_energy_by_position_shows_the_stage_that_makes_it():
    segments = noise(300)
    segments[:, ::4] *= 1.5  # every fourth sample: the last stage, of period 4
    spectra = grouped(segments)
    modulation = energy_modulation(spectra, uniform(spectra), COMBS)[0]
    energies = np.array([2.25, 1, 1, 1])
    assert modulation[1] == pytest.approx(energies.var() / energies.mean() ** 2, rel=0.1)
    assert abs(modulation[0]) < 0.002


def test_energy_modulation_of_nothing_has_no_bias_however_many_segments():
    for count in (20, 400):
        values = []
        for seed in range(60):
            loudness = 10 ** np.random.default_rng(seed).normal(0, 0.3, (count, 1))
            spectra = grouped((loudness * noise(count, seed)).astype(np.float32))
            values.append(energy_modulation(spectra, uniform(spectra), COMBS)[0])
        values = np.array(values)
        error = values.std(axis=0) / np.sqrt(len(values))
        assert (np.abs(values.mean(axis=0)) < 4 * error).all()


def test_silent_segments_have_no_phase_and_do_not_count():
    sounding = noise(200)
    half_silent = np.concatenate([sounding, np.zeros_like(sounding)])
    first, second = grouped(sounding), grouped(half_silent)
    for statistic in (phase_locking, lambda s, w: image_coherence(s, 2)):
        lengths = [statistic(s, uniform(s)) for s in (first, second)]
        np.testing.assert_allclose(lengths[1], lengths[0], atol=1e-6)  # float32 sums
    for square in (locking_square, lambda s, w: mean_coherence_square(s, w, 2)):
        squares = [square(s, uniform(s)) for s in (first, second)]
        np.testing.assert_allclose(squares[1], squares[0], atol=1e-6)


def test_at_half_the_rate_where_phases_are_signs_p_values_are_uniform_too():
    rejected = []
    for seed in range(1000):
        spectra = grouped(noise(40, seed), ())
        rejected.append(sign_p_values(phase_locking(spectra, uniform(spectra))[0, -1], 40) < 0.05)
    assert np.mean(rejected) == pytest.approx(0.05, abs=0.02)


def test_filtering_is_the_difference_of_band_levels_not_of_loudness():
    flat, other = grouped(noise(300)), grouped(noise(300, seed=1, level=0.4))
    tilted = signal.lfilter([1, 0.9], 1, noise(300, seed=2)).astype(np.float32)

    def filtering(spectra):
        own, real = (mean_power(each, uniform(each)) for each in (spectra, flat))
        return filtering_db(flat.frequencies_hz, own, real, 8000.0)

    same, tilt = (filtering(s)[0] for s in (other, grouped(tilted)))
    assert same < 0.5
    levels = third_octaves_db(flat)
    hz = flat.frequencies_hz
    centres = [
        centre
        for centre in 1000 * 10 ** (np.arange(-13, 14) / 10)
        if ((hz >= centre / 10**0.05) & (hz < centre * 10**0.05)).any()
    ]
    assert len(centres) == levels.shape[1]
    w, response = signal.freqz([1, 0.9], worN=4096, fs=RATE)
    of_tilted = third_octaves_db(grouped(tilted))
    gain = 20 * np.log10(np.abs(np.interp(centres, w, np.abs(response))))
    change = (of_tilted - levels)[0]
    # The last band is cut at half the rate, where the gain falls steeply.
    np.testing.assert_allclose((change - change[10])[:-1], (gain - gain[10])[:-1], atol=1.5)
    assert tilt > 2


@settings(max_examples=20)
@given(st.floats(0.01, 100), st.integers(0, 100))
def test_neither_loudness_nor_order_changes_anything_but_power(gain, seed):
    segments = noise(120) + tone(4000.0, -40)
    order = np.random.default_rng(seed).permutation(len(segments))
    first, second = grouped(segments), grouped(gain * segments[order])
    for statistic in (
        lambda s: prominence_db(s, uniform(s), LINES),
        lambda s: phase_locking(s, uniform(s)),
        lambda s: image_coherence(s, 1)[1:-1],
        lambda s: out_of_band(s, uniform(s), 1700.0, LINES)["total"],
    ):
        np.testing.assert_allclose(statistic(second), statistic(first), atol=1e-3)


def test_sixteen_bit_input_agrees_with_float(speech):
    rounded = (np.round(speech * 32767).astype(np.int16) / np.float32(32767)).astype(np.float32)
    exact, coarse = grouped(speech), grouped(rounded)
    low = exact.frequencies_hz < 1500
    np.testing.assert_allclose(
        10 * np.log10(mean_power(coarse, uniform(coarse))[0, low]),
        10 * np.log10(mean_power(exact, uniform(exact))[0, low]),
        atol=0.01,
    )


def test_unbiased_squares_have_no_bias_in_the_set_nor_in_its_resamples():
    """Unrelated phases: plain squares have 1 / n in the set and 2 / n in resamples."""
    count = 60
    spectra = grouped(noise(count))
    weights = bootstrap_weights(count, 400, seed=0)
    lengths = phase_locking(spectra, weights)[:, 1:-1]
    squares = locking_square(spectra, weights)[:, 1:-1]
    error = 4 / count / np.sqrt(lengths.shape[1])
    assert abs(squares[0].mean()) < error
    assert abs(squares[1:].mean() - squares[0].mean()) < error
    assert (lengths[1:] ** 2).mean() == pytest.approx(2 / count, rel=0.2)


def test_groups_of_many_segments_give_the_same_value_and_similar_intervals():
    segments = noise(400) + tone(4000.0, -30)
    each = grouped(segments)
    few = group_spectra(
        [segments],
        400,
        segment_length=LENGTH,
        sample_rate=RATE,
        combs=COMBS,
        groups=np.arange(400) // 8,
    )
    assert (len(each.counts), len(few.counts), few.count) == (400, 50, 400)
    widths = []
    for spectra in (each, few):
        weights = bootstrap_weights(len(spectra.counts), 500, seed=1)
        result = estimate(prominence_db(spectra, weights, LINES)[:, LINES.index(4000.0)])
        widths.append(result.high - result.low)
        assert result.value == pytest.approx(
            prominence_db(each, uniform(each), LINES)[0, LINES.index(4000.0)], abs=1e-9
        )
    assert widths[1] == pytest.approx(widths[0], rel=0.4)


@pytest.mark.parametrize("count", [400, 401, 3])
def test_joined_groups_are_what_larger_groups_would_be(count):
    blocks = np.array_split(noise(count), 3)
    options = {"segment_length": LENGTH, "sample_rate": RATE, "combs": COMBS}
    labels = np.arange(count) // 8
    joined = join_groups(group_spectra(blocks, count, **options), labels)
    read_so = group_spectra(blocks, count, groups=labels, **options)
    for name, values in read_so.sums().items():
        np.testing.assert_allclose(joined.sums()[name], values, rtol=1e-5, atol=1e-5)


def test_hours_of_audio_have_no_more_groups_than_minutes():
    for length in (2048, 16384):
        assert most_groups(length) <= 1024
        assert most_groups(length) * length <= 2**22
    assert most_groups(2**24) == 1


def test_input_that_cannot_be_measured_is_refused():
    with pytest.raises(ParameterError, match="period of stage 1, 16"):
        grouped(np.zeros((2, 100), np.float32))
    with pytest.raises(ParameterError, match="even"):
        grouped(np.zeros((2, 511), np.float32), ())


def test_combs_of_many_lines_name_each_multiple_once():
    combs = stage_combs([4] * 7, RATE)
    for comb in combs:
        own = [line.frequency_hz for line in comb.lines]
        every = [k * RATE / comb.period for k in range(1, comb.period // 2 + 1)]
        assert sorted([*own, *comb.shared_hz]) == every


@pytest.mark.parametrize("swelling", [False, True])
def test_the_level_of_a_line_does_not_depend_on_the_segment_length(swelling):
    """Issue 19: prominence rises from 22 to 34 dB, or falls from 21 to 6.5 with 4 Hz syllables."""
    time = np.arange(24 * 16384) / RATE
    tone = np.sqrt(2) * 0.01 * np.sin(2 * np.pi * 4000 * time + 0.3)
    audio = noise(768).ravel() + (1 + np.cos(2 * np.pi * 4 * time) if swelling else 1) * tone
    expected = 10 * np.log10(np.mean(tone**2) * (1.5 if swelling else 1) / np.mean(audio**2))
    floors = []
    for length in (512, 1024, 2048, 4096, 8192, 16384):
        segments = audio.reshape(-1, length).astype(np.float32)
        spectra = grouped(segments, ())
        power = mean_power(spectra, uniform(spectra))
        both = line_powers(spectra, power, [4000.0, 3000.0])
        (line, _), (_, floor) = (both.of([i]).together() for i in (0, 1))
        whole = whole_power(power)
        assert relative_db(line, whole)[0] == pytest.approx(expected, abs=0.5)
        floors.append(relative_db(floor, whole)[0])
    # 1.4 dB, since a line of 1024 samples is wider, and 0.6 dB for the error of an error from 24
    # segments. The floor of a single bin would fall by 7.5 dB.
    assert np.ptp(floors) < 3
