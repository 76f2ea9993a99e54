"""Whole runs: through the command line as a user types it, and through `train`."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
import yaml
from helpers import ROOT, tone
from helpers.runs import SMALL, SMOKE, history, smoke_config, tensorboard_events, timed_history
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import image
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, ParameterError, WaveganWarning
from wavegan_rc.figures import drawing
from wavegan_rc.generator.file import load_generator
from wavegan_rc.generator.generation import draw_latents
from wavegan_rc.measurement.references import data_of_run
from wavegan_rc.training.callbacks import artifacts, previews
from wavegan_rc.training.callbacks import history as history_callbacks
from wavegan_rc.training.callbacks.base import due
from wavegan_rc.training.model import build_model
from wavegan_rc.training.train import train

pytestmark = pytest.mark.slow


def script(name, *argv, cwd):
    command = [sys.executable, str(ROOT / "scripts" / name), *map(str, argv)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment())


def environment():
    return {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}


@pytest.fixture(scope="module")
def smoke_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smoke")
    done = script("train.py", "--upsampler", "resize", "--config", SMOKE, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "001-resize", done


@pytest.mark.backend
def test_the_last_line_names_the_run_folder(smoke_run):
    run, done = smoke_run
    assert done.stdout.splitlines()[-1] == "run: runs/001-resize"
    assert run.is_dir()
    assert done.stderr == ""


@pytest.mark.backend
def test_progress_and_table_are_printed(smoke_run):
    _, done = smoke_run
    assert "6/6" in done.stdout
    assert "critic" in done.stdout
    assert "out-of-band ratio, above 1700 Hz (dB)" in done.stdout
    assert "line at" in done.stdout


@pytest.mark.backend
def test_settings_versions_and_device_are_recorded(smoke_run):
    run, _ = smoke_run
    config = Config(**yaml.safe_load((run / "config.yaml").read_text()))
    assert config == Config(**yaml.safe_load(SMOKE.read_text()) | {"upsampler": "resize"})
    environment = json.loads((run / "environment.json").read_text())
    assert environment["versions"].keys() >= {keras.backend.backend(), "keras", "numpy"}
    assert environment["device"]
    assert environment["command_line"][:3] == ["train.py", "--upsampler", "resize"]


@pytest.mark.backend
def test_the_wavs_are_what_the_run_says(smoke_run):
    run, _ = smoke_run
    files = sorted((run / "samples").glob("0*.wav"))
    assert [file.name for file in files] == [f"000{i}.wav" for i in range(5)]
    generator = load_generator(run)
    latents = np.load(run / "samples" / "latents.npz")["latents"]
    expected = np.round(np.asarray(generator.model(latents))[:, :, 0] * 32767)
    for file, audio in zip(files, expected, strict=True):
        info = soundfile.info(file)
        assert (info.samplerate, info.subtype, info.frames) == (16000, "PCM_16", 512)
        # Batches of another size are summed in another order.
        np.testing.assert_allclose(soundfile.read(file, dtype="int16")[0], audio, atol=1)
    assert generator.upsampling_factors == (4, 4)
    joined = soundfile.read(run / "samples" / "joined.wav", dtype="int16")[0]
    assert len(joined) == 64 * 512
    first = soundfile.read(files[0], dtype="int16")[0]
    np.testing.assert_array_equal(joined[:512], first)
    real = soundfile.read(run / "samples" / "real-joined.wav")[0]
    assert len(real) == 64 * 512
    assert np.abs(real).max() > 0.01


@pytest.mark.backend
def test_history_has_a_line_for_every_interval(smoke_run):
    rows = timed_history(smoke_run[0])
    assert [row["step"] for row in rows] == [2, 4, 6]
    for row in rows:
        assert all(np.isfinite(value) for value in row.values())
        assert row["critic_loss"] == pytest.approx(
            10 * row["gradient_penalty"] - row["wasserstein_estimate"], rel=1e-3
        )
        assert row["steps_per_s"] > 0


@pytest.mark.backend
def test_tensorboard_has_losses_audio_and_pictures(smoke_run):
    events = tensorboard_events(smoke_run[0])
    # TensorBoard draws together what has the same name before a slash.
    of_training = {"generator_loss", "wasserstein_estimate", "gradient_norm", "steps_per_s"}
    assert events.keys() >= {f"training/{name}" for name in of_training}
    assert {tag.partition("/")[0] for tag in events} <= {"training", "sound", "audio"} | {
        "line_prominence_db",
        "phase_locking",
        "spectrogram",
    }
    assert [event.step for event in events["training/critic_loss"]] == [2, 4, 6]
    assert [event.step for event in events["spectrogram"]] == [3, 6]
    assert events["audio/generated"][0].encoded_audio_string.startswith(b"RIFF")
    assert [event.step for event in events["audio/real"]] == [3]
    assert events["spectrogram"][0].encoded_image_string.startswith(b"\x89PNG")
    # As `tensorboard --logdir runs` names it.
    named = EventMultiplexer().AddRunsFromDirectory(str(smoke_run[0].parent))
    assert named.Runs().keys() == {"001-resize/tensorboard"}


@pytest.mark.backend
def test_checkpoints_and_figure(smoke_run):
    run, _ = smoke_run
    names = sorted(path.name for path in (run / "checkpoints").iterdir())
    assert names == [f"step-00000{n}.{end}" for n in (3, 6) for end in ("json", "weights.h5")]
    pixels = image.imread(run / "figures" / "spectrogram.png")
    assert pixels.shape[0] > 500
    assert pixels.shape[1] > 1000
    assert not [path for path in run.rglob("*") if "partial" in path.name]


@pytest.mark.backend
def test_summary_is_what_was_printed(smoke_run):
    run, done = smoke_run
    summary = json.loads((run / "summary.json").read_text())
    for value in summary["out_of_band_ratio_db"].values():
        assert f"{value:.1f}" in done.stdout
    assert len(summary["lines"]) == 8
    assert summary["out_of_band_ratio_db"]["real"] < -60
    # Measured at the steps 2, 4 and 6.
    assert summary["unfinished"].startswith("the last quarter of 6 steps has 1 measurement; ")
    assert f"the training is unfinished: {summary['unfinished']}" in done.stdout
    counts = summary["segments"]
    assert 0 < counts["real_independent"] < counts["real"] == 512
    assert f"512 real segments ({counts['real_independent']} without overlap" in done.stdout


@pytest.mark.backend
def test_generate_script_writes_wavs_from_the_run(smoke_run):
    run, _ = smoke_run
    out = run.with_name("g")
    flags = ["--sample-count", 3, "--seed", 0, "--out", out]
    done = script("generate.py", run, *flags, cwd=run)
    assert (done.returncode, done.stderr) == (0, "")
    made = sorted(out.glob("0*.wav"))
    assert len(made) == 3
    for file in made:  # the run made its own with the same exported generator
        assert file.read_bytes() == (run / "samples" / file.name).read_bytes()


def test_ctrl_c_leaves_a_checkpoint_and_a_generator_and_says_what_now(tmp_path):
    # A shell's background job is started with Ctrl-C ignored, and these tests may be in one.
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from wavegan_rc.cli.train import train_command\n"
        "from wavegan_rc.cli.process import run_command\n"
        "run_command(train_command, 'train.py', sys.argv[1:])"
    )
    flags = ["--config", str(SMOKE), "--steps", "100000", "--save-every", "100000"]
    flags += ["--critic-steps", "1", "--measure-every", "0"]
    command = [sys.executable, "-c", code, *flags]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        try:
            printed = b""
            while b"critic" not in printed:  # the bar's first step
                chunk = os.read(process.stdout.fileno(), 4096)
                assert chunk, process.stderr.read().decode()
                printed += chunk
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "press Ctrl-C again" in err.decode()
    run = tmp_path / "runs" / "001-resize"
    assert "Traceback" not in err.decode()
    (checkpoint,) = (run / "checkpoints").glob("*.h5")
    step = int(checkpoint.name[5:].split(".")[0])
    assert out.decode().splitlines()[-4:] == [
        f"stopped after step {step} of 100000; a checkpoint and the generator are saved",
        "to resume: wavegan-rc train --resume runs/001-resize",
        "to listen: wavegan-rc generate runs/001-resize",
        "run: runs/001-resize",
    ]
    assert checkpoint.stat().st_size > 1000
    assert load_generator(run).model.output_shape == (None, 512, 1)
    assert history(run)[-1]["step"] == step


def files_of(run):
    wavs = {p.name: p.read_bytes() for p in (run / "samples").glob("*.wav")}
    return wavs, history(run)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"upsampler": ("resize", "linear"), "padding": "reflect"}, "resize+linear"),
        (
            {
                "upsampler": ("transposed", "sinc"),
                "kernel_initializer": "linear_interpolation",
                "use_bias": False,
            },
            "transposed+sinc",
        ),
        (
            {"upsampler": "subpixel", "kernel_initializer": "icnr", "padding": "edge"},
            "subpixel",
        ),
    ],
)
def test_every_upsampler_trains_and_its_exported_generator_is_the_trained_one(
    settings, name, tmp_path
):
    config = smoke_config(tmp_path, **SMALL, steps=2, **settings)
    trained = train(config)
    run = trained.path
    assert (run.name, trained.stopped_by) == (f"001-{name}", None)
    assert Config(**yaml.safe_load((run / "config.yaml").read_text())) == config
    exported = load_generator(run).model
    assert exported.count_params() > 0
    model = build_model(config)
    model.load_weights(run / "checkpoints" / "step-000002.weights.h5")
    latents = draw_latents(4, config.latent_dim, seed=1)
    audio = np.asarray(model.average_generator(latents))
    assert audio.std() > 1e-3
    np.testing.assert_allclose(exported(latents), audio, atol=1e-5)
    assert not (run / "figures" / "post-filter.png").exists()


def test_an_uneven_kernel_is_warned_of_before_training(tmp_path):
    """Before the recordings are read: there are none."""
    config = smoke_config(
        tmp_path, upsampler="transposed", kernel_size=7, data=str(tmp_path / "nowhere")
    )
    with (
        pytest.warns(WaveganWarning, match="kernel_size 7 is not a multiple of factor 4"),
        pytest.raises(DataError, match="nowhere"),
    ):
        train(config)


def test_a_post_filter_is_trained_figures_say_of_what_and_the_cores_are_recorded(
    tmp_path, monkeypatch
):
    """The number of cores decides whether another run repeats this one to the last bit."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    titles = {}
    for name in ("save_figure", "figure_pixels"):
        draw = getattr(drawing, name)

        def recording(figure, *path, draw=draw):
            shown = [axis.get_title(loc="left") for axis in figure.axes]
            titles[path[0].stem if path else f"preview {len(titles)}"] = "\n".join(shown)
            return draw(figure, *path)

        monkeypatch.setattr(drawing, name, recording)
    changes = SMALL | {"measure_every": 2, "save_every": 4, "seed": 7}
    run = train(smoke_config(tmp_path, **changes, post_filter_length=64)).path
    steps = {"preview 0": 4} | dict.fromkeys(
        [
            *("preview 1", "spectrogram", "spectrum", "post-filter", "losses"),
            "artifacts-over-training",
        ],
        6,
    )
    assert titles.keys() == steps.keys()
    for name, step in steps.items():
        assert f"001-resize, resize, step {step}, seed 7" in titles[name]
    assert json.loads((run / "environment.json").read_text())["device"] == "CPU, 3 cores"
    generator = load_generator(run).model
    taps = generator.get_layer("post_filter").get_weights()[0].ravel()
    assert len(taps) == 64
    assert np.abs(np.delete(taps, 31)).max() > 1e-6  # it started as an impulse at tap 31
    pixels = image.imread(run / "figures" / "post-filter.png")
    assert np.ptp(pixels[..., :3]) > 0.5


