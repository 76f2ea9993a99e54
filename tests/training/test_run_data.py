"""A run and its recordings: found where they are now, never taken for others."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import yaml
from helpers import tone
from helpers.runs import SMALL, smoke_config

from wavegan_rc.audio.files import find_audio_files
from wavegan_rc.cli.train import train_command
from wavegan_rc.errors import DataError, WaveganWarning
from wavegan_rc.measurement.measure import measure
from wavegan_rc.measurement.references import data_of_run
from wavegan_rc.training.train import train

pytestmark = pytest.mark.slow


@pytest.fixture
def trained(tmp_path, make_wav):
    """A run of one step on recordings of its own, and their folder."""
    for name, pitch in (("a.wav", 440), ("b.wav", 800)):
        data = make_wav(name, tone(pitch, seconds=3)).parent
    config = smoke_config(tmp_path, **SMALL, data=str(data), steps=1)
    return train(config).path, data


def test_recordings_that_have_moved_are_named_by_data(trained, tmp_path):
    run, data = trained
    moved = data.rename(tmp_path / "moved")
    with pytest.raises(DataError, match=r"no such folder.*recordings have moved, set --data"):
        train_command("train.py", ["--resume", str(run)])
    assert train_command("train.py", ["--resume", str(run), "--data", str(moved)]) == 0
    assert yaml.safe_load((run / "config.yaml").read_text())["data"] == str(moved)
    assert data_of_run(str(run), 4) is not None


def test_other_recordings_are_neither_trained_on_nor_measured_beside(trained, make_wav, tmp_path):
    run, data = trained
    shutil.copytree(data, tmp_path / "other")
    (tmp_path / "other" / "b.wav").rename(tmp_path / "other" / "c.wav")
    with pytest.raises(DataError, match="recordings have changed") as error:
        train_command("train.py", ["--resume", str(run), "--data", str(tmp_path / "other")])
    assert "\n" not in str(error.value)
    make_wav("c.wav", tone(300))
    match = r"there is no reference: .*/data: not the recordings.*Give real audio as the reference"
    with pytest.warns(WaveganWarning, match=match):
        assert data_of_run(str(run), 4) is None


def test_without_held_out_audio_training_segments_are_measured_as_real(tmp_path, make_wav, caplog):
    caplog.set_level("INFO", "wavegan_rc")
    path = make_wav("own.wav", np.random.default_rng(0).normal(0, 0.1, 3200))
    config = smoke_config(tmp_path, data=str(path), steps=1)  # the last tenth is 320 of 512 samples
    with pytest.warns(WaveganWarning, match="training segments are shown"):
        run = train(config).path
    assert "trained on" in caplog.text
    with pytest.warns(WaveganWarning, match=r"all are shorter.*training segments are measured"):
        found = measure(run)
    assert found.measured.real.name == "real (training)"
    shown, _ = soundfile.read(run / "samples" / "real-joined.wav", dtype="float32")
    real = found.measured.real.segments
    for segment in shown.reshape(-1, config.segment_length):
        assert np.abs(real - segment).max(axis=1).min() < 2 / 32768  # 16 bits
    quantities = {(q.name, q.stage): q for q in found.quantities}
    assert quantities["rms_db", None].difference is not None
    # No real segment is its own nearest neighbour.
    assert quantities["nearest_distance", None].reference.value > 0


def test_generated_audio_and_hidden_folders_are_no_recordings(tmp_path):
    """A run, generated WAVs and their copies, beside recordings in which a run was made."""
    kept = ["a.wav", "takes/b.wav", "config/c.wav"]
    left = [".git/d.wav", "runs/001-resize/samples/e.wav", "generated/f.wav", "takes/._b.wav"]
    for name in (*kept, *left):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("config.yaml", "environment.json"):
        (tmp_path / "runs" / "001-resize" / name).touch()
    (tmp_path / "config" / "config.yaml").touch()
    np.savez(tmp_path / "generated" / "latents.npz", latents=np.zeros((1, 1)))
    for data in (tmp_path, tmp_path / "**" / "*.wav", tmp_path / "**"):
        with pytest.warns(WaveganWarning, match="left out 4 files in run folders.*the first: "):
            found = find_audio_files(str(data))
        assert found == sorted(tmp_path / name for name in kept)
    # What is named outright is meant.
    assert find_audio_files(str(tmp_path / "generated")) == [tmp_path / "generated" / "f.wav"]
    assert find_audio_files(str(tmp_path / "runs" / "*" / "samples" / "*.wav")) == [
        tmp_path / "runs" / "001-resize" / "samples" / "e.wav"
    ]


@pytest.mark.filterwarnings(
    "ignore:.*left out . files in run folders:wavegan_rc.errors.WaveganWarning"
)
def test_trainings_in_the_folder_of_recordings_leave_one_another_out(
    tmp_path, make_wav, monkeypatch
):
    """`cd recordings; train --data .`, twice; then the first is resumed, by two names of it."""
    for name, pitch in (("a.wav", 440), ("b.wav", 800)):
        data = make_wav(name, tone(pitch, seconds=3)).parent
    monkeypatch.chdir(data)
    config = smoke_config(tmp_path, **SMALL, data=".", steps=1)
    first, second = (train(replace(config, out="runs")) for _ in range(2))
    assert second.path.name == "002-resize"
    fingerprints = {run.read_record()["data_fingerprint"] for run in (first, second)}
    assert len(fingerprints) == 1
    with pytest.warns(WaveganWarning, match="left out 8 files in"):
        assert [path.name for path in find_audio_files(".")] == ["a.wav", "b.wav"]
    for again in ([], ["--data", str(data)]):
        assert train_command("train.py", ["--resume", "runs/001-resize", *again]) == 0
    assert first.read_config().data == str(data)
