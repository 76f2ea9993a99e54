"""Sweeps: their grids, what survives which end, what is said; most with cells that only pretend."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml
from helpers import PRESETS, ROOT
from hypothesis import given
from hypothesis import strategies as st

from wavegan_rc.cli.cell import _remove_unbegun, cell_command
from wavegan_rc.cli.sweep import read_cells
from wavegan_rc.cli.train import train_command, train_parser
from wavegan_rc.config import Config
from wavegan_rc.config.settings import SETTINGS
from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.runs.lock import run_lock
from wavegan_rc.runs.run import Run, config_as_yaml
from wavegan_rc.sweep import resources
from wavegan_rc.sweep.grid import cell_name
from wavegan_rc.sweep.process import Job, LocalEngine
from wavegan_rc.utils import cores

pytestmark = pytest.mark.slow

# The command itself, with cells that pretend and a report that only says what it was given.


def contents(folder):
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


# The grid


def cells_of(tmp_path, text):
    file = tmp_path / "grid.yaml"
    file.write_text(text)
    return read_cells(file, tmp_path / "out")


def test_a_list_of_grids_is_all_their_cells(tmp_path):
    text = "steps: 7\ngrid:\n- {seed: [0, 1]}\n- {seed: [2], loss: [relativistic]}\n"
    cells = cells_of(tmp_path, text)
    assert [cell.name for cell in cells] == ["seed=0", "seed=1", "loss=relativistic,seed=2"]
    assert [cell.config.loss for cell in cells] == ["wgan_gp", "wgan_gp", "relativistic"]


def test_the_sweep_of_variants_has_six_runs_of_each():
    cells = read_cells(ROOT / "configs" / "sweeps" / "variants.yaml", Path("out"))
    variants = {replace(cell.config, seed=0, upsampler="resize") for cell in cells}
    assert (len(cells), len(variants)) == (84, 14)
    assert replace(Config(), out="out", steps=1500, decay_steps=900) in variants


def test_the_last_key_of_a_grid_changes_fastest_and_names_do_not_depend_on_the_order(tmp_path):
    text = "steps: 7\ngrid:\n  seed: [1, 0]\n  upsampler: [sinc, resize]\n"
    cells = cells_of(tmp_path, text)
    assert [cell.name for cell in cells] == [
        "upsampler=sinc,seed=1",
        "upsampler=resize,seed=1",
        "upsampler=sinc,seed=0",
        "upsampler=resize,seed=0",
    ]
    assert [cell.config for cell in cells] == [
        Config(steps=7, seed=seed, upsampler=(word,), out=str(tmp_path / "out"))
        for seed in (1, 0)
        for word in ("sinc", "resize")
    ]
    other = "steps: 7\ngrid:\n  upsampler: [sinc, resize]\n  seed: [1, 0]\n"
    assert {c.name for c in cells_of(tmp_path, other)} == {c.name for c in cells}


def test_lists_nulls_and_paths_can_be_values(tmp_path):
    text = """
segment_length: 512
grid:
  upsampler: [resize, [transposed, linear]]
  upsampling_factors: [[4, 4]]
  cutoff_hz: [null, 1500]
  data: [null, ../spee ch/é*.wav]
