import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, replace

import numpy as np
import pytest
import yaml
from helpers import PRESETS, ROOT

from benchmarks import gpu_check, training
from benchmarks.gpu_check import PLAN, TOY, Check
from benchmarks.gpu_check_command import gpu_check_command
from benchmarks.gpu_check_table import format_results
from benchmarks.training_table import StepRow
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, DivergenceError, ParameterError
from wavegan_rc.runs.history import read_history
from wavegan_rc.runs.run import Run
from wavegan_rc.training.batches import drawn_ahead
from wavegan_rc.training.callbacks.checkpoints import StopOnSignal

pytestmark = [pytest.mark.slow, pytest.mark.extra]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, own_cache):
    folder = tmp_path_factory.mktemp("prepared")
    Check(TOY, folder, folder / "corpus").prepare()
    return folder / "corpus"


def check_in(folder, corpus, **settings):
    folder.mkdir(exist_ok=True)
    return Check(replace(TOY, trained=replace(TOY.trained, **settings)), folder, corpus)


def test_what_is_trained_is_the_file():
    settings = yaml.safe_load((PRESETS / "gpu.yaml").read_text())
    assert PLAN.trained == Config(**settings)
    assert set(PLAN.timed) == {"speech2048", "gpu", "wavegan16384"}


def test_everything_runs_once(tmp_path, corpus):
    pytest.importorskip("jax")
    (tmp_path / "corpus").symlink_to(corpus)
    env = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "benchmarks.gpu_check_command", tmp_path, "--toy"]

    def run():
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done

    first = run()
    folder = tmp_path / "toy"
    assert "PyTorch is left out" in first.stdout
    results = json.loads((folder / "gpu_check.json").read_text())
    assert len(results["steps"]) == 4
    for each in results["trainings"]:
        assert (each["steps"], each["sessions"], each["killed_sessions"]) == (6, 1, 0)
        assert each["minutes"] > 0
        assert each["artifacts"][0]["reference"]["value"] < -60  # real speech
    measured = json.loads((folder / "measured" / "resize" / "artifacts.json").read_text())
    (kernel,) = (q for q in measured["quantities"] if q["name"] == "kernel_distance")
    assert kernel["value"] is not None
    table = (folder / "gpu_check.txt").read_text()
    assert table in first.stdout
    assert all(word in table for word in ("resize", "transposed", "real", "out-of-band ratio"))
    assert len(list((folder / "runs" / "resize" / "samples").glob("0*.wav"))) == 4

    second = run()
    assert second.stdout.strip() == table.strip()


def test_a_training_that_is_stopped_goes_on(tmp_path, corpus, monkeypatch):
    whole = check_in(tmp_path / "whole", corpus)
    assert whole.train() is None

    ends = StopOnSignal.on_step_end

    def told_at_step_4(self, step, logs):
        if step == 4:
            self.received = signal.SIGTERM
        ends(self, step, logs)

    check = check_in(tmp_path / "parts", corpus)
    with monkeypatch.context() as patch:
        patch.setattr(StopOnSignal, "on_step_end", told_at_step_4)
        assert check.train() == signal.SIGTERM
    (first,) = check.results()["trainings"]
    assert (first["steps"], first["sessions"]) == (4, 1)
    check.measure()
    assert not check.measured.exists()  # nothing is finished
    assert check.train() is None

    for upsampler, sessions in (("resize", 2), ("transposed", 1)):
        (found,) = (t for t in check.results()["trainings"] if t["upsampler"] == upsampler)
        assert (found["steps"], found["sessions"], found["killed_sessions"]) == (6, sessions, 0)
        rows = [
            [
                {name: row[name] for name in row.keys() - {"steps_per_s"}}
                for row in read_history(Run(c.runs / upsampler).history)
            ]
            for c in (whole, check)
        ]
        assert rows[0] == rows[1]


