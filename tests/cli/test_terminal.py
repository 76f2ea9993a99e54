"""What a person meets in the terminal: help, guesses at typing errors, presets, short results."""

import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import yaml
from helpers import PRESETS
from helpers.commands import ended
from matplotlib.figure import Figure

from wavegan_rc.cli.commands import COMMANDS, main
from wavegan_rc.cli.findings import in_three_lines
from wavegan_rc.cli.process import line_of
from wavegan_rc.config import Config
from wavegan_rc.config.yaml_file import PRESETS as NAMED
from wavegan_rc.generator.file import Generator, save_generator
from wavegan_rc.generator.folding import fold_generator
from wavegan_rc.measurement.measure import measure
from wavegan_rc.nn.generator import build_generator
from wavegan_rc.runs.run import Run, config_as_yaml

RATE, LENGTH = 16000, 512


def run(command, argv, capsys):
    return ended(COMMANDS[command], argv, capsys, command)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_three_examples_that_parse_and_no_python_types(command, capsys):
    code, text, _ = run(command, ["--help"], capsys)
    assert code == 0
    examples = re.findall(rf"^  {command} (.*)$", text.partition("examples:\n")[2], re.MULTILINE)
    assert len(examples) == 3
    assert not re.findall(r"\b(Path|int|float|bool|str|None|tuple|Literal)\b", text)
    flags = set(re.findall(r"--[a-z-]+", text.partition("examples:")[0]))
    for example in examples:
        assert set(re.findall(r"--[a-z-]+", example)) <= flags


