import json

import pytest
from helpers.backends import tensorflow_only

from benchmarks.command import benchmark_command
from wavegan_rc.cli.process import run_command
from wavegan_rc.config.choices import UPSAMPLERS

pytestmark = tensorflow_only


def run(argv, capsys):
    with pytest.raises(SystemExit) as ended:
        run_command(benchmark_command, "benchmark.py", argv)
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


@pytest.fixture
def small_stack(monkeypatch):
    from benchmarks import upsampling

    stack = upsampling.Stack("2 x 2, K=5", (2, 2), kernel_size=5, filters=8, batch_size=2, length=4)
    monkeypatch.setattr(upsampling, "STACKS", {"2x7": stack})


def test_the_table_and_the_file_hold_every_upsampler(small_stack, tmp_path, capsys):
    file = tmp_path / "b.json"
    argv = ["upsampling", "--stacks", "2x7", "--repeats", "2", "--json", str(file)]
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


def test_multiply_adds_are_those_of_the_shapes(small_stack, tmp_path, capsys):
    """Widths 8 -> 8 -> 1, lengths 4 -> 8 -> 16, per sample of the last."""
    file = tmp_path / "b.json"
    run(["upsampling", "--stacks", "2x7", "--repeats", "1", "--json", str(file)], capsys)
    counts = {
        row["upsampler"]: {
            name: row[name]["multiply_adds_per_sample"] for name in ("polyphase", "reference")
        }
        for row in json.loads(file.read_text())["rows"]
    }
    per_tap = (8 * 8 * 8 + 16 * 8 * 1) / 16
    # With the fixed filter, 5 taps reach over 5, 6 (nearest), 8 (linear) or 17 samples (sinc).
    assert counts["transposed"] == {"polyphase": 3 * per_tap, "reference": 2.5 * per_tap}
    assert counts["subpixel"] == {"polyphase": 3 * per_tap, "reference": 3 * per_tap}
    assert counts["resize"] == {"polyphase": 3 * per_tap, "reference": 5 * per_tap}
    assert counts["linear"] == {"polyphase": 5 * per_tap, "reference": 5 * per_tap}
    assert counts["sinc"] == {"polyphase": 9 * per_tap, "reference": 5 * per_tap}


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["speed"], "speed"),
        (["upsampling", "--stacks", "9x9"], "9x9"),
        (["upsampling", "--repeats", "0"], "repeats"),
        (["upsampling", "--repeats", "x"], "repeats"),
        (["quality", "--seconds", "0"], "seconds"),
        (["quality", "--seconds", "nan"], "seconds"),
        (["upsampling", "--stacks", "2x7", "--json", "/nowhere/b.json"], "/nowhere/b.json"),
    ],
)
def test_mistakes_give_one_line_and_exit_code_2(small_stack, argv, named, capsys):
    code, _, err = run(argv, capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("error: ")
    assert named in err
