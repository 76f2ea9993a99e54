"""A training goes on as if it had never stopped, however it was stopped."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from helpers.runs import (
    SMALL,
    SMOKE,
    assert_same_results,
    history,
    newest_step,
    smoke_config,
    start_training,
    wait_for,
)

from wavegan_rc.cli.train import train_command
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, ParameterError, WaveganWarning
from wavegan_rc.network_audit.audit import load_run
from wavegan_rc.runs.checkpoints import newest_checkpoint, save_checkpoint
from wavegan_rc.runs.lock import run_lock
from wavegan_rc.training.train import train
from wavegan_rc.utils.atomic_files import whole_file, whole_files

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """17 steps in one go; neither the line nor the checkpoint at 17 is due by its interval."""
    folder = tmp_path_factory.mktemp("straight")
    config = smoke_config(folder, **SMALL, steps=17, log_every=4, save_every=5)
    return train(config).path, config


@pytest.fixture
def copied(straight, tmp_path):
    """A copy of that run."""
    return Path(shutil.copytree(straight[0], tmp_path / "run"))


@pytest.mark.parametrize("first", [10, pytest.param(9, marks=pytest.mark.backend)])
def test_going_on_is_the_same_as_never_stopping(straight, first, tmp_path, caplog):
    """Stopped where a checkpoint is due, and in the middle of a line of the history."""
    expected, config = straight
    ours = replace(config, out=str(tmp_path))
    run = train(replace(ours, steps=first)).path
    told = []
    caplog.set_level("INFO", "wavegan_rc")
    train(ours, resume=run, command_line=["again"], on_progress=lambda *shown: told.append(shown))
    assert f"resuming after step {first} of 17\n" in caplog.text
    # The bar knows no time of the steps before.
    assert told[-1][:3] == ("training", 17 - first, 17 - first)
    assert_same_results(run, expected, config)
    record = json.loads((run / "environment.json").read_text())
    assert [(s["from_step"], s["command_line"]) for s in record["resumed"]] == [(first, ["again"])]
    assert Config(**yaml.safe_load((run / "config.yaml").read_text())) == ours


def test_a_longer_run_forgets_what_was_measured_only_because_it_ended(tmp_path):
    """Step 10 ends a line of the history, but is the last one only of the shorter run."""
    config = smoke_config(tmp_path, **SMALL | {"measure_every": 4}, steps=12, log_every=2)
    expected = train(config).path
    run = train(replace(config, steps=10)).path
    assert "rms_db" in history(run)[-1]
    train(config, resume=run)
    measured = [row["step"] for row in history(run) if "rms_db" in row]
    assert measured == [4, 8, 12]
    assert_same_results(run, expected, config)


def test_what_was_logged_after_the_checkpoint_is_forgotten(copied, straight):
    """Killed after step 17 was logged and before it was saved: steps 16 and 17 come again."""
    expected, config = straight
    for path in (copied / "checkpoints").glob("step-000017*"):
        path.unlink()
    # Killed once before between the weights of a checkpoint and its description.
    (copied / "checkpoints" / "step-000016.weights.h5").write_bytes(b"weights")
    events = [path.read_bytes() for path in sorted((copied / "tensorboard").iterdir())]
    with (copied / "history.jsonl").open("a") as file:
        file.write('{"step": 18, "crit')
    (copied / "checkpoints" / ".partial-step-000020.weights.h5").write_bytes(b"half")
    train(config, resume=copied)
    assert_same_results(copied, expected, config)
    assert not [path for path in copied.rglob("*") if "partial" in path.name]
    assert not list((copied / "checkpoints").glob("step-000016*"))
    old, new = (path.read_bytes() for path in sorted((copied / "tensorboard").iterdir()))
    assert events[0].startswith(old)
    assert 0 < len(old) < len(events[0])
    assert new


def test_a_finished_run_gets_its_results_again(copied, straight):
    expected, config = straight
    (copied / "summary.json").unlink()
    for folder in ("samples", "figures"):  # of a copy without empty folders
        shutil.rmtree(copied / folder)
    train(config, resume=copied)
    assert_same_results(copied, expected, config)
    assert (copied / "summary.json").is_file()


def test_a_finished_run_loses_nothing_and_cannot_become_shorter(tmp_path):
    """Steps that no line of the history ends at, with what is measured at the last one."""
    config = smoke_config(tmp_path, steps=5, log_every=2, measure_every=2)
    run = train(config).path
    before = [history(run), *(path.read_bytes() for path in (run / "tensorboard").iterdir())]
    assert "rms_db" in before[0][-1]
    train(replace(config, sample_count=2), resume=run)
    after = [history(run), *(path.read_bytes() for path in sorted((run / "tensorboard").iterdir()))]
    assert after[: len(before)] == before
    assert sorted(path.name for path in (run / "samples").glob("0*.wav")) == [
        "0000.wav",
        "0001.wav",
    ]
    with pytest.raises(ParameterError, match=r"steps must be at least 5.* Received: 3"):
        train(replace(config, steps=3), resume=run)
    assert Config(**yaml.safe_load((run / "config.yaml").read_text())).steps == 5


def damage_newest(run):
    path = run / "checkpoints" / "step-000017.weights.h5"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_newest(run):
    path = run / "checkpoints" / "step-000017.weights.h5"
    path.write_bytes(path.read_bytes()[:100])


def remove_newest(run):
    (run / "checkpoints" / "step-000017.weights.h5").unlink()


def spoil_description(run):
    (run / "checkpoints" / "step-000017.json").write_text("{")


def nest_description(run):
    (run / "checkpoints" / "step-000017.json").write_text("[" * 100_000)


@pytest.mark.parametrize(
    "spoil", [damage_newest, cut_newest, remove_newest, spoil_description, nest_description]
)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(copied, spoil):
    spoil(copied)
    with pytest.warns(WaveganWarning, match="resuming from step 15: step 17"):
        assert newest_checkpoint(copied / "checkpoints").step == 15
    shutil.rmtree(copied / "checkpoints")
    (copied / "checkpoints").mkdir()
    with pytest.raises(DataError, match="no usable checkpoint"):
        newest_checkpoint(copied / "checkpoints")


@pytest.mark.parametrize(
    "change",
    [
        {"step": 16},
        {"rollbacks": -1},
        {"rollbacks": 4},
        {"rollbacks": 10**12},
        {"rollbacks": True},
        {"rollbacks": None},
        {"log_lengths": {"history.jsonl": -1}},
        {"log_lengths": {"history.jsonl": 1.5}},
        {"log_lengths": {"history.jsonl": float("inf")}},
        {"log_lengths": 3},
    ],
)
def test_a_description_of_what_cannot_be_is_damage(copied, change):
    """A stranger's checksum may be right."""
    path = copied / "checkpoints" / "step-000017.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.warns(WaveganWarning, match="resuming from step 15: step 17"):
        assert newest_checkpoint(copied / "checkpoints").step == 15


