import math
import subprocess
import sys

import librosa
import numpy as np
import pytest
from helpers import tone
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from wavegan_rc.errors import ParameterError
from wavegan_rc.spectrogram import (
    line_prominence_db,
    mean_power_spectrum,
    out_of_band_ratio_db,
    predicted_comb,
    stage_combs,
    stft_db,
)
from wavegan_rc.theory.lines import suited_length


def test_comb_of_seven_doublings_at_16_khz():
    comb = predicted_comb((2,) * 7, 16000)
    assert [line.frequency_hz for line in comb] == [125.0 * k for k in range(1, 65)]
    by_stage = {
        stage: [line.frequency_hz for line in comb if line.stage == stage] for stage in range(1, 8)
    }
    assert by_stage[7] == [8000]
    assert by_stage[6] == [4000]
    assert by_stage[5] == [2000, 6000]
    assert by_stage[4] == [1000, 3000, 5000, 7000]
    assert by_stage[1] == [125.0 * k for k in range(1, 65, 2)]


def test_comb_of_four_by_four():
    lines = {line.frequency_hz: line.stage for line in predicted_comb((4, 4), 16000)}
    expected = {1000.0 * k: 2 if k in (4, 8) else 1 for k in range(1, 9)}
    assert lines == expected


@given(st.lists(st.integers(2, 4), min_size=1, max_size=4), st.integers(0, 1000))
def test_the_comb_is_what_a_chain_of_stages_makes_of_a_constant(factors, seed):
    """Raise a constant's rate stage by stage; let one stage insert zeros and the others repeat.

    After every stage comes a random circular filter. A line belongs to the last stage that makes
    it when it is the one that inserts zeros.
    """
    rng = np.random.default_rng(seed)
    found: dict[float, int] = {}
    for inserting in range(1, len(factors) + 1):
        signal = np.ones(1)
        for stage, factor in enumerate(factors, start=1):
            if stage == inserting:
                raised = np.zeros(len(signal) * factor)
                raised[::factor] = signal
            else:
                raised = np.repeat(signal, factor)
            taps = rng.uniform(0.5, 1, len(raised)) / len(raised)
            taps[0] += 1  # no zeros in its response, for the other taps sum to less than 1
            signal = np.fft.irfft(np.fft.rfft(raised) * np.fft.rfft(taps), len(raised))
        spectrum = np.abs(np.fft.rfft(signal)) / signal.sum()
        for k in np.flatnonzero(spectrum > 1e-9)[1:]:
            found[float(k * 1000 / len(signal))] = inserting
    comb = {line.frequency_hz: line.stage for line in predicted_comb(factors, 1000)}
    assert {round(f, 6): s for f, s in found.items()} == {round(f, 6): s for f, s in comb.items()}


class Counted(float):
    """A sample rate whose products, and comparisons of what they give, are counted."""

    operations = 0


def counted(name):
    def operation(self, *others):
        Counted.operations += 1
        result = getattr(float, name)(self, *others)
        return Counted(result) if type(result) is float else result

    return operation


for each in ("__mul__", "__rmul__", "__truediv__", "__hash__", "__eq__", "__lt__"):
    setattr(Counted, each, counted(each))


def test_combs_take_as_many_operations_as_they_have_lines():
    counts = []
    for stages in (5, 6):
        Counted.operations = 0
        stage_combs([4] * stages, Counted(16000))  # pyright: ignore[reportArgumentType]
        counts.append(Counted.operations)
    assert 4**5 < counts[0] < counts[1] < 5 * counts[0]


def test_a_factor_of_zero_is_refused():
    with pytest.raises(ParameterError):
        predicted_comb((2, 0), 16000)
    with pytest.raises(ParameterError):
        predicted_comb((), 16000)


@pytest.mark.parametrize("amplitude", [1.0, 0.1, 1e-3])
def test_stft_states_the_level_of_a_sine_re_full_scale(amplitude):
    level = stft_db(tone(1000, amplitude=amplitude))
    assert level.max(axis=0) == pytest.approx(20 * np.log10(amplitude), abs=0.01)
    assert (level.argmax(axis=0) * 16000 / 512 == 1000).all()


def test_stft_states_the_level_at_zero_and_half_the_rate_too():
    for audio in (np.full(2048, 0.1), 0.1 * (-1.0) ** np.arange(2048)):
        assert stft_db(audio).max() == pytest.approx(-20, abs=0.01)


