import keras
import numpy as np
import pytest
from helpers.backends import FEWER_EXAMPLES
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from wavegan_rc.config.choices import ACTIVATIONS, ARCHITECTURES, PADDINGS, UPSAMPLERS
from wavegan_rc.errors import ParameterError
from wavegan_rc.generator.folding import fold_generator, folded_model
from wavegan_rc.generator.generation import draw_latents
from wavegan_rc.nn.backend import gradients_by_variables
from wavegan_rc.nn.critic import build_critic
from wavegan_rc.nn.generator import build_generator

pytestmark = pytest.mark.backend


@settings(max_examples=15 // FEWER_EXAMPLES)
@given(
    st.lists(st.tuples(st.integers(2, 4), st.sampled_from(UPSAMPLERS)), min_size=1, max_size=4),
    st.integers(1, 5),
    st.integers(1, 9),
    st.sampled_from(PADDINGS),
    st.booleans(),
    st.integers(1, 3),
    st.sampled_from([0, 1, 8]),
)
def test_any_shape_is_built_and_its_folded_copy_agrees_and_loads_as_plain_keras(
    stages, initial, kernel_size, padding, use_bias, channels, post_filter_length
):
    factors, upsamplers = zip(*stages, strict=True)
    length = initial * int(np.prod(factors))
    options = {
        "segment_length": length,
        "latent_dim": 5,
        "upsampling_factors": factors,
        "kernel_size": kernel_size,
        "filters": 8,
        "channels": channels,
        "upsampler": upsamplers,
        "padding": padding,
        "use_bias": use_bias,
        "post_filter_length": post_filter_length,
        "seed": 3,
    }
    fast = build_generator(**options)
    rng = np.random.default_rng(0)
    # Biases and the filter start at zero and as doing nothing.
    weights = [w + 0.1 * rng.standard_normal(w.shape) for w in fast.get_weights()]
    fast.set_weights(weights)
    latents = rng.uniform(-1, 1, (3, 5)).astype(np.float32)
    audio = np.asarray(fast(latents))
    assert audio.shape == (3, length, channels) == (3, *fast.output_shape[1:])
    folded = folded_model(fold_generator(fast))
    np.testing.assert_allclose(audio, folded(latents), atol=1e-5)
    assert all(type(layer).__module__.startswith("keras.") for layer in folded.layers)


def test_the_post_filter_starts_as_doing_nothing():
    with_filter, without = (build_generator(post_filter_length=n, seed=1) for n in (512, 0))
    latents = np.random.default_rng(0).uniform(-1, 1, (2, 64)).astype(np.float32)
    np.testing.assert_allclose(with_filter(latents), without(latents), atol=1e-6)
    assert with_filter.get_layer("post_filter").count_params() == 512


def test_without_biases_silence_gives_silence():
    generator = build_generator(filters=16, use_bias=False, seed=0)
    assert not [weight for weight in generator.weights if "bias" in weight.path]
    assert np.abs(generator(np.zeros((1, 64), np.float32))).max() == 0


def test_default_generator_halves_its_filters_down_to_sixteen():
    generator = build_generator()
    widths = [generator.get_layer(f"stage_{i}").filters for i in range(1, 8)]
    assert widths == [32, 16, 16, 16, 16, 16, 1]
    assert generator.get_layer("feature_map").output.shape == (None, 16, 64)
    assert (generator.input_shape, generator.output_shape) == ((None, 64), (None, 2048, 1))


@pytest.mark.parametrize(("filters", "widths"), [(24, [16, 16, 1]), (8, [8, 8, 1]), (1, [1, 1, 1])])
def test_fewer_filters_than_sixteen_are_kept_in_every_stage(filters, widths):
    generator = build_generator(segment_length=64, upsampling_factors=(2, 2, 2), filters=filters)
    assert [generator.get_layer(f"stage_{i}").filters for i in (1, 2, 3)] == widths


def test_wavegan_shapes_are_the_published_ones():
    generator = build_generator(
        segment_length=16384,
        latent_dim=100,
        upsampling_factors=(4,) * 5,
        kernel_size=25,
        filters=64,  # a sixteenth of the published width, for the sake of the test's time
        upsampler="transposed",
    )
    assert generator.get_layer("feature_map").output.shape == (None, 16, 64)
    assert generator.output_shape == (None, 16384, 1)
    critic = build_critic(segment_length=16384, filters=1024)
    widths = [critic.get_layer(f"conv_{i}").filters for i in range(1, 6)]
    assert widths == [64, 128, 256, 512, 1024]
    assert critic.get_layer("conv_5").output.shape == (None, 16, 1024)
    shuffles = [layer.name for layer in critic.layers if layer.name.startswith("shuffle")]
    assert shuffles == ["shuffle_1", "shuffle_2", "shuffle_3", "shuffle_4"]


def test_output_is_bounded_and_scores_are_not():
    generator, critic = build_generator(filters=16), build_critic(filters=16)
    audio = np.asarray(generator(1000 * np.ones((2, 64), np.float32)))
    assert np.abs(audio).max() <= 1
    scores = np.asarray(critic(1e4 * np.ones((2, 2048, 1), np.float32)))
    assert scores.shape == (2, 1)
    assert np.abs(scores).max() > 1


def test_the_critic_has_no_normalization_and_an_odd_length_is_accepted():
    critic = build_critic(segment_length=1000, filters=16)
    assert critic.output_shape == (None, 1)
    assert not [layer for layer in critic.layers if "norm" in type(layer).__name__.lower()]


@pytest.mark.parametrize("build", [build_generator, build_critic])
def test_a_seed_fixes_the_weights_and_no_two_layers_share_theirs(build):
    first, again, other = (build(filters=32, seed=seed).get_weights() for seed in (1, 1, 2))
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not c.any() or not np.array_equal(a, c)
    kernels = [w.ravel()[:16].tolist() for w in first if w.ndim > 1]
    assert len({tuple(kernel) for kernel in kernels}) == len(kernels)


@pytest.mark.parametrize("build", [build_generator, build_critic])
def test_models_serialise(build, tmp_path):
    model = build(filters=16, seed=0)
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    x = np.random.default_rng(0).standard_normal((2, *model.input_shape[1:])).astype(np.float32)
    np.testing.assert_array_equal(model(x), again(x))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"upsampling_factors": (3,)}, "2048"),
        ({"upsampler": "deconv"}, "deconv"),
        ({"upsampler": ["resize"] * 3}, r"one per stage \(7\)"),
        ({"architecture": "dense"}, "architecture must be one of .* Received: "),
        ({"architecture": ""}, "architecture must be one of .* Received: "),
        ({"activation": "tanh"}, "activation must be one of .* Received: "),
    ],
)
def test_generators_that_cannot_be_built_are_refused(wrong, message):
    with pytest.raises(ParameterError, match=message):
        build_generator(**wrong)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_pixel_norm_makes_every_sample_of_a_feature_map_as_loud(architecture):
    generator = build_generator(
        segment_length=64,
        upsampling_factors=(2, 2),
        kernel_size=4,
        filters=8,
        latent_dim=5,
        architecture=architecture,
        pixel_norm=True,
        seed=0,
    )
    norms = [layer for layer in generator.layers if layer.name.endswith("_norm")]
    assert len(norms) == sum("relu" in layer.name for layer in generator.layers) / 2
    maps = keras.Model(generator.input, [layer.output for layer in norms])
    for each in maps(np.random.default_rng(0).uniform(-1, 1, (3, 5)).astype(np.float32)):
        levels = np.square(np.asarray(each)).mean(axis=2)
        # Where all channels are 0, nothing can be divided.
        np.testing.assert_allclose(levels[levels > 0], 1, rtol=1e-3)
        assert (levels > 0).mean() > 0.9
    assert not any(weight.path.endswith("scale") for weight in generator.trainable_variables)