def test_a_damaged_checkpoint_does_not_count_as_kept(copied, straight):
    _, config = straight
    damage_newest(copied)
    with pytest.warns(WaveganWarning, match="resuming from step 15"):
        train(replace(config, steps=16), resume=copied)
    steps = sorted(int(path.stem[5:]) for path in (copied / "checkpoints").glob("*.json"))
    assert steps == [15, 16]


def test_only_the_newest_checkpoints_are_kept_past_a_million_steps(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for step in (999_998, 999_999, 1_000_000):
        save_checkpoint(folder, step, lambda path: path.touch(), [])
    assert newest_checkpoint(folder).step == 1_000_000
    assert sorted(path.name for path in folder.glob("*.h5")) == [
        "step-1000000.weights.h5",
        "step-999999.weights.h5",
    ]


def test_other_recordings_are_refused(copied, straight):
    _, config = straight
    record = json.loads((copied / "environment.json").read_text())
    record["data_fingerprint"] = "another"
    (copied / "environment.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match="recordings have changed"):
        train(config, resume=copied)
    for text in ("[" * 100_000, "3", '{"data_fingerprint": "another", "resumed": 3}'):
        (copied / "environment.json").write_text(text)
        with pytest.raises(DataError, match="not the record of a run"):
            train(config, resume=copied)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("history.jsonl", "x" * 10_000),
        ("history.jsonl", "3\n" + "x" * 10_000),
        ("history.jsonl", '{"step": 1, "gradient_norm": "\xb0"}\n' + "\0" * 10_000),
        ("health.json", "["),
        ("health.json", '{"warnings": [{"a": 1}]}'),
        ("health.json", "[" * 100_000),
    ],
)
def test_a_run_whose_records_are_damaged_is_one_line(copied, name, text):
    (copied / name).write_text(text)
    # The history is gone on with; the command shows what health.json has at the end.
    steps = ["--steps", "18"] if name == "history.jsonl" else []
    with pytest.raises(DataError, match=f"{name}: not the ") as error:
        train_command("train.py", ["--resume", str(copied), *steps])
    assert str(error.value).isprintable()


def test_a_history_that_lost_its_end_is_warned_of(copied, straight):
    _, config = straight
    rows = history(copied)
    lines = (copied / "history.jsonl").read_text().splitlines(keepends=True)
    (copied / "history.jsonl").write_text("".join(lines[:2]))
    with pytest.warns(WaveganWarning, match=r"history\.jsonl: \d+ bytes from before step 17 are"):
        train(replace(config, steps=20), resume=copied)
    assert history(copied)[:2] == rows[:2]
    assert history(copied)[-1]["step"] == 20