@pytest.mark.backend
def test_the_same_seed_gives_the_same_history_and_wav_bytes_and_another_does_not(tmp_path):
    config = smoke_config(tmp_path, segment_length=128)
    runs = [train(replace(config, seed=seed)).path for seed in (0, 0, 1)]
    assert [run.name for run in runs] == ["001-resize", "002-resize", "003-resize"]
    first, again, other = (files_of(run) for run in runs)
    assert first == again
    assert "rms_db" in first[1][-1]  # what is measured during training is compared too
    assert first[1] != other[1]
    assert first[0]["0000.wav"] != other[0]["0000.wav"]


def test_own_audio_of_one_file_without_a_low_pass_has_no_ratio(tmp_path, make_wav, caplog):
    caplog.set_level("INFO", "wavegan_rc")
    path = make_wav("own.flac", tone(440, 44100, seconds=4), 44100)
    run = train(smoke_config(tmp_path, data=str(path), cutoff_hz=None, steps=1)).path
    assert (run / "samples" / "0000.wav").exists()
    assert f"preparing: {path}: 16 kHz, mono, all frequencies (no --cutoff-hz)" in caplog.messages
    assert "out-of-band" not in caplog.text
    # One step is less than an interval of anything, and yet nothing is missing.
    assert [row["step"] for row in history(run)] == [1]
    assert {"training/critic_loss", "audio/generated", "spectrogram"} <= tensorboard_events(
        run
    ).keys()
    assert json.loads((run / "summary.json").read_text())["out_of_band_ratio_db"] is None


