import json
import os
import subprocess
import sys
from typing import Any

import pytest
from helpers import ROOT

from benchmarks import gpu_check
from benchmarks.gpu_check import PRECISIONS, PROGRAMS, gpu_check_command
from benchmarks.gpu_check_processes import NoAnswerError
from benchmarks.steps import CONFIGS, UPSAMPLERS
from wavegan_rc.errors import DataError, ParameterError


def answer(program, question):
    if question["ask"] == "machine":
        return {"device": "GPU: one", "jax": "1"}
    if question["ask"] == "product":
        return 5000.0
    ms = {"wavegan_rc": 10.0, "PyTorch eager": 40.0, "PyTorch compile": 15.0}[program]
    row = {name: value for name, value in question.items() if name != "ask"}
    times = {"ms_per_step": ms, "ms_quartiles": [ms, ms], "gflop_per_step": 12.5}
    return row | {"program": program, "batch_size": 64} | times


@pytest.fixture
def pretended(monkeypatch):
    """Programs that answer at once, by `answers`, and commands that leave what they would."""

    class Pretended:
        asked, commands, limits, closed = [], [], [], 0
        answers, seconds, found = staticmethod(answer), 0.0, True
        now, made = 0.0, 3000
        train: Any = None

    state = Pretended()
    state.asked, state.commands, state.limits = [], [], []

    class Worker:
        def __init__(self, command, log):
            self.program = command[-2]

        def ask(self, question, limit_s):
            state.asked.append((self.program, *question.values()))
            state.limits.append(limit_s)
            state.now += state.seconds
            return state.answers(self.program, question)

        def close(self):
            state.closed += 1

    def run_until(command, end, *, grace_s, log):
        state.commands.append((command[1].rsplit("/", 1)[1], *command[2:]))
        state.limits.append(end - state.now)
        if "train.py" in command[1]:
            state.train(command)
        return "done"

    def train(command):
        flags = dict(zip(command[2::2], command[3::2], strict=True))
        run = gpu_check.Path(flags.get("--resume") or f"{flags['--out']}/{flags['--name']}")
        (run / "checkpoints").mkdir(parents=True, exist_ok=True)
        (run / "checkpoints" / f"step-{state.made:06d}.json").touch()
        (run / "generator.keras").touch()
        row = {"step": state.made, "steps_per_s": 100.0}
        (run / "history.jsonl").write_text(json.dumps(row) + "\n")

    state.train = train
    monkeypatch.setattr(gpu_check, "Worker", Worker)
    monkeypatch.setattr(gpu_check, "run_until", run_until)
    monkeypatch.setattr(gpu_check, "find_spec", lambda name: state.found)
    monkeypatch.setattr(gpu_check.time, "monotonic", lambda: state.now)
    return state


def check(folder, capsys, *flags):
    code = gpu_check_command("gpu_check.sh", [str(folder), *flags])
    out = capsys.readouterr().out
    results = json.loads((folder / "gpu_check.json").read_text())
    assert out.endswith((folder / "gpu_check.txt").read_text())
    return code, results, out


def test_what_is_timed_and_trained_are_the_presets():
    timed = gpu_check.timed_settings(toy=False)
    assert list(timed) == [*CONFIGS, "wavegan16384, 64"]
    assert timed["wavegan16384, 64"].batch_size == 64


def test_stages_come_in_order_and_leave_one_file(pretended, tmp_path, capsys):
    code, results, out = check(tmp_path, capsys)
    assert code == 0
    assert [stage["stage"] for stage in results["stages"]] == list(gpu_check.STAGES)
    assert results["machine"]["device"] == "GPU: one"
    assert results["product_gflop_per_s"] == dict.fromkeys(PRECISIONS, 5000.0)
    steps = pretended.asked[-4 * 3 * 3 * 2 :]
    assert [arm[1:4] for arm in steps[:3]] == [("step", "speech2048", "resize")] * 3
    assert [arm[0] for arm in steps[:3]] == list(PROGRAMS)
    assert {arm[3] for arm in steps[:36]} == {"resize"}
    assert pretended.closed == 3
    assert [command[0] for command in pretended.commands] == [
        *["train.py"] * 2,
        *["generate.py"] * 2,
        "report.py",
    ]
    assert pretended.commands[1][-2:] == ("--steps", "3000")  # as many as the first made
    assert pretended.commands[-1][1] == str(tmp_path / "runs")
    assert results["notices"] == []
    row = next(line for line in out.splitlines() if line.startswith("gpu"))
    cells = "gpu resize float32 64 12.5 10.00 25.0% 40.00 (4.00 x) 15.00 (1.50 x)"
    assert " ".join(row.split()) == cells


def test_a_second_call_continues(pretended, tmp_path, capsys):
    check(tmp_path, capsys)
    count = len(pretended.asked)
    pretended.made = 5000
    _, results, _ = check(tmp_path, capsys)
    assert not [arm for arm in pretended.asked[count:] if arm[1] == "step"]
    again = [command for command in pretended.commands if "--resume" in command]
    assert [command[2] for command in again] == [str(tmp_path / "runs" / e) for e in UPSAMPLERS]
    assert again[1][-2:] == ("--steps", "5000")
    assert [each["steps"] for each in results["trainings"]] == [5000, 5000]


def test_a_training_killed_before_its_first_checkpoint_begins_again(pretended, tmp_path, capsys):
    (tmp_path / "runs" / "resize" / "checkpoints").mkdir(parents=True)
    check(tmp_path, capsys)
    assert "--name" in pretended.commands[0]