LINKED = ("history.jsonl", ".lock", "samples", "checkpoints", "diverged", "tensorboard/events.x")


@pytest.mark.parametrize("name", [*LINKED, "pipe"])
def test_a_run_with_links_or_pipes_in_it_is_refused_and_nothing_elsewhere_changes(
    copied, straight, tmp_path, name
):
    """An archive may have them lead anywhere: a history is cut, a folder of WAVs rewritten."""
    _, config = straight
    place, elsewhere = copied / name, tmp_path / "elsewhere"
    if name == "pipe":
        os.mkfifo(place)
    elif place.is_dir() or name == "diverged":
        elsewhere.mkdir()
        (elsewhere / "0001.wav").write_text("precious" * 1000)
        shutil.rmtree(place, ignore_errors=True)
    else:
        elsewhere.write_text("precious" * 1000)
        place.unlink(missing_ok=True)
    if name != "pipe":
        place.symlink_to(elsewhere)
    with pytest.raises(DataError, match=f"{place.name}: a run that contains links or special"):
        train(replace(config, steps=18, sample_count=1), resume=copied)
    for file in (elsewhere, elsewhere / "0001.wav"):
        assert not file.is_file() or file.read_text() == "precious" * 1000


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--filters", "8"], "filters cannot change when resuming. Run: 16. Received: 8"),
        (["--upsampler", "linear"], "upsampler cannot change"),
        (["--cutoff-hz", "1000"], "cutoff_hz cannot change"),
        (["--seed", "1"], "seed cannot change"),
        (["--out", "elsewhere"], "out cannot change"),
        (["--steps", "0"], "steps must be a whole number"),
        (["--config", str(SMOKE)], "cannot be combined with --config"),
        (["--name", "other"], "cannot be combined with --name"),
    ],
)
def test_a_setting_that_makes_another_run_is_refused(straight, flags, named):
    run, _ = straight
    with pytest.raises(Exception, match=named):
        train_command("train.py", ["--resume", str(run), *flags])


def test_a_run_of_an_earlier_version_is_named_as_such(copied):
    """It was made before there was such a setting."""
    lines = (copied / "config.yaml").read_text().splitlines(keepends=True)
    (copied / "config.yaml").write_text("".join(x for x in lines if not x.startswith("emphasis:")))
    message = (
        r"run was made by an earlier version .* \(config.yaml lacks emphasis\): train it again"
    )
    for open_run in (
        lambda: train_command("train.py", ["--resume", str(copied), "--steps", "18"]),
        lambda: load_run(copied),
    ):
        with pytest.raises(DataError, match=message):
            open_run()


def test_no_run_to_go_on_with(tmp_path):
    with pytest.raises(DataError, match="nowhere: no such run folder"):
        train_command("train.py", ["--resume", str(tmp_path / "nowhere")])


def test_a_run_that_is_being_trained_is_refused_and_a_dead_owner_is_not(copied, straight):
    _, config = straight
    with (
        run_lock(copied),
        pytest.raises(DataError, match=rf"being trained, by process {os.getpid()} on"),
    ):
        train(config, resume=copied)
    (copied / ".lock").write_text('{"process": 1, "host": "gone"}')
    with run_lock(copied):
        assert json.loads((copied / ".lock").read_text())["process"] == os.getpid()


def test_files_appear_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("before")
    (tmp_path / "folder").mkdir()

    def fail_half_way(writing, name):
        with writing as partial:
            (partial / name).write_text("half")
            raise OSError("full")

    for writing, name in ((whole_file(path), ""), (whole_files(tmp_path / "folder"), "b.txt")):
        with pytest.raises(OSError, match="full"):
            fail_half_way(writing, name)
    assert path.read_text() == "before"
    assert not list((tmp_path / "folder").iterdir())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "folder"]


@pytest.mark.backend
def test_sigterm_saves_and_ends_and_the_rest_can_be_trained(tmp_path):
    """As Ctrl-C does: see test_run."""
    small = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    flags = ["--config", str(SMOKE), *small, "--steps", "100000", "--save-every", "5"]
    process = start_training(tmp_path, *flags)
    run = tmp_path / "runs" / "001-resize"
    wait_for(lambda: newest_step(run) > 0, process, tmp_path)
    config = Config(**yaml.safe_load((run / "config.yaml").read_text()))
    config = replace(config, out=str(tmp_path))
    with pytest.raises(DataError, match=rf"being trained, by process {process.pid} on \w"):
        train(config, resume=run)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=60)
    output = (tmp_path / "output.txt").read_text()
    assert process.returncode == 143, output
    assert "stopping after this step" in output
    saved = newest_checkpoint(run / "checkpoints").step
    assert history(run)[-1]["step"] == saved
    assert (run / "generator.keras").is_file()
    train(replace(config, steps=saved + 1), resume=run)
    assert newest_step(run) == saved + 1
