import errno
import json
import math
from functools import partial
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from helpers.commands import ended
from matplotlib.figure import Figure
from scipy import signal

from wavegan_rc.cli.explain import explain_command
from wavegan_rc.config.choices import UPSAMPLERS
from wavegan_rc.errors import DataError
from wavegan_rc.explain import initial_spectra as measured
from wavegan_rc.explain.explanation import Stages
from wavegan_rc.explain.initial_spectra import initial_spectra
from wavegan_rc.nn.upsampling import UpsampleConv1D


def run(argv, capsys):
    return ended(explain_command, argv, capsys)


@pytest.fixture(scope="module")
def spectra():
    return {u: initial_spectra(Stages([u], 9, [4, 4], 16000), draws=30) for u in UPSAMPLERS}


@pytest.mark.filterwarnings("always::wavegan_rc.errors.WaveganWarning")
def test_the_comb_overlap_images_and_a_warning_are_printed_before_any_training(capsys):
    argv = ["--upsampler=transposed", "--kernel-size=25", "--upsampling-factors=4,4,4,4"]
    code, out, err = run([*argv, "--draws", "0"], capsys)
    assert code == 0
    assert err.startswith("warning: kernel_size 25 is not a multiple of factor 4: ")
    assert "a tone of -24.9 dB" in err
    assert err.count("\n") == 1
    assert "multiples of 4000 Hz: 4000, 8000 - 0.0 dB relative to the constant" in out
    assert "multiples of 62.5 Hz: 62.5, 125," in out
    assert out.count("7 on 1, 6 on 3") == 4


def test_an_even_overlap_is_not_warned_of_and_nearest_predicts_no_line(capsys):
    _, _, err = run(["--upsampler", "transposed", "--kernel-size", "22", "--draws", "0"], capsys)
    assert err == ""
    _, out, err = run(["--upsampler", "resize", "--kernel-size", "25", "--draws", "0"], capsys)
    assert err == ""
    assert out.count("none from the filter; a ReLU may add it") == 6
    assert "8000 - none\n" in out


def test_each_stage_may_have_its_own_upsampler(capsys):
    argv = ["--upsampler", "transposed", "linear", "--upsampling-factors", "2", "4", "--draws", "0"]
    _, out, _ = run(argv, capsys)
    rows = [line for line in out.splitlines() if "multiples of" in line]
    assert rows[0].endswith("2000 Hz: 2000, 6000 - 0.0 dB relative to the constant")
    assert rows[1].endswith("4000 Hz: 4000, 8000 - none")