def test_one_that_was_killed_before_its_first_checkpoint_begins_again(tmp_path, corpus):
    check = check_in(tmp_path, corpus, steps=2)
    (check.runs / "resize" / "checkpoints").mkdir(parents=True)
    (check.runs / "resize.json").write_text("[null]")
    assert check.train() is None
    found = check.results()["trainings"]
    assert [(t["steps"], t["sessions"], t["killed_sessions"]) for t in found] == [(2, 1, 0)] * 2


def test_a_killed_session_is_told(tmp_path, corpus, monkeypatch):
    def killed(*arguments, **settings):
        raise SystemExit

    check = check_in(tmp_path, corpus, steps=2)
    assert check.train() is None
    (check.runs / "resize" / "summary.json").unlink()  # its last session did not come to its end
    monkeypatch.setattr(gpu_check, "train", killed)
    with pytest.raises(SystemExit):
        check.train()
    found = check.results()["trainings"]
    assert [t["killed_sessions"] for t in found] == [1, 0]
    assert "+: the time of killed sessions is not known and not included" in format_results(
        check.results()
    )


def test_a_training_that_diverges_leaves_the_other(tmp_path, corpus, monkeypatch, capsys):
    really = gpu_check.train

    def diverges(config, *arguments, **settings):
        if config.upsampler == ("resize",):
            raise DivergenceError("critic_loss is NaN", step=1, tensor="critic_loss")
        return really(config, *arguments, **settings)

    monkeypatch.setattr(gpu_check, "train", diverges)
    check = check_in(tmp_path, corpus, steps=2)
    assert check.train() is None
    assert "resize: critic_loss is NaN" in capsys.readouterr().out
    (found,) = check.results()["trainings"]
    assert (found["upsampler"], found["steps"]) == ("transposed", 2)


def step_row(upsampler, program, precision, ms, ours):
    return StepRow(
        config="gpu",
        batch_size=64,
        upsampler=upsampler,
        program=program,
        precision=precision,
        ms_per_step=ms,
        ms_quartiles=[ms, ms],
        steps_per_s=1000 / ms,
        times_ours=ms / ours,
        gflop_per_step=12.5,
        gflop_per_s=1250.0,
        peak_gflop_per_s=5000.0,
        fraction_of_peak=0.25,
    )


def test_steps_that_do_not_fit_leave_the_others(tmp_path, corpus, monkeypatch):
    def time_steps(name, config, repeats, notices, upsamplers, precisions):
        if precisions == ["float32"]:
            raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory")
        return [step_row(upsamplers[0], "wavegan_rc", "mixed_bfloat16", 10.0, 10.0)]

    monkeypatch.setattr(gpu_check, "time_steps", time_steps)
    check = check_in(tmp_path, corpus)
    check.benchmark()
    results = check.results()
    assert [row["upsampler"] for row in results["steps"]] == ["resize", "transposed"]
    assert all("  10.00  " in line for line in format_results(results).splitlines()[-5:-3])
    assert results["notices"] == [
        f"toy, {upsampler}, float32: RESOURCE_EXHAUSTED: Out of memory"
        for upsampler in ("resize", "transposed")
    ]


def test_what_breaks_in_timing_is_an_error(tmp_path, corpus, monkeypatch):
    def time_steps(*arguments):
        raise RuntimeError("no such operation")

    monkeypatch.setattr(gpu_check, "time_steps", time_steps)
    with pytest.raises(RuntimeError, match="no such operation"):
        check_in(tmp_path, corpus).benchmark()


def test_without_prepared_recordings_it_says_who_makes_them(tmp_path):
    with pytest.raises(DataError, match="`prepare` makes them"):
        Check(TOY, tmp_path, tmp_path / "corpus").train()


def test_a_training_that_is_stopped_ends_the_command(tmp_path, monkeypatch, capsys):
    def fails(self):
        raise AssertionError("is not to be measured now")

    monkeypatch.setattr(Check, "train", lambda self: signal.SIGTERM)
    monkeypatch.setattr(Check, "measure", fails)
    code = gpu_check_command("gpu_check.sh", [str(tmp_path), "--toy", "train", "measure"])
    assert code == 128 + signal.SIGTERM
    assert (tmp_path / "toy" / "gpu_check.txt").read_text() in capsys.readouterr().out


