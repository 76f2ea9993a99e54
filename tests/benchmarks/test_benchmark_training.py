"""The networks that training is compared with are the same; operations are counted right."""

import itertools
import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from helpers.commands import ended

from benchmarks import training
from benchmarks.command import benchmark_command
from benchmarks.operations import operations_per_step
from wavegan_rc.config import Config
from wavegan_rc.nn.critic import LeakyReLU
from wavegan_rc.training.losses import gradient_penalty, interpolate, wasserstein_estimate
from wavegan_rc.training.model import build_model

tf = pytest.importorskip("tensorflow", reason="the plain Keras arm runs on TensorFlow")

from benchmarks import plain_keras  # noqa: E402

# PyTorch as pip brings it says so where there is no GPU.
pytestmark = [
    pytest.mark.filterwarnings("ignore:CUDA initialization:UserWarning"),
    pytest.mark.slow,
]

SMALL = Config(
    segment_length=512,
    upsampling_factors=(4, 2),
    kernel_size=10,
    filters=32,
    batch_size=4,
    emphasis="none",
)
UPSAMPLERS = ("resize", "transposed")
# Odd kernels are padded alike at both ends, even ones not.
SIZES = [(upsampler, size) for upsampler in UPSAMPLERS for size in (10, 25)]


def small(upsampler="resize", kernel_size=10, **settings):
    return replace(SMALL, upsampler=(upsampler,), kernel_size=kernel_size, **settings)


def random_weights(network, scale=0.1):
    rng = np.random.default_rng(0)
    weights = [scale * rng.standard_normal(w.shape) for w in network.get_weights()]
    network.set_weights([w.astype(np.float32) for w in weights])


def inputs(config):
    rng = np.random.default_rng(1)
    shape = (config.batch_size, config.segment_length, 1)
    real, fake = 0.3 * rng.standard_normal((2, *shape)).astype(np.float32)
    mixing = rng.random((config.batch_size, 1, 1), np.float32)
    latents = rng.uniform(-1, 1, (config.batch_size, config.latent_dim)).astype(np.float32)
    return real, fake, mixing, latents


def our_losses(critic, config, real, fake, mixing):
    mixed = tf.constant(interpolate(real, fake, mixing))
    with tf.GradientTape() as tape:
        tape.watch(mixed)
        scores = critic(mixed)
    penalty, _ = gradient_penalty(tape.gradient(scores, mixed))
    distance = wasserstein_estimate(critic(real), critic(fake))
    return config.gradient_penalty_weight * penalty - distance, penalty


@pytest.mark.parametrize(("upsampler", "kernel_size"), SIZES)
def test_plain_keras_computes_the_same(upsampler, kernel_size):
    config = small(upsampler, kernel_size, phase_shuffle_radius=0)
    model = build_model(config)
    generator, critic = plain_keras.plain_generator(config), plain_keras.plain_critic(config)
    real, fake, mixing, latents = inputs(config)
    for ours, plain in ((model.generator, generator), (model.critic, critic)):
        random_weights(ours)
        plain.set_weights(ours.get_weights())
    np.testing.assert_allclose(generator(latents), model.generator(latents), atol=1e-5)
    weight = config.gradient_penalty_weight
    found = plain_keras.critic_loss(critic, tf.constant(real), fake, mixing, weight)
    expected = our_losses(model.critic, config, real, fake, mixing)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def copy_to_pytorch(model, config, generator, critic):
    """Keras keeps (time, channels), PyTorch (channels, time); its critic has time reversed."""
    torch = pytest.importorskip("torch")
    kernel, bias, *stages = model.generator.get_weights()
    length, filters = config.initial_length, config.filters
    by_channel = np.arange(length * filters).reshape(length, filters).T.ravel()
    values = [kernel[:, by_channel].T, bias[by_channel]]
    # (taps, in, out) becomes (out, in, taps); transposed, (taps, out, in) becomes (in, out, taps).
    values += [w.transpose(2, 1, 0) if w.ndim == 3 else w for w in stages]
    *layers, dense = model.critic.get_weights()
    of_critic = [w[::-1].transpose(2, 1, 0) if w.ndim == 3 else w for w in layers]
    maps = dense.reshape(-1, layers[-1].size)
    of_critic.append(maps[::-1].T.reshape(1, -1))
    with torch.no_grad():
        for network, arrays in ((generator, values), (critic, of_critic)):
            parameters = list(network.parameters())
            assert sum(p.numel() for p in parameters) == sum(a.size for a in arrays)
            for parameter, array in zip(parameters, arrays, strict=True):
                parameter.copy_(torch.from_numpy(np.ascontiguousarray(array)))


