"""Processes of a GPU check, which end in time whatever they do."""

import sys
import time

import pytest

from benchmarks.gpu_check_processes import NoAnswerError, Worker, run_until

pytestmark = pytest.mark.slow

IGNORE = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
# Answers with its question and its process; libraries may print before that.
ECHO = """
import json, os, sys
for line in sys.stdin:
    question = json.loads(line)
    exec(question.get("do", ""))
    print(json.dumps([question["ask"], os.getpid()]), flush=True)
"""


def run(code, folder, seconds=30.0, grace_s=10.0):
    file = folder / "log"
    end = time.monotonic() + seconds
    return run_until([sys.executable, "-c", code], end, grace_s=grace_s, log=file)


def is_running(number):
    try:
        with open(f"/proc/{number}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(number):
    """Whether a process ends soon: one that was killed needs a core to end on."""
    until = time.monotonic() + 30
    while is_running(number) and time.monotonic() < until:
        time.sleep(0.05)
    return not is_running(number)


def test_a_command_ends_by_itself_or_says_why_not(tmp_path):
    assert run("print('well')", tmp_path) == "done"
    why = run("import sys; sys.exit('no such device\\n\\n')", tmp_path)
    assert why == "failed with code 1: no such device"
    assert (tmp_path / "log").read_text().split() == ["well", "no", "such", "device"]


def test_a_command_may_save_before_it_is_killed(tmp_path):
    saves = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0));"
    assert run(f"{saves} time.sleep(60)", tmp_path, 3.0, grace_s=2.0).startswith("stopped after")


def test_one_that_does_not_is_killed_with_those_that_it_started(tmp_path):
    child = f"import os; {IGNORE} print(os.getpid(), flush=True); time.sleep(60)"
    started = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    ended = run(f"{IGNORE} {started}", tmp_path, 4.0, grace_s=0.5)
    assert ended.startswith("killed after")
    assert ends(int((tmp_path / "log").read_text()))


def test_without_time_nothing_is_started(tmp_path):
    assert run("print()", tmp_path, seconds=5.0, grace_s=10.0) == "no time left"
    assert not (tmp_path / "log").exists()


@pytest.fixture
def worker(tmp_path):
    made = Worker([sys.executable, "-c", ECHO], tmp_path / "log")
    yield made
    made.close()


def test_a_worker_answers_and_stays(worker):
    first, second = (worker.ask({"ask": word}, 30) for word in ("one", "two"))
    assert (first[0], second[0]) == ("one", "two")
    assert first[1] == second[1]


@pytest.mark.parametrize(
    ("do", "why"),
    [
        ("import time; time.sleep(60)", "no answer within 1 s"),
        ("print('half a line', end='', flush=True); import time; time.sleep(60)", "no answer"),
        ("os.kill(os.getpid(), 9)", "ended with code -9"),
        ("sys.exit(3)", "ended with code 3"),
    ],
)
def test_a_worker_that_hangs_or_ends_is_replaced(worker, do, why):
    before = worker.ask({"ask": "one"}, 30)[1]
    with pytest.raises(NoAnswerError, match=why):
        worker.ask({"ask": "two", "do": do}, 1)
    assert not is_running(before)
    assert worker.ask({"ask": "three"}, 30)[0] == "three"
