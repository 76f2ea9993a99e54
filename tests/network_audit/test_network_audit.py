"""Audits at the networks: kernels, critic gradients and silence, planted, measured and spoilt."""

import functools
import json
import shutil
import zipfile
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from matplotlib import image

from wavegan_rc.config.choices import UPSAMPLERS
from wavegan_rc.errors import DataError, ParameterError, WaveganWarning
from wavegan_rc.generator.file import Generator, load_generator, save_generator
from wavegan_rc.generator.folding import StageWeights, fold_generator
from wavegan_rc.generator.generation import draw_latents
from wavegan_rc.network_audit.audit import (
    audit_networks,
    input_gradients,
    load_run,
    with_independent_shifts,
)
from wavegan_rc.network_audit.generator import (
    audio_from,
    kernel_audit,
    mean_maps,
    silence_test,
)
from wavegan_rc.network_audit.gradients import gradient_audit
from wavegan_rc.network_audit.kernels import (
    endless_output,
    kernel_tone_levels_db,
    mean_map_tone_levels_db,
    periodic_line_powers,
    shuffle_factors,
    stage_gains,
)
from wavegan_rc.nn.critic import build_critic
from wavegan_rc.nn.generator import build_generator
from wavegan_rc.nn.phase_shuffle import PhaseShuffle
from wavegan_rc.runs.checkpoints import save_checkpoint
from wavegan_rc.theory import response
from wavegan_rc.theory.overlap import overlap_counts
from wavegan_rc.training.model import build_model

pytestmark = pytest.mark.slow

RATE = 16000


@functools.cache
def exported(seed=0, biased=True, **options) -> Generator:
    """A small random generator, with biases that are not zero, as it is exported."""
    shape = {"segment_length": 1024, "upsampling_factors": (4, 4), "kernel_size": 10, "filters": 8}
    given: dict[str, Any] = shape | {"latent_dim": 4, "seed": seed} | options
    generator = build_generator(**given)
    rng = np.random.default_rng(seed)
    for layer in generator.layers:
        if biased and layer.name.startswith("stage") and layer.get_weights():
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, 0.1 * rng.standard_normal(bias.shape)])
    return Generator(fold_generator(generator), RATE)


def stage_output(generator: Generator, number: int, constants: np.ndarray) -> np.ndarray:
    """One period that the stage's own Keras layers make of constants, far from the ends."""
    model = generator.model
    relu = "dense_relu" if number == 1 else f"stage_{number - 1}_relu"
    part = keras.Model(
        model.get_layer(relu).output, model.get_layer(f"stage_{number}_phases").output
    )
    maps = np.broadcast_to(constants.astype(np.float32), (1, *part.input_shape[1:]))
    factor = generator.upsampling_factors[number - 1]
    middle = part.output_shape[1] // 2 // factor * factor
    return np.asarray(part(maps))[0, middle : middle + factor].astype(np.float64)


def tone_and_constant(period: np.ndarray, k: int) -> tuple[float, float]:
    """Power of the tone at k / len(period) and of the constant, by sines, channel by channel."""
    tone = constant = 0.0
    for samples in period.T:
        turns = 2 * np.pi * k * np.arange(len(samples)) / len(samples)
        cosine, sine = (np.mean(samples * f(turns)) for f in (np.cos, np.sin))
        tone += (1 if 2 * k == len(samples) else 2) * (cosine**2 + sine**2)
        constant += np.mean(samples) ** 2
    return tone, constant


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_gains_are_those_of_the_learned_kernel_and_its_theory(upsampler):
    options = {"upsampling_factors": (4,), "upsampler": upsampler, "kernel_size": 12}
    generator = build_generator(segment_length=256, filters=8, latent_dim=4, seed=1, **options)
    kernel = generator.get_layer("stage_1").get_weights()[0]
    if upsampler == "transposed":
        kernel = kernel.transpose(0, 2, 1)
    elif upsampler == "subpixel":  # (taps, channels, phases) to (factor * taps, channels, filters)
        kernel = kernel.transpose(0, 2, 1).reshape(12, -1, 1)
    (stage,) = fold_generator(generator).stages
    expected = response.phase_gains(upsampler, kernel, 4)
    np.testing.assert_allclose(stage_gains(stage), expected, atol=1e-5)