def test_a_stage_that_is_none_is_refused(tmp_path):
    message = "STAGE must be one of prepare, benchmark, train, measure"
    with pytest.raises(ParameterError, match=message):
        gpu_check_command("gpu_check.sh", [str(tmp_path), "tarin"])
    assert not list(tmp_path.iterdir())


def test_the_table_shows_ratios_of_the_same_upsampler_and_precision():
    def row(*settings):
        return asdict(step_row("resize", *settings))

    results = {
        "machine": {"device": "GPU: one", "jax": "1", "keras": "3"},
        "notices": ["something is left out"],
        "steps": [
            row("wavegan_rc", "float32", 10.0, 10.0),
            row("PyTorch eager", "float32", 40.0, 10.0),
            row("wavegan_rc", "mixed_bfloat16", 5.0, 5.0),
            row("PyTorch eager", "mixed_bfloat16", 35.0, 5.0),
            row("PyTorch compile", "mixed_bfloat16", 15.0, 5.0),
        ],
        "trainings": [],
    }
    lines = format_results(results).splitlines()
    assert lines[:2] == ["GPU: one; jax 1, keras 3", "something is left out"]
    float32, bfloat16 = (line for line in lines if line.startswith("gpu"))
    cells = " ".join(float32.split())
    assert cells == "gpu resize float32 64 10.00 25.00% 40.00 (4.00 x) -"
    assert bfloat16.endswith("35.00 (7.00 x)   15.00 (3.00 x)")
    assert "Speed of that product in TFLOP/s: float32 5.00, mixed_bfloat16 5.00" in lines


def test_what_pytorch_cannot_compile_is_left_out_with_the_reason(monkeypatch):
    def visit(config, precision, segments, steps):
        return lambda: [1.0]

    def fails(*arguments):
        raise RuntimeError("no kernel\nfor this")

    pytorch = pytest.importorskip("benchmarks.pytorch")
    monkeypatch.setattr(training, "our_visit", visit)
    monkeypatch.setattr(training, "plain_visit", visit)
    programs = {"PyTorch eager": visit, "PyTorch compile": fails}
    monkeypatch.setattr(pytorch, "pytorch_programs", lambda: programs)
    notices = []
    arms = training.arms_of(TOY.trained, notices, ["resize"], ["float32"])
    assert {arm.program for arm in arms} >= {"wavegan_rc", "PyTorch eager"}
    assert notices == ["resize PyTorch compile float32 is left out: no kernel for this"]
    monkeypatch.setattr(training, "our_visit", fails)
    with pytest.raises(RuntimeError):  # ours must run
        training.arms_of(TOY.trained, [], ["resize"], ["float32"])


def test_batches_are_drawn_ahead_in_order():
    second_is_drawn = threading.Event()

    def batches():
        for step in range(5):
            if step == 1:
                second_is_drawn.set()
            yield (np.full(3, step),)

    with drawn_ahead(batches) as begin:
        ahead = begin()
        assert next(ahead)[0].tolist() == [0, 0, 0]
        assert second_is_drawn.wait(60)  # nobody has asked for it
        assert [batch[0].item(0) for batch in ahead] == [1, 2, 3, 4]
    assert not any(thread.name.startswith("draw") for thread in threading.enumerate())


def test_an_error_in_drawing_is_raised_where_the_batch_is_asked_for():
    def batches():
        yield (np.zeros(1),)
        raise DataError("damaged")

    with pytest.raises(DataError, match="damaged"), drawn_ahead(batches) as ahead:
        list(ahead())


def test_whoever_stops_early_leaves_no_thread():
    endless = ((np.zeros(1),) for _ in iter(int, 1))
    with drawn_ahead(lambda: endless) as ahead:
        next(ahead())
    assert not any(thread.name.startswith("draw") for thread in threading.enumerate())
