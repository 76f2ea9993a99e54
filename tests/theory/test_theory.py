"""The theory against itself, against Keras, SciPy and the layers."""

from typing import Any

import keras
import numpy as np
import pytest
from helpers.backends import FEWER_EXAMPLES, derivatives, double_precision
from helpers.transposed import (
    Geometry,
    convolution_matrix,
    convolve,
    matrix_transpose,
    scatter_add,
    zero_insertion,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from keras import ops
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

TRANSPOSED_CONVOLUTIONS = (scatter_add, matrix_transpose, zero_insertion)


@st.composite
def cases(draw):
    """A geometry, a length that it can make something of, and numbers to fill signals with."""
    stride = draw(st.integers(1, 5))
    geometry = Geometry(
        kernel_size=draw(st.integers(1, 7)),
        stride=stride,
        padding=draw(st.integers(0, 4)),
        dilation=draw(st.integers(1, 3)),
        output_padding=draw(st.integers(0, stride - 1)),
    )
    length = draw(st.integers(1, 9))
    whole = (length - 1) * geometry.stride + geometry.reach
    assume(whole - 2 * geometry.padding + geometry.output_padding >= 1)
    return geometry, length, np.random.default_rng(draw(st.integers(0, 1000)))


def kernel_and_signal(geometry, length, rng):
    return (
        rng.standard_normal((geometry.kernel_size, 2, 3)),
        rng.standard_normal((length, 3)),
    )


@settings(max_examples=200)
@given(cases())
def test_three_ways_to_transpose_a_convolution_agree(case):
    geometry, length, rng = case
    kernel, x = kernel_and_signal(geometry, length, rng)
    first, *others = (way(x, kernel, geometry) for way in TRANSPOSED_CONVOLUTIONS)
    assert first.shape == (geometry.transposed_length(length), 2)
    for other in others:
        np.testing.assert_allclose(other, first, atol=1e-12)


@settings(max_examples=200)
@given(cases())
def test_transposed_convolution_is_the_adjoint_and_restores_the_length(case):
    """<C x, y> = <x, C^T y>."""
    geometry, length, rng = case
    kernel, y = kernel_and_signal(geometry, length, rng)
    x = rng.standard_normal((geometry.transposed_length(length), 2))
    assert geometry.convolved_length(len(x)) == length
    down, up = convolve(x, kernel, geometry), scatter_add(y, kernel, geometry)
    assert np.vdot(down, y) == pytest.approx(np.vdot(x, up), rel=1e-9, abs=1e-9)


def test_the_transpose_is_not_the_inverse():
    geometry = Geometry(kernel_size=5, stride=2, padding=2, output_padding=1)
    kernel = np.random.default_rng(0).standard_normal((5, 1, 1))
    matrix = convolution_matrix(kernel, 16, geometry)
    assert np.abs(matrix @ matrix.T - np.eye(8)).max() > 0.5


@settings(max_examples=60 // FEWER_EXAMPLES)
@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 8), st.booleans())
def test_transposed_convolution_equals_keras(kernel_size, stride, length, same):
    rng = np.random.default_rng(length)
    kernel = rng.standard_normal((kernel_size, 2, 3))
    x = rng.standard_normal((length, 3))
    layer = keras.layers.Conv1DTranspose(
        2, kernel_size, stride, padding="same" if same else "valid", use_bias=False
    )
    layer.build((None, length, 3))
    layer.set_weights([kernel])
    theirs = np.asarray(layer(x[None].astype(np.float32)))[0]
    # Keras cuts "same" to length * stride, more at the end if uneven, and fills where K < s.
    geometry = Geometry(kernel_size=kernel_size, stride=stride)
    ours = scatter_add(x, kernel, geometry)
    ours = np.pad(ours, [(0, max(stride - kernel_size, 0)), (0, 0)])
    if same:
        left = max(kernel_size - stride, 0) // 2
        ours = ours[left : left + length * stride]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_dilated_convolution_and_its_gradient_equal_keras(dilation):
    """Backward of the convolution is forward of the transposed one, and the other way round."""
    rng = np.random.default_rng(dilation)
    geometry = Geometry(kernel_size=4, dilation=dilation)
    kernel, x = rng.standard_normal((4, 2, 3)), rng.standard_normal((20, 2))
    y = rng.standard_normal((geometry.convolved_length(20), 3))

    def inner_product(tensor):
        down = ops.conv(tensor, kernel, dilation_rate=dilation)
        return ops.sum(down * y[None]), down

    with double_precision():
        down, (gradient,) = derivatives(inner_product, x[None])
    np.testing.assert_allclose(down[0], convolve(x, kernel, geometry), atol=1e-12)
    np.testing.assert_allclose(
        np.asarray(gradient)[0], scatter_add(y, kernel, geometry), atol=1e-12
    )


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_backward_of_one_is_forward_of_the_other(stride):
    rng = np.random.default_rng(stride)
    geometry = Geometry(kernel_size=5, stride=stride)
    kernel, x = rng.standard_normal((5, 2, 3)), rng.standard_normal((7, 3))
    y = rng.standard_normal((geometry.transposed_length(7), 2))

    def inner_product(tensor):
        up = ops.conv_transpose(tensor, kernel, strides=stride)
        return ops.sum(up[:, : len(y)] * y[None]), None

    with double_precision():
        _, (gradient,) = derivatives(inner_product, x[None])
    np.testing.assert_allclose(np.asarray(gradient)[0], convolve(y, kernel, geometry), atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"output_padding": 2, "stride": 2}, "output_padding.*smaller than stride, 2.*: 2"),
        ({"output_padding": 1}, "output_padding.*: 1"),
        ({"output_padding": -1}, "output_padding.*: -1"),
        ({"stride": 0}, "stride.*: 0"),
        ({"dilation": 0}, "dilation.*: 0"),
        ({"padding": -1}, "padding.*: -1"),
        ({"kernel_size": 0}, "kernel_size.*: 0"),
    ],
)
def test_geometries_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ParameterError, match=message):
        Geometry(**{"kernel_size": 3} | arguments)


@pytest.mark.parametrize("way", [*TRANSPOSED_CONVOLUTIONS, convolve])
def test_a_kernel_of_another_size_than_the_geometrys_is_refused(way):
    with pytest.raises(ParameterError, match=r"3 taps.*: 5"):
        way(np.ones((8, 1)), np.ones((5, 1, 1)), Geometry(kernel_size=3))


def test_a_signal_too_short_for_its_kernel_is_refused():
    with pytest.raises(ParameterError, match=r"length.*: 2"):
        Geometry(kernel_size=3).convolved_length(2)
    with pytest.raises(ParameterError, match=r"length.*: 1"):
        Geometry(kernel_size=2, padding=1).transposed_length(1)


@given(st.integers(1, 40), st.integers(1, 12))
def test_overlap_counts_are_what_ones_add_up_to_and_uniform_iff_a_multiple(kernel_size, stride):
    counts = overlap_counts(kernel_size, stride)
    ones = scatter_add(
        np.ones((60, 1)),
        np.ones((kernel_size, 1, 1)),
        Geometry(kernel_size=kernel_size, stride=stride),
    )
    middle = -(-len(ones) // 2 // stride) * stride
    np.testing.assert_array_equal(ones[middle : middle + stride, 0], counts)
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
