import numpy as np
import pytest
from helpers import tone
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from wavegan_rc.audio import filters
from wavegan_rc.audio.filters import design_lowpass


def lowpass(audio, cutoff_hz, stopband_hz, sample_rate):
    return np.concatenate([*filters.lowpass([audio], cutoff_hz, stopband_hz, sample_rate)])


def level_db(audio):
    middle = audio[len(audio) // 4 : -len(audio) // 4]
    return 10 * np.log10(np.mean(np.square(middle, dtype=np.float64)))


@pytest.mark.parametrize("frequency_hz", [0.0, 50, 1000, 1400, 1500])
def test_the_passband_is_kept_within_a_tenth_of_a_db(frequency_hz):
    audio = tone(frequency_hz) if frequency_hz else np.full(16000, 0.5)
    kept = lowpass(audio.astype(np.float32), 1500, 1700, 16000)
    assert level_db(kept) == pytest.approx(level_db(audio), abs=0.1)


@pytest.mark.parametrize("frequency_hz", [1700, 2000, 4000, 7999])
def test_the_stopband_falls_by_80_db(frequency_hz):
    audio = tone(frequency_hz).astype(np.float32)
    assert level_db(lowpass(audio, 1500, 1700, 16000)) < level_db(audio) - 80


def test_no_delay_and_the_length_is_kept():
    impulse = np.zeros(4001, np.float32)
    impulse[2000] = 1
    response = lowpass(impulse, 1500, 1700, 16000)
    assert len(response) == len(impulse)
    assert response.argmax() == 2000
    np.testing.assert_allclose(response, response[::-1], atol=1e-6)


@pytest.mark.parametrize("length", [1, 2, 100, 5000])
def test_equal_to_direct_convolution_even_when_shorter_than_the_kernel(length):
    audio = np.random.default_rng(0).standard_normal(length).astype(np.float32)
    kernel = design_lowpass(1500, 1700, 16000)
    full = np.convolve(audio.astype(np.float64), kernel)
    expected = full[len(kernel) // 2 :][:length]
    np.testing.assert_allclose(lowpass(audio, 1500, 1700, 16000), expected, atol=1e-5)


@given(st.lists(st.integers(0, 700), min_size=1, max_size=8), st.sampled_from([1, 100, 443, 1000]))
def test_a_signal_in_pieces_is_filtered_as_in_one(lengths, block_length):
    audio = np.random.default_rng(0).standard_normal(sum(lengths)).astype(np.float32)
    pieces = np.split(audio, np.cumsum(lengths)[:-1])
    whole = lowpass(audio, 1500, 1700, 16000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filters, "_BLOCK_LENGTH", block_length)
        joined = np.concatenate([*filters.lowpass(pieces, 1500, 1700, 16000)])
    assert joined.dtype == np.float32
    np.testing.assert_allclose(joined, whole, atol=1e-5)


@given(st.sampled_from([8000, 16000, 22050, 44100]), st.floats(0.02, 0.85))
def test_the_design_keeps_its_promise_at_any_rate_and_cutoff(sample_rate, share):
    cutoff = share * (sample_rate / 2 - 200)
    frequencies, response = signal.freqz(
        design_lowpass(cutoff, cutoff + 200, sample_rate), worN=8192, fs=sample_rate
    )
    magnitude_db = 20 * np.log10(np.abs(response) + 1e-12)
    assert np.abs(magnitude_db[frequencies <= cutoff]).max() < 0.1
    assert magnitude_db[frequencies >= cutoff + 200].max() < -80