def test_stft_agrees_with_librosa_and_has_a_floor():
    noise = np.random.default_rng(0).standard_normal(4000) * 0.1
    expected = librosa.amplitude_to_db(
        np.abs(librosa.stft(noise, n_fft=256, hop_length=64, center=False)) / 64,
        ref=1.0,
        amin=1e-6,
        top_db=None,
    )
    ours = stft_db(noise, n_fft=256, hop_length=64)
    np.testing.assert_allclose(ours[1:-1], expected[1:-1], atol=1e-2)
    assert (stft_db(np.zeros(1000)) == -120).all()


@pytest.mark.parametrize("n_fft", [256, 510])
def test_stft_agrees_with_scipy_in_every_bin(n_fft):
    """One-sided "spectrum" scaling: the mean square of a sine, so twice that is its amplitude."""
    noise = np.random.default_rng(0).standard_normal(4000)
    _, _, power = signal.spectrogram(
        noise, window="hann", nperseg=n_fft, noverlap=n_fft - 64, detrend=False, scaling="spectrum"
    )
    power[1:-1] *= 2  # 0 Hz and half the rate: a constant's mean square is its squared amplitude
    expected = 10 * np.log10(power)
    ours = stft_db(noise, n_fft=n_fft, hop_length=64)
    # `stft_db` halves both ends: a constant of 1 is a sine of amplitude 1 there.
    np.testing.assert_allclose(ours, expected, atol=1e-2)


def test_stft_of_too_little_audio_is_refused():
    with pytest.raises(ParameterError, match="100"):
        stft_db(np.zeros(100))


def test_stft_of_an_odd_length_is_refused():
    with pytest.raises(ParameterError, match=r"n_fft must be even. Received: 255"):
        stft_db(np.zeros(1000), n_fft=255)


def test_mean_power_spectrum_against_a_numpy_loop():
    segments = np.random.default_rng(0).standard_normal((5, 256)).astype(np.float32)
    frequencies, power = mean_power_spectrum(segments, 8000)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(256) / 256)
    expected = np.zeros(129)
    for segment in segments.astype(np.float64):
        spectrum = np.abs(np.fft.rfft(segment * window)) ** 2 / window.sum() ** 2
        spectrum[1:-1] *= 2
        expected += spectrum / 5
    np.testing.assert_allclose(power, expected, rtol=1e-4, atol=1e-10)
    np.testing.assert_allclose(frequencies, np.arange(129) * 8000 / 256)


def noisy_segments(count, seed=0, level=1.0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, 2048)) * level


@pytest.mark.parametrize("tone_db", [-30, -20, -10, 0])
def test_a_planted_tone_is_recovered_beside_white_noise(tone_db):
    """Ratio: noise of power 1 has 6300/8000 above 1700 Hz; a tone at 4 kHz adds its own power.

    Prominence: a tone of power p over noise whose bins hold 1.5 / 1024 each (Hann's noise
    bandwidth is 1.5 bins), whose own bin adds 1, and whose median is its mean after averaging.
    """
    p = 10 ** (tone_db / 10)
    phases = np.random.default_rng(1).uniform(0, 2 * np.pi, (400, 1))
    planted = np.sqrt(2 * p) * np.cos(2 * np.pi * 4000 * np.arange(2048) / 16000 + phases)
    frequencies, power = mean_power_spectrum(noisy_segments(400) + planted, 16000)
    ratio = out_of_band_ratio_db(frequencies, power, 1700)
    # A tone's own bins hold 1.5 times its power (Hann), as noise's do: the factor cancels.
    assert ratio == pytest.approx(10 * np.log10((6300 / 8000 + p) / (1 + p)), abs=0.1)
    (prominence,) = line_prominence_db(frequencies, power, [4000], 16000)
    assert prominence == pytest.approx(10 * np.log10(1 + p / (1.5 / 1024)), abs=0.5)


def test_prominence_of_plain_noise_is_about_zero_at_every_line():
    frequencies, power = mean_power_spectrum(noisy_segments(400), 16000)
    lines = [line.frequency_hz for line in predicted_comb((2,) * 7, 16000)]
    assert lines[-1] == 8000  # the one bin that has no negative twin
    assert np.abs(line_prominence_db(frequencies, power, lines, 16000)).max() < 1


