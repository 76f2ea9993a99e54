"""The instrument on real speech: clean, with tones and images of known level, against theory.

What is said here of many levels and counts of segments is measured by docs/make_calibration.py.
"""

import numpy as np
import pytest
from helpers.spectra import RATE, grouped, phase_locking, prominence_db, uniform
from scipy import signal, special, stats

from wavegan_rc.audio.preparation import prepare_corpus
from wavegan_rc.audio.segments import Segments
from wavegan_rc.measurement.bootstrap import bootstrap_weights, estimate
from wavegan_rc.measurement.significance import (
    max_t_p_values,
    permuted_differences,
    rayleigh_p_values,
    sign_p_values,
)
from wavegan_rc.measurement.statistics import (
    bins_of,
    mean_coherence_square,
    mean_power,
    third_octave_levels_db,
)
from wavegan_rc.spectrogram import stage_combs
from wavegan_rc.theory.interpolation import interpolation_kernel
from wavegan_rc.theory.response import frequency_response_db, phase_gains, tone_levels_db

pytestmark = pytest.mark.slow

LENGTH = 512
LINES = [line.frequency_hz for comb in stage_combs([2] * 5, RATE) for line in comb.lines]
LINES.sort()  # every 500 Hz, the last half the rate
IN_BAND = np.array(LINES) <= 1500


def draw_from(split, length=LENGTH, band=(1500.0, 1700.0)):
    corpus = prepare_corpus(None, sample_rate=RATE, cutoff_hz=band[0], stopband_hz=band[1])
    return Segments(corpus, split, segment_length=length, silence_db=-40.0, seed=0).draw


def power_of(spectra):
    return mean_power(spectra, uniform(spectra))[0]


def line_p_values(segments):
    spectra = grouped(segments)
    locking = phase_locking(spectra, uniform(spectra))[0, bins_of(spectra, LINES)]
    p_values = rayleigh_p_values(locking, len(segments))
    p_values[-1] = sign_p_values(locking[-1], len(segments))
    return p_values


def tones(level_db, phases, frequencies_hz):
    """Sines of one mean square in dB: phases of shape (segments, frequencies)."""
    angles = 2 * np.pi * np.outer(frequencies_hz, np.arange(LENGTH)) / RATE
    amplitude = np.sqrt(2) * 10 ** (level_db / 20)
    return amplitude * np.imag(np.exp(1j * phases) @ np.exp(1j * angles))


def level_db(segments):
    return 10 * np.log10(np.mean(np.square(segments, dtype=np.float64)))


@pytest.mark.parametrize("split", ["held_out", "training"])
def test_p_values_of_clean_speech_are_uniform(split):
    """False positives at 5 %: 5 +- 2 %, over 1000 sets of 40 segments.

    A set of the held-out minute has segments that overlap, one of the training split seldom. It
    makes no difference: a segment's phase comes from where it was cut, and the cuts are
    independent of one another whether segments overlap or not.
    """
    draw = draw_from(split)
    p_values = np.array([line_p_values(draw(step, 40)) for step in range(1000)])
    turn = np.arange(1000)
    for own in (p_values[:, IN_BAND], p_values[:, ~IN_BAND]):
        one_line_each = own[turn, turn % own.shape[1]]
        assert np.mean(one_line_each < 0.05) == pytest.approx(0.05, abs=0.02)
        assert stats.kstest(one_line_each, "uniform").pvalue > 0.001
    any_locked = [stats.false_discovery_control(row).min() < 0.05 for row in p_values]
    assert np.mean(any_locked) == pytest.approx(0.05, abs=0.02)


def test_one_in_twenty_lines_of_clean_speech_differs_from_other_clean_speech():
    """The interval of a line's difference excludes 0: 5 +- 2 %."""
    draw, excluded = draw_from("held_out"), []
    for step in range(0, 200, 2):
        both = []
        for seed in (step, step + 1):
            spectra = grouped(draw(seed, 200))
            both.append(prominence_db(spectra, bootstrap_weights(200, 200, seed=seed), LINES))
        difference = estimate(both[0] - both[1])
        excluded.append((difference.low > 0) | (difference.high < 0))
    assert np.mean(excluded) == pytest.approx(0.05, abs=0.02)