@pytest.mark.parametrize("functional", [False, True])
@pytest.mark.parametrize(("upsampler", "kernel_size"), SIZES)
def test_pytorch_computes_the_same(upsampler, kernel_size, functional):
    torch = pytest.importorskip("torch")
    from benchmarks import pytorch

    config = small(upsampler, kernel_size, phase_shuffle_radius=0)
    model = build_model(config)
    random_weights(model.generator)
    random_weights(model.critic)
    generator, critic = pytorch.Generator(config), pytorch.Critic(config)
    copy_to_pytorch(model, config, generator, critic)
    real, fake, mixing, latents = inputs(config)
    with torch.no_grad():
        audio = generator(torch.from_numpy(latents)).numpy().transpose(0, 2, 1)
    np.testing.assert_allclose(audio, model.generator(latents), atol=1e-5)

    def reversed_time(x):
        return torch.from_numpy(np.ascontiguousarray(x[:, ::-1].transpose(0, 2, 1)))

    with torch.no_grad():
        scores = critic(reversed_time(real)).numpy()
    np.testing.assert_allclose(scores, model.critic(real), rtol=1e-4, atol=1e-4)
    found = pytorch.critic_loss(
        critic,
        reversed_time(real),
        reversed_time(fake),
        torch.from_numpy(mixing),
        config.gradient_penalty_weight,
        functional,
    )
    expected = our_losses(model.critic, config, real, fake, mixing)
    np.testing.assert_allclose([x.item() for x in found], expected, rtol=1e-4)


@pytest.mark.parametrize("by_index", [False, True])
def test_pytorch_shuffles_as_phase_shuffle_does(by_index):
    torch = pytest.importorskip("torch")
    from benchmarks import pytorch

    critic = pytorch.Critic(small(), shuffle_by_index=by_index)
    maps = torch.arange(6.0).reshape(1, 1, 6)
    torch.manual_seed(0)
    seen = {tuple(int(x) for x in critic.shuffle(maps)[0, 0]) for _ in range(100)}
    assert seen == {
        (2, 1, 0, 1, 2, 3),
        (1, 0, 1, 2, 3, 4),
        (0, 1, 2, 3, 4, 5),
        (1, 2, 3, 4, 5, 4),
        (2, 3, 4, 5, 4, 3),
    }