def test_recordings_that_nothing_is_drawn_from_are_told_and_listed(tmp_path, make_wav, caplog):
    caplog.set_level("INFO", "wavegan_rc")
    for i in range(9):
        path = make_wav(f"word-{i}.wav", tone(440, seconds=0.02))
    for i in range(3):
        make_wav(f"long-{i}.wav", tone(440, seconds=2))
    make_wav("silent.wav", np.zeros(16000))
    path.with_name("other.m4a").write_bytes(bytes(500))
    config = smoke_config(tmp_path, data=str(path.parent), steps=1, measure_every=0)
    words = (
        "not drawn from: 11 of 14 recordings, 9 shorter than a segment of 0.032 s "
        "(setting short_recordings), 1 too quiet (setting silence_db), 1 that cannot be used, "
        "the first: "
    )
    with pytest.warns(WaveganWarning, match=re.escape(words) + r".*other\.m4a is not readable"):
        run = train(config).path
    assert "14 recordings, 0.1 min, 3 drawn from: 4.0 s for training" in caplog.text
    rows = json.loads((run / "skipped.json").read_text())
    listed = {Path(row["file"]).name: row["reason"] for row in rows}
    assert sorted(listed) == ["other.m4a", "silent.wav", *(f"word-{i}.wav" for i in range(9))]
    assert all(Path(row["file"]).exists() for row in rows)
    assert listed["silent.wav"] == "is too quiet"
    assert listed["word-3.wav"] == "is shorter than a segment: 320 of 512 samples"


