"""Log-mel features and levels of signals whose levels are known."""

import math

import librosa
import numpy as np
import pytest
from helpers import tone
from scipy import signal

from wavegan_rc.errors import ParameterError
from wavegan_rc.measurement.bootstrap import Groups, bootstrap_weights
from wavegan_rc.measurement.features import (
    BANDS,
    FLOOR_DB,
    SMALLEST_DEVIATION_DB,
    level_statistics,
    log_mel_features,
    standardize,
)

UNIFORM = Groups(np.full((1, 2), 0.5))


def white_noise(count, samples=2048, level=0.1, seed=0):
    noise = np.random.default_rng(seed).standard_normal((count, samples)) * level
    return noise.astype(np.float32)


def test_bands_hold_the_power_of_what_is_in_them():
    """White noise of power p spreads evenly: triangles at unit height catch p times half base.

    The mean of the log of a sum of chi-squares lies below the log of the mean, less so the wider
    the band: from -1.2 dB for the lowest, of two and a half independent bins, to -0.3.
    """
    levels = log_mel_features(white_noise(200), 16000)[:, :BANDS].mean(axis=0)
    edges = librosa.mel_frequencies(BANDS + 2, fmax=8000)
    expected = 10 * np.log10(0.1**2 * (edges[2:] - edges[:-2]) / 2 / 8000)
    assert ((levels < expected) & (levels > expected - 2)).all()


