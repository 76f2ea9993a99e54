import json

import matplotlib.image
import numpy as np
import pytest

from wavegan_rc.choices import UPSAMPLERS
from wavegan_rc.cli.commands import explain_command
from wavegan_rc.cli.process import run_command
from wavegan_rc.initial_spectra import initial_spectra


def run(argv, capsys):
    with pytest.raises(SystemExit) as ended:
        run_command(explain_command, "explain.py", argv)
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


@pytest.fixture(scope="module")
def spectra():
    options = {"kernel_size": 9, "factors": [4, 4], "sample_rate": 16000, "draws": 30}
    return {u: initial_spectra([u, u], **options) for u in UPSAMPLERS}


@pytest.mark.filterwarnings("always::wavegan_rc.errors.WaveganWarning")
def test_the_comb_overlap_images_and_a_warning_are_printed_before_any_training(capsys):
    argv = ["--upsampler", "transposed", "--kernel-size", "25", "--factors", "4", "4", "4", "4"]
    code, out, err = run([*argv, "--draws", "0"], capsys)
    assert code == 0
    assert err.startswith("warning: kernel_size 25 is not a multiple of factor 4: ")
    assert "28.0 dB" in err
    assert err.count("\n") == 1
    assert "multiples of 4000 Hz: 4000, 8000 - expected" in out
    assert "multiples of 62.5 Hz: 62.5, 125," in out
    assert out.count("7 6 6 6") == 4


def test_an_even_overlap_is_not_warned_of_and_nearest_predicts_no_line(capsys):
    _, _, err = run(["--upsampler", "transposed", "--kernel-size", "22", "--draws", "0"], capsys)
    assert err == ""
    _, out, err = run(["--upsampler", "resize", "--kernel-size", "25", "--draws", "0"], capsys)
    assert err == ""
    assert out.count("not expected: resize has zeros there") == 7


def test_each_stage_may_have_its_own_upsampler(capsys):
    argv = ["--upsampler", "transposed", "linear", "--factors", "2", "4", "--draws", "0"]
    _, out, _ = run(argv, capsys)
    rows = [line for line in out.splitlines() if "multiples of" in line]
    assert rows[0].endswith("2000 Hz: 2000, 6000 - expected")
    assert rows[1].endswith("4000 Hz: 4000, 8000 - not expected: linear has zeros there")


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["--upsampler", "deconv"], "deconv"),
        (["--upsampler", "resize", "linear"], "one per stage (7)"),
        (["--factors", "1", "2"], "factors"),
        (["--factors", "x"], "factors"),
        (["--kernel-size", "0"], "kernel_size"),
        (["--sample-rate", "0"], "sample_rate"),
        (["--draws", "-1"], "draws"),
        (["--seed", "-1"], "seed"),
        (["--bogus"], "--bogus"),
    ],
)
def test_mistakes_give_one_line_and_exit_code_2(argv, named, capsys):
    code, _, err = run(argv, capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("error: ")
    assert named in err


def test_figures_and_numbers_are_left_in_a_folder(capsys, tmp_path):
    out = tmp_path / "deep" / "folder"
    argv = ["--upsampler", "resize", "sinc", "--factors", "4", "2", "--kernel-size", "6"]
    argv += ["--draws", "3", "--out", str(out)]
    code, text, _ = run(argv, capsys)
    assert code == 0
    for name in ("theory.png", "initial-spectra.png"):
        pixels = matplotlib.image.imread(out / name)
        assert np.ptp(pixels[..., :3]) > 0.5
    result = json.loads((out / "initial-spectra.json").read_text())
    assert list(result["line_levels"]) == [*UPSAMPLERS, "resize sinc"]
    value = result["line_levels"]["transposed"]["2"]["prominence_db"]
    assert value["low"] <= value["value"] <= value["high"]
    assert f"{value['value']:.1f} [{value['low']:5.1f}" in text
    again = run(argv, capsys)
    assert again[1] == text


def test_an_out_that_cannot_be_a_folder_is_refused(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = run(["--draws", "1", "--out", str(tmp_path / "file")], capsys)
    assert code == 2
    assert "out cannot be written" in err.splitlines()[-1]


def test_random_stages_make_lines_where_theory_says(spectra):
    """Zeros leave lines at the comb, nearest and linear valleys, sinc only faint lines."""
    levels = {u: s.line_levels()[2] for u, s in spectra.items()}
    for upsampler in ("transposed", "subpixel"):
        assert levels[upsampler]["prominence_db"]["low"] > 10
        assert levels[upsampler]["power_db"]["value"] > -20
    for upsampler in ("resize", "linear"):
        assert levels[upsampler]["prominence_db"]["high"] < -6
    assert levels["sinc"]["power_db"]["high"] < -55


def test_powers_are_relative_to_the_total_and_intervals_shrink_with_draws(spectra):
    few = initial_spectra(["resize"] * 2, kernel_size=9, factors=[4, 4], sample_rate=16000, draws=5)
    np.testing.assert_allclose(few.power.sum(axis=1), 1)
    _, low, high = few.mean_db()
    _, lower, higher = spectra["resize"].mean_db()
    assert np.median(higher - lower) < np.median(high - low)
    np.testing.assert_array_equal(few.power, spectra["resize"].power[:5])
