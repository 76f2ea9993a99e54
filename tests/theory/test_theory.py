"""The theory against itself, SciPy and the layers."""

from typing import Any

import numpy as np
import pytest
from helpers.backends import FEWER_EXAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from wavegan_rc.config.choices import UPSAMPLERS, Upsampler
from wavegan_rc.errors import ParameterError
from wavegan_rc.nn.upsampling import UpsampleConv1D
from wavegan_rc.theory.interpolation import interpolation_kernel
from wavegan_rc.theory.overlap import overlap_counts, overlap_level_db, uneven_overlap_message
from wavegan_rc.theory.polyphase import polyphase_fold
from wavegan_rc.theory.response import (
    dc_image_levels_db,
    frequency_response_db,
    interpolation_image_levels_db,
    phase_gains,
)


@given(st.integers(1, 40), st.integers(1, 12))
def test_overlap_counts_are_what_ones_add_up_to_and_uniform_iff_a_multiple(kernel_size, stride):
    counts = overlap_counts(kernel_size, stride)
    stuffed = np.arange(60 * stride) % stride == 0
    ones = np.convolve(stuffed, np.ones(kernel_size))
    middle = -(-len(ones) // 2 // stride) * stride
    np.testing.assert_array_equal(ones[middle : middle + stride], counts)
    uniform = counts.min() == counts.max()
    assert (uneven_overlap_message(kernel_size, stride) is None) == uniform
    assert (overlap_level_db(kernel_size, stride) == -np.inf) == uniform
    # As power of a tone in the spectrum of many periods, one-sided.
    power = np.abs(np.fft.rfft(np.tile(counts, 50))) ** 2 / np.abs(counts.sum() * 50) ** 2
    power[1:] *= 2
    power[-1] /= 1 if stride % 2 else 2
    strongest = power[1:].max(initial=0)
    if strongest > 1e-20:
        expected = 10 * np.log10(strongest)
        assert overlap_level_db(kernel_size, stride) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=60 // FEWER_EXAMPLES)
@given(st.sampled_from(UPSAMPLERS), st.integers(2, 8), st.integers(1, 26), st.integers(0, 99))
def test_closed_form_tone_levels_are_those_of_the_layer_on_a_constant(
    upsampler, factor, kernel_size, seed
):
    if upsampler == "subpixel":
        kernel_size = -(-kernel_size // factor) * factor
    length = 32
    layer = UpsampleConv1D(
        1, kernel_size, factor, upsampler, padding="edge", use_bias=False, seed=seed
    )
    audio = np.asarray(layer(np.ones((1, length, 1))))[0, :, 0].astype(float)
    # In all three layouts (taps, 1, 1), (taps, 1, 1) and (taps / factor, 1, factor).
    kernel = np.asarray(layer.kernel, float).ravel()
    spectrum = np.abs(np.fft.fft(audio)) / len(audio)
    predicted = dc_image_levels_db(phase_gains(upsampler, kernel, factor))
    constant = abs(phase_gains(upsampler, kernel, factor).mean())
    assert spectrum[0] == pytest.approx(constant, abs=1e-5)
    for k, level in enumerate(predicted, start=1):
        amplitude = constant * 10 ** (level / 20)
        assert spectrum[k * length] == pytest.approx(amplitude, rel=1e-4, abs=1e-5)
    others = np.delete(spectrum, np.arange(0, len(audio), length))
    assert others.max() < 1e-5


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_interpolation_kernels_have_the_responses_that_theory_gives_them(factor):
    """Nearest is a periodic sinc, linear its square; zeros leave all images.

    With an even factor no half-pixel position falls on a sample: each tap of the linear kernel is
    the mean of two neighbours of the squared kernel's, a factor of cos(pi f / rate).
    """
    frequencies = np.linspace(0.05, factor / 2 * 0.99, 50)  # the low rate is 1 Hz
    width = np.sin(np.pi * frequencies) / (factor * np.sin(np.pi * frequencies / factor))
    mean = np.cos(np.pi * frequencies / factor) if factor % 2 == 0 else 1
    gains: dict[Upsampler, Any] = {"transposed": 1, "resize": width, "linear": width**2 * mean}
    for upsampler, gain in gains.items():
        taps, _ = interpolation_kernel(upsampler, factor)
        response = frequency_response_db(taps / taps.sum(), frequencies, factor)
        expected = 20 * np.log10(np.abs(gain) * np.ones(50) + 1e-9)
        clear = expected > -100
        assert clear.sum() > 40
        np.testing.assert_allclose(response[clear], expected[clear], atol=0.01)
    taps, _ = interpolation_kernel("sinc", factor)
    response = frequency_response_db(taps / taps.sum(), frequencies, factor)
    assert response[frequencies > 0.82].max() < -55
    assert frequency_response_db(taps, np.array([0.5]), factor)[0] == pytest.approx(
        20 * np.log10(factor) - 6, abs=0.1
    )


def test_linear_kernel_interpolates_and_sinc_is_scipys():
    for factor in (2, 3, 4, 5):
        positions = (np.arange(7 * factor) + 0.5) / factor - 0.5
        values = np.interp(positions, np.arange(7), np.eye(7)[3])
        np.testing.assert_allclose(interpolation_kernel("linear", factor)[0], values[values > 0])
        taps, first = interpolation_kernel("sinc", factor)
        kaiser = ("kaiser", signal.kaiser_beta(60))
        np.testing.assert_allclose(
            taps, factor * signal.firwin(6 * factor + 1, 1 / factor, window=kaiser)
        )
        assert first == -3 * factor


def test_images_of_a_constant_before_any_learned_kernel():
    assert interpolation_image_levels_db("transposed", 4).tolist() == [0, 0]
    assert interpolation_image_levels_db("subpixel", 4).tolist() == [0, 0]
    assert interpolation_image_levels_db("resize", 8).tolist() == [-np.inf] * 4
    assert interpolation_image_levels_db("linear", 3).tolist() == [-np.inf]
    assert -80 < interpolation_image_levels_db("sinc", 2)[0] < -60


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_names_and_numbers_that_cannot_be_are_refused(upsampler):
    with pytest.raises(ParameterError, match=r"factor.*: 0"):
        interpolation_kernel(upsampler, 0)
    with pytest.raises(ParameterError, match=r"deconv"):
        polyphase_fold("deconv", 4, 2)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ParameterError, match=r"kernel_size.*: 0"):
        polyphase_fold(upsampler, 0, 2)
    with pytest.raises(ParameterError, match=r"multiple of factor 2.*: 5"):
        polyphase_fold("subpixel", 5, 2)