@pytest.mark.parametrize(("kernel_size", "factor"), [(25, 4), (24, 4), (22, 2), (7, 3), (8, 5)])
def test_equal_taps_make_the_tones_that_overlap_predicts(kernel_size, factor):
    """A folded transposed convolution of ones, written out: tap k serves phase k % factor."""
    taps = -(-kernel_size // factor)
    ones = (np.arange(taps * factor) < kernel_size).astype(float).reshape(taps, 1, factor)
    stage = StageWeights(factor, 0, ones)
    expected = response.tone_levels_db(overlap_counts(kernel_size, factor).astype(float))
    np.testing.assert_allclose(kernel_tone_levels_db(stage), expected)


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_levels_are_those_of_the_layers_really_run(upsampler):
    """Channel by channel for the kernel alone, all at once for given maps."""
    generator = exported(upsampler=upsampler)
    for number, stage in enumerate(generator.weights.stages, start=1):
        channels = stage.kernel.shape[1]
        means = np.random.default_rng(number).random(channels)
        silence = stage_output(generator, number, np.zeros(channels))
        alone = [stage_output(generator, number, one) - silence for one in np.eye(channels)]
        together = stage_output(generator, number, means)
        for k in range(1, stage.factor // 2 + 1):
            powers = np.sum([tone_and_constant(period, k) for period in alone], axis=0)
            of_means = tone_and_constant(together, k)
            found = (
                kernel_tone_levels_db(stage)[k - 1],
                mean_map_tone_levels_db(stage, means)[k - 1],
            )
            for level, (tone, constant) in zip(found, (powers, of_means), strict=True):
                if upsampler in ("resize", "linear"):
                    assert level == -np.inf
                    assert tone < 1e-12 * constant  # what float32 leaves
                else:
                    assert level == pytest.approx(10 * np.log10(tone / constant), abs=0.02)


def test_by_kind_of_upsampler_tones_are_strong_faint_or_none():
    strong = [
        kernel_tone_levels_db(exported(upsampler=u).weights.stages[0])
        for u in ("transposed", "subpixel")
    ]
    assert (np.abs(strong) < 6).all()  # equal powers in all of the spectrum, 3 dB for the mirror
    faint = kernel_tone_levels_db(exported(upsampler="sinc", kernel_size=22).weights.stages[0])
    assert ((faint > -80) & (faint < -50)).all()


def test_a_stage_without_weights_has_no_level():
    stage = StageWeights(4, 0, np.zeros((3, 2, 4)))
    assert np.isnan(kernel_tone_levels_db(stage)).all()


def test_tones_carry_the_frequency_that_they_have_in_the_audio():
    generator = exported(upsampler="transposed")
    tones = kernel_audit(generator, mean_maps(generator, 0))
    assert [(tone.stage, tone.frequency_hz) for tone in tones] == [
        (1, 1000),
        (1, 2000),
        (2, 4000),
        (2, 8000),
    ]


def test_mean_maps_are_means_over_latents_and_time():
    generator = exported()
    model, means = generator.model, mean_maps(generator, 0)
    first = keras.Model(model.input, model.get_layer("dense_relu").output)
    expected = np.asarray(first(draw_latents(256, 4, 0))).mean(axis=(0, 1))
    np.testing.assert_allclose(means[0], expected, rtol=1e-5)
    assert [len(mean) for mean in means] == [8, 8]


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
@pytest.mark.parametrize("number", [1, 2])
def test_endless_maps_give_what_the_generator_makes_far_from_its_ends(upsampler, number):
    weights = exported(upsampler=upsampler, post_filter_length=9).weights
    taps = np.random.default_rng(3).standard_normal((9, 1, 1))
    generator = Generator(replace(weights, post_filter=taps), RATE)
    rest = weights.stages[number - 1 :]
    means = np.random.default_rng(4).random(rest[0].kernel.shape[1])
    period = endless_output(rest, means, taps)
    assert len(period) == 4 ** len(rest)
    audio = audio_from(generator, number, means)[0]
    middle = audio[512 : 512 + len(period)]
    # Starts differ by how far the circular convolutions are turned.
    distances = [np.abs(np.roll(period, shift) - middle).max() for shift in range(len(period))]
    assert min(distances) < 1e-5
    expected = [tone_and_constant(middle[:, None], k)[0] for k in range(1, len(period) // 2 + 1)]
    np.testing.assert_allclose(periodic_line_powers(period), expected, rtol=1e-3, atol=1e-10)


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
@pytest.mark.parametrize("padding", ["edge", "reflect"])
def test_where_padding_continues_a_constant_there_are_no_ends(upsampler, padding):
    generator = exported(upsampler=upsampler, padding=padding)
    means = np.random.default_rng(5).random(8)
    period = endless_output(generator.weights.stages[1:], means, None)
    audio = audio_from(generator, 2, means)[0].reshape(-1, 4)
    np.testing.assert_allclose(audio, np.broadcast_to(period, audio.shape), atol=1e-6)


def with_tone_of_bias(amplitude):
    """A generator whose last stage says `amplitude * cos(2 pi n / 4)` whatever it is given."""
    weights = exported(upsampler="subpixel", upsampling_factors=(4, 4)).weights
    first, last = weights.stages
    tone = amplitude * np.cos(np.pi / 2 * np.arange(4))
    last = replace(last, kernel=0 * last.kernel, bias=tone.astype(np.float32))
    return Generator(replace(weights, stages=(first, last)), RATE)


@pytest.mark.parametrize("amplitude", [1e-4, 0.1])
def test_a_planted_tone_is_found_at_its_level_in_every_silence(amplitude):
    generator = with_tone_of_bias(amplitude)
    found, arrays = silence_test(generator, mean_maps(generator, 0), seed=0)
    expected = 10 * np.log10(np.tanh(amplitude) ** 2 / 2)
    assert len(found) == 4 + 1 + 2 * 2
    assert arrays["silence_power"].shape == (7, 513)
    for silence in found:
        assert silence.strongest is not None
        assert (silence.strongest.frequency_hz, silence.strongest.stage) == (4000, 2)
        for level in (silence.rms_db, silence.lines_db, silence.strongest.level_db):
            assert level.value == pytest.approx(expected, abs=0.02), silence
        assert silence.strongest.prominence_db > 60


@pytest.mark.parametrize("upsampler", ["resize", "linear"])
def test_endless_constants_have_no_line_after_interpolation(upsampler):
    generator = exported(upsampler=upsampler)
    found, _ = silence_test(generator, mean_maps(generator, 0), seed=0)
    endless = [silence for silence in found if silence.input == "endless constant maps"]
    assert [silence.stage for silence in endless] == [1, 2]
    for silence in endless:
        assert silence.lines_db.value == -np.inf
        assert silence.strongest is None
        assert silence.rms_db.value > -60


def test_without_biases_zero_latents_are_silent():
    generator = exported(upsampler="transposed", use_bias=False, biased=False)
    found, _ = silence_test(generator, mean_maps(generator, 0), seed=0)
    (zero,) = [silence for silence in found if silence.input == "zero latents"]
    assert (zero.rms_db.value, zero.lines_db.value, zero.strongest) == (
        -np.inf,
        -np.inf,
        None,
    )


def test_lines_too_close_for_the_segment_are_not_measured():
    generator = exported(segment_length=64, upsampling_factors=(4, 4), upsampler="transposed")
    found, _ = silence_test(generator, mean_maps(generator, 0), seed=0)
    assert np.isnan(found[0].lines_db.value)
    assert found[0].strongest is None
    assert np.isfinite(found[-1].lines_db.value)  # endless: nothing to compare with is needed


# Gradients that are planted: two layers of stride 4, whose lines lie at multiples of 1000 Hz.
COUNT, LENGTH, STRIDES = 500, 512, (4, 4)


def measured(plain, shuffled=None, **options):
    by_mode = {False: plain, True: plain if shuffled is None else shuffled}
    audit = gradient_audit(
        lambda _, shuffle: by_mode[shuffle],
        {"real": plain},
        **({"strides": STRIDES, "radius": 2, "sample_rate": RATE, "seed": 0} | options),
    )
    return {(q.name, q.layer, q.frequency_hz): q for q in audit.quantities}


def noise(seed=0):
    return np.random.default_rng(seed).standard_normal((COUNT, LENGTH))


def tones(frequency_hz, phases: Any = 0.0):
    return np.sqrt(2) * np.cos(
        2 * np.pi * frequency_hz * np.arange(LENGTH) / RATE + np.reshape(phases, (-1, 1))
    )


@pytest.mark.parametrize(("frequency_hz", "layer"), [(4000, 1), (3000, 2)])
@pytest.mark.parametrize("level_db", [-20, -6])
def test_a_planted_line_is_found_at_its_level_and_layer(frequency_hz, layer, level_db):
    share = 10 ** (level_db / 10)
    found = measured(np.sqrt(1 - share) * noise() + np.sqrt(share) * tones(frequency_hz))
    for name in ("line_level_db", "fixed_level_db"):
        line = found[name, layer, None]
        assert line.plain.value == pytest.approx(level_db, abs=0.5)
        assert line.plain.low < line.plain.value < line.plain.high
    density = 1.5 * (1 - share) / (LENGTH / 2)
    assert found["fixed_level_db", 3 - layer, None].plain.value < -30
    # Two standard errors of noise in the other layer's lines: 6, or 1 and that at half the rate,
    # whose bin has half the noise.
    hidden = 10 * np.log10(2 * density * np.sqrt({1: 6, 2: 1.25}[layer] / COUNT))
    assert found["line_level_db", 3 - layer, None].plain.value == pytest.approx(hidden, abs=0.3)
    prominence = found["line_prominence_db", layer, float(frequency_hz)].plain.value
    assert prominence == pytest.approx(10 * np.log10(1 + share / density), abs=0.5)
    assert found["phase_locking", layer, float(frequency_hz)].plain.value > 0.5
    assert found["phase_locking_between", None, None].plain.value == pytest.approx(0, abs=0.002)


def test_a_line_of_random_phase_has_power_but_nothing_fixed():
    phases = np.random.default_rng(1).uniform(0, 2 * np.pi, COUNT)
    found = measured(noise() + tones(4000, phases))
    assert found["line_level_db", 1, None].plain.value == pytest.approx(-3, abs=0.2)
    assert found["fixed_level_db", 1, None].plain.value < -20
    assert abs(found["phase_locking", 1, 4000.0].plain.value) < 0.01


def test_noise_has_no_lines_and_shuffling_it_makes_no_difference():
    found = measured(noise(0), noise(1))
    for layer in (1, 2):
        prominence = found["line_prominence_db", layer, None].plain
        assert prominence.low < 0.3
        assert abs(found["phase_locking", layer, None].plain.value) < 0.005
    verdicts = [q.verdict for q in found.values() if q.verdict]
    assert len(verdicts) > 20
    # One in twenty by chance; lines beside one another share their noise.
    assert sum(v.endswith("with shuffle") for v in verdicts) <= 0.15 * len(verdicts)
    assert {"equal within 1 dB", "cannot be told"} <= set(verdicts)


def test_shifts_do_to_a_fixed_comb_what_is_predicted():
    """Shifted by 4 d samples, d = -2 ... 2 equally often: what the first layer's shuffle does."""
    comb = np.sum([tones(frequency_hz) for frequency_hz in (1000, 2000, 3000, 4000)], axis=0)
    shifts = 4 * (np.arange(COUNT) % 5 - 2)
    shuffled = np.stack([np.roll(comb[0], shift) for shift in shifts])
    plain = comb + noise()
    found = measured(plain, shuffled + noise(1))
    for layer, frequency_hz, factor in (
        (2, 1000, 0.2),
        (2, 2000, 0.2),
        (2, 3000, 0.2),
        (1, 4000, 1),
    ):
        line = found["fixed_level_db", layer, float(frequency_hz)]
        expected = line.plain.value + 20 * np.log10(factor)
        assert line.predicted == pytest.approx(expected, abs=1e-6)
        # 0.5 dB at a level of 0.2: noise of 1 / 500 in power beside 1 / 25 of 256 times as much.
        assert line.shuffled.value == pytest.approx(expected, abs=0.5)
    assert found["fixed_level_db", 2, None].verdict == "less with shuffle"
    assert found["fixed_level_db", 1, None].verdict == "equal within 1 dB"
    assert found["line_level_db", 2, None].verdict == "equal within 1 dB"
    assert found["energy_modulation", 2, None].verdict == "less with shuffle"


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_shuffle_factors_are_means_over_all_shifts(radius):
    frequencies = np.array([62.5, 250.0, 437.5, 1000.0, 3000.0, 4000.0])
    shifts = range(-radius, radius + 1)
    total = np.zeros(len(frequencies), complex)
    for first in shifts:
        for second in shifts:
            moved = 4 * first + 16 * second
            total += np.exp(2j * np.pi * frequencies * moved / RATE)
    expected = np.real(total) / len(shifts) ** 2
    np.testing.assert_allclose(
        shuffle_factors(frequencies, RATE, (4, 4, 4), radius), expected, atol=1e-12
    )


def test_a_random_critic_teaches_a_comb_that_shuffle_spares_at_the_first_layer():
    """White noise in: whatever has a fixed phase is the critic's own."""
    critic = build_critic(segment_length=1024, filters=16, phase_shuffle_per_example=True, seed=2)
    rng = np.random.default_rng(0)
    segments = rng.standard_normal((512, 1024)).astype(np.float32)
    audit = gradient_audit(
        lambda audio, shuffled: input_gradients(critic, audio, shuffled=shuffled),
        {"noise": segments},
        strides=(4,) * 3,
        radius=2,
        sample_rate=RATE,
        seed=0,
    )
    fixed = {
        q.layer: q for q in audit.quantities if q.name == "fixed_level_db" and not q.frequency_hz
    }
    assert fixed[1].plain.value > -30
    assert abs(fixed[1].difference.value) < 1
    for layer in (2, 3):
        assert fixed[layer].difference.high < -6
        assert fixed[layer].verdict == "less with shuffle"


@pytest.mark.backend
def test_gradients_are_derivatives_of_each_segments_own_score():
    critic = build_critic(segment_length=256, filters=8, seed=0)
    rng = np.random.default_rng(0)
    segments, directions = rng.standard_normal((2, 70, 256)).astype(np.float32)
    gradients = input_gradients(critic, segments, shuffled=False)

    def scores(step):
        return np.asarray(critic((segments + step * directions)[:, :, None]))[:, 0]

    step = 1e-3
    expected = (scores(step) - scores(-step)) / (2 * step)
    found = (gradients * directions).sum(axis=1)
    # A kink of LeakyReLU within the step spoils few of them.
    assert np.median(np.abs(found - expected)) < 1e-3 * np.abs(expected).max()
    shuffled = input_gradients(critic, segments, shuffled=True)
    assert not np.allclose(shuffled, gradients)


def test_a_period_that_does_not_divide_the_segment_and_a_dead_critic():
    found = measured(np.zeros((COUNT, LENGTH)), radius=0)
    assert found["line_level_db", None, None].plain is None
    assert found["fixed_level_db", 1, None].plain is None
    found = measured(noise()[:, :-6] + tones(4000)[:, :-6], radius=0)
    assert found["line_level_db", 1, None].plain.value == pytest.approx(-3, abs=0.3)


@pytest.fixture
def smoke_run(smoke_runs):
    return smoke_runs[0]


@pytest.fixture
def run_copy(smoke_run, tmp_path):
    """A run with one checkpoint."""
    copied = shutil.copytree(smoke_run, tmp_path / "run")
    for path in (copied / "checkpoints").glob("step-000003*"):
        path.unlink()
    return copied


def read_json(folder):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads((folder / "networks.json").read_text(), parse_constant=refuse)


@pytest.mark.backend
def test_a_run_is_audited_whole_and_alike_each_time(smoke_run, tmp_path):
    found = audit_networks(smoke_run, tmp_path / "a", seed=3)
    result = read_json(tmp_path / "a")
    assert result["schema"] == "wavegan_rc.networks/2"
    assert [tone["stage"] for tone in result["kernels"]] == [1, 1, 2, 2]
    assert [probe["stage"] for probe in result["probes"]] == [1, 2]
    assert all(-120 <= probe["mirrored_db"] < 20 for probe in result["probes"])
    assert len(result["silence"]) == 4 + 1 + 2 * 2
    gradients = result["gradients"]
    assert gradients["checkpoint"] == "step-000006.weights.h5"
    assert (gradients["critic_strides"], gradients["phase_shuffle_radius"]) == ([4, 4, 4], 2)
    assert {q["origin"] for q in gradients["quantities"]} == {"generated", "real"}
    whole = [q for q in gradients["quantities"] if q["name"] == "fixed_level_db" and not q["layer"]]
    assert all(q["shuffled"] and q["predicted"] is not None for q in whole)
    with np.load(tmp_path / "a" / "networks.npz", allow_pickle=False) as arrays:
        assert arrays["real_shuffled_power"].shape == (3, 257)
        assert {"generated_plain_phase_locking", "silence_power"} <= set(arrays)
    pixels = image.imread(tmp_path / "a" / "networks.png")
    assert np.ptp(pixels[..., :3]) > 0.5
    table = found.table()
    assert "stage 2, 4000 Hz" in table
    assert "endless constant maps into stage 1" in table
    assert "fixed_level_db, layer 3" in table
    again = audit_networks(smoke_run, tmp_path / "b", seed=3)
    assert again.table() == table
    assert read_json(tmp_path / "b") == result


@pytest.mark.backend
def test_the_critic_is_that_of_the_newest_checkpoint(run_copy):
    """Newest by its number: as a name, step-1000000 comes before step-000006."""
    config, trained, checkpoint = load_run(run_copy)
    segments = np.random.default_rng(0).standard_normal((4, 512, 1)).astype(np.float32)
    scores = np.asarray(trained.critic(trained.heard(segments)))
    assert not np.allclose(scores, np.asarray(build_model(config).critic(segments)))
    other = with_independent_shifts(trained, config, seed=5)
    np.testing.assert_allclose(np.asarray(other(segments)), scores, rtol=1e-5, atol=1e-6)
    shuffles = [each for each in other.layers[-1].layers if isinstance(each, PhaseShuffle)]
    assert [shuffle.per_example for shuffle in shuffles] == [True, True]

    def copy(path):
        shutil.copy(checkpoint, path)

    save_checkpoint(checkpoint.parent, 1_000_000, copy, [])
    checkpoint.write_bytes(b"")
    _, again, newest = load_run(run_copy)
    assert newest.name == "step-1000000.weights.h5"
    np.testing.assert_array_equal(np.asarray(again.critic(again.heard(segments))), scores)


def test_a_lone_generator_has_no_critic(smoke_run, tmp_path):
    found = audit_networks(smoke_run / "generator.keras", tmp_path / "out")
    assert found.gradients is None
    assert read_json(tmp_path / "out")["gradients"] is None
    assert (tmp_path / "out" / "networks.png").stat().st_size > 10_000
    assert "critic" not in found.table()


def set_in_config(run, **changes):
    settings = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump(settings | changes))


def test_without_phase_shuffle_there_is_nothing_to_compare(run_copy, tmp_path):
    """The critic's weights are the same with any radius."""
    set_in_config(run_copy, phase_shuffle_radius=0)
    found = audit_networks(run_copy, tmp_path / "out")
    assert "not applicable" in found.table()
    quantities = read_json(tmp_path / "out")["gradients"]["quantities"]
    assert {(q["shuffled"], q["difference"], q["predicted"]) for q in quantities} == {
        (None, None, None)
    }


def test_without_its_recordings_a_run_is_measured_at_generated_segments(run_copy, tmp_path):
    set_in_config(run_copy, data=str(tmp_path / "gone"))
    with pytest.warns(WaveganWarning, match="there is no reference"):
        found = audit_networks(run_copy, tmp_path / "out")
    assert found.gradients is not None
    assert {q.origin for q in found.gradients.quantities} == {"generated"}


def no_checkpoint(run):
    shutil.rmtree(run / "checkpoints")


def cut_checkpoint(run):
    newest = max((run / "checkpoints").glob("*.h5"))
    newest.write_bytes(newest.read_bytes()[:5000])


def empty_checkpoint(run):
    max((run / "checkpoints").glob("*.h5")).write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (no_checkpoint, "checkpoints: no usable checkpoint"),
        (cut_checkpoint, "step-000006.weights.h5 is not what was written"),
        (empty_checkpoint, "step-000006.weights.h5 is not what was written"),
        (lambda run: set_in_config(run, filters=24), "not of the networks in config.yaml"),
        (lambda run: set_in_config(run, segment_length=2048), "not of the networks in config.yaml"),
        (lambda run: set_in_config(run, bogus=1), "config.yaml: not the settings of a run"),
        (lambda run: (run / "config.yaml").write_text("[1"), "config.yaml: not the settings"),
        (lambda run: (run / "config.yaml").unlink(), "no config.yaml"),
    ],
)
def test_without_a_usable_checkpoint_the_generator_is_audited(run_copy, tmp_path, spoil, named):
    spoil(run_copy)
    with pytest.warns(WaveganWarning) as caught:
        found = audit_networks(run_copy, tmp_path / "out")
    (message,) = [str(w.message) for w in caught if issubclass(w.category, WaveganWarning)]
    assert message.startswith(f"{run_copy}: without the critic's gradients: ")
    assert named in message
    assert "\n" not in message
    assert found.gradients is None
    assert found.kernels
    assert (tmp_path / "out" / "networks.png").is_file()


def test_a_run_without_its_generator_is_refused(run_copy, tmp_path):
    (run_copy / "generator.keras").unlink()
    with pytest.raises(DataError, match="has no generator of its last checkpoint"):
        audit_networks(run_copy, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "other",
    [{"architecture": "residual"}, {"activation": "anti_aliased_relu"}, {"pixel_norm": True}],
)
def test_generators_of_other_stages_are_refused(other, tmp_path):
    generator = build_generator(segment_length=64, upsampling_factors=(4,), filters=4, **other)
    save_generator(Generator(fold_generator(generator), 8000), tmp_path / "g.keras")
    with pytest.raises(
        DataError,
        match=r"g.keras: only generators of plain .* measure it without",
    ):
        audit_networks(tmp_path / "g.keras", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_broken_weights_and_foreign_files_are_refused(smoke_run, tmp_path):
    generator = load_generator(smoke_run)
    layer = generator.model.get_layer("stage_2")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel, bias + np.inf])  # whose tanh is finite
    save_generator(generator, tmp_path / "inf.keras")
    with pytest.raises(DataError, match=r"inf.keras: .* must be a kernel and a bias, both finite"):
        audit_networks(tmp_path / "inf.keras", tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "zip.keras", "w") as archive:
        archive.writestr("readme", "nothing")
    with pytest.raises(DataError, match=r"zip.keras: not a generator file"):
        audit_networks(tmp_path / "zip.keras", tmp_path / "out")
    with pytest.raises(ParameterError, match="seed"):
        audit_networks(smoke_run, tmp_path / "out", seed=-1)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="out cannot be written"):
        audit_networks(smoke_run / "generator.keras", tmp_path / "file")