"""
    cells = cells_of(tmp_path, text)
    assert len(cells) == 8
    assert cells[0].name == "data=null,cutoff_hz=null,upsampler=resize,upsampling_factors=4+4"
    assert cells[-1].config.upsampler == ("transposed", "linear")
    assert cells[-1].config.data == "../spee ch/é*.wav"
    for cell in cells:
        (tmp_path / cell.name).mkdir()
    assert len(list(tmp_path.glob("data=*"))) == 8


words = st.sampled_from(["resize", "sinc"])


@given(
    settings=st.lists(
        st.fixed_dictionaries(
            {
                "upsampler": words | st.lists(words, min_size=1, max_size=3),
                "data": st.none() | st.text(min_size=1),
                "learning_rate": st.floats(0, 1),
            }
        ),
        min_size=2,
        max_size=2,
    )
)
def test_names_are_one_folder_and_differ_if_settings_do(settings):
    one, other = map(cell_name, settings)
    lists = [
        [s["upsampler"]] if isinstance(s["upsampler"], str) else s["upsampler"] for s in settings
    ]
    for setting, upsampler in zip(settings, lists, strict=True):
        setting["upsampler"] = upsampler
    # "null" is a name of a file too.
    if settings[0] != settings[1] and "null" not in (settings[0]["data"], settings[1]["data"]):
        assert one != other
    assert not set(one) & set('/\\:*?"<>|\0')
    assert one.isascii()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("steps: 5\n", ["grid:", "list of values"]),
        ("grid: 5\n", ["grid:"]),
        ("grid: {}\n", ["grid:"]),
        ("grid: [seed]\n", ["grid:"]),
        ("grid:\n  seed: 5\n", ["grid: seed", "list of values"]),
        ("grid:\n  seed: []\n", ["grid: seed", "list of values"]),
        ("grid:\n  seed: [one]\n", ["grid: seed", "whole number", "one"]),
        ("grid:\n  seed: [[1, 2]]\n", ["grid: seed", "whole number", "[1, 2]"]),
        ("grid:\n  seed: [0, -1]\n", ["grid: seed", "(0 to ", "-1"]),
        ("grid: []\n", ["must have a `grid:` of settings"]),
        ("grid: [3]\n", ["must have a `grid:` of settings"]),
        ("grid:\n- {seed: [1]}\n- {seed: [1]}\n", ["seed=1 is in the grid 2 times"]),
        ("seed: 1\ngrid:\n- {steps: [1]}\n- {seed: [1]}\n", ["seed must be either in the"]),
        ("grid:\n  seed: [1, 0, 1]\n", ["seed=1 is in the grid 2 times"]),
        ("grid:\n  upsampler: [resize, [resize]]\n", ["upsampler=resize is in the grid 2 times"]),
        ("grid:\n  upsampler: [resize, deconv]\n", ["grid: upsampler", "deconv"]),
        ("grid:\n  upsampler: [[sinc, linear]]\n", ["upsampler=sinc+linear", "one per stage"]),
        ("grid:\n  bogus: [1]\n", ["grid: unknown setting: bogus"]),
        ("grid:\n  out: [a, b]\n", ["out must be no setting of a sweep"]),
        ("out: a\ngrid:\n  seed: [1]\n", ["out must be no setting of a sweep"]),
        ("seed: 1\ngrid:\n  seed: [1]\n", ["seed must be either in the grid or outside it"]),
        ("bogus: 1\ngrid:\n  seed: [1]\n", ["unknown setting: bogus"]),
        ("grid:\n  seed: [1]\n  seed: [2]\n", ["line 3", "seed is set twice"]),
        ("grid:\n  seed: [1, {a: b}]\n", ["grid: seed", "whole number", "{'a': 'b'}"]),
        ("grid:\n  seed: [[[1]]]\n", ["grid: seed", "whole number", "[[1]]"]),
        ("grid:\n  seed: &a [*a]\n", ["line 2", "an alias is not allowed", "seed: "]),
        (f"grid:\n  data: [{'x' * 300}]\n", ["must have at most 200 characters"]),
        ("grid: {seed: [1]\n", ["line"]),
    ],
)
def test_an_error_in_a_grid_is_one_line_that_names_file_and_key(tmp_path, text, named):
    with pytest.raises(DataError) as raised:
        cells_of(tmp_path, text)
    message = str(raised.value)
    assert message.startswith(str(tmp_path / "grid.yaml"))
    assert "\n" not in message
    for words_ in named:
        assert words_ in message


def test_the_grids_that_come_along_are_what_they_say():
    folder = ROOT / "configs" / "sweeps"
    counts = {f.stem: len(read_cells(f, Path("out"))) for f in folder.iterdir()}
    assert counts == {
        "upsamplers": 30,
        "seed_experiment": 10,
        "other_upsamplers": 9,
        "smoke": 4,
        "variants": 84,
    }
    (first, *_) = read_cells(folder / "seed_experiment.yaml", Path("out"))
    assert first.config == Config(upsampler=("transposed",), out="out")


@given(
    st.builds(
        Config,
        data=st.none() | st.text(st.characters(exclude_characters="\0"), min_size=1),
        cutoff_hz=st.none() | st.floats(1, 7000),
        upsampler=st.sampled_from([("resize",), ("sinc",), ("transposed",) * 6 + ("linear",)]),
        learning_rate=st.floats(1e-9, 1),
        use_bias=st.booleans(),
        seed=st.integers(0, 2**62),
    )
)
def test_flags_that_are_recorded_give_the_same_settings(config):
    flags = vars(train_parser("train").parse(config.as_flags()))
    assert Config(**{name: flags[name] for name in SETTINGS if name in flags}) == config


# What survives which end


def test_a_failed_cell_is_recorded_and_the_others_go_on(sweep):
    ours = sweep("steps: 3\ngrid:\n  seed: [0, 13, 1]\n")
    code, out, err = ours.run("--at-once", "1")
    assert (code, err) == (1, "")
    assert ours.states() == {"seed=0": "finished", "seed=13": "failed", "seed=1": "finished"}
    assert ours.record()["seed=13"]["error"] == "an unlucky number"
    assert "seed=13: failed, step 0 of 3: an unlucky number" in out.splitlines()
    assert out.splitlines()[-2:] == [
        f"sweep: {ours.out}: 2 of 3 cells are finished",
        "report: seed=0 seed=1",
    ]
    before = contents(ours.out / "seed=0") | contents(ours.out / "seed=1")
    code, out, _ = ours.run()
    assert code == 1
    assert "finished before: 2 cells" in out
    assert contents(ours.out / "seed=0") | contents(ours.out / "seed=1") == before
    assert (ours.out / "logs" / "seed=13.log").read_text().count("unlucky") == 2


def test_killed_in_the_middle_it_goes_on_where_it_stopped(sweep):
    """SIGKILL: nothing can be said to the cells, which end by themselves and save."""
    ours = sweep("steps: 20\ngrid:\n  seed: [0, 1, 2, 3]\n")
    ours.allowed.write_text("5")
    first = ours.start("--at-once", "2")
    ours.wait_for(
        lambda: all({"step": 5, "steps_per_s": 10.0} in ours.history(f"seed={n}") for n in (0, 1)),
        first,
    )
    ours.wait_for(lambda: ours.states()["seed=0"] == "training", first)
    assert ours.states()["seed=2"] == "waiting"
    first.kill()
    first.communicate()
    # At once, without waiting for the cells of the first; nothing more is allowed to them.
    second = ours.start("--at-once", "2")
    ours.wait_for(
        lambda: all("stopped_at" in str(ours.history(f"seed={n}")) for n in (0, 1)), second
    )
    ours.allowed.write_text("20")
    _, err = second.communicate(timeout=120)
    assert (second.returncode, err) == (0, "")
    assert set(ours.states().values()) == {"finished"}
    for name in ("seed=0", "seed=1"):
        history = ours.history(name)
        begun, stopped = (
            [row[key] for row in history if key in row] for key in ("begun_at", "stopped_at")
        )
        assert begun == [0, *stopped]  # nothing lost, nothing made twice
        assert len(stopped) == 1
        assert [row["step"] for row in history if "step" in row] == [*range(1, 21)]
        processes = [row["process"] for row in history if "process" in row]
        assert len(set(processes)) == 2
    before = contents(ours.out)
    code, out, _ = ours.run()
    assert code == 0
    assert "finished before: 4 cells" in out
    changed = {path for path, content in contents(ours.out).items() if before.get(path) != content}
    assert {path.name for path in changed} <= {"sweep.json", ".lock"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_has_the_cells_save_and_end(sweep, number, code):
    ours = sweep("steps: 20\ngrid:\n  seed: [0, 1, 2]\n")
    ours.allowed.write_text("4")
    process = ours.start("--at-once", "2")
    ours.wait_for(lambda: any("step" in row for row in ours.history("seed=1")), process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "save and stop" in err
    assert "report" not in out
    assert set(ours.states().values()) == {"interrupted"}
    assert ours.history("seed=0")[-1].keys() == {"stopped_at"}
    assert not (ours.out / "seed=2").exists()
    ours.allowed.write_text("inf")
    assert ours.run()[0] == 0
    assert set(ours.states().values()) == {"finished"}


def test_the_second_signal_does_not_wait(sweep):
    ours = sweep("steps: 20\ngrid:\n  seed: [0]\n")
    ours.allowed.write_text("4")
    process = ours.start()
    ours.wait_for(lambda: any("step" in row for row in ours.history("seed=0")), process)
    cell = ours.history("seed=0")[0]["process"]
    os.kill(cell, signal.SIGSTOP)  # so that it does not end
    try:
        process.send_signal(signal.SIGINT)
        assert "again" in [process.stderr.readline(), process.stderr.readline()][1]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
    finally:
        os.kill(cell, signal.SIGCONT)
    with run_lock(ours.out / "seed=0", wait=True):  # it ends as well, by itself
        assert ours.history("seed=0")[-1].keys() == {"stopped_at"}


def test_a_cell_that_somebody_kills_has_failed_and_is_tried_again(sweep):
    ours = sweep("steps: 20\ngrid:\n  seed: [0, 1]\n")
    ours.allowed.write_text("4")
    process = ours.start("--at-once", "2")
    ours.wait_for(lambda: all(len(ours.history(f"seed={n}")) > 4 for n in (0, 1)), process)
    for seed, number in ((0, signal.SIGKILL), (1, signal.SIGTERM)):
        os.kill(ours.history(f"seed={seed}")[0]["process"], number)
    process.communicate(timeout=60)
    assert process.returncode == 1
    errors = [entry["error"] for entry in ours.record().values()]
    assert errors[0].startswith("killed by signal 9")
    assert errors[1] == "ended by a signal from outside the sweep"
    ours.allowed.write_text("inf")
    assert ours.run()[0] == 0
    assert [row["begun_at"] for row in ours.history("seed=0") if "begun_at" in row] == [0, 4]


def test_a_changed_grid_adds_cells_and_leaves_others_alone(sweep):
    ours = sweep("steps: 3\ngrid:\n  seed: [0, 1]\n")
    assert ours.run()[0] == 0
    before = contents(ours.out / "seed=0")
    ours.grid.write_text("steps: 3\ngrid:\n  seed: [1, 2]\n")
    code, out, _ = ours.run()
    assert code == 0
    assert "no longer in the grid, left alone: seed=0" in out.splitlines()
    assert out.splitlines()[-1] == "report: seed=1 seed=2"
    assert contents(ours.out / "seed=0") == before
    ours.grid.write_text("steps: 3\ngrid:\n  seed: [0]\n")
    code, out, _ = ours.run()
    assert "finished before: 1 cells" in out
    assert contents(ours.out / "seed=0") == before


def test_more_steps_go_on_and_other_settings_are_refused_before_anything_runs(sweep):
    ours = sweep("steps: 3\ngrid:\n  seed: [0, 1]\n")
    assert ours.run()[0] == 0
    ours.grid.write_text("steps: 5\ngrid:\n  seed: [0, 1]\n")
    assert ours.run()[0] == 0
    assert [row["begun_at"] for row in ours.history("seed=1") if "begun_at" in row] == [0, 3]
    before = contents(ours.out)
    ours.grid.write_text("steps: 5\nlatent_dim: 8\ngrid:\n  seed: [0, 1]\n")
    code, out, err = ours.run()
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {ours.out / 'seed=0'} was made with other settings")
    assert "latent_dim cannot change when resuming. Run: 64. Received: 8" in err
    assert {p: c for p, c in contents(ours.out).items() if p.name != ".lock"} == {
        p: c for p, c in before.items() if p.name != ".lock"
    }


def test_runs_whose_precision_was_chosen_for_them_are_finished_and_go_on(sweep):
    ours = sweep("precision: auto\nsteps: 3\ngrid:\n  seed: [0]\n")
    assert ours.run()[0] == 0
    code, out, _ = ours.run()
    assert code == 0
    assert "finished before: 1 cells" in out
    ours.grid.write_text("precision: auto\nsteps: 5\ngrid:\n  seed: [0]\n")
    assert ours.run()[0] == 0
    assert [row["begun_at"] for row in ours.history("seed=0") if "begun_at" in row] == [0, 3]


def test_a_moved_sweep_is_still_finished(sweep):
    ours = sweep("steps: 3\ngrid:\n  seed: [0]\n")
    assert ours.run()[0] == 0
    ours.out = ours.out.rename(ours.folder / "moved")
    code, out, _ = ours.run()
    assert code == 0
    assert "finished before: 1 cells" in out


def test_two_sweeps_in_one_folder_are_refused(sweep):
    ours = sweep("steps: 3\ngrid:\n  seed: [0]\n")
    ours.out.mkdir()
    with run_lock(ours.out):
        code, _, err = ours.run()
    assert code == 2
    assert f"process {os.getpid()} on" in err


def test_a_record_that_is_none_and_a_folder_that_cannot_be_written(sweep):
    ours = sweep("steps: 3\ngrid:\n  seed: [0]\n")
    ours.out.mkdir()
    for text in ("[", "[]", '{"cells": {"seed=0": {"bogus": 1}}}', '{"cells": 5}'):
        (ours.out / "sweep.json").write_text(text)
        code, _, err = ours.run()
        assert code == 2
        assert "sweep.json: not the record of a sweep" in err
        assert err.count("\n") == 1
    code, _, err = ours.run("--at-once", "0")
    assert (code, err) == (
        2,
        "error: --at-once must be a whole number (at least 1) or null. Received: 0\n",
    )
    ours.out = ours.grid
    code, _, err = ours.run()
    assert code == 2
    assert "grid.yaml is not a folder" in err


def test_a_folder_that_a_cell_did_not_make_is_left_as_it_is(tmp_path):
    config = Config(out=str(tmp_path))
    argv = [json.dumps({"config": asdict(config), "grid": {"seed": 0}}), "seed=0"]
    folder = tmp_path / "seed=0"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="exists and is not a run"):
        cell_command("train", argv)
    (folder / "config.yaml").write_text(config_as_yaml(Config(filters=32)))
    with pytest.raises(ParameterError, match="filters cannot change when resuming"):
        cell_command("train", argv)
    assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("files", [[], [".lock"], ["config.yaml"]])
def test_what_a_killed_cell_leaves_before_its_first_checkpoint_is_removed(tmp_path, files):
    config = Config(out=str(tmp_path))
    (tmp_path / "seed=0" / "checkpoints").mkdir(parents=True)
    for name in files:
        (tmp_path / "seed=0" / name).write_text(config_as_yaml(replace(config, out="moved")))
    _remove_unbegun(Run(tmp_path / "seed=0"), config)
    assert not list(tmp_path.iterdir())


# Engines, places


def test_as_many_run_at_once_as_there_are_places(tmp_path):
    """Each waits for the other two of its three, and would wait for ever if they were fewer."""
    meet = tmp_path / "meet"
    meet.mkdir()
    script = """