@pytest.mark.parametrize("backend", [None, "aot_eager"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_a_pytorch_step_changes_every_weight(backend):
    """Compiled as on a GPU, but for the last stage of compilation, which needs a C++ compiler."""
    torch = pytest.importorskip("torch")
    from benchmarks import pytorch

    config = small(critic_steps=2)
    networks = pytorch.Generator(config), pytorch.Critic(config, backend is not None)
    before = [parameter.clone() for network in networks for parameter in network.parameters()]
    step = pytorch.pytorch_step(config, *networks, bfloat16=False, backend=backend)
    assert torch.isfinite(step(torch.randn(2, config.batch_size, 1, config.segment_length)))
    after = [parameter for network in networks for parameter in network.parameters()]
    assert all((a != b).any() for a, b in zip(before, after, strict=True))


def conv_and_product_operations(step, segments):
    """What TensorFlow's profiler counts in a step's graph, of convolutions and products.

    Of those that are run: gradients that nothing asks for are in the graph, but not run.
    """
    graph = step.get_concrete_function(segments).graph
    asked, run = [*(output.op for output in graph.outputs), *graph.control_outputs], {}
    while asked:
        node = asked.pop()
        if node.name not in run:
            run[node.name] = node.type
            asked += [*(tensor.op for tensor in node.inputs), *node.control_inputs]
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation() | {"output": "none"}
    nodes, total = [tf.compat.v1.profiler.profile(graph, cmd="scope", options=options)], 0
    while nodes:
        node = nodes.pop()
        nodes += node.children
        if run.get(node.name, "").startswith(("Conv2D", "MatMul")):
            total += node.float_ops
    return total


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_operations_are_those_that_tensorflow_counts(upsampler, monkeypatch):
    """In the plain networks, but for LeakyReLU: Keras's has gradients of zeros taken back."""
    monkeypatch.setattr(keras.layers, "LeakyReLU", LeakyReLU)
    config = small(upsampler, critic_steps=2)
    generator, critic = plain_keras.plain_generator(config), plain_keras.plain_critic(config)
    step = plain_keras.plain_step(config, generator, critic)
    shape = (config.batch_size, config.critic_steps, config.segment_length, 1)
    found = conv_and_product_operations(step, tf.zeros(shape))
    assert found == pytest.approx(operations_per_step(config, "plain"), rel=1e-3)


def test_the_polyphase_form_leaves_out_what_repetition_makes_double():
    config = small("resize", 10)
    plain, fast = (operations_per_step(config, form) for form in ("plain", "polyphase"))
    assert fast < plain
    transposed = small("transposed", 10)
    assert operations_per_step(transposed, "plain") == operations_per_step(transposed, "polyphase")


def test_the_table_and_the_file_hold_every_arm(monkeypatch, tmp_path, capsys):
    small_config = replace(SMALL, critic_steps=1, segment_length=256, filters=16)
    monkeypatch.setattr(training, "CONFIGS", {"speech2048": small_config})
    monkeypatch.setattr(training, "PRODUCT_SIZE", 64)
    file = tmp_path / "b.json"
    argv = ["training", "--config", "speech2048", "--repeats", "1", "--out", str(file)]
    code, out, _ = ended(benchmark_command, argv, capsys)
    assert code == 0
    numbers = json.loads(file.read_text())
    rows = numbers["rows"]
    arms = {(row["upsampler"], row["precision"], row["program"]) for row in rows}
    programs = {program for *_, program in arms}
    assert programs >= {"wavegan_rc", "plain Keras"}
    precisions = ("float32", "mixed_bfloat16")
    assert arms == set(itertools.product(UPSAMPLERS, precisions, programs))
    peaks = numbers["product_gflop_per_s"]["speech2048"]
    lines = [line.split() for line in out.splitlines()]
    for upsampler, precision in itertools.product(UPSAMPLERS, precisions):
        ours, plain = (
            next(
                row
                for row in rows
                if (row["upsampler"], row["precision"], row["program"])
                == (upsampler, precision, program)
            )
            for program in ("wavegan_rc", "plain Keras")
        )
        (cells,) = (line for line in lines if line[1:3] == [upsampler, precision])
        speed = ours["gflop_per_step"] / ours["ms_per_step"] * 1000
        assert cells[5:7] == [f"{ours['ms_per_step']:.2f}", f"{speed / peaks[precision]:.1%}"]
        factor = plain["ms_per_step"] / ours["ms_per_step"]
        assert cells[7:9] == [f"{plain['ms_per_step']:.2f}", f"({factor:.2f}"]
    assert ("PyTorch is left out" in out) == ("PyTorch eager" not in programs)


def test_what_pytorch_cannot_compile_is_left_out_with_the_reason(monkeypatch):
    def visit(*arguments):
        return lambda: [1.0]

    def fails(*arguments):
        raise RuntimeError("no kernel\nfor this")

    found = {"wavegan_rc": visit, "PyTorch eager": visit, "PyTorch compile": fails}
    products = {"wavegan_rc": visit}
    monkeypatch.setattr(training, "programs", lambda: (found, products))
    notices = []
    rows, peaks = training.time_steps("a", SMALL, 1, notices)
    assert {row.program for row in rows} == {"wavegan_rc", "PyTorch eager"}
    assert peaks["float32"] == 2 * training.product_shape()[0] ** 3 / 1e9
    assert notices[0] == "PyTorch is left out: pip install 'wavegan_rc[bench]'"
    assert "resize float32 PyTorch compile is left out: no kernel for this" in notices
    found["wavegan_rc"] = fails  # ours must run
    with pytest.raises(RuntimeError, match="no kernel"):
        training.time_steps("a", SMALL, 1, [])