@pytest.mark.parametrize("initial_length", [16, 12, 8, 7, 6, 5, 4])
def test_crowded_lines_are_measured_right_or_not_at_all(initial_length):
    """The same comb of tones, with lines 16 to 4 bins apart."""
    period = 2048 // initial_length if 2048 % initial_length == 0 else 171
    length = period * initial_length
    rng = np.random.default_rng(0)
    segments = rng.standard_normal((300, length))
    lines = [k * 16000 / period for k in range(1, period // 2 + 1)]
    p = 0.01
    time = np.arange(length) / 16000
    for line in lines[2:-2:5]:
        segments += np.sqrt(2 * p) * np.cos(
            2 * np.pi * line * time + rng.uniform(0, 2 * np.pi, (300, 1))
        )
    frequencies, power = mean_power_spectrum(segments, 16000)
    prominence = line_prominence_db(frequencies, power, lines, 16000)
    if initial_length <= 5:
        assert np.isnan(prominence).all()
        return
    expected = np.zeros(len(lines))
    expected[2:-2:5] = 10 * np.log10(1 + p / (1.5 / (length / 2)))
    np.testing.assert_allclose(prominence, expected, atol=1.2)


@pytest.mark.parametrize("factors", [(8, 8, 4), (7, 7, 9), (3,), (5, 4, 3, 2), ()])
def test_a_suited_segment_holds_whole_periods_and_separates_the_lines(factors):
    length, period = suited_length(factors), math.prod(factors)
    assert length >= 2048
    assert length % 2 == 0
    assert (length // period, length % period) >= (16, 0)
    assert length < 2048 + 16 * period


def test_the_last_bin_of_an_odd_length_is_not_doubled():
    noise = np.random.default_rng(0).standard_normal((2000, 99))
    frequencies, power = mean_power_spectrum(noise, 16000)
    (last,) = line_prominence_db(frequencies, power, [frequencies[-1]], 16000)
    assert last == pytest.approx(0, abs=0.5)


def test_a_tone_off_the_line_does_not_count_for_it():
    frequencies, power = mean_power_spectrum(
        noisy_segments(50, level=0.01) + tone(4000 + 6 * 7.8125, seconds=0.128), 16000
    )
    (prominence,) = line_prominence_db(frequencies, power, [4000], 16000)
    assert prominence < 1


@given(st.floats(1e-3, 1e3))
def test_levels_do_not_matter(gain):
    segments = noisy_segments(3)
    results = []
    for scaled in (segments, gain * segments):
        frequencies, power = mean_power_spectrum(scaled, 16000)
        ratio = out_of_band_ratio_db(frequencies, power, 1700)
        lines = line_prominence_db(frequencies, power, [1000, 4000, 8000], 16000)
        results.append([ratio, *lines])
    np.testing.assert_allclose(results[0], results[1], atol=1e-6)


def test_silence_has_no_ratio_and_no_prominence():
    frequencies, power = mean_power_spectrum(np.zeros((3, 2048)), 16000)
    assert math.isnan(out_of_band_ratio_db(frequencies, power, 1700))
    assert np.isnan(line_prominence_db(frequencies, power, [4000], 16000)).all()


def test_nothing_out_of_band_is_minus_infinity():
    assert out_of_band_ratio_db(np.arange(3.0), np.array([1.0, 1, 0]), 1) == -math.inf


@pytest.mark.parametrize(
    "segments", [np.zeros(10), np.zeros((0, 10)), np.full((2, 10), np.nan), np.zeros((2, 3, 4))]
)
def test_unusable_segments_are_refused(segments):
    with pytest.raises(ParameterError):
        mean_power_spectrum(segments, 16000)


def test_lines_outside_the_spectrum_are_refused():
    frequencies, power = mean_power_spectrum(noisy_segments(1), 16000)
    with pytest.raises(ParameterError, match="8000"):
        line_prominence_db(frequencies, power, [9000], 16000)


def test_measuring_loads_no_deep_learning_library():
    code = (
        "import sys, wavegan_rc.spectrogram, wavegan_rc.figures.drawing\n"
        "loaded = {'tensorflow', 'keras', 'jax', 'torch'} & set(sys.modules)\n"
        "sys.exit(str(loaded) if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
