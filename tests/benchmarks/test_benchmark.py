import json

import numpy as np
import pytest
from helpers.backends import tensorflow_only
from helpers.commands import ended

from benchmarks.command import benchmark_command
from wavegan_rc.config.choices import UPSAMPLERS

pytestmark = tensorflow_only


def run(argv, capsys):
    return ended(benchmark_command, argv, capsys)


@pytest.fixture
def small_stack(monkeypatch):
    from benchmarks import upsampling

    stack = upsampling.Stack("2 x 2, K=5", (2, 2), kernel_size=5, filters=8, batch_size=2, length=4)
    monkeypatch.setattr(upsampling, "STACKS", {"2x7": stack})


@pytest.mark.slow
def test_the_table_and_the_file_hold_every_upsampler(small_stack, tmp_path, capsys):
    file = tmp_path / "b.json"
    argv = ["upsampling", "--stacks", "2x7", "--repeats", "2", "--out", str(file)]
    code, out, _ = run(argv, capsys)
    assert code == 0
    result = json.loads(file.read_text())
    assert result["machine"]["tensorflow"]
    assert [row["upsampler"] for row in result["rows"]] == list(UPSAMPLERS)
    for row in result["rows"]:
        for implementation in ("polyphase", "reference"):
            assert min(row[implementation].values()) > 0
        ratio = row["reference"]["gradient_ms"] / row["polyphase"]["gradient_ms"]
        assert f"({ratio:4.2f} x)" in out


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_the_two_steps_compute_what_the_layers_do(upsampler):
    from benchmarks.upsampling import Stack, in_two_steps

    x = np.random.default_rng(0).standard_normal((2, 6, 8)).astype(np.float32)
    stack = Stack("", (2, 3), kernel_size=5, filters=8, batch_size=2, length=6)
    for layer in stack.layers(upsampler):
        layer.bias.assign(np.random.default_rng(1).standard_normal(layer.bias.shape))
        expected = layer(x)
        np.testing.assert_allclose(in_two_steps(layer, x), expected, atol=1e-5)
        x = expected


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["speed"], "speed"),
        (["upsampling", "--stacks", "9x9"], "9x9"),
        (["upsampling", "--repeats", "0"], "repeats"),
        (["upsampling", "--repeats", "x"], "repeats"),
        (["quality", "--seconds", "0"], "seconds"),
        (["quality", "--seconds", "nan"], "seconds"),
        (["upsampling", "--stacks", "2x7", "--out", "/nowhere/b.json"], "/nowhere/b.json"),
    ],
)
def test_mistakes_give_one_line_and_exit_code_2(small_stack, argv, named, capsys):
    code, _, err = run(argv, capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("error: ")
    assert named in err