def test_one_in_twenty_sets_of_clean_speech_has_a_line_that_differs():
    """Permutations, corrected for the 16 lines: 5 +- 2 %, over 500 sets of 64 segments.

    The voice's few loud segments make prominences in its band vary by 3 dB from set to set.
    """
    draw, differs = draw_from("held_out"), []
    for seed in range(500):
        spectra = grouped(draw(seed, 128))  # the first half against the second
        found = permuted_differences(
            lambda weights, spectra=spectra: prominence_db(spectra, weights, LINES),
            64,
            64,
            permutations=200,
            seed=seed,
        )
        differs.append(max_t_p_values(found[0], found[1:]).min() < 0.05)
    assert np.mean(differs) == pytest.approx(0.05, abs=0.02)


def level_locked_by_theory_db(share, count):
    """Level of a tone, relative to white noise, that is called locked with this probability.

    Unit vectors along a constant plus complex normal noise have a mean of length R (K. V. Mardia,
    P. E. Jupp, "Directional Statistics" (2000), section 3.5.6); `2 n R^2` of n segments is
    noncentral chi-squared, and a lone tone must pass 0.05 / lines.
    """
    s = np.geomspace(1e-4, 10, 5000)  # power of the tone over that of noise in its bin
    length = np.sqrt(np.pi * s) / 2 * (special.i0e(s / 2) + special.i1e(s / 2))
    found = stats.ncx2.sf(2 * np.log(len(LINES) / 0.05), 2, 2 * count * length**2)
    return 10 * np.log10(s[np.argmax(found > share)] * 1.5 / (LENGTH / 2))


@pytest.mark.parametrize("count", [64, 512])
def test_tones_in_noise_are_locked_as_often_as_theory_says(count):
    """One line's tone at a time among clean lines; the Hann window keeps them apart."""
    where, found = LINES[:-1], {0.5: [], 0.9: []}
    for seed in range(50):
        rng = np.random.default_rng([count, seed])
        clean = rng.standard_normal((count, LENGTH))
        p_clean = line_p_values(clean)
        for share, hits in found.items():
            phases = rng.uniform(0, 2 * np.pi, (1, len(where)))
            level = level_locked_by_theory_db(share, count)
            p_planted = line_p_values(clean + tones(level, phases, where))
            for line in range(len(where)):
                alone = np.where(np.arange(len(LINES)) == line, p_planted, p_clean)
                hits.append(stats.false_discovery_control(alone)[line] < 0.05)
    for share, hits in found.items():  # four standard errors, and what theory leaves out
        assert np.mean(hits) == pytest.approx(share, abs=0.08 if share == 0.5 else 0.05)


def test_a_tone_of_random_phase_is_prominent_but_not_locked():
    speech = draw_from("held_out")(0, 400)
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, (400, 1))
    for planted, locked in ((phases, False), (phases[:1], True)):
        segments = speech + tones(level_db(speech) - 60, planted, [4000.0])
        spectra, line = grouped(segments), LINES.index(4000.0)
        assert prominence_db(spectra, uniform(spectra), LINES)[0, line] > 30
        assert (line_p_values(segments)[line] < 1e-3) == locked


@pytest.mark.parametrize("away_hz", [0.0, 250.0])
def test_a_tone_within_the_band_of_speech_is_recovered(away_hz):
    """Among the voice's own harmonics a tone must stand higher than in noise: here 12 dB."""
    speech = draw_from("held_out")(0, 2000)
    frequency_hz = 1000.0 + away_hz
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, (2000, 1))
    spectra = grouped(speech + tones(level_db(speech) - 10, phases, [frequency_hz]))
    prominence = prominence_db(spectra, uniform(spectra), [frequency_hz])[0, 0]
    assert prominence > 12
    power = power_of(spectra)[bins_of(spectra, [frequency_hz])[0]]
    found = 10 * np.log10(power * (1 - 10 ** (-prominence / 10)))
    assert found - level_db(speech) == pytest.approx(-10, abs=0.5)