@pytest.mark.parametrize(
    ("command", "argv", "meant"),
    [
        ("train", ["--upsampeler", "resize"], "--upsampler"),
        ("train", ["--step=5"], "--steps"),
        ("train", ["--upsampler", "resise"], "resize"),
        ("train", ["--upsampler", "resize", "liner"], "linear"),
        ("train", ["--emphasis", "whitning"], "whitening"),
        ("train", ["--config", "gpuu"], "gpu"),
        ("train", ["--data", "librispech-dev-clean", "--out", "/tmp"], "librispeech-dev-clean"),
        ("generate", ["x", "--count", "3"], "--sample-count"),
        ("explain", ["--factors", "4"], "--upsampling-factors"),
        ("sweep", ["x", "--engine", "locale"], "local"),
    ],
)
def test_a_typing_error_is_answered_by_what_was_meant(command, argv, meant, capsys):
    code, _, err = run(command, argv, capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert err.endswith(f"; did you mean {meant}?\n")


def test_what_resembles_nothing_gets_no_guess(capsys):
    assert "did you mean" not in run("train", ["--bogus", "1"], capsys)[2]


def test_a_setting_in_a_file_is_guessed_at_too(tmp_path, capsys):
    (tmp_path / "own.yaml").write_text("upsampeler: resize")
    err = run("train", ["--config", tmp_path / "own.yaml"], capsys)[2]
    assert err.endswith("unknown setting: upsampeler; did you mean upsampler?\n")


def test_a_command_is_guessed_at(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["wavegan-rc", "trian"])
    with pytest.raises(SystemExit, match="2"):
        main()
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.endswith("Received: trian; did you mean train?\n")


@pytest.mark.parametrize(
    "argv", [["train", "--resume"], ["generate"], ["explain"], ["report"], ["measure"]]
)
def test_the_name_of_a_run_is_guessed_at(argv, tmp_path, capsys):
    (tmp_path / "001-resize").mkdir()
    command, *flags = argv
    code, _, err = run(command, [*flags, tmp_path / "01-resize"], capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert err.endswith("; did you mean 001-resize?\n")


@pytest.mark.parametrize("text", [["2,4,8"], ["2", "4", "8"], ["2,4", "8"], ["2,", "4, 8"]])
def test_lists_take_commas_and_spaces(text, capsys):
    flags = ["--upsampling-factors", *text, "--upsampler", "resize,linear,sinc", "--print-config"]
    code, out, err = run("train", flags, capsys)
    assert (code, err) == (0, "")
    settings = yaml.safe_load(out)
    assert settings["upsampling_factors"] == [2, 4, 8]
    assert settings["upsampler"] == ["resize", "linear", "sinc"]


@pytest.mark.parametrize("text", ["2,,4", ",", "2;4"])
def test_lists_with_holes_are_refused(text, capsys):
    code, _, err = run("train", ["--upsampling-factors", text, "--print-config"], capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert "--upsampling-factors must be a list of 1 to 20 whole numbers" in err


def test_presets_are_found_by_name_from_anywhere(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert set(NAMED) == {file.stem for file in PRESETS.glob("*.yaml")} >= {"gpu", "smoke"}
    out = run("train", ["--config", "gpu", "--steps", "7", "--print-config"], capsys)[1]
    settings = yaml.safe_load(out)
    assert (settings["filters"], settings["steps"]) == (512, 7)
    assert Config.read("gpu", steps=7) == Config(**settings)
    # A file of the same name is named by its path.
    (tmp_path / "gpu").write_text("filters: 8")
    assert Config.read("./gpu").filters == 8
    assert Config.read(tmp_path / "gpu").filters == 8


def test_explain_takes_a_run_or_a_file_and_flags_come_first(tmp_path, capsys):
    config = Config(
        upsampler=("linear",), upsampling_factors=(4, 4), kernel_size=8, sample_rate=8000
    )
    (tmp_path / "config.yaml").write_text(config_as_yaml(config))
    for source in ([tmp_path], ["--config", tmp_path / "config.yaml"]):
        code, out, _ = run("explain", [*source, "--draws", 0], capsys)
        assert code == 0
        assert out.startswith("linear, kernel size 8, factors 4 x 4 = 16, 8000 Hz\n")
        out = run("explain", [*source, "--draws", 0, "--upsampler", "sinc"], capsys)[1]
        assert out.startswith("sinc, kernel size 8")
    both = run("explain", [tmp_path, "--config", "gpu"], capsys)
    assert both[::2] == (2, "error: --config cannot be combined with a run\n")


@pytest.fixture
def generator_file(tmp_path):
    small = build_generator(segment_length=64, upsampling_factors=(4, 4), filters=4, seed=0)
    save_generator(Generator(fold_generator(small), RATE, 1700.0), tmp_path / "resize.keras")
    return tmp_path / "resize.keras"


def test_generated_folders_are_numbered_and_hold_a_joined_wav_and_a_picture(
    generator_file, monkeypatch, tmp_path, capsys
):
    monkeypatch.chdir(tmp_path)
    for number, count in ((1, 3), (2, 70)):
        code, out, err = run("generate", [generator_file, "--sample-count", count], capsys)
        assert (code, err) == (0, "")
        folder = tmp_path / "generated" / f"{number:03d}-resize"
        assert out == f"wavs: generated/{number:03d}-resize\n"
        assert len(list(folder.glob("0*.wav"))) == count
        joined = soundfile.read(folder / "joined.wav", dtype="int16")[0].reshape(-1, 64)
        assert len(joined) == min(count, 64)
        for i in (0, 1, 2):
            single = soundfile.read(folder / f"{i:04d}.wav", dtype="int16")[0]
            np.testing.assert_array_equal(joined[i], single)
        assert (folder / "spectrogram.png").read_bytes().startswith(b"\x89PNG")


def test_the_picture_names_run_step_and_seed(generator_file, monkeypatch, tmp_path, capsys):
    titles = []

    def figure(rows, *_):
        titles.extend(rows)
        return Figure()

    monkeypatch.setattr("wavegan_rc.figures.drawing.spectrogram_figure", figure)
    trained = Run(tmp_path / "5$ run")
    trained.checkpoints.mkdir(parents=True)
    trained.write_config(Config(upsampler=("sinc",), seed=3))
    (trained.checkpoints / "step-000006.json").touch()
    generator_file.rename(trained.generator)
    trained.generator.touch()  # after the checkpoint
    sources = trained.path, trained.generator
    newer = trained.checkpoints / "step-000009.json"  # as after a kill
    for i, source in enumerate((*sources, *sources)):
        if i == 2:
            newer.touch()
            os.utime(newer, (2**32, 2**32))
        assert run("generate", [source, "--seed", i, "--out", tmp_path / f"{i}"], capsys)[0] == 0
    path = str(trained.path).replace("$", r"\$")
    assert titles == [
        r"generated by 5\$ run, sinc, step 6, seed 3; latents of seed 0",
        r"generated by 5\$ run, sinc, step 6, seed 3; latents of seed 1",
        f"generated by {path}; latents of seed 2",
        f"generated by {path}/generator.keras; latents of seed 3",
    ]
    latents = ["--latents", tmp_path / "0" / "latents.npz", "--out", tmp_path / "recalled"]
    assert run("generate", [trained.path, *latents], capsys)[0] == 0
    assert titles[-1] == f"generated by {path}"


def test_a_numbered_folder_is_not_left_behind_by_a_mistake(generator_file, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("wavegan_rc.generator.generation.write_samples", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("generate", [generator_file], None)
    assert not list((tmp_path / "generated").iterdir())


def test_other_commands_are_named_as_this_one_was_started(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["scripts/train.py"])
    assert line_of("generate") == "python scripts/generate.py"
    monkeypatch.setattr(sys, "argv", ["/usr/bin/wavegan-rc", "train"])
    assert line_of("generate") == "wavegan-rc generate"


def noise(seed, count=300):
    return np.random.default_rng(seed).normal(0, 0.1, (count, LENGTH)).astype(np.float32)


def test_measure_says_in_three_lines_what_it_found():
    tone = 0.05 * np.sin(2 * np.pi * 4000 * np.arange(LENGTH) / RATE).astype(np.float32)
    given = {"sample_rate": RATE, "upsampling_factors": [4, 4], "reference": noise(1)}
    assert in_three_lines(measure(noise(0) + tone, **given)).splitlines()[1:] == [
        "The strongest artifact is a line at 4000 Hz, 14 dB above its surroundings.",
        "It comes from upsampling stage 2.",
    ]
    clean = in_three_lines(measure(noise(2), **given)).splitlines()
    assert clean[0].startswith(
        "With these segments it cannot be told from real audio (more segments or recordings may "
        "settle it): its Frechet"
    )
    assert clean[1].startswith("No predicted line stands out")
    assert clean[2] == "No upsampling stage can be named."
    other = in_three_lines(measure(np.diff(noise(3), prepend=0), **given)).splitlines()
    assert other[0].startswith("It is not like real audio: its Frechet distance is ")


@pytest.mark.filterwarnings("ignore::wavegan_rc.errors.WaveganWarning")
def test_measure_says_what_it_cannot_know():
    lines = in_three_lines(measure(noise(0, 40), sample_rate=RATE)).splitlines()
    assert lines[0].startswith("There is no real audio to compare with")
    assert lines[2] == "Without the upsampling factors, no layer can be named."


def test_the_long_table_is_in_a_file_and_printed_if_asked_for(tmp_path, capsys):
    np.save(tmp_path / "noise.npy", noise(0, 20))
    argv = [tmp_path / "noise.npy", "--sample-rate", RATE, "--upsampling-factors", "4,4"]
    short = run("measure", [*argv, "--out", tmp_path / "m"], capsys)[1]
    table = (tmp_path / "m" / "artifacts.txt").read_text()
    assert "line_prominence_db" in table
    assert table not in short
    assert len(short.splitlines()) == 6
    searched = "tones 250 Hz or more apart, images at periods of 2 to 32 samples: none found"
    assert f"searched without knowing the factors: {searched}" in short
    assert searched in table
    assert table in run("measure", [*argv, "--out", tmp_path / "m", "--all"], capsys)[1]


@pytest.mark.slow
def test_ctrl_c_is_answered_at_once_while_compiled_code_runs(tmp_path):
    """One call that takes minutes and lets other threads run, as a compiler's does."""
    code = (
        "import hashlib\n"
        "from wavegan_rc.cli.process import run_command\n"
        "from wavegan_rc.utils.interruptions import EndSignals\n"
        "def command(*_):\n"
        "    with EndSignals('stopping once it is compiled'):\n"
        "        print('compiling', flush=True)\n"
        "        hashlib.pbkdf2_hmac('sha256', b'', b'', 2 * 10**9)\n"
        "run_command(command, 'train', [])"
    )
    argv, pipe = [sys.executable, "-c", code], subprocess.PIPE
    with subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout.readline() == "compiling\n"
            process.send_signal(signal.SIGINT)
            answer = [process.stderr.readline() for _ in range(2)]
            assert answer == ["\n", "stopping once it is compiled\n"]
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 128 + signal.SIGINT
        finally:
            process.kill()


@pytest.mark.parametrize("command", ["report", "measure", "generate"])
def test_a_killed_run_is_refused_with_the_command_that_makes_its_generator(
    command, tmp_path, capsys
):
    run_folder = tmp_path / "001-resize"
    (run_folder / "checkpoints").mkdir(parents=True)
    (run_folder / "config.yaml").write_text(config_as_yaml(Config()))
    (run_folder / "environment.json").write_text("{}")
    code, _, err = run(command, [run_folder], capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert err.endswith("the run is unfinished and has no checkpoint: train it again\n")
    (run_folder / "checkpoints" / "step-000500.json").write_text("{}")
    code, _, err = run(command, [run_folder], capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert err.endswith(f"`wavegan-rc train --resume {run_folder} --steps 500` writes one\n")


def test_a_sweep_file_that_is_missing_is_answered_by_those_there_are(capsys):
    for name in ("gpu", "configs/sweeps/smok.yaml"):
        code, _, err = run("sweep", [name], capsys)
        assert (code, err.count("\n")) == (2, 1)
        assert "seed_experiment.yaml, " in err
        assert "wavegan16384" not in err
    assert err.endswith("did you mean configs/sweeps/smoke.yaml?\n")
    assert run("train", ["--config", "nosuch"], capsys)[2].endswith(
        f"no such file; there are: {', '.join(NAMED)}\n"
    )


def test_explain_names_the_skips_of_residual_stages(tmp_path, capsys):
    config = Config(architecture="residual", upsampling_factors=(4, 4))
    (tmp_path / "config.yaml").write_text(config_as_yaml(config))
    out = run("explain", [tmp_path, "--draws", 0], capsys)[1]
    assert "a skip beside it upsamples too" in out
    (tmp_path / "config.yaml").write_text(config_as_yaml(Config()))
    assert "skip" not in run("explain", [tmp_path, "--draws", 0], capsys)[1]


def test_of_too_few_recordings_nothing_is_claimed(tmp_path, capsys):
    """Three recordings with a tone 40 dB out: it was said that no predicted line stands out."""
    rng = np.random.default_rng(0)
    for number in range(3):
        tone = 0.1 * np.sin(2 * np.pi * 4000 * np.arange(48000) / 16000)
        audio = 0.01 * rng.standard_normal(48000) + tone
        soundfile.write(tmp_path / f"{number}.wav", audio, 16000, subtype="FLOAT")
    argv = [str(tmp_path), "--upsampling-factors", "4,4", "--out", str(tmp_path / "m")]
    code, out, _ = run("measure", argv, capsys)
    assert code == 0
    assert "cannot be told: 3 independent stretches, at least 10 are needed" in out
    assert "The most prominent line is at 4000 Hz, 4" in out
    assert "No predicted line" not in out
    table = (tmp_path / "m" / "artifacts.txt").read_text()
    assert "may be a pitch" not in table
    assert "phase not tested" in table
    found = json.loads((tmp_path / "m" / "artifacts.json").read_text())
    assert {peak["locked_p_value"] for peak in found["peaks"]} == {None}


def test_a_line_whose_phase_cannot_be_tested_may_be_a_pitch(tmp_path, capsys):
    """Two recordings have enough stretches for levels, but phases need ten recordings."""
    rng = np.random.default_rng(0)
    tone = 0.1 * np.sin(2 * np.pi * 4000 * np.arange(20 * RATE) / RATE)
    for number in range(2):
        audio = 0.01 * rng.standard_normal(len(tone)) + tone
        soundfile.write(tmp_path / f"{number}.wav", audio, RATE, subtype="FLOAT")
    argv = [str(tmp_path), "--upsampling-factors", "4,4", "--out", str(tmp_path / "m")]
    words = run("measure", argv, capsys)[1].splitlines()
    (line,) = (row for row in words if row.startswith("The strongest line, at 4000 Hz, 4"))
    assert line.endswith(" cannot be tested for locking: it may be a pitch of the sound.")
    assert "The line at 4000 Hz may come from upsampling stage 2." in words


@pytest.mark.parametrize(
    ("hz", "origin"), [(4000, "stage 2 would make it"), (3500, "nothing predicts it")]
)
def test_a_locked_tone_that_hardly_stands_out_is_named(hz, origin, tmp_path, capsys):
    """A tone of fixed phase, 1 dB out: the phase tells it, not the level."""
    rng = np.random.default_rng(0)
    tone = 0.0015 * np.sin(2 * np.pi * hz * np.arange(2048) / 16000)
    segments = 0.1 * rng.standard_normal((512, 2048)) + tone
    np.save(tmp_path / "x.npy", segments.astype(np.float32))
    argv = [str(tmp_path / "x.npy"), "--sample-rate", "16000", "--upsampling-factors", "4,4"]
    code, out, _ = run("measure", [*argv, "--out", str(tmp_path / "m")], capsys)
    assert code == 0
    words = re.search(rf"A faint tone at (.+) Hz, -\d+ dB .* in all segments: {origin}\.", out)
    assert words, out
    assert float(words[1]) == pytest.approx(hz, abs=4)  # half of a bin
