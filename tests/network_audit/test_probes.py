"""Sines and shifts through stages whose response is known."""

import numpy as np
import pytest

from wavegan_rc.generator.folding import StageWeights
from wavegan_rc.measurement.bootstrap import bootstrap_weights, estimate
from wavegan_rc.network_audit.generator import absolute_level
from wavegan_rc.network_audit.gradients import gradient_audit
from wavegan_rc.network_audit.probes import probe_stages


def probed(taps, factor, *, level=1e-3, mean=0.0, is_last=True):
    """One channel, smooth maps of a level around a mean; the last stage has a tanh."""
    kernel = np.asarray(taps, float).reshape(-1, 1, factor)
    stage = StageWeights(factor, 0, kernel)
    spectrum = np.fft.rfft(np.random.default_rng(0).uniform(-1, 1, (4, 63, 1)), axis=1)
    spectrum[:, 20:] = 0
    maps = mean + 2 * level * np.fft.irfft(spectrum, 63, axis=1)
    other = StageWeights(2, 0, np.ones((1, 1, 2)))
    stages, inputs = ([stage], [maps]) if is_last else ([stage, other], [maps, maps])
    return probe_stages(stages, inputs, seed=0)[0]


def sinc_taps(factor, reach=60):
    """Band-limited interpolation as a convolution at the low rate: phase p is delayed by p / s."""
    lags = np.arange(-reach, reach)[:, None] - np.arange(factor) / factor
    return np.sinc(lags) * np.cos(np.pi * lags / (2 * reach)) ** 2


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_inserted_zeros_mirror_the_sine_at_full_level(factor):
    """Of the images below half the rate there are factor - 1, each as strong as the sine."""
    found = probed([1.0] + [0.0] * (factor - 1), factor)
    assert found.mirrored_db == pytest.approx(10 * np.log10(factor - 1), abs=0.01)
    parts = 10 ** (np.array([found.mirrored_db, found.tonal_db, found.other_db]) / 10)
    assert found.aliasing_db == pytest.approx(10 * np.log10(parts.sum()), abs=0.01)
    assert found.other_db < -80


def test_held_samples_mirror_the_sine_as_the_box_lets_them():
    """Power of f: cos^2(pi f / rate); of its image: sin^2, over the sines that are probed."""
    found = probed([1.0, 1.0], 2)
    angles = np.pi * np.array([17, 41, 67, 89, 113]) / (2 * 251)
    expected = 10 * np.log10((np.sin(angles) ** 2).sum() / (np.cos(angles) ** 2).sum())
    assert found.mirrored_db == pytest.approx(expected, abs=0.01)
    assert found.tonal_db < -100


def test_a_band_limited_stage_makes_no_images_and_moves_with_its_input():
    wide, zeros, held = (probed(taps, 2) for taps in (sinc_taps(2), [1.0, 0.0], [1.0, 1.0]))
    assert wide.aliasing_db < -60
    assert wide.equivariance_db > 60
    assert zeros.equivariance_db < 20
    assert zeros.equivariance_db < held.equivariance_db < 30


def test_uneven_phases_make_a_tone_of_the_mean_and_nothing_else_does():
    """Gains 1.1 and 0.9 on a mean of 0.01: a tone of 0.001, as strong as sines of 0.001 are."""
    tonal = probed([1.1, 0.9], 2, mean=0.01)
    even = probed([1.0, 1.0], 2, mean=0.01)
    assert even.tonal_db < -80
    assert tonal.tonal_db > -10
    assert tonal.mirrored_db == pytest.approx(even.mirrored_db, abs=0.5)


def test_a_nonlinearity_folds_harmonics_back():
    """ReLU of sines around 0; the images of a band-limited stage come from it alone."""
    linear = probed(sinc_taps(2), 2, mean=0.01, is_last=False)
    bent = probed(sinc_taps(2), 2, mean=0.0, is_last=False)
    assert linear.other_db < -60
    assert bent.other_db > -30
    assert bent.equivariance_db < linear.equivariance_db - 10


def test_a_silent_stage_has_no_levels():
    found = probed([0.0, 0.0], 2)
    assert np.isnan([found.aliasing_db, found.mirrored_db, found.equivariance_db]).all()


def test_intervals_expand_by_the_number_of_segments():
    """Of 10 segments, the percentiles are 0.86 and 99.14, not 2.5 and 97.5."""
    powers = np.append(1.0, np.random.default_rng(0).uniform(1, 2, 1000))
    expected = 10 * np.log10(np.array(estimate(powers, 10)))
    np.testing.assert_allclose(np.array(absolute_level(powers, 10)), expected)
    gradients = np.random.default_rng(1).standard_normal((10, 64)).astype(np.float32)
    audit = gradient_audit(
        lambda _, shuffled: gradients,
        {"real": gradients},
        strides=(4,),
        radius=0,
        sample_rate=16000,
        seed=0,
    )
    by_position = (gradients.astype(float) ** 2).reshape(10, -1, 4).sum(axis=1)
    harmonics, weights = np.fft.rfft(by_position, axis=1), bootstrap_weights(10, seed=0)
    squares = np.abs(weights @ harmonics) ** 2 - weights**2 @ np.abs(harmonics) ** 2
    squares /= (1 - (weights**2).sum(axis=1))[:, None] * np.real(weights @ harmonics[:, :1]) ** 2
    expected = estimate(squares[:, 1:] @ [2.0, 1.0], 10)
    (found,) = [q.plain for q in audit.quantities if q.name == "energy_modulation"]
    np.testing.assert_allclose(np.array(found), np.array(expected), rtol=1e-4)