def test_words_shorter_than_a_segment_are_trained_on_if_padded(tmp_path, make_wav, caplog):
    caplog.set_level("INFO", "wavegan_rc")
    for i in range(10):
        path = make_wav(f"word-{i}.wav", tone(440, seconds=0.02))
    config = smoke_config(tmp_path, data=str(path.parent), steps=1, short_recordings="pad")
    run = train(config).path
    assert "10 recordings, 0.0 min, 10 drawn from" in caplog.text
    assert not (run / "skipped.json").exists()
    real, _ = soundfile.read(run / "samples" / "real-joined.wav")
    segments = real.reshape(-1, 512)
    assert np.abs(segments[:, :320]).max() > 0.1
    assert (segments[:, 320:] == 0).all()
    # What is measured later is drawn as in training.
    found = data_of_run(str(run), 4)
    assert found is not None
    real_again, _ = found
    assert (next(real_again.blocks())[:, 320:] == 0).all()


@pytest.mark.parametrize("what", ["short", "silent", "corrupt", "radius"])
def test_unusable_input_leaves_no_run_folder(what, tmp_path, make_wav):
    audio = {"short": tone(440, seconds=0.01), "silent": np.zeros(16000)}
    path = make_wav("own.wav", audio.get(what, tone(440)))
    if what == "corrupt":
        path.write_bytes(path.read_bytes()[:1000])
    changes = {"phase_shuffle_radius": 40} if what == "radius" else {"data": str(path)}
    with pytest.raises((DataError, ParameterError)):
        train(smoke_config(tmp_path, **changes))
    assert not (tmp_path / "runs").exists()


