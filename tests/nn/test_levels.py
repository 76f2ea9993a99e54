import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavegan_rc.config.choices import UPSAMPLERS
from wavegan_rc.errors import ParameterError
from wavegan_rc.generator.file import Generator, load_generator, save_generator
from wavegan_rc.generator.folding import fold_generator, folded_model
from wavegan_rc.nn.generator import build_generator
from wavegan_rc.nn.levels import LEVELS, level_weights

pytestmark = pytest.mark.backend

SHAPE = {"segment_length": 96, "latent_dim": 5, "kernel_size": 8, "filters": 8, "seed": 3}
FACTORS = (2, 3, 2)
LATENTS = np.random.default_rng(0).uniform(-1, 1, (2, 5)).astype(np.float32)


def growing(progress, levels=3, **options):
    generator = build_generator(upsampling_factors=FACTORS, levels=levels, **SHAPE, **options)
    rng = np.random.default_rng(1)
    for weight in generator.trainable_variables:  # biases start at zero
        weight.assign_add(0.1 * rng.standard_normal(weight.shape).astype(np.float32))
    generator.get_layer(LEVELS).progress.assign(progress)
    return generator


@given(st.integers(1, 8), st.floats(0, 1))
def test_the_weights_are_those_of_gansynth_and_sum_to_one(count, share):
    progress = share * (count - 1)
    weights = np.asarray(level_weights(progress, count))
    # GANSynth numbers levels from 1, and its progress too.
    b, p = np.arange(1, count + 1), progress + 1
    rises, falls = np.minimum(p - (b - 1), 1), np.minimum(b + 1 - p, 1)
    np.testing.assert_allclose(weights, np.maximum(0, np.minimum(rises, falls)), atol=1e-6)
    assert weights.sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_a_grown_generator_is_the_plain_one_to_the_last_bit(upsampler):
    options = {"upsampler": upsampler, "post_filter_length": 4}
    plain = build_generator(upsampling_factors=FACTORS, **SHAPE, **options)
    grown = build_generator(upsampling_factors=FACTORS, levels=3, **SHAPE, **options)
    for layer in plain.layers:  # the same seed gives the same weights
        for ours, theirs in zip(grown.get_layer(layer.name).weights, layer.weights, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(grown(LATENTS), plain(LATENTS))


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
@pytest.mark.parametrize(("level", "factors"), [(0, (2, 6)), (1, FACTORS), (2, FACTORS)])
def test_each_level_is_an_ordinary_generator_without_the_stages_above(
    level, factors, upsampler, tmp_path
):
    grown = growing(level, upsampler=upsampler)
    audio = np.asarray(grown(LATENTS))
    file = tmp_path / "generator.keras"
    save_generator(Generator(fold_generator(grown), 16000), file)
    loaded = load_generator(file)
    assert loaded.upsampling_factors == factors
    np.testing.assert_allclose(loaded.model(LATENTS), audio, atol=1e-5)
    used = [f"stage_{number}" for number in range(1, level + 2)]
    used.append("stage_3" if level == 2 else f"level_{level}")
    for layer in grown.layers:
        if layer.weights and layer.name not in ("dense", LEVELS, *used):
            layer.set_weights([np.full_like(weight, 1e3) for weight in layer.get_weights()])
    np.testing.assert_array_equal(grown(LATENTS), audio)


def test_between_levels_the_outputs_before_tanh_are_mixed():
    low, high, between = (
        np.arctanh(np.asarray(growing(progress)(LATENTS), np.float64)) for progress in (0, 1, 0.25)
    )
    assert np.abs(low - high).max() > 0.1
    np.testing.assert_allclose(between, 0.75 * low + 0.25 * high, atol=1e-4)


@pytest.mark.parametrize(("progress", "factors"), [(0.4, (2, 6)), (0.6, FACTORS), (1.6, FACTORS)])
def test_between_levels_the_one_with_more_weight_is_exported(progress, factors):
    grown = growing(progress)
    weights = fold_generator(grown)
    assert tuple(stage.factor for stage in weights.stages) == factors
    grown.get_layer(LEVELS).progress.assign(round(progress))
    np.testing.assert_allclose(folded_model(weights)(LATENTS), grown(LATENTS), atol=1e-5)


def test_a_saved_generator_keeps_its_progress(tmp_path):
    grown = growing(0.5)
    grown.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again(LATENTS), grown(LATENTS))


@pytest.mark.parametrize(
    "wrong", [{"levels": 0}, {"levels": 4}, {"levels": 2, "architecture": "residual"}]
)
def test_levels_that_no_plain_stages_make_are_refused(wrong):
    with pytest.raises(ParameterError, match=r"levels must be 1, or at most .* Received: "):
        build_generator(upsampling_factors=FACTORS, **SHAPE, **wrong)