def upsampled(speech, upsampler, factor):
    """Every `factor`-th sample, upsampled by plain means; the speech ends below half the rate."""
    low = speech[:, ::factor]
    if upsampler == "transposed":
        high = np.zeros_like(speech)
        high[:, ::factor] = low
        return high
    if upsampler == "resize":
        return np.repeat(low, factor, axis=1)
    middles = np.arange(low.shape[1]) * factor + (factor - 1) / 2
    return np.stack([np.interp(np.arange(speech.shape[1]), middles, row) for row in low])


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("upsampler", ["transposed", "resize", "linear"])
def test_images_of_speech_stand_where_theory_puts_them(upsampler, factor):
    """At multiples of the low rate plus or minus the signal's frequency, at the filter's level."""
    speech = draw_from("held_out", 2048)(0, 400)
    spectra = grouped(upsampled(speech, upsampler, factor))
    power, hz = power_of(spectra), spectra.frequencies_hz
    taps, _ = interpolation_kernel(upsampler, factor)
    origin = np.flatnonzero((hz > 200) & (hz < 1400))
    at_origin = 10 * np.log10(power[origin]) - frequency_response_db(taps, hz[origin], RATE)
    low_rate = len(hz[:-1]) * 2 // factor  # in bins
    for k in range(1, factor // 2 + 1):
        for side in (-1, 1):
            image = k * low_rate + side * origin
            if image.max() >= len(hz):
                continue
            theory = frequency_response_db(taps, hz[image], RATE) + at_origin
            # The window mixes neighbouring bins, which a sloping filter weights unequally.
            np.testing.assert_allclose(10 * np.log10(power[image]), theory, atol=0.3)


@pytest.mark.parametrize("factor", [2, 4])
def test_a_constant_under_speech_leaves_lines_or_valleys_as_theory_says(factor):
    """What the mean that a ReLU leaves becomes in the next stage."""
    speech = draw_from("held_out", 2048)(0, 400)
    speech = speech + 3 * np.sqrt(np.mean(speech**2))
    lines_hz = [k * RATE / factor for k in range(1, factor // 2 + 1)]
    zeros, held = (grouped(upsampled(speech, kind, factor)) for kind in ("transposed", "resize"))
    assert (prominence_db(zeros, uniform(zeros), lines_hz) > 50).all()
    assert (prominence_db(held, uniform(held), lines_hz) < -30).all()
    kernel = np.random.default_rng(factor).standard_normal(2 * factor + 1)
    before = np.pad(speech[:, ::factor], [(0, 0), (3, 0)], mode="edge")
    filtered = signal.upfirdn(kernel, before, up=factor)[:, 3 * factor :][:, : speech.shape[1]]
    spectra = grouped(filtered)
    levels_db = 10 * np.log10(power_of(spectra)[bins_of(spectra, lines_hz)] / filtered.mean() ** 2)
    theory_db = tone_levels_db(phase_gains("transposed", kernel, factor))
    np.testing.assert_allclose(levels_db, theory_db, atol=0.05)


@pytest.mark.parametrize("image_db", [-40, -50])
def test_an_image_that_follows_full_band_speech_is_seen_by_coherence_only(image_db):
    """Zeros inserted at 4 kHz, so faint that the voice hides their images in the mean spectrum."""
    draw = draw_from("held_out", 2048, (None, None))
    combs = stage_combs([2, 4], RATE)
    lines_hz = [line.frequency_hz for comb in combs for line in comb.lines]
    low_pass = signal.firwin(255, 1900, fs=RATE)[None]

    def low_passed(segments):
        return signal.oaconvolve(segments, low_pass, mode="same", axes=1)

    def coherence_of(spectra):
        return np.array(
            [mean_coherence_square(spectra, uniform(spectra), stage)[0] for stage in (1, 2)]
        )

    speech = draw(0, 400)
    stuffed = 4 * upsampled(low_passed(speech), "transposed", 4)
    images = stuffed - low_passed(stuffed)
    clean = grouped(speech, combs)
    planted = grouped(speech + 10 ** (image_db / 20) * images, combs)
    before, after = (
        third_octave_levels_db(s.frequencies_hz, mean_power(s, uniform(s)), 8000.0)
        for s in (clean, planted)
    )
    change = [prominence_db(s, uniform(s), lines_hz)[0] for s in (clean, planted)]
    null = np.array([coherence_of(grouped(draw(step, 400), combs)) for step in range(1, 12)])
    first_stage, last_stage = (coherence_of(planted) - null.mean(axis=0)) / null.std(axis=0, ddof=1)
    assert np.abs(after - before).max() < 0.5
    assert np.abs(np.subtract(*change)).max() < 0.5
    assert last_stage > 5
    assert abs(first_stage) < 5