def test_pixel_norm_makes_the_level_of_latents_count_for_nothing():
    latents = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 64)).astype(np.float32)
    normed, plain = (build_generator(filters=8, pixel_norm=norm, seed=0) for norm in (True, False))
    # Of samples that are nearly silent, the norm raises rounding errors too.
    np.testing.assert_allclose(normed(2 * latents), normed(latents), atol=1e-3)
    assert np.abs(np.asarray(plain(2 * latents) - plain(latents))).max() > 0.01


def test_too_large_a_shuffle_is_refused():
    with pytest.raises(ParameterError, match="phase shuffle's radius"):
        build_critic(phase_shuffle_radius=32)


def of_keras(x, weights, factor):
    """A residual block of GAN-TTS with nearest-neighbour upsampling, in Keras's own layers."""

    def convolved(x, dilation=1):
        kernel, bias = next(weights), next(weights)
        layer = keras.layers.Conv1D(len(bias), len(kernel), padding="same", dilation_rate=dilation)
        layer.build(x.shape)
        layer.set_weights([kernel, bias])
        return layer(x)

    relu, up = keras.ops.relu, keras.layers.UpSampling1D(factor)
    skip = convolved(up(x))
    x = convolved(relu(convolved(up(relu(x)))), 2) + skip
    return convolved(relu(convolved(relu(x), 4)), 8) + x


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_residual_generator_equals_the_blocks_of_the_paper(activation):
    generator = build_generator(
        segment_length=48,
        latent_dim=5,
        upsampling_factors=(2, 3),
        kernel_size=4,
        filters=8,
        upsampler="resize",
        architecture="residual",
        activation=activation,
        seed=0,
    )
    rng = np.random.default_rng(0)
    generator.set_weights([w + 0.1 * rng.standard_normal(w.shape) for w in generator.get_weights()])
    weights = {variable.path: np.asarray(variable) for variable in generator.weights}
    # In the order of their use: skip, path, dilations.
    parts = ("_skip", "", "_dilation_2", "_dilation_4", "_dilation_8")
    latents = rng.uniform(-1, 1, (2, 5)).astype(np.float32)
    x = keras.ops.reshape(latents @ weights["dense/kernel"] + weights["dense/bias"], (2, 8, 8))
    for stage, factor in ((1, 2), (2, 3)):
        order = (weights[f"stage_{stage}{p}/{w}"] for p in parts for w in ("kernel", "bias"))
        x = of_keras(x, order, factor)
    last = keras.layers.Conv1D(1, 3, padding="same")
    last.build(x.shape)
    last.set_weights([weights["last/kernel"], weights["last/bias"]])
    expected = np.tanh(last(keras.ops.relu(x)))
    difference = np.abs(generator(latents) - expected).max()
    assert (difference < 1e-5) == (activation == "relu")


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_every_weight_of_a_residual_generator_takes_part(upsampler):
    generator = build_generator(
        segment_length=64,
        upsampling_factors=(2, 2),
        kernel_size=4,
        filters=8,
        upsampler=upsampler,
        architecture="residual",
        seed=0,
    )
    latents = draw_latents(4, 64, seed=0)
    loss = lambda: (ops.mean(ops.square(generator(latents))), None)  # noqa: E731
    variables = generator.trainable_variables
    _, gradients = gradients_by_variables(loss, variables, [])
    assert len(variables) == 2 + 2 * 2 * 5 + 2
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)