@pytest.mark.parametrize("upsampler", ["resize", "linear", "sinc"])
@pytest.mark.parametrize("factor", [2, 5])
def test_the_printed_levels_are_those_of_scipys_response(upsampler, factor, capsys):
    taps = {
        "resize": np.ones(factor),
        "linear": signal.convolve(np.ones(factor), np.ones(factor)),
        "sinc": signal.firwin(
            6 * factor + 1, 1 / factor, window=("kaiser", signal.kaiser_beta(60))
        ),
    }[upsampler]
    if (upsampler, factor) == ("linear", 2):
        taps = np.array([1, 3, 3, 1])
    _, (kept, low, image) = signal.freqz(taps, worN=[0.1, 0.9, 1.0], fs=factor)
    _, out, _ = run(
        ["--upsampler", upsampler, "--upsampling-factors", str(factor), "--draws", "0"], capsys
    )
    (row,) = [line for line in out.splitlines() if line.startswith(f"    1 {upsampler}")]
    assert f"{20 * np.log10(abs(low / kept)):.1f} dB" in row
    if upsampler == "sinc":
        _, images = signal.freqz(taps, worN=np.arange(1, factor // 2 + 1), fs=factor)
        assert f"{20 * np.log10(np.abs(images).max() / taps.sum()):.1f} dB" in row
    else:
        assert abs(image) < 1e-10
        assert " none " in row


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["--upsampler", "deconv"], "deconv"),
        (["--upsampler", "resize", "linear"], "one per stage (7)"),
        (["--upsampling-factors", "1", "2"], "factors"),
        (["--upsampling-factors", "x"], "factors"),
        (["--kernel-size", "0"], "--kernel-size"),
        (["--sample-rate", "0"], "--sample-rate"),
        (["--draws", "-1"], "draws"),
        (["--upsampling-factors", "1000000"], "factors"),
        (["--upsampling-factors", "100000", "100000"], "factors"),
        (["--kernel-size", "100000000000"], "--kernel-size"),
        (["--seed", "-1"], "seed"),
    ],
)
def test_mistakes_give_one_line_and_exit_code_2(argv, named, capsys):
    code, _, err = run(argv, capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("error: ")
    assert named in err


def test_figures_and_numbers_are_left_in_a_folder(capsys, tmp_path):
    out = tmp_path / "deep" / "folder"
    argv = ["--upsampler", "resize", "sinc", "--upsampling-factors", "4", "2", "--kernel-size", "6"]
    argv += ["--draws", "10", "--out", str(out)]
    code, text, _ = run(argv, capsys)
    assert code == 0
    for name in ("theory.png", "initial-spectra.png"):
        pixels = matplotlib.image.imread(out / name)
        assert np.ptp(pixels[..., :3]) > 0.5
    result = json.loads((out / "initial-spectra.json").read_text())
    assert list(result["line_levels"]) == [*UPSAMPLERS, "as given"]
    assert all(list(levels) == ["1", "2"] for levels in result["line_levels"].values())
    value = result["line_levels"]["transposed"]["2"]["prominence_db"]
    assert value["low"] <= value["value"] <= value["high"]
    assert f"{value['value']:.1f} [{value['low']:5.1f}" in text
    again = run(argv, capsys)
    assert again[1] == text


@pytest.mark.parametrize("there", [None, "[1]", "{"])
def test_the_results_of_other_stages_are_not_replaced(capsys, tmp_path, there):
    argv = ["--upsampling-factors", "4", "--draws", "10", "--out", str(tmp_path)]
    file = tmp_path / "initial-spectra.json"
    if there is None:
        assert run([*argv, "--kernel-size", "6"], capsys)[0] == 0
    else:
        file.write_text(there)
    before = file.read_bytes()
    code, _, err = run([*argv, "--kernel-size", "8"], capsys)
    assert code == 2
    assert "out must be a new folder, or one with results of the same settings" in err
    assert f"Received: {tmp_path}, where initial-spectra.json is of others" in err
    assert file.read_bytes() == before


@pytest.mark.parametrize("full", ["theory.png", "initial-spectra.png", "initial-spectra.json"])
def test_a_full_disk_leaves_the_files_of_an_earlier_call(full, spectra, tmp_path, monkeypatch):
    def written_half(path):
        path.write_bytes(b"half")
        if full in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(measured, "initial_spectra", lambda *_, **__: spectra["resize"])
    draw = partial(measured.draw, Stages(["resize"], 9, [4, 4], 16000), draws=30, seed=0)
    draw(out=tmp_path)
    earlier = (tmp_path / full).read_bytes()
    monkeypatch.setattr(Figure, "savefig", lambda _, path, **__: written_half(path))
    monkeypatch.setattr(Path, "write_text", lambda path, _, **__: written_half(path))
    with pytest.raises(DataError, match="out cannot be written"):
        draw(out=tmp_path)
    assert (tmp_path / full).read_bytes() == earlier
    assert len(list(tmp_path.iterdir())) == 3


def test_an_out_that_cannot_be_a_folder_is_refused(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = run(["--draws", "10", "--out", str(tmp_path / "file")], capsys)
    assert code == 2
    assert "out cannot be written" in err.splitlines()[-1]


def test_random_stages_make_lines_where_theory_says(spectra):
    """Zeros leave lines, nearest valleys; but where a ReLU follows, it fills them."""
    levels = {u: s.line_levels() for u, s in spectra.items()}
    for upsampler in ("transposed", "subpixel"):
        for stage in (1, 2):
            assert levels[upsampler][stage].prominence_db.low > 10
        assert levels[upsampler][2].power_db.value > -20
    assert levels["resize"][2].prominence_db.high < -10
    assert levels["resize"][1].prominence_db.low > -5
    assert levels["sinc"][2].power_db.high < -55
    # Linear's zeros leave less than float32 can tell from rounding.
    assert levels["linear"][2] is None


@pytest.mark.parametrize("factors", [(2, 3, 5), (3, 5, 7)])
def test_levels_do_not_depend_on_the_sample_rate(factors):
    """At 44100 Hz frequencies of bins and lines are not the same floats."""
    levels = [
        initial_spectra(Stages(["transposed"], 7, factors, rate), draws=3).line_levels()
        for rate in (math.prod(factors) * 100, 44100)
    ]
    for stage in (1, 2, 3):
        value, other = (level[stage].power_db.value for level in levels)
        assert value == pytest.approx(other, abs=1e-6)


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_the_ends_are_left_out(upsampler, monkeypatch):
    """Zeros and held samples beyond the ends differ, what is kept does not."""
    stages = Stages([upsampler], 5, [2, 3], 16000)
    zeros = initial_spectra(stages, draws=2)
    held = partial(UpsampleConv1D, padding="edge")
    monkeypatch.setattr(measured, "UpsampleConv1D", held)
    edge = initial_spectra(stages, draws=2)
    np.testing.assert_allclose(edge.power, zeros.power, rtol=1e-3, atol=1e-9)


def test_powers_are_relative_to_the_total_and_intervals_shrink_with_draws(spectra):
    few = initial_spectra(Stages(["resize"], 9, [4, 4], 16000), draws=5)
    np.testing.assert_allclose(few.power.sum(axis=1), 1)
    wide, narrow = few.mean_db(), spectra["resize"].mean_db()
    assert np.median(narrow.high - narrow.low) < np.median(wide.high - wide.low)
    np.testing.assert_array_equal(few.power, spectra["resize"].power[:5])
