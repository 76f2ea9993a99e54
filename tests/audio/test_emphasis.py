from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from scipy import signal

from wavegan_rc.audio.corpus import BLOCK, Corpus, Recording
from wavegan_rc.audio.emphasis import design_emphasis, tap_count
from wavegan_rc.audio.segments import Segments
from wavegan_rc.config import Config
from wavegan_rc.config.choices import Emphasis
from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.network_audit.audit import input_gradients, load_run, with_independent_shifts
from wavegan_rc.nn.emphasis import FixedFilter
from wavegan_rc.nn.generator import build_generator
from wavegan_rc.training.model import build_model
from wavegan_rc.training.wgan_gp import WGANGP

RATE = 16000


def corpus_of(audio):
    pcm = np.round(audio * 32767).astype(np.int16)
    blocks = pcm[: len(pcm) // BLOCK * BLOCK].reshape(-1, BLOCK) / 32767
    power = np.mean(np.square(blocks), axis=1).astype(np.float32)
    recordings = (Recording("a.wav", 0, len(pcm)),)
    return Corpus(pcm, power, recordings, RATE, float(power.mean()), "")


def segments_of(audio, length=2048):
    return Segments(corpus_of(audio), "training", segment_length=length, silence_db=-200.0, seed=0)


def coloured_noise(poles, seconds=30, rms=0.05):
    noise = np.random.default_rng(0).normal(size=RATE * seconds)
    audio = signal.lfilter([1], np.poly(poles), noise)
    return rms * audio / audio.std()


def design(
    audio, emphasis: Emphasis = "whitening", *, coefficient=0.95, limit_db=30.0, length=2048
):
    return design_emphasis(
        emphasis, segments_of(audio, length), coefficient=coefficient, limit_db=limit_db
    )


def layer_of(taps, channels=1, length=2048):
    layer = FixedFilter(len(taps))
    layer.build((None, length, channels))
    layer.taps.assign(taps)
    return layer


def gain_db(taps, frequencies_hz):
    _, response = signal.freqz(taps, worN=np.asarray(frequencies_hz, float), fs=RATE)
    return 20 * np.log10(np.abs(response))


def test_whitening_makes_coloured_noise_white():
    audio = coloured_noise([0.9, 0.5])  # 35 dB between its ends
    _, before = signal.welch(audio, RATE, nperseg=512)
    _, after = signal.welch(
        np.convolve(audio, design(audio, limit_db=50.0), "valid"), RATE, nperseg=512
    )
    inner = slice(8, -8)
    assert np.ptp(10 * np.log10(before[inner])) > 30
    assert np.ptp(10 * np.log10(after[inner])) < 3


def test_white_noise_is_as_white_at_0_hz_and_at_half_the_rate_as_between():
    taps = design(np.random.default_rng(0).normal(0, 0.1, RATE * 60))
    np.testing.assert_allclose(gain_db(taps, [0, 20, 1000, 4000, RATE / 2]), 0, atol=0.3)


@pytest.mark.parametrize("limit_db", [10.0, 30.0, 50.0])
def test_whitening_raises_an_empty_band_by_its_limit(limit_db):
    lowpass = signal.firwin(301, 2000, fs=RATE, window=("kaiser", 12))
    audio = np.convolve(np.random.default_rng(0).normal(0, 0.1, RATE * 30), lowpass, "same")
    taps = design(audio, limit_db=limit_db)
    in_band, above = gain_db(taps, [500, 1000, 1500]), gain_db(taps, [4000, 6000, 7500])
    assert np.ptp(in_band) < 1
    np.testing.assert_allclose(above - in_band.mean(), limit_db, atol=1.5)


@pytest.mark.parametrize("emphasis", ["first_order", "whitening"])
def test_the_rms_level_of_the_corpus_is_kept(emphasis):
    audio = coloured_noise([0.97])
    heard = np.convolve(audio, design(audio, emphasis), "valid")
    assert 20 * np.log10(heard.std() / audio.std()) == pytest.approx(0, abs=0.2)


def test_first_order_is_a_difference_equation():
    audio = coloured_noise([0.9])
    taps = design(audio, "first_order", coefficient=0.8)
    assert taps[1] / taps[0] == pytest.approx(-0.8)
    x = audio[:2048].astype(np.float32)
    heard = np.asarray(layer_of(taps)(x[None, :, None]))[0, :, 0]
    expected = taps[0] * signal.lfilter([1, -0.8], [1], x)
    np.testing.assert_allclose(heard[1:], expected[1:], atol=1e-6)


def test_short_segments_get_shorter_filters():
    audio = coloured_noise([0.9])
    for length in (16, 64, 81, 256):
        taps = design(audio, length=length)
        assert len(taps) == tap_count("whitening", length) < length


def test_silence_has_no_emphasis():
    with pytest.raises(DataError, match="silent"):
        design(np.zeros(RATE))


@pytest.mark.backend
@pytest.mark.parametrize("count", [1, 2, 5, 8, 33])
def test_the_layer_filters_each_channel_like_numpy(count):
    rng = np.random.default_rng(count)
    x = rng.normal(size=(3, 100, 2)).astype(np.float32)
    taps = rng.normal(size=count).astype(np.float32)
    before = count // 2
    widths = [(0, 0), (before, count - 1 - before), (0, 0)]
    padded = np.pad(x, widths, mode="reflect").astype(np.float64)
    expected = np.empty(x.shape)
    for i in range(3):
        for channel in range(2):
            expected[i, :, channel] = np.convolve(padded[i, :, channel], taps, "valid")
    heard = np.asarray(layer_of(taps, channels=2, length=100)(x))
    np.testing.assert_allclose(heard, expected, atol=1e-5)


@pytest.mark.backend
def test_a_filter_without_taps_does_nothing():
    x = np.random.default_rng(0).normal(size=(2, 64, 1)).astype(np.float32)
    for count in (1, 2, 15, 16):
        layer = FixedFilter(count)
        np.testing.assert_array_equal(np.asarray(layer(x)), x)
        assert not layer.trainable_variables


def linear_critic(length=64):
    segments = keras.Input((length, 1))
    scores = keras.layers.Dense(1, use_bias=False)(keras.layers.Flatten()(segments))
    return keras.Model(segments, scores)


def one_step(emphasis, real):
    keras.utils.set_random_seed(0)
    critic = linear_critic()
    generator = build_generator(
        segment_length=64, upsampling_factors=(4,), kernel_size=4, filters=4, latent_dim=4, seed=0
    )
    critic.set_weights([np.full((64, 1), 0.5, np.float32)])
    model = WGANGP(generator, critic, emphasis=emphasis, critic_steps=1, seed=0)
    rate = keras.optimizers.SGD(0.0)
    model.compile(rate, keras.optimizers.SGD(0.0))
    return {name: float(value) for name, value in model.step((real,)).items()}


@pytest.mark.backend
def test_the_critic_hears_everything_through_the_filter_and_the_penalty_lies_behind_it():
    real = np.random.default_rng(0).uniform(-1, 1, (4, 1, 64, 1)).astype(np.float32)
    plain, louder, mute = (
        one_step(emphasis, real)
        for emphasis in (None, layer_of([10.0], length=64), layer_of([0.0], length=64))
    )
    # The score is 0.5 times the sum of what is heard: its gradient there is 0.5, 64 times.
    for losses in (plain, louder, mute):
        assert losses["gradient_norm"] == pytest.approx(4.0, rel=1e-5)
    assert plain["wasserstein_estimate"] != 0
    for name in ("wasserstein_estimate", "generator_loss", "generator_gradient_norm"):
        assert louder[name] == pytest.approx(10 * plain[name], rel=1e-4)
        assert mute[name] == 0


def test_none_leaves_the_segments_as_they_are():
    model = build_model(Config(emphasis="none", filters=8, latent_dim=4))
    segments = np.ones((1, 2048, 1), np.float32)
    assert model.emphasis is None
    assert model.heard(segments) is segments


@pytest.mark.slow
@pytest.mark.backend
def test_a_run_keeps_its_filter(smoke_runs):
    config, model, _ = load_run(smoke_runs[0])
    assert config.emphasis == "whitening"
    taps = np.asarray(model.emphasis.taps)
    assert len(taps) == tap_count("whitening", config.segment_length)
    # Speech below 1500 Hz: what it lacks is loud.
    assert gain_db(taps, [5000])[0] - gain_db(taps, [500])[0] > 10


@pytest.mark.slow
@pytest.mark.backend
def test_the_audit_of_the_critic_sees_the_filter(smoke_runs):
    config, model, _ = load_run(smoke_runs[0])
    length = config.segment_length
    audio = np.random.default_rng(0).normal(0, 0.1, (2, length)).astype(np.float32)
    heard = np.asarray(model.emphasis(audio[:, :, None]))[:, :, 0]
    at_critic = input_gradients(model.critic, heard, shuffled=False)
    # Row n is what an impulse at n becomes, so this is the product with the transpose.
    impulses = np.eye(length, dtype=np.float32)[:, :, None]
    matrix = np.asarray(model.emphasis(impulses))[:, :, 0]
    critic = with_independent_shifts(model, config, seed=0)
    at_audio = input_gradients(critic, audio, shuffled=False)
    np.testing.assert_allclose(at_audio, at_critic @ matrix.T, rtol=1e-3, atol=1e-6)


def test_a_run_goes_on_with_its_own_emphasis_alone():
    with pytest.raises(ParameterError, match="emphasis cannot change when resuming"):
        Config(emphasis="first_order").resumed(Config(emphasis="whitening"))


def test_widths_and_learning_rates_of_both_networks_are_apart():
    settings: dict[str, Any] = {"filters": 16, "critic_filters": 32, "latent_dim": 4}
    settings["upsampling_factors"] = 4, 4
    model = build_model(
        Config(**settings, learning_rate=1e-4, critic_learning_rate=3e-4, adam_betas=(0.0, 0.99))
    )
    assert model.generator.get_layer("feature_map").output.shape[-1] == 16
    assert model.critic.layers[-2].input.shape[-1] == 32
    rates = [model.generator_optimizer.learning_rate, model.critic_optimizer.learning_rate]
    np.testing.assert_allclose([float(ops.convert_to_tensor(r)) for r in rates], [1e-4, 3e-4])
    assert model.critic_optimizer.beta_1 == 0.0
    assert model.generator_optimizer.beta_2 == 0.99
    settings["critic_filters"] = None
    same = build_model(Config(**settings))
    assert same.critic.layers[-2].input.shape[-1] == 16