@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100])
def test_features_are_those_of_librosa(sample_rate):
    """Its mel filters and its spectra; float32 leaves 5e-5 dB near -80 dB."""
    segments = white_noise(20) * np.hanning(2048).astype(np.float32)
    n_fft = round(0.016 * sample_rate)
    bands = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=BANDS, norm=None)
    bands *= 2 / (n_fft * (signal.get_window("hann", n_fft) ** 2).sum())
    spectrum = librosa.stft(segments, n_fft=n_fft, hop_length=n_fft // 4, center=False)
    level = 10 * np.log10(np.maximum(bands @ np.abs(spectrum) ** 2, 1e-8))
    expected = np.hstack([level.mean(axis=-1), level.std(axis=-1)])
    np.testing.assert_allclose(log_mel_features(segments, sample_rate), expected, atol=1e-4)


def test_levels_are_relative_to_full_scale():
    """A 2 kHz sine lies between two bands, which share its power: together its mean square."""
    features = log_mel_features(tone(2000, seconds=0.128, amplitude=0.5)[None], 16000)[0]
    assert 10 * np.log10((10 ** (features[:BANDS] / 10)).sum()) == pytest.approx(
        10 * np.log10(0.5**2 / 2), abs=0.1
    )
    # The window's hop is a whole number of periods, so the level does not vary.
    assert features[BANDS:].max() < 0.1


def test_silence_lies_on_the_floor_and_nothing_below_it():
    features = log_mel_features(np.zeros((3, 2048)), 16000)
    # float32 holds -80 within 1e-5.
    np.testing.assert_allclose(features[:, :BANDS], FLOOR_DB, atol=1e-4)
    np.testing.assert_allclose(features[:, BANDS:], 0, atol=1e-4)
    faint = log_mel_features(white_noise(3, level=1e-5), 16000)
    np.testing.assert_array_equal(faint, features)


def test_a_sound_that_comes_and_goes_varies():
    steady = white_noise(20)
    pulsed = steady * np.repeat([1.0, 0.01, 1.0, 0.01], 512)
    difference = log_mel_features(pulsed, 16000) - log_mel_features(steady, 16000)
    # Of 29 spectra 10 lie wholly in the quiet parts, 40 dB lower, and 9 partly. So the mean is
    # lower by 40 * 10 / 29 dB at least, by 40 * 19 / 29 at most, and the deviation nearly 20 dB.
    means = difference[:, :BANDS].mean(axis=0)
    assert ((means < -13.7) & (means > -26.3)).all()
    assert (difference[:, BANDS:].mean(axis=0) > 10).all()


@pytest.mark.parametrize(
    ("samples", "sample_rate"), [(512, 16000), (112, 16000), (512, 44100), (2048, 8000)]
)
def test_short_segments_and_other_rates_have_sound_in_every_band(samples, sample_rate):
    features = log_mel_features(white_noise(4, samples), sample_rate)
    assert features.shape == (4, 2 * BANDS)
    assert features.dtype == np.float32
    assert (features[:, :BANDS] > -70).all()


def test_segments_too_short_for_the_bands_are_refused():
    with pytest.raises(ParameterError, match=r"at least 112 samples\. Received: 110"):
        log_mel_features(white_noise(1, 110), 16000)


def test_blocks_make_no_difference():
    """600 segments of 2048 samples are two blocks."""
    segments = white_noise(600)
    whole = log_mel_features(segments, 16000)
    np.testing.assert_allclose(whole[500:], log_mel_features(segments[500:], 16000), atol=1e-4)


def test_int16_and_float_input_agree():
    """Rounding to 16 bits adds noise at -101 dB: 60 dB below these bands, 0.01 dB."""
    exact = white_noise(20, level=0.2).clip(-1, 1)
    stored = np.rint(exact * 32767).astype(np.int16)
    features = log_mel_features(stored / np.float32(32767), 16000)
    np.testing.assert_allclose(features, log_mel_features(exact, 16000), atol=0.05)


def test_standardized_references_have_mean_0_and_deviation_1():
    reference = np.random.default_rng(0).normal([3, -40], [8, 20], (200, 2))
    standardized = standardize(reference, reference)
    np.testing.assert_allclose(standardized.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(standardized.std(axis=0), 1, rtol=1e-12)


def test_a_feature_that_never_varies_is_counted_in_units_of_6_db():
    reference = np.full((10, 1), FLOOR_DB)
    test = np.array([[FLOOR_DB + 12]])
    assert standardize(test, reference).item() == 12 / SMALLEST_DEVIATION_DB
    with pytest.raises(ParameterError):
        standardize(test, reference[:1])


@pytest.mark.parametrize("amplitude", [1.0, 0.1])
def test_levels_of_a_sine(amplitude):
    segments = np.stack([tone(1000, seconds=0.128, amplitude=amplitude)] * 2)
    levels = level_statistics(segments, UNIFORM)
    assert levels.rms_db.item() == pytest.approx(20 * np.log10(amplitude) - 3.0103, abs=1e-3)
    assert levels.spread_db.item() == pytest.approx(0, abs=1e-6)
    if amplitude == 1:  # two peaks of 16 samples each period
        assert levels.clipped_share.item() == pytest.approx(2 / 16)
    else:
        assert levels.clipped_share.item() == 0


def test_power_is_averaged_before_decibels_and_the_spread_is_that_of_segments():
    segments = np.array([[0.1, -0.1], [0.01, -0.01]])
    levels = level_statistics(segments, UNIFORM)
    assert levels.rms_db.item() == pytest.approx(10 * np.log10((0.1**2 + 0.01**2) / 2))
    assert levels.spread_db.item() == pytest.approx(np.std([-20, -40], ddof=1))


def test_offset_and_clipping():
    segments = np.full((2, 100), 0.01)
    segments[:, :25] = 32766 / 32767
    segments[:, 25:50] = -32766 / 32767
    segments[:, 50:75] = 32765 / 32767
    segments[:, 75:] = -32765 / 32767
    levels = level_statistics(segments.astype(np.float32), UNIFORM)
    assert levels.clipped_share.item() == 0.5
    offset = level_statistics(np.full((2, 8), -0.01), UNIFORM).dc_offset_db
    assert offset.item() == pytest.approx(-40)


def test_silence_has_no_level_and_a_silent_segment_counts_as_the_floor():
    levels = level_statistics(np.zeros((2, 8)), UNIFORM)
    assert math.isnan(levels.rms_db.item())
    assert math.isnan(levels.dc_offset_db.item())
    assert levels.spread_db.item() == 0
    half = np.array([[0.1, -0.1], [0.0, 0.0]])
    expected = np.std([-20, FLOOR_DB], ddof=1)
    assert level_statistics(half, UNIFORM).spread_db.item() == pytest.approx(expected)


def test_weights_choose_segments():
    """A row on some segments gives what those alone give."""
    segments = white_noise(6) * np.arange(1, 7)[:, None].astype(np.float32)
    row = np.array([[0.5, 0, 0, 0.5, 0, 0]])
    chosen = level_statistics(segments[[0, 3]], UNIFORM)
    np.testing.assert_allclose(level_statistics(segments, Groups(row)), chosen, rtol=1e-6)


def test_a_resample_of_one_segment_alone_has_no_spread():
    weights = bootstrap_weights(2, 20, seed=0)
    levels = level_statistics(white_noise(2), Groups(weights))
    alone = weights.max(axis=1) == 1
    np.testing.assert_array_equal(np.isnan(levels.spread_db), alone)
    assert alone.any()


def test_levels_of_one_segment_are_refused():
    with pytest.raises(ParameterError, match="at least 2"):
        level_statistics(np.zeros((1, 8)), Groups(np.ones((1, 1))))
