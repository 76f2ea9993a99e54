"""The anti-aliased activation against SciPy, and by tones."""

import keras
import numpy as np
import pytest
from scipy import signal

from wavegan_rc.nn.activations import AntiAliasedReLU

pytestmark = pytest.mark.backend


def test_inside_the_layer_equals_scipy():
    x = np.random.default_rng(0).standard_normal(200).astype(np.float32)
    ours = np.asarray(AntiAliasedReLU()(x[None, :, None]))[0, :, 0]
    low_pass = signal.firwin(13, 1 / 2, window=("kaiser", signal.kaiser_beta(60.0)))
    raised = signal.upfirdn(2 * low_pass, x, up=2)
    theirs = signal.upfirdn(low_pass, np.maximum(raised, 0), down=2)[6:]
    np.testing.assert_allclose(ours[6:-6], theirs[6:194], atol=1e-6)


def spectrum_db(layer, hz, count=4096):
    """Of a tone after the layer, relative to the strongest bin; 16 kHz, whole periods."""
    tone = 0.2 + np.cos(2 * np.pi * hz * np.arange(count) / 16000)
    y = np.asarray(layer(tone.astype(np.float32)[None, :, None]))[0, :, 0].astype(np.float64)
    power = np.abs(np.fft.rfft(y * signal.windows.blackmanharris(count))) ** 2
    return 10 * np.log10(power / power.max() + 1e-20)


def test_a_harmonic_that_would_fold_down_is_killed():
    hz = 5000.0  # its second harmonic, 10000 Hz, folds to 6000 Hz
    plain = spectrum_db(keras.layers.ReLU(), hz)
    anti_aliased = spectrum_db(AntiAliasedReLU(), hz)
    at = round(6000 / 16000 * 4096)
    assert plain[at] > -15
    assert anti_aliased[at] < plain[at] - 12


def test_a_low_tone_keeps_its_harmonics():
    plain, anti_aliased = (
        spectrum_db(layer, 500.0) for layer in (keras.layers.ReLU(), AntiAliasedReLU())
    )
    for harmonic in (500, 1000, 2000):
        at = round(harmonic / 16000 * 4096)
        assert abs(plain[at] - anti_aliased[at]) < 0.3


def test_channels_do_not_mix_and_the_layer_serialises():
    layer = AntiAliasedReLU(name="relu")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    x = np.zeros((2, 32, 3), np.float32)
    x[:, :, 1] = np.random.default_rng(0).standard_normal((2, 32))
    y = np.asarray(again(x))
    assert y.shape == x.shape
    assert not y[:, :, [0, 2]].any()
    np.testing.assert_array_equal(y, layer(x))