# Makes run folders as fast as it can once a line comes in.
START_RUNS = """
import sys
from wavegan_rc.config import Config
from wavegan_rc.training.callbacks import history
from wavegan_rc.runs.begin import create_run
from wavegan_rc.training.callbacks.base import due
config = Config(out=sys.argv[1], upsampler=sys.argv[2])
sys.stdin.readline()
for _ in range(20):
    run = create_run(config, {}, data_fingerprint="")
    print(run.path.name)
"""


def test_processes_that_start_runs_together_get_different_numbers(tmp_path):
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", START_RUNS, str(tmp_path / "runs"), upsampler],
            stdin=pipe,
            stdout=pipe,
            text=True,
            env=environment(),
        )
        for upsampler in ("resize", "transposed")
    ]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    names = [name for process in processes for name in process.communicate()[0].split()]
    assert sorted(int(name[:3]) for name in names) == list(range(1, 41))
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == sorted(names)


def test_history_rows_are_means_of_their_own_interval(tmp_path):
    config = smoke_config(tmp_path, **SMALL, steps=4)
    each, pairs = (history(train(replace(config, log_every=every)).path) for every in (1, 2))
    for i, row in enumerate(pairs):
        mean = np.mean([each[2 * i]["critic_loss"], each[2 * i + 1]["critic_loss"]])
        assert row["critic_loss"] == pytest.approx(mean, rel=1e-4)


@given(st.integers(1, 10**4), st.integers(1, 1000), st.data())
def test_what_is_due_becomes_rarer_with_each_doubling(every, half, data):
    """As many in each doubling of the steps, none but those that were asked for."""
    dense = 2 * half
    first = dense * every
    octave = data.draw(st.integers(0, 20))
    begin, spacing = first << octave, every << (octave + 1)
    step = data.draw(st.integers(begin + 1, 2 * begin))
    assert due(step, every, dense) == (step % spacing == 0)
    step = data.draw(st.integers(1, first))
    assert due(step, every, dense) == (step % every == 0)


def test_long_runs_write_and_measure_ever_more_rarely(tmp_path, monkeypatch):
    monkeypatch.setattr(history_callbacks, "_DENSE_LINES", 4)
    monkeypatch.setattr(previews, "_DENSE_PREVIEWS", 2)
    monkeypatch.setattr(artifacts, "_DENSE", 2)
    settings = {"log_every": 1, "measure_every": 3, "save_every": 2, "steps": 13}
    run = train(smoke_config(tmp_path, **SMALL | settings)).path
    rows = history(run)
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 6, 8, 12, 13]
    assert [row["step"] for row in rows if "rms_db" in row] == [3, 6, 12, 13]
    pictures = tensorboard_events(run)["spectrogram"]
    assert [event.step for event in pictures] == [2, 4, 8, 13]
    assert (run / "checkpoints" / "step-000012.json").exists()


def test_a_full_disk_is_one_error_that_names_the_run(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("wavegan_rc.training.results.write_wav", fail)
    with pytest.raises(DataError, match="001-resize cannot be written"):
        train(smoke_config(tmp_path, **SMALL, steps=1))


@pytest.mark.backend
def test_training_learns_something(tmp_path, make_wav):
    """The critic's estimate rises from nothing once it has learnt to tell noise from a tone."""
    data = make_wav("own.wav", tone(440, seconds=10)).parent
    config = smoke_config(tmp_path, **SMALL, data=str(data), learning_rate=1e-3)
    run = train(replace(config, steps=60, log_every=5, save_every=60)).path
    estimates = [row["wasserstein_estimate"] for row in history(run)]
    assert max(estimates) > 10 * abs(estimates[0])
