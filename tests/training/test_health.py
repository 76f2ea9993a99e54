"""Bad signs are recognised where they were planted, and nowhere else."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers import ROOT
from helpers.runs import smoke_config
from hypothesis import given
from hypothesis import strategies as st

from wavegan_rc.errors import WaveganWarning
from wavegan_rc.training.health import (
    RULES,
    WARM_UP_STEPS,
    WINDOW_STEPS,
    Watch,
    format_findings,
    mean_norm,
    write_findings,
)
from wavegan_rc.training.train import train

REAL_NORM = 7.2
HEALTHY = {
    "gradient_norm": 1.1,
    "wasserstein_estimate": 2.0,
    "generator_gradient_norm": 30.0,
    "relative_level_db": -0.3,
    "clipped_share": 0.0,
    "diversity": 0.6,
}


def rows(steps=range(10, 501, 10), **changes) -> list[dict[str, Any]]:
    """A history whose values are healthy; changes are values, or functions of the step."""
    return [
        {"step": step}
        | HEALTHY
        | {name: value(step) if callable(value) else value for name, value in changes.items()}
        for step in steps
    ]


def judge(history, real_norm=REAL_NORM):
    watch = Watch(real_norm)
    for row in history:
        watch.add(row)
    return watch.findings


def rows_of(name):
    return [json.loads(line) for line in (ROOT / "docs" / name).read_text().splitlines()]


@pytest.mark.parametrize(
    ("value", "bad", "sign", "words"),
    [
        ("gradient_norm", 3.0, "gradient_norm too high", "far above 1"),
        ("gradient_norm", 0.2, "gradient_norm too low", "hardly learns"),
        ("wasserstein_estimate", 80.0, "wasserstein_estimate too high", "run away"),
        ("wasserstein_estimate", -0.3, "wasserstein_estimate too low", "does not tell"),
        ("generator_gradient_norm", 0.0, "generator_gradient_norm too low", "vanished"),
        ("relative_level_db", -120.0, "relative_level_db too low", "silent"),
        ("relative_level_db", 12.0, "relative_level_db too high", "dB louder"),
        ("clipped_share", 0.3, "clipped_share too high", "clipped"),
        ("diversity", 0.05, "diversity too low", "diversity"),
    ],
)
def test_each_bad_sign_is_found_from_when_it_was_planted(value, bad, sign, words):
    steps = range(10, 2501, 10)
    planted = {value: lambda step: bad if step > 2000 else HEALTHY[value]}
    findings = judge(rows(steps, **planted))
    assert list(findings) == [sign]
    found = findings[sign]
    assert 2000 < found.first_step <= 2000 + WINDOW_STEPS
    assert found.last_step == 2500
    assert words in found.message
    assert found.message.startswith(f"step {found.first_step}: ")
    assert "try" in found.message or "start again" in found.message


def test_every_rule_has_been_tried():
    tried = test_each_bad_sign_is_found_from_when_it_was_planted.pytestmark[0].args[1]
    assert {rule.sign for rule in RULES} == {sign for _, _, sign, _ in tried}
    assert {rule.value for rule in RULES} == set(HEALTHY)


@given(
    gradient_norm=st.floats(0.9, 1.3),
    wasserstein_estimate=st.floats(0.6, 9),
    generator_gradient_norm=st.floats(0.5, 200),
    relative_level_db=st.floats(-4, 1.5),
    diversity=st.floats(0.4, 1.3),
)
def test_healthy_values_have_no_bad_sign(**values):
    assert judge(rows(**values)) == {}


def test_the_warm_up_is_not_judged():
    bad = dict.fromkeys(HEALTHY, 0.0) | {"relative_level_db": -120.0}
    assert judge([{"step": step} | bad for step in range(1, WARM_UP_STEPS)]) == {}
    assert judge([{"step": WARM_UP_STEPS} | bad])


def test_a_generator_may_be_silent_at_first_but_not_later():
    silent_until = {
        last: judge(
            rows(
                range(10, 3001, 10),
                relative_level_db=lambda step, last=last: -30.0 * (step <= last),
            )
        )
        for last in (1000, 3000)
    }
    assert silent_until[1000] == {}
    assert list(silent_until[3000]) == ["relative_level_db too low"]


def test_a_single_line_that_strays_is_no_sign_and_a_lasting_one_is():
    """A line of ten steps among five; alone in the window, it counts."""
    stray = rows(wasserstein_estimate=lambda step: -1.0 if step == 300 else 2.0)
    assert judge(stray) == {}
    assert judge([row for row in stray if row["step"] % 100 == 0])


def test_a_sign_that_goes_away_says_until_when():
    found = judge(rows(gradient_norm=lambda step: 4.0 if 300 < step <= 350 else 1.1))
    (finding,) = found.values()
    assert finding.last_step < 400


def test_values_that_are_not_logged_are_not_judged():
    """Of runs that measure nothing, or of an earlier version."""
    few = [{"step": row["step"], "critic_loss": 1.0} for row in rows()]
    assert judge(few) == {}


def test_the_norm_of_real_segments():
    real = np.array([[3.0, 4.0], [0.0, 1.0]], np.float32)
    assert mean_norm(real) == pytest.approx(np.sqrt((25 + 1) / 2))
    loud = rows(wasserstein_estimate=5.0)
    assert judge(loud, real_norm=7.2) == {}
    assert list(judge(loud, real_norm=2.0)) == ["wasserstein_estimate too high"]


def test_a_real_healthy_run_has_no_bad_sign_and_a_real_ill_one_has():
    assert judge(rows_of("health-healthy.jsonl")) == {}
    found = judge(rows_of("health-ill.jsonl"))
    assert {"gradient_norm too high", "diversity too low"} <= set(found)


def test_findings_are_written_and_shown_again(tmp_path):
    path = tmp_path / "health.json"
    assert format_findings(path) == ""
    write_findings(path, [])
    assert format_findings(path) == ""
    findings = judge(rows(diversity=0.0)).values()
    write_findings(path, findings)
    (warning,) = json.loads(path.read_text())["warnings"]
    assert (warning["sign"], warning["last_step"]) == ("diversity too low", 500)
    assert warning["message"] in format_findings(path)
    assert "step 500" in format_findings(path)


@pytest.mark.slow
def test_training_warns_once_of_each_sign_records_it_and_says_it_again(tmp_path, monkeypatch):
    """A generator that does not learn, with a critic that cannot; then the run goes on."""
    rules = tuple(replace(rule, first_step=4) for rule in RULES)
    monkeypatch.setattr("wavegan_rc.training.health.RULES", rules)
    config = smoke_config(tmp_path, learning_rate=1e-9, steps=8, measure_every=0)
    with pytest.warns(WaveganWarning) as warned:
        run = train(config).path
    messages = [str(each.message) for each in warned if each.category is WaveganWarning]
    assert len(messages) == len(set(messages))
    assert any("hardly learns" in message for message in messages)
    recorded = json.loads((run / "health.json").read_text())["warnings"]
    assert [each["message"] for each in recorded] == messages
    assert all(each["first_step"] == 4 for each in recorded)
    assert all(each["last_step"] == 8 for each in recorded)
    printed = format_findings(run / "health.json")
    assert all(message in printed for message in messages)
    train(replace(config, steps=12), resume=run)  # a warning given again would fail the test
    recorded = json.loads((run / "health.json").read_text())["warnings"]
    assert [each["message"] for each in recorded] == messages
    assert all((each["first_step"], each["last_step"]) == (4, 12) for each in recorded)


def test_rules_of_the_wasserstein_gan_do_not_judge_another_loss():
    row = {"gradient_norm": 0.01, "wasserstein_estimate": 1e3, "diversity": 0.0, "step": 250}
    assert list(judge([row])) == [
        "gradient_norm too low",
        "wasserstein_estimate too high",
        "diversity too low",
    ]
    watch = Watch(REAL_NORM, "relativistic")
    assert [finding.sign for finding in watch.add(row)] == ["diversity too low"]
