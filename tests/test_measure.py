"""The audit command on runs, arrays and recordings, clean and planted, good and bad."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import yaml
from conftest import ROOT
from matplotlib import image
from scipy import signal

from wavegan_rc.cli.commands import measure_command
from wavegan_rc.cli.process import run_command
from wavegan_rc.config import Config
from wavegan_rc.training.train import train

RATE, LENGTH, COUNT = 16000, 512, 300


def run(argv, capsys):
    with pytest.raises(SystemExit) as ended:
        run_command(measure_command, "measure.py", [str(a) for a in argv])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def low_passed_noise(seed, count=COUNT):
    rng = np.random.default_rng(seed)
    taps = signal.firwin(201, 1300, fs=RATE)
    long = signal.fftconvolve(rng.standard_normal(count * LENGTH + 200), taps, mode="valid")
    return (0.3 * long.reshape(count, LENGTH)).astype(np.float32)


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    """Clean segments, others drawn alike, and the clean ones with a faint tone at 4000 Hz."""
    folder = tmp_path_factory.mktemp("arrays")
    clean, reference = low_passed_noise(0), low_passed_noise(1, 2 * COUNT)
    hiss = 1e-4 * np.random.default_rng(2).standard_normal(reference.shape).astype(np.float32)
    clean, reference = clean + hiss[:COUNT], reference + np.roll(hiss, 1, axis=0)
    tone = 1e-3 * np.sin(2 * np.pi * 4000 * np.arange(LENGTH) / RATE + 0.3)
    np.save(folder / "clean.npy", clean)
    np.save(folder / "reference.npy", reference)
    np.save(folder / "tone.npy", (clean + tone).astype(np.float32))
    return folder


def options(arrays, out, **others):
    given = {
        "reference": arrays / "reference.npy",
        "sample-rate": RATE,
        "stopband-hz": 1700,
        "out": out,
    } | others
    flags = [word for name, value in given.items() for word in (f"--{name}", value)]
    return [*flags, "--upsampling-factors", 4, 4]


def quantities(folder):
    result = json.loads((folder / "artifacts.json").read_text())
    assert result["schema"] == "wavegan_rc.artifacts/1"
    return {(q["name"], q["stage"], q["frequency_hz"]): q for q in result["quantities"]}


def test_a_planted_tone_is_found_and_everything_else_is_as_real(arrays, tmp_path, capsys):
    code, out, err = run([arrays / "tone.npy", *options(arrays, tmp_path / "m")], capsys)
    assert (code, err) == (0, "")
    found = quantities(tmp_path / "m")
    line = found["line_prominence_db", 2, 4000.0]
    assert line["verdict"] == "above real"
    assert line["low"] > 10
    assert found["phase_locking", 2, 4000.0]["verdict"] == "locked"
    planted = 10 * np.log10(0.5e-6 / np.mean(np.load(arrays / "tone.npy") ** 2))
    assert found["out_of_band_lines_db", None, None]["value"] == pytest.approx(planted, abs=0.5)
    others = [q for (name, stage, hz), q in found.items() if name == "image_coherence"]
    assert all(abs(q["value"]) < 0.01 for q in others)
    assert f"{line['value']:.1f}" in out
    assert "1 of them locked" in out


def test_clean_segments_are_not_different_from_others_drawn_alike(arrays, tmp_path, capsys):
    run([arrays / "clean.npy", *options(arrays, tmp_path / "m")], capsys)
    verdicts = [q["verdict"] for q in quantities(tmp_path / "m").values() if q["verdict"]]
    assert len(verdicts) > 20
    wrong = [v for v in verdicts if v not in ("not different", "not locked")]
    assert len(wrong) <= 0.1 * len(verdicts)


def test_files_are_complete_and_figures_are_drawn_from_them(arrays, tmp_path, capsys):
    run([arrays / "tone.npy", *options(arrays, tmp_path / "m")], capsys)
    with np.load(tmp_path / "m" / "artifacts.npz", allow_pickle=False) as data:
        assert data["power"].shape == (3, LENGTH // 2 + 1)
        assert data["image_coherence"].shape == (2, LENGTH // 2 + 1)
        assert {"real_power", "real_phase_locking"} <= set(data)
        assert data["frequencies_hz"][data["power"][0][100:].argmax() + 100] == 4000
    pixels = image.imread(tmp_path / "m" / "artifacts.png")
    assert np.ptp(pixels[..., :3]) > 0.5
    for quantity in quantities(tmp_path / "m").values():
        assert (quantity["value"] is None) == (quantity["reason"] is not None)
        if quantity["low"] is not None:
            assert quantity["low"] <= quantity["value"] <= quantity["high"], quantity


@pytest.mark.parametrize(("limit", "code"), [("line_prominence_db=6", 1), ("rms_db=0", 0)])
def test_a_limit_makes_it_a_gate(arrays, tmp_path, capsys, limit, code):
    argv = [arrays / "tone.npy", *options(arrays, tmp_path / "m"), "--fail-above", limit]
    ended, _, err = run(argv, capsys)
    assert ended == code
    assert ("fail: " in err) == (code == 1)


def test_recordings_of_any_length_are_cut_into_segments(arrays, tmp_path, capsys):
    audio = np.load(arrays / "clean.npy").ravel()
    for name, part in (("a.wav", audio[:120000]), ("b.flac", audio[120000:])):
        soundfile.write(tmp_path / name, part, RATE)
    argv = [tmp_path / "*.*", *options(arrays, tmp_path / "m"), "--segment-length", LENGTH]
    argv[argv.index("--sample-rate") : argv.index("--sample-rate") + 2] = []
    argv[argv.index(arrays / "reference.npy")] = tmp_path / "a.wav"
    code, out, _ = run(argv, capsys)
    assert code == 0
    assert f"{120000 // LENGTH + (len(audio) - 120000) // LENGTH} segments" in out


@pytest.mark.filterwarnings("always::wavegan_rc.errors.WaveganWarning")
def test_without_factors_no_lines_are_looked_for(arrays, tmp_path, capsys):
    argv = [arrays / "tone.npy", *options(arrays, tmp_path / "m")][:-3]
    code, out, err = run(argv, capsys)
    assert code == 0
    assert err.startswith("warning: ")
    assert err.count("\n") == 1
    found = quantities(tmp_path / "m")
    assert {stage for _, stage, _ in found} == {None}
    assert found["out_of_band_total_db", None, None]["verdict"] == "above real"
    assert "predicted lines" not in out


def test_a_limit_on_what_is_not_there_is_not_crossed(arrays, tmp_path, capsys):
    """Lines below their surroundings add up to nothing, which is -inf dB."""
    np.save(tmp_path / "silence.npy", np.zeros((COUNT, LENGTH), np.float32))
    argv = [tmp_path / "silence.npy", *options(arrays, tmp_path / "m")]
    assert run([*argv, "--fail-above", "line_prominence_db=6"], capsys)[0] == 0


def test_silence_gives_reasons_not_numbers(arrays, tmp_path, capsys):
    np.save(tmp_path / "silence.npy", np.zeros((COUNT, LENGTH), np.float32))
    code, out, _ = run([tmp_path / "silence.npy", *options(arrays, tmp_path / "m")], capsys)
    assert code == 0
    found = quantities(tmp_path / "m")
    assert found["line_prominence_db", 2, 4000.0]["value"] is None
    assert found["line_prominence_db", 2, 4000.0]["reason"].startswith("silence")
    assert "not measured: silence" in out


def test_a_run_is_measured_beside_its_own_data_and_agrees_with_its_summary(tmp_path, capsys):
    config = Config(**yaml.safe_load((ROOT / "configs" / "smoke.yaml").read_text()))
    run_folder, _ = train(replace(config, out=str(tmp_path / "runs"), steps=3), [])
    capsys.readouterr()
    code, out, err = run([run_folder, "--out", tmp_path / "m"], capsys)
    assert (code, err) == (0, "")
    found = quantities(tmp_path / "m")
    summary = json.loads((run_folder / "summary.json").read_text())
    ratio = found["out_of_band_total_db", None, None]
    assert ratio["value"] == pytest.approx(summary["out_of_band_ratio_db"]["generated"], abs=0.1)
    assert ratio["real"]["value"] == pytest.approx(summary["out_of_band_ratio_db"]["real"], abs=0.1)
    for line in summary["lines"]:
        measured = found["line_prominence_db", line["stage"], line["frequency_hz"]]
        assert measured["value"] == pytest.approx(line["generated_prominence_db"], abs=0.1)
    assert found["frechet_distance", None, None]["verdict"] == "above real"
    again = run([run_folder, "--out", tmp_path / "again"], capsys)[1]
    assert again.splitlines()[:-1] == out.splitlines()[:-1]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sample-rate": 8000, "stopband-hz": 4000}, "stopband_hz"),
        ({"reference": "nowhere.npy"}, "nowhere.npy"),
        ({"sample-rate": "many"}, "sample_rate"),
        ({"seed": -1}, "seed"),
        ({"fail-above": "bogus=1"}, "fail_above"),
        ({"fail-above": "rms_db"}, "fail_above"),
        ({"segment-length": 100}, "segment_length"),
    ],
)
def test_mistakes_give_one_line_and_exit_code_2(arrays, changes, named, tmp_path, capsys):
    argv = [arrays / "clean.npy", *options(arrays, tmp_path / "m", **changes)]
    code, _, err = run(argv, capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("error: ")
    assert named in err


def test_factors_that_do_not_fit_and_too_few_segments_are_refused(arrays, tmp_path, capsys):
    argv = [arrays / "clean.npy", *options(arrays, tmp_path / "m")]
    code, _, err = run([*argv[:-2], 3, 7], capsys)
    assert code == 2
    assert "upsampling_factors" in err
    np.save(tmp_path / "few.npy", np.zeros((20, LENGTH), np.float32))
    code, _, err = run([tmp_path / "few.npy", *options(arrays, tmp_path / "m")], capsys)
    assert code == 2
    assert "at least 100 segments. Received: 20" in err
    assert not (tmp_path / "m").exists()