def test_limits_leave_time_for_what_follows(pretended, tmp_path, capsys):
    """Everything takes all that it may, and the table comes in time."""
    pretended.seconds = 100.0

    def silent(program, question):
        raise NoAnswerError("no answer within 100 s")

    pretended.answers = silent
    code, results, out = check(tmp_path, capsys, "--minutes", "8")
    assert code == 0
    assert max(pretended.limits) <= 480
    device = pretended.limits[0]
    assert device == pytest.approx(480 * gpu_check.STAGES["device"] / 3)
    assert "wavegan_rc, machine: no answer within 100 s" in results["notices"]
    assert "device not known" in out


def test_a_program_that_is_silent_twice_is_left_out(pretended, tmp_path, capsys):
    def answers(program, question):
        if program == "PyTorch compile":
            raise NoAnswerError("ended with code -9")
        return answer(program, question)

    pretended.answers = answers
    _, results, _ = check(tmp_path, capsys)
    steps = [row["program"] for row in results["steps"]]
    assert {program: steps.count(program) for program in PROGRAMS} == {
        "wavegan_rc": 24,
        "PyTorch eager": 24,
        "PyTorch compile": 0,
    }
    first = "PyTorch compile, step, speech2048, resize"
    assert results["notices"] == [
        f"{first}, float32: ended with code -9",
        f"{first}, tf32: ended with code -9; this program is left out",
    ]


def test_steps_that_fail_leave_the_others(pretended, tmp_path, capsys):
    def answers(program, question):
        if question.get("config") == "wavegan16384, 64":
            return {"error": "RESOURCE_EXHAUSTED: Out of memory"}
        return answer(program, question)

    pretended.answers = answers
    _, results, _ = check(tmp_path, capsys)
    assert len(results["steps"]) == 3 * 18
    assert len(results["notices"]) == 18
    assert results["notices"][0].endswith("RESOURCE_EXHAUSTED: Out of memory")


def test_without_pytorch_its_programs_are_left_out(pretended, tmp_path, capsys):
    pretended.found = False
    _, results, _ = check(tmp_path, capsys)
    assert {row["program"] for row in results["steps"]} == {"wavegan_rc"}
    assert results["notices"] == ["PyTorch is not installed: its programs are left out"]


def test_whatever_breaks_the_table_is_printed(pretended, tmp_path, capsys):
    def breaks(command):
        raise RuntimeError("something\nelse")

    pretended.train = breaks
    code, results, out = check(tmp_path, capsys)
    assert code == 1
    assert "the check ended early: something else" in out
    assert len(results["steps"]) == 72


def test_a_signal_ends_the_check_with_its_table(pretended, tmp_path, capsys):
    pretended.train = lambda command: os.kill(os.getpid(), 15)
    code, results, out = check(tmp_path, capsys)
    assert code == 128 + 15
    assert "the check ended early: a signal came" in out
    assert [stage["stage"] for stage in results["stages"]] == ["device", "steps", "training"]


@pytest.mark.parametrize(("flags", "named"), [(["--minutes", "0"], "minutes"), (["x"], "x")])
def test_mistakes_are_told_before_the_work(pretended, tmp_path, flags, named):
    with pytest.raises(ParameterError, match=named):
        gpu_check_command("gpu_check.sh", [str(tmp_path), *flags])
    assert not list(tmp_path.iterdir())


def test_a_folder_with_other_results_is_refused(pretended, tmp_path):
    (tmp_path / "gpu_check.json").write_text("{")
    with pytest.raises(DataError, match="cannot be used"):
        gpu_check_command("gpu_check.sh", [str(tmp_path)])


def test_the_report_is_in_the_table(pretended, tmp_path, capsys):
    (tmp_path / "report").mkdir()
    example = (ROOT / "docs" / "example-report" / "report.json").read_text()
    (tmp_path / "report" / "report.json").write_text(example)
    _, _, out = check(tmp_path, capsys)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    report = json.loads(example)
    assert report["summary"]["finding"] in lines
    row = next(row for row in report["rows"] if row["name"] == "out_of_band_total_db")
    cells = [*row["cells"].values(), row["real"]]
    numbers = [f"{cell['value']:.2f} [{cell['low']:.2f}, {cell['high']:.2f}]" for cell in cells]
    assert " ".join(["out_of_band_total_db dB", *numbers]) in lines


@pytest.mark.slow
@pytest.mark.extra
def test_everything_runs_at_toy_size(tmp_path):
    """Also where there is no TensorFlow; without time, it says what is missing."""
    pytest.importorskip("jax")
    command = [ROOT / "scripts" / "gpu_check.sh", tmp_path, "--toy", "--minutes", "20"]
    env = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "toy"
    results = json.loads((folder / "gpu_check.json").read_text())
    ours = [row for row in results["steps"] if row["program"] == "wavegan_rc"]
    assert [(row["upsampler"], row["precision"]) for row in ours] == [
        (upsampler, precision) for upsampler in UPSAMPLERS for precision in PRECISIONS
    ]
    assert [each["steps"] for each in results["trainings"]] == [6, 6]
    assert results["report"]["rows"][0]["real"]["value"] < -60  # real speech
    for upsampler in UPSAMPLERS:
        assert len(list((folder / "generated" / upsampler).glob("0*.wav"))) == 64
        assert (folder / "generated" / upsampler / "spectrogram.png").exists()
    assert (folder / "report" / "index.html").exists()
    assert (folder / "gpu_check.txt").read_text() in done.stdout