import os, sys, time
open(f"{sys.argv[1]}/{os.environ['PLACE']}", "w").close()
while len(os.listdir(sys.argv[1])) < 3: time.sleep(0.01)
"""
    engine = LocalEngine([{"PLACE": str(place)} for place in range(3)])
    for number in range(7):
        command = [sys.executable, "-c", script, str(meet)]
        engine.submit(Job(str(number), command, tmp_path / "logs" / f"{number}.log", tmp_path))
    ended = {}
    while len(ended) < 7:
        ended |= engine.ended(timeout=60)
    assert all(not outcome.interrupted and outcome.error is None for outcome in ended.values())
    assert sorted(path.name for path in meet.iterdir()) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("import nothing_of_this_name", "exit code 1: ModuleNotFoundError: No module named"),
        ("print('error: first'); print('error: last'); exit(3)", "last"),
        ("exit(4)", "exit code 4: nothing was printed"),
        ("import os; os.kill(os.getpid(), 9)", "killed by signal 9 (out of memory?)"),
        ("print('x' * 10**6); print('error: e' + chr(233)); exit(1)", "eé"),
    ],
)
def test_the_error_of_a_process_is_one_line(tmp_path, script, error):
    log = tmp_path / "log"
    log.write_text("error: of an earlier time\n")
    engine = LocalEngine([{"PYTHONIOENCODING": "utf-8"}])
    engine.submit(Job("a", [sys.executable, "-c", script], log, tmp_path))
    (outcome,) = engine.ended(timeout=60).values()
    assert outcome.error.startswith(error)
    assert "\n" not in str(outcome.error)


def test_a_process_that_cannot_be_started_has_failed(tmp_path):
    engine = LocalEngine([{}])
    engine.submit(Job("a", [str(tmp_path / "nowhere")], tmp_path / "log", tmp_path))
    (outcome,) = engine.ended(timeout=60).values()
    assert "nowhere" in str(outcome.error)


def test_a_failed_process_whose_log_is_gone_has_failed_alone(tmp_path):
    engine, log = LocalEngine([{}]), tmp_path / "log"
    script = f"import os; os.remove({str(log)!r}); raise SystemExit(1)"
    engine.submit(Job("a", [sys.executable, "-c", script], log, tmp_path))
    (outcome,) = engine.ended(timeout=60).values()
    assert "No such file" in str(outcome.error)


def test_places_are_cores_as_far_as_memory_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "_CONTROL_GROUP", tmp_path)
    monkeypatch.setattr(cores, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setattr(resources.shutil, "which", lambda name: None)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    memory = tmp_path / "memory.max"
    memory.write_text(str(5 * resources.CELL_MEMORY_BYTES))
    (tmp_path / "memory.current").write_text(str(resources.CELL_MEMORY_BYTES // 2))
    assert len(resources.places(None)) == 4
    memory.write_text(str(2 * 10**6))
    assert len(resources.places(None)) == 1
    memory.write_text("max")
    assert 1 <= len(resources.places(None)) <= 8
    (tmp_path / "cpu.max").write_text("200000 100000\n")
    assert len(resources.places(None)) <= 2
    assert resources.places(5) == [resources.ONE_THREAD] * 5


def test_places_are_gpus_where_training_sees_some(monkeypatch):
    monkeypatch.setattr(resources.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    answer = subprocess.CompletedProcess([], 0, stdout="notes\n2\n")
    monkeypatch.setattr(resources.subprocess, "run", lambda *args, **options: answer)
    for visible, names in (
        (None, ["0", "1"]),
        ("5,7", ["5", "7"]),
        ("GPU-a,GPU-b", ["GPU-a", "GPU-b"]),
    ):
        if visible is None:
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
        else:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert resources.places(None) == [{"CUDA_VISIBLE_DEVICES": name} for name in names]
    assert len(resources.places(1)) == 1


# What is shown


def test_in_a_terminal_a_table_is_drawn_anew(sweep):
    ours = sweep("steps: 3\ngrid:\n  seed: [0, 13]\n")
    ours.environment |= {"TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    ours_end, its_end = pty.openpty()
    process = ours.start(stdout=its_end, stderr=its_end)
    os.close(its_end)
    shown = b""
    while True:
        try:
            shown += os.read(ours_end, 4096)
        except OSError:  # its end is closed: the process is gone
            break
    os.close(ours_end)
    assert process.wait(timeout=60) == 1
    text = shown.decode()
    for words_ in ("seed=13", "unlucky", "3/3", "10.00", "finished", "of 2 cells", "\x1b["):
        assert words_ in text
    assert text.rstrip().endswith("report: seed=0")


@pytest.mark.parametrize("argv", [["--help"], []])
def test_help_and_a_missing_grid(argv):
    command = [sys.executable, str(ROOT / "scripts" / "sweep.py"), *argv]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == (0 if argv else 2)
    assert ended.stderr.count("\n") == (0 if argv else 1)


# With real cells


def test_a_killed_sweep_goes_on_from_its_checkpoints_and_ends_with_the_report(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    settings = yaml.safe_load((PRESETS / "smoke.yaml").read_text())
    settings |= {"steps": 30, "save_every": 1, "log_every": 1, "measure_every": 0}
    settings |= {"critic_steps": 1, "sample_count": 2}
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        yaml.safe_dump(settings | {"grid": {"upsampler": [["sinc", "resize"]], "seed": [5]}})
    )
    out = tmp_path / "out"
    command = [sys.executable, str(ROOT / "scripts" / "sweep.py"), str(grid), "--out", str(out)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    run = out / "upsampler=sinc+resize,seed=5"
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (run / "checkpoints" / "step-000003.json").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.wait()
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (out / "report" / "index.html").is_file()
    record = json.loads((run / "environment.json").read_text())
    assert 0 < record["resumed"][0]["from_step"] < 30
    assert record["command_line"][0] == "train"

    # The command that is recorded asks for the same run.
    with pytest.raises(DataError, match="a run is never overwritten"):
        train_command("train.py", record["command_line"][1:])
    (cell,) = read_cells(grid, out)
    assert Run(run).read_config() == cell.config
    assert record["command_line"][1:] == [*cell.config.as_flags(), f"--name={run.name}"]

    events = EventAccumulator(str(run / "tensorboard")).Reload()
    content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    values = metadata.parse_session_start_info_plugin_data(content).hparams
    assert values["upsampler"].string_value == "sinc+resize"
    assert values["seed"].number_value == 5
    assert events.Scalars("training/critic_loss")[-1].step == 30
