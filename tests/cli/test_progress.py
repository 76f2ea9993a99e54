"""The display of progress: what is shown, when, and how long it says the work takes."""

import re

import pytest

from wavegan_rc.cli import progress
from wavegan_rc.cli.progress import ProgressDisplay
from wavegan_rc.errors import WaveganWarning


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 0.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_compilation_does_not_count_for_the_time_left(clock, capsys):
    """Under JAX the first two steps are compiled: 20 s each, before 6000 of 0.08 s."""
    with ProgressDisplay() as display:
        display.show("training", 0, 6000, "compiling")
        for step in range(1, 6001):
            clock.now += 20 if step <= 2 else 0.08
            display.show("training", step, 6000)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["training 0/6000 compiling", "training 1/6000"]
    assert lines[-1] == "training 6000/6000"
    told = [
        re.fullmatch(r"training (\d+)/6000 ([\d.]+) (s|min) left", line) for line in lines[3:-1]
    ]
    assert len(told) > 10
    for match in told:
        seconds = float(match[2]) * {"s": 1, "min": 60}[match[3]]
        assert seconds == pytest.approx((6000 - int(match[1])) * 0.08, abs=31)


def test_a_file_has_a_line_every_30_seconds_and_one_work_follows_another(clock, capsys):
    with ProgressDisplay() as display:
        display.show("preparing", 1, 1)
        for step in range(101):
            display.show("training", step, 100, "fine")
            clock.now += 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "preparing 1/1"
    steps = [int(re.match(r"training (\d+)/100 fine", line)[1]) for line in lines[1:]]
    assert steps == [0, 1, 31, 61, 91, 100]


def test_a_training_that_goes_back_is_shown_at_once(clock, capsys):
    with ProgressDisplay() as display:
        for step in (0, 1, 2, 3, 0, 1):
            display.show("training", step, 9)
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == [
        *("0/9", "1/9", "0/9", "1/9")
    ]


def test_a_display_that_fails_ends_no_training(monkeypatch):
    def fail(**_):
        raise LookupError("unknown terminal")

    monkeypatch.setattr(progress, "Console", fail)
    message = "^the progress display failed; training continues without it: unknown terminal$"
    with ProgressDisplay() as display:
        with pytest.warns(WaveganWarning, match=message):
            display.show("training", 0, 9)
        display.show("training", 1, 9)  # a warning given again would fail the test
