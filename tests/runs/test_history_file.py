"""Whether a training is finished, by the history that it keeps."""

import numpy as np
import pytest

from wavegan_rc.config import Config
from wavegan_rc.runs.history import logged_steps, unfinished
from wavegan_rc.runs.run import Run

LEVEL, LINES = "out_of_band_total_db", "line_prominence_db/stage_2"


def rows_of(values, every=100, name=LEVEL):
    return [
        {"step": every * (i + 1), "critic_loss": 0.0, name: value} for i, value in enumerate(values)
    ]


@pytest.mark.parametrize("steps", [6, 60, 300])
def test_short_runs_are_too_seldom_measured_to_know(steps):
    """Measured every 100 steps and at the last one, as the default settings do."""
    rows = [{"step": step} for step in range(1, steps)] + [{"step": steps, LEVEL: -3.0}]
    assert unfinished(rows) == (
        f"the last quarter of {steps} steps has 1 measurement; 4 are needed to tell"
    )


@pytest.mark.parametrize(("name", "limit"), [(LEVEL, 1.0), (LINES, 2.0)])
def test_a_level_may_change_by_so_much_over_the_last_quarter(name, limit):
    """Whatever it did before; 20 measurements, of which 5 are in the last quarter."""
    falling = np.linspace(0, -30, 15).tolist()
    for slope, finished in ((0.9, True), (1.1, False), (-1.1, False)):
        last = [-30 + slope * limit * i / 5 for i in range(1, 6)]
        found = unfinished(rows_of(falling + last, name=name))
        assert (found is None) == finished
        if not finished:
            assert f"{slope * limit:+.1f} dB" in str(found)
    noisy = [-30 + limit * (-1) ** i / 2 for i in range(5)]
    assert unfinished(rows_of(falling + noisy, name=name)) is None


def test_what_moves_is_named():
    rows = [
        {"step": step, LEVEL: -10.0, LINES: step / 10, "line_prominence_db/stage_3": 1.0}
        for step in range(1, 101)
    ]
    assert unfinished(rows) == (
        "over the last quarter of 100 steps, the line prominence of stage 2 changed by +2.5 dB"
    )


def test_without_numbers_nothing_is_known():
    for rows in ([], rows_of([None] * 20), rows_of([float("nan")] * 20), rows_of(["-3"] * 20)):
        assert "has 0 measurements; " in str(unfinished(rows))


def test_a_run_is_shown_as_its_folder_upsampler_and_steps(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Run("001-resize")
    assert repr(run) == "Run('001-resize': no settings)"
    run.checkpoints.mkdir(parents=True)
    (run.checkpoints / "step-000012.json").write_text("{}")
    run.write_config(Config(steps=20))
    assert repr(run) == "Run('001-resize': resize, 12 of 20 steps)"
    for damaged in (b"steps: [", b"\xff", b"steps: 20"):
        run.config.write_bytes(damaged)
        assert repr(run) == "Run('001-resize': its settings cannot be read)"


def test_a_step_is_logged_once_its_line_is_complete(tmp_path):
    file = tmp_path / "history.jsonl"
    assert not logged_steps(file)
    file.write_text('{"loss":1,"step":3}\n[]\n{"step": [3]}\n\xff\n{"step": 4, "lo')
    assert logged_steps(file) == {3}
