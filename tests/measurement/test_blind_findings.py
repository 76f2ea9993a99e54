"""Spacings of no whole period, nested stages, images and narrow peaks, found without factors."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from wavegan_rc.audio.files import bundled_speech
from wavegan_rc.measurement.blind.findings import searched_in_words
from wavegan_rc.measurement.blind.images import find_images
from wavegan_rc.measurement.blind.peaks import with_its_digits
from wavegan_rc.measurement.measure import measure
from wavegan_rc.measurement.sources import open_segments

RATE, LENGTH = 16000, 2048
pytestmark = pytest.mark.filterwarnings("ignore::wavegan_rc.errors.WaveganWarning")


def tones_in_noise(frequencies_hz, out_db, count=200, length=LENGTH, seed=0):
    """Tones of fixed phase that stand out by so many dB, in white noise of 0.1."""
    rng = np.random.default_rng(seed)
    segments = 0.1 * rng.standard_normal((count, length))
    for hz, db in zip(
        frequencies_hz, np.broadcast_to(out_db, np.shape(frequencies_hz)), strict=True
    ):
        power = (10 ** (db / 10) - 1) * 0.1**2 * 1.5 / (length / 2)
        if 2 * hz == RATE:  # half the bandwidth, half the noise
            segments += np.sqrt(power / 2) * (-1.0) ** np.arange(length)
        else:
            phase = rng.uniform(0, 2 * np.pi)
            wave = np.cos(2 * np.pi * hz * np.arange(length) / RATE + phase)
            segments += np.sqrt(2 * power) * wave
    return segments


def found(segments, **options):
    return measure(segments, sample_rate=RATE, **options).findings


# 110 Hz: lines 14 bins apart, few of them on bins.
@pytest.mark.parametrize("spacing_hz", [750.0, 689.0625, 110.0, 164.81])
def test_a_spacing_need_not_be_that_of_a_whole_period(spacing_hz):
    """Issue 19: these were found as periods 64, 116 and 97."""
    lines_hz = np.arange(1, 7900 // spacing_hz) * spacing_hz
    findings = found(tones_in_noise(lines_hz, 15))
    (comb,) = findings.combs
    assert comb.period is None
    assert comb.spacing_hz == pytest.approx(spacing_hz, rel=2e-4)
    assert len(comb.lines_hz) > 0.9 * len(lines_hz)
    assert comb.strongest_db > comb.prominence_db == pytest.approx(15, abs=1)
    assert comb.strongest_hz in comb.lines_hz
    assert findings.images == ()
    assert {peak.predicted_by for peak in findings.peaks} == {
        f"the comb of {comb.spacing_hz:.6g} Hz"
    }


@given(st.floats(1, 1e4), st.floats(0.01, 1e4), st.floats(1e-5, 10))
def test_a_frequency_has_the_digits_that_its_error_leaves(place, bin_hz, error):
    """Rounding moves it by at most half its error, and no digit is worth a tenth of the error."""
    hz, error_hz = with_its_digits(place, bin_hz, error), error * bin_hz
    assert abs(hz - place * bin_hz) <= error_hz * (0.5 + 1e-6)
    last_digit = int(Decimal(repr(hz)).normalize().as_tuple().exponent)
    assert hz == 0 or 10.0**last_digit > error_hz / 10 * (1 - 1e-6)


def test_the_longest_period_has_lines_8_bins_apart():
    """Issue 19: a period of 256 was found as two others."""
    findings = found(tones_in_noise(np.arange(1, 129) * 62.5, 15))
    assert [(comb.period, comb.within) for comb in findings.combs] == [(256, None)]
    assert searched_in_words(RATE, LENGTH).startswith("tones 62.5 Hz or more apart")


def test_nested_stages_are_all_named():
    """Issue 19: of four, only the first two were."""
    number = np.arange(1, 129)
    out_db = 8 + 6 * sum((number % step == 0).astype(int) for step in (4, 16, 64))
    found_combs = found(tones_in_noise(number * 62.5, out_db)).combs
    nested = [(comb.period, comb.within) for comb in found_combs]
    assert nested == [(4, 16), (16, 64), (64, 256), (256, None)]
    assert [comb.strongest_db > 25 for comb in found_combs] == [True] * 4


@pytest.mark.parametrize("period", [2, 3, 4, 8, 16])
@pytest.mark.parametrize("kind", ["zeros", "held"])
def test_images_are_one_finding_not_many_combs(period, kind):
    """Issue 19: noise times 4 by zeros had 10 combs, periods 54 and 82 among them."""
    length = 2040 if period == 3 else LENGTH
    low = np.random.default_rng(period).standard_normal((200, length // period))
    high = np.repeat(low, period, axis=1)
    if kind == "zeros":
        high[:, np.arange(length) % period > 0] = 0
    findings = found(high)
    assert [image.period for image in findings.images] == [period]
    assert findings.images[0].coherence > 0.97
    assert 0 < findings.images[0].p_value < 1e-10
    assert findings.combs == ()


def test_images_are_compared_with_those_of_real_audio():
    low = np.random.default_rng(0).standard_normal((2, 200, LENGTH // 2))
    held, noise = np.repeat(low, 2, axis=2), np.random.default_rng(1).standard_normal((200, LENGTH))
    for real, has_them in ((held[1], True), (noise, False)):
        findings = found(held[0], reference=real)
        (image,) = findings.images
        assert (image.real_coherence > 0.97) == image.in_real_audio == has_them
        assert findings.count == int(not has_them)
        assert f"(real audio: {image.real_coherence:.3f})" in image.in_words()
    assert found(held[0]).images[0].real_coherence is None


def test_tones_below_the_images_are_still_found():
    low = tones_in_noise(np.arange(1, 17) * 250.0, 15, length=1024)  # of half the rate
    findings = found(np.repeat(low, 2, axis=1))
    assert [image.period for image in findings.images] == [2]
    assert [comb.spacing_hz for comb in findings.combs] == [125.0]


def test_faint_images_are_found_and_noise_has_none():
    """5 dB beneath noise: of the phases of X(f) and X(f - a), (0.3 / 1.3)^2 times about pi / 4."""
    rng = np.random.default_rng(0)
    low = rng.standard_normal((400, 512))
    image = np.zeros((400, LENGTH))
    image[:, ::4] = 2 * low
    noise = rng.standard_normal((400, LENGTH))
    group = np.arange(400)
    faint = find_images((noise + np.sqrt(0.3) * image).astype(np.float32), group, RATE)
    assert [each.period for each in faint] == [4]
    assert faint[0].coherence == pytest.approx((0.3 / 1.3) ** 2 * np.pi / 4, rel=0.2)


def test_sets_without_images_have_none():
    """At 1 %, of 100 sets: more than 5 once in 2000 times."""
    false = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        segments = rng.standard_normal((60, 256)).astype(np.float32)
        if seed % 2:  # neighbours of a group that are alike
            segments = np.repeat(segments[:15], 4, axis=0)
        elif seed % 4:
            segments = signal.lfilter([1], [1, -0.95], segments, axis=1).astype(np.float32)
        false += bool(find_images(segments, np.arange(60) // 4, RATE))
    assert false <= 5


def test_speech_has_no_images_until_its_samples_are_held():
    """Issue 19: speech held from 8 to 16 kHz was found by nothing. These prompts were resampled
    once, and have a coherence of 0.005 around 4 kHz, which is too little to name."""
    speech = open_segments(bundled_speech() / "prompts_en_06.ogg", segment_length=LENGTH)
    segments = np.concatenate(list(speech.blocks()))
    group = np.arange(len(segments)) // 8  # about a second
    assert find_images(segments, group, RATE) == ()
    held = np.repeat(segments[:, ::2], 2, axis=1)
    (image,) = find_images(held, group, RATE)
    assert image.period == 2
    assert image.coherence > 0.9


def test_tones_at_no_predicted_frequency_are_listed():
    """Issue 19: three tones 13 dB out, of fixed phase, were named nowhere."""
    planted = (2718.3, 3333.1, 5555.5)
    measurement = measure(
        tones_in_noise((3000.0, *planted), 13), sample_rate=RATE, upsampling_factors=(4, 4)
    )
    peaks = {round(peak.frequency_hz): peak for peak in measurement.findings.peaks}
    assert len(peaks) == 4
    for hz in (3000.0, *planted):
        (peak,) = [p for p in peaks.values() if abs(p.frequency_hz - hz) < 1]
        assert peak.prominence_db == pytest.approx(13, abs=2)  # between bins up to 1.4 dB less
        power = (10**1.3 - 1) * 1.5 / (LENGTH / 2)
        expected = 10 * np.log10(power / (1 + 4 * power))
        assert peak.level_db == pytest.approx(expected, abs=1)
        assert peak.locked_p_value is not None
        assert 0 < peak.locked_p_value < 1e-6
        assert peak.predicted_by == ("stage 1" if hz == 3000 else None)
        assert "predicted by " in peak.in_words()


def test_a_tone_of_random_phase_is_listed_as_not_locked_and_noise_has_no_peaks():
    rng = np.random.default_rng(3)
    noise = 0.1 * rng.standard_normal((200, LENGTH))
    phases = rng.uniform(0, 2 * np.pi, (200, 1))
    tone = 0.02 * np.cos(2 * np.pi * 3000 * np.arange(LENGTH) / RATE + phases)
    (peak,) = found(noise + tone).peaks
    assert peak.frequency_hz == pytest.approx(3000, abs=1)
    assert peak.locked_p_value > 0.05
    assert found(noise).peaks == ()
    assert found(np.zeros((20, LENGTH))).peaks == ()
