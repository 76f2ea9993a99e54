"""The document of a report, from run folders of known values."""

import json
import math
import os
import re
import shlex
from dataclasses import replace
from importlib import metadata

import numpy as np
import pytest
from helpers.report_runs import (
    SMALL,
    VERSIONS,
    document_json,
    quantities,
    quantity,
    write_measurement,
    write_run,
    write_seeds,
)
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import wavegan_rc
from wavegan_rc.cli.report import report_command
from wavegan_rc.cli.train import train_command
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.measurement.bootstrap import Estimate
from wavegan_rc.measurement.over_seeds import difference_over_seeds, mean_over_seeds
from wavegan_rc.measurement.quantities import side
from wavegan_rc.measurement.significance import holm
from wavegan_rc.report import measured
from wavegan_rc.report import write as report_writer
from wavegan_rc.report.document import build_document
from wavegan_rc.report.fairness import build_warnings
from wavegan_rc.report.groups import group_runs
from wavegan_rc.report.measured import Key
from wavegan_rc.report.page import render_page
from wavegan_rc.report.rows import judged
from wavegan_rc.report.run_files import command_to_repeat, read_run
from wavegan_rc.report.sounds import Sounds
from wavegan_rc.runs.run import config_as_yaml

TRANSPOSED = replace(SMALL, upsampler="transposed")


@pytest.fixture(autouse=True)
def only_files(monkeypatch):
    """Nothing here may be measured: the generators are empty files."""

    def refuse(path):
        raise AssertionError(f"{path} was measured")

    monkeypatch.setattr(measured, "measure", refuse)


def compared(folder, theirs, ours):
    """The document of trainings of `transposed` and of `resize`."""
    runs = write_seeds(folder, "a", theirs, TRANSPOSED)
    return document_json(runs + write_seeds(folder, "b", ours), folder / "out")


def row_of(document, name, stage=None, hz=None):
    (row,) = [
        row
        for row in document["rows"]
        if (row["name"], row["stage"], row["frequency_hz"]) == (name, stage, hz)
    ]
    return row


def verdict_on(document, quantity):
    (verdict,) = [each for each in document["verdicts"] if each["quantity"] == quantity]
    return verdict


def welch(ours, theirs):
    """Welch (1947) by hand: difference, degrees of freedom, standard error."""
    variances = [sum((x - np.mean(v)) ** 2 for x in v) / (len(v) - 1) for v in (ours, theirs)]
    shares = [variance / len(v) for variance, v in zip(variances, (ours, theirs), strict=True)]
    freedom = sum(shares) ** 2 / sum(
        share**2 / (len(v) - 1) for share, v in zip(shares, (ours, theirs), strict=True)
    )
    return np.mean(ours) - np.mean(theirs), freedom, math.sqrt(sum(shares))


def stepped_down(p_values):
    """Holm (1979) by its words: the k-th smallest of m times m - k + 1, and never falling."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    for k, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, (len(p_values) - k) * p_values[i])
        adjusted[i] = min(1.0, largest)
    return adjusted


@pytest.fixture(scope="module")
def random_values():
    rng = np.random.default_rng(0)
    return {
        name: [
            {
                "line_prominence_db": rng.normal([mean, 1], [1, 2]).tolist(),
                "out_of_band_total_db": float(rng.normal(-20, 1)),
            }
            for _ in range(count)
        ]
        for name, mean, count in (("transposed", 9, 5), ("resize", 1, 4))
    }


@pytest.fixture(scope="module")
def of_seeds(tmp_path_factory, random_values):
    """Five trainings of one setting beside four of another."""
    return compared(tmp_path_factory.mktemp("seeds"), *random_values.values())


def test_runs_that_differ_in_the_seed_are_one_setting(of_seeds):
    assert of_seeds["groups"] == [
        {
            "id": "g1",
            "label": "transposed",
            "color": "#0072B2",
            "runs": ["r1", "r2", "r3", "r4", "r5"],
            "seeds": [0, 1, 2, 3, 4],
        },
        {
            "id": "g2",
            "label": "resize",
            "color": "#D55E00",
            "runs": ["r6", "r7", "r8", "r9"],
            "seeds": [0, 1, 2, 3],
        },
    ]
    assert of_seeds["differing_settings"] == ["upsampler"]
    assert of_seeds["warnings"] == []
    assert [run["group"] for run in of_seeds["runs"]] == ["g1"] * 5 + ["g2"] * 4


def test_a_cell_has_the_mean_and_students_interval(of_seeds, random_values):
    cell = row_of(of_seeds, "line_prominence_db", 1)["cells"]["g1"]
    values = [each["line_prominence_db"][0] for each in random_values["transposed"]]
    half = stats.t.ppf(0.975, 4) * math.sqrt(np.var(values) * 5 / 4 / 5)
    expected = (np.mean(values), np.mean(values) - half, np.mean(values) + half)
    assert (cell["value"], cell["low"], cell["high"]) == pytest.approx(expected)
    assert (cell["over"], cell["count"]) == ("seeds", 5)
    assert list(cell["runs"].values()) == pytest.approx(values)


def test_differences_have_welchs_intervals_and_holms_p_values(of_seeds, random_values):
    tests = []
    for stage in (1, 2):
        ours, theirs = (
            [each["line_prominence_db"][stage - 1] for each in random_values[name]]
            for name in ("resize", "transposed")
        )
        value, freedom, error = welch(ours, theirs)
        half = stats.t.ppf(0.975, freedom) * error
        tests.append(
            (value, value - half, value + half, 2 * stats.t.sf(abs(value) / error, freedom))
        )
    corrected = stepped_down([test[3] for test in tests])
    for stage, test, p_value in zip((1, 2), tests, corrected, strict=True):
        found = row_of(of_seeds, "line_prominence_db", stage)["differences"]["g2"]
        assert [found[name] for name in ("value", "low", "high")] == pytest.approx(test[:3])
        assert found["p_value"] == pytest.approx(p_value)


def test_beside_real_audio_each_run_counts_with_its_own(tmp_path):
    """Real segments differ from seed to seed, and generated ones with them: pairs are compared."""
    values, real = [3.0, 5.0, 9.0], [1.0, 3.1, 6.9]
    runs = write_seeds(tmp_path, "a", [{}] * 3)
    for run, value, floor in zip(runs, values, real, strict=True):
        found = [quantity("rms_db", value, real=floor)]
        write_measurement(run, found)
    cell = row_of(document_json(runs, tmp_path / "out"), "rms_db")["cells"]["g1"]
    expected = stats.ttest_rel(values, real)
    assert cell["p_value"] == pytest.approx(expected.pvalue)
    assert cell["beside_real"]["low"] == pytest.approx(expected.confidence_interval().low)
    assert cell["verdict"] == "above"
    # The values themselves are too far apart to say so.
    assert stats.ttest_ind(values, real).pvalue > 0.4


def test_a_planted_difference_is_told_with_its_size_unit_stage_and_seeds(tmp_path):
    theirs = [{"line_prominence_db": [10 + d, 5.0 + d]} for d in (-0.4, 0, 0.4, 0.1, -0.1)]
    ours = [{"line_prominence_db": [1.4 + d, 5.1 - d]} for d in (-0.4, 0, 0.4, 0.1, -0.1)]
    document = compared(tmp_path, theirs, ours)
    verdict = verdict_on(document, "line_prominence_db")
    value, freedom, error = welch(
        [each["line_prominence_db"][0] for each in theirs],
        [each["line_prominence_db"][0] for each in ours],
    )
    half = stats.t.ppf(0.975, freedom) * error
    p_value = 2 * 2 * stats.t.sf(8.6 / error, freedom)  # Holm's, of two stages
    assert verdict["text"].replace("\N{MINUS SIGN}", "-") == (
        f"difference -8.60 [{-8.6 - half:.2f}, {-8.6 + half:.2f}] dB, "
        "at 1 kHz, 2 kHz, ... (stage 1), "
        f"p {p_value:.1g}, 5 seeds each, of 2 stages less in 1, equal within 1 dB in 1"
    )
    assert value == pytest.approx(8.6)
    assert (verdict["verdict"], verdict["trainings"]) == ("better", "5 seeds each")
    assert verdict["of_stages"] == "1 of 2"
    assert verdict["difference"] == pytest.approx(-8.6)
    assert (verdict["group"], verdict["beside"]) == ("g2", "g1")


def test_a_stage_that_is_certain_is_told_before_a_larger_one_that_is_not(tmp_path):
    theirs = [{"image_coherence": [0.1 + d, 0.1]} for d in (-0.01, 0, 0.01)]
    ours = [{"image_coherence": [0.3 - d, 0.1 + 40 * d]} for d in (-0.01, 0, 0.05)]
    document = compared(tmp_path, theirs, ours)
    values = [row_of(document, "image_coherence", stage)["differences"]["g2"] for stage in (1, 2)]
    assert values[1]["value"] > values[0]["value"]
    verdict = verdict_on(document, "image_coherence")
    assert verdict["verdict"] == "worse"
    assert verdict["text"].startswith("difference 0.187 [")
    assert "at 1 kHz, 2 kHz, ... (stage 1)" in verdict["text"]
    assert verdict["text"].endswith("of 2 stages more in 1, cannot be told in 1")


def test_equal_settings_have_no_winner(tmp_path):
    spread = [{"out_of_band_total_db": -20.0 + d, "frechet_distance": 5 + d} for d in (0, 1, 2)]
    other = [{"out_of_band_total_db": -20.1 + d, "frechet_distance": 9 + d} for d in (0, 1, 2)]
    document = compared(tmp_path, spread, other)
    assert verdict_on(document, "out_of_band_total_db")["verdict"] == "cannot be told"
    assert verdict_on(document, "frechet_distance")["verdict"] == "worse"
    assert document["summary"]["finding"] == (
        "After 20 steps and 3 seeds each, resize is further from real speech than transposed."
    )


def test_a_wide_interval_tells_nothing_and_a_narrow_one_that_both_are_equal(tmp_path):
    """Two seeds of each, 0.3 dB apart: they lie widely scattered, or within a fraction of 1 dB."""
    for spread, verdict in ((8.0, "cannot be told"), (0.1, "alike")):
        folder = tmp_path / str(spread)
        sides = [
            [{"out_of_band_total_db": mean + d} for d in (-spread, spread)]
            for mean in (-20.0, -19.7)
        ]
        found = verdict_on(compared(folder, *sides), "out_of_band_total_db")
        assert found["verdict"] == verdict


@given(st.floats(-2, 2), st.floats(0, 2))
def test_equal_is_only_what_lies_within_the_margin_with_its_whole_interval(value, half):
    difference = Estimate(value, value - half, value + half)
    found = side("out_of_band_total_db", difference, certain=False)
    assert (found == "equal within 1 dB") == (abs(value) + half < 1)
    assert side("frechet_distance", difference, certain=False) == "cannot be told"


def test_a_stage_that_cannot_be_told_is_named_before_one_that_is_equal(tmp_path):
    theirs = [{"line_prominence_db": [5 + d, 5 + 9 * d]} for d in (-0.1, 0, 0.1)]
    ours = [{"line_prominence_db": [5 - d, 5 - 9 * d]} for d in (-0.1, 0.02, 0.1)]
    verdict = verdict_on(compared(tmp_path, theirs, ours), "line_prominence_db")
    assert verdict["verdict"] == "cannot be told"
    assert "(stage 2)" in verdict["text"]
    assert verdict["text"].endswith("of 2 stages cannot be told in 1, equal within 1 dB in 1")


def test_without_a_low_pass_it_is_said_why_nothing_is_out_of_band(tmp_path):
    reason = "no stopband_hz: no band is known to be empty"
    full = replace(SMALL, cutoff_hz=None)
    runs = [
        write_run(tmp_path / "a", replace(TRANSPOSED, cutoff_hz=None)),
        write_run(tmp_path / "b", full),
    ]
    found = [each for each in quantities({}) if "out_of_band" not in each["name"]]
    found.append(quantity("out_of_band_total_db", None, real=None, reason=reason))
    seeds = write_seeds(tmp_path, "c", [{}, {}], full) + write_seeds(tmp_path, "d", [{}, {}])
    for run in (*runs, *seeds[:2]):
        write_measurement(run, found, full)
    document = document_json(seeds, tmp_path / "out")
    verdict = verdict_on(document, "out_of_band_total_db")
    assert (verdict["verdict"], verdict["text"]) == ("not measured", f"r1: {reason}; r2: {reason}")


@given(
    st.lists(st.floats(-50, 50).map(lambda x: round(x, 2)), min_size=2, max_size=6),
    st.lists(st.floats(-50, 50).map(lambda x: round(x, 2)), min_size=2, max_size=6),
)
def test_a_winner_needs_an_interval_without_zero_and_a_small_p_value(ours, theirs):
    key = Key("rms_db")
    found = judged({key: difference_over_seeds(ours, theirs)}, "no spread")[key]
    if found.p_value is None:
        assert (found.verdict, found.reason) == ("", "no spread")
        return
    low, high = found.low, found.high
    assert low is not None
    assert high is not None
    # One test and one interval from the same distribution agree.
    certain = low > 0 or high < 0
    assert (found.verdict in ("above", "below")) == (certain and found.p_value < 0.05)
    assert (found.p_value < 0.05) == certain or abs(found.p_value - 0.05) < 1e-9


def test_settings_that_are_alike_are_seldom_told_apart():
    """Of 7 stages at once; Holm keeps the chance of a single false one below 5 %."""
    rng, wrong, trials = np.random.default_rng(1), 0, 250
    for _ in range(trials):
        tested = {
            Key("line_prominence_db", stage): difference_over_seeds(
                rng.normal(size=5).tolist(), rng.normal(size=5).tolist()
            )
            for stage in range(1, 8)
        }
        verdicts = {each.verdict for each in judged(tested, "").values()}
        wrong += bool(verdicts & {"above", "below"})
    assert wrong / trials < 0.05 + 2 * math.sqrt(0.05 * 0.95 / trials)


@given(st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=12))
def test_holm_is_what_its_words_say(p_values):
    known = [p for p in p_values if not math.isnan(p)]
    found = holm(np.array(p_values))
    assert np.isnan(found).tolist() == [math.isnan(p) for p in p_values]
    assert found[~np.isnan(found)].tolist() == pytest.approx(stepped_down(known))


def test_values_that_do_not_differ_have_no_interval():
    for tested in (
        mean_over_seeds([2.0, 2.0 + 1e-15, 2.0]),
        mean_over_seeds([2.0]),
        difference_over_seeds([2.0], [1.0, 1.5]),
        difference_over_seeds([1.0, 1.0], [1.0, 1.0 - 1e-16]),
    ):
        assert math.isnan(tested.p_value)
        assert math.isnan(tested.estimate.low)
    # One of the two is enough; SciPy warns of the other.
    assert difference_over_seeds([2.0, 2.0, 2.0], [1.0, 1.1, 0.9]).p_value < 0.01


def test_what_noise_could_hide_is_said_where_the_number_stands(tmp_path):
    """A number at its limit is no measured line, and a difference is not read as the verdict."""
    hidden = "below the detection limit: noise could hide as much"
    runs = write_seeds(tmp_path, "a", [{}] * 2, TRANSPOSED) + write_seeds(tmp_path, "b", [{}] * 2)
    for i, run in enumerate(runs):
        reason = hidden if i > 1 else None
        found = [quantity("out_of_band_lines_db", -60.0 - 9 * i, real=-70.0, reason=reason)]
        found[0] |= {"verdict": "cannot be told"}
        write_measurement(run, found)
    document = build_document(runs, tmp_path / "out")
    page = render_page(document, Sounds([], 0.0, None, 0), [])
    (row,) = document.rows
    assert [row.cells[group].reason for group in ("g1", "g2")] == [None, hidden]
    assert re.search(rf"<small>cannot be told; difference .18 \[.*\], p 0.1\d+; {hidden}<", page)
    assert "<small>cannot be told from real</small>" in page


def test_one_training_beside_several_has_no_interval(tmp_path):
    several = [{"rms_db": x} for x in (1.0, 2.0, 3.0)]
    document = compared(tmp_path, several, [{"rms_db": 12.0, "out_of_band_total_db": 30.0}])
    difference = row_of(document, "rms_db")["differences"]["g2"]
    assert (difference["value"], difference["low"], difference["p_value"]) == (10.0, None, None)
    assert (difference["verdict"], "one training" in difference["reason"]) == ("", True)
    cells = row_of(document, "rms_db")["cells"]
    assert (cells["g1"]["over"], cells["g1"]["count"]) == ("seeds", 3)
    assert (cells["g2"]["over"], cells["g2"]["count"]) == ("segments", 512)
    verdict = verdict_on(document, "out_of_band_total_db")
    assert verdict["verdict"] == "cannot be told"
    assert verdict["text"].endswith("no interval: one training on one side, several on the other")
    assert any(warning.startswith("Only one training of b-0:") for warning in document["warnings"])


def test_of_unfinished_trainings_and_few_real_segments_it_is_warned(tmp_path):
    moving, settled = write_seeds(tmp_path, "a", [{}] * 2)
    rows = [{"step": step, "out_of_band_total_db": -step} for step in range(1, 21)]
    (moving / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = settled / "measurement" / "artifacts.json"
    real = {"name": "real", "segments": 512, "independent_segments": 7}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"real": real}))
    warnings = build_document([moving, settled], tmp_path / "out").warnings
    (unfinished,) = [warning for warning in warnings if warning.startswith("Levels still changed")]
    assert unfinished.endswith(
        "tell: r1 (a-0). `wavegan-rc train --resume RUN --steps N` trains longer."
    )
    (few,) = [warning for warning in warnings if "real segments" in warning]
    assert few.startswith("Fewer than 100 real segments that neither overlap nor repeat: r2 (a-1)")
    assert "has 7." in few


def test_one_setting_is_judged_beside_real_audio(tmp_path):
    values = [{"out_of_band_total_db": x} for x in (60.0, 61.0, 62.0)]
    document = document_json(write_seeds(tmp_path, "a", values), tmp_path / "out")
    verdict = verdict_on(document, "out_of_band_total_db")
    assert verdict["text"].startswith("difference 61.0 [")
    assert verdict["text"].endswith(", 3 seeds")
    assert (verdict["group"], verdict["beside"], verdict["verdict"]) == ("g1", "real", "worse")
    assert document["summary"]["finding"] == (
        "After 20 steps and 3 seeds, resize leaves 61 dB more of its power out of band (above 1.7 "
        "kHz) than real speech."
    )
    assert document["title"] == "resize"


def test_what_one_run_lacks_is_no_mean_of_the_others(tmp_path):
    values = [{"frechet_distance": x} for x in (1.0, 2.0, 3.0)]
    runs = write_seeds(tmp_path, "a", values, TRANSPOSED) + write_seeds(tmp_path, "b", values)
    found = quantities({"out_of_band_total_db": None})
    found = [each for each in found if each["name"] != "frechet_distance"]
    missing = quantity("frechet_distance", None, real=None, reason="needs 100 segments, has 9")
    write_measurement(runs[4], [*found, missing])
    document = document_json(runs, tmp_path / "out")
    cell = row_of(document, "frechet_distance")["cells"]["g2"]
    assert (cell["value"], cell["reason"]) == (None, "r5: needs 100 segments, has 9")
    assert cell["runs"] == {"r4": 1.0, "r5": None, "r6": 3.0}
    assert verdict_on(document, "frechet_distance")["verdict"] == "not measured"
    cell = row_of(document, "out_of_band_total_db")["cells"]["g2"]
    assert cell["reason"] == "r5: nothing is there: minus infinity dB"
    assert row_of(document, "out_of_band_total_db")["cells"]["g1"]["value"] == 0


def test_stages_of_other_factors_are_not_compared(tmp_path):
    other = replace(SMALL, upsampling_factors=(2, 8))
    runs = write_seeds(tmp_path, "a", [{}, {"rms_db": 1.0}])
    runs += write_seeds(tmp_path, "b", [{}, {"rms_db": 2.0}], other)
    document = document_json(runs, tmp_path / "out")
    rows = [
        row
        for row in document["rows"]
        if (row["name"], row["stage"], row["frequency_hz"]) == ("line_prominence_db", 2, None)
    ]
    assert [len(row["lines_hz"]) for row in rows] == [2, 4]  # of 4 and of 8, below half the rate
    assert rows[0]["cells"]["g2"]["reason"] == "r3: its generator has other stages; " + (
        "r4: its generator has other stages"
    )
    assert all(row["differences"]["g2"]["value"] is None for row in rows)
    assert row_of(document, "rms_db")["differences"]["g2"]["value"] == pytest.approx(0.5)
    assert [group["label"] for group in document["groups"]] == ["factors 4 4", "factors 2 8"]
    assert verdict_on(document, "line_prominence_db")["verdict"] == "not measured"


def test_segments_of_other_lengths_are_not_compared_at_all(tmp_path):
    runs = write_seeds(tmp_path, "a", [{}, {"rms_db": 1.0}])
    runs += write_seeds(tmp_path, "b", [{}, {}], replace(SMALL, segment_length=1024))
    document = document_json(runs, tmp_path / "out")
    difference = row_of(document, "rms_db")["differences"]["g2"]
    assert (difference["value"], "must be alike" in difference["reason"]) == (None, True)


@pytest.mark.parametrize(
    ("changes", "name", "label"),
    [
        ({"steps": 40}, "steps", "40 steps"),
        ({"cutoff_hz": 3000.0}, "cutoff hz", "low-pass 3000"),
        ({"cutoff_hz": None}, "cutoff hz", "low-pass none"),
        ({"filters": 32}, "filters", "32 filters"),
        ({"batch_size": 8}, "batch size", "batch 8"),
        ({"latent_dim": 8}, "latent dim", "latent dim 8"),
        ({"sample_rate": 8000}, "sample rate", "sample rate 8000"),
        ({"segment_length": 1024}, "segment length", "segment length 1024"),
        ({"data": "a/speech"}, "the recordings", "a/speech"),
    ],
)
def test_what_makes_a_comparison_unfair_is_named_once(tmp_path, changes, name, label):
    prints = {"fingerprint": "b" * 64} if "data" in changes else {}
    runs = write_seeds(tmp_path, "a", [{}, {}])
    runs += write_seeds(tmp_path, "b", [{}, {}], replace(SMALL, **changes), **prints)
    document = document_json(runs, tmp_path / "out")
    assert document["groups"][1]["label"] == label
    (warning,) = [w for w in document["warnings"] if w.startswith("Not a fair comparison")]
    assert f"{name} differ" in warning


def test_a_label_is_short_however_many_settings_differ(tmp_path):
    """Five settings in a label would be repeated in every sentence."""
    other = replace(
        TRANSPOSED, filters=32, batch_size=8, latent_dim=8, learning_rate=1e-4, kernel_size=12
    )
    third = replace(other, filters=16)
    runs = [
        write_run(tmp_path / f"{i:03d}-{each.upsampler_name}", each)
        for i, each in enumerate((SMALL, other, third))
    ]
    groups = group_runs([read_run(run, f"r{i}") for i, run in enumerate(runs)])
    labels = [group.label for group in groups]
    assert labels == ["resize, 64 filters", "transposed, 32 filters", "transposed, 16 filters"]
    runs += [write_run(tmp_path / "004-resize", replace(third, upsampler="resize"))]
    groups = group_runs([read_run(run, f"r{i}") for i, run in enumerate(runs)])
    assert groups[3].label == "resize, 16 filters"
    (warning,) = [w for w in build_warnings(groups[:2]) if "at once" in w]
    assert warning.startswith("The groups differ in 6 settings at once (upsampler, kernel size, ")


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (("my drums", "001-resize"), ["my drums", "resize"]),
        (("001-drums", "002-resize"), ["001-drums", "resize"]),
        (("upsampler=transposed,seed=0", "upsampler=resize,seed=0"), ["transposed", "resize"]),
        (("resize", "001-resize"), ["resize (1)", "resize (2)"]),
    ],
)
def test_a_run_has_the_name_that_a_person_gave_it(tmp_path, names, labels):
    runs = [
        write_run(tmp_path / name, config)
        for name, config in zip(names, (TRANSPOSED, SMALL), strict=True)
    ]
    groups = group_runs([read_run(run, f"r{i}") for i, run in enumerate(runs)])
    assert [group.label for group in groups] == labels


def test_several_seeds_have_no_single_name(of_seeds):
    assert [run["name"] for run in of_seeds["runs"]][:2] == ["a-0", "a-1"]
    assert of_seeds["groups"][0]["label"] == "transposed"


def test_equal_recordings_elsewhere_are_the_same_data(tmp_path):
    runs = [
        write_run(tmp_path / f"{seed}", replace(SMALL, seed=seed, data=data))
        for seed, data in enumerate(("here", "there"))
    ]
    document = document_json(runs, tmp_path / "out")
    assert len(document["groups"]) == 1
    assert document["differing_settings"] == ["data"]
    assert not any("data" in warning for warning in document["warnings"])


def test_recordings_that_were_changed_are_other_data(tmp_path):
    runs = write_seeds(tmp_path, "a", [{}, {}])
    runs += write_seeds(tmp_path, "b", [{}, {}], fingerprint="b" * 64)
    document = document_json(runs, tmp_path / "out")
    assert len({group["label"] for group in document["groups"]}) == 2
    assert any("the recordings were changed between runs" in w for w in document["warnings"])


def test_versions_and_devices_that_differ_are_named(tmp_path):
    runs = [write_run(tmp_path / "a"), write_run(tmp_path / "b", replace(SMALL, seed=1))]
    record = json.loads((runs[1] / "environment.json").read_text())
    later = record | {"versions": VERSIONS | {"keras": "3.16.0"}, "device": "GPU: X"}
    record["resumed"] = [later]
    (runs[1] / "environment.json").write_text(json.dumps(record))
    document = document_json(runs, tmp_path / "out")
    assert document["warnings"] == [
        "Environments differ (device and keras; see each run below), which may change results."
    ]
    assert document["runs"][1]["resumed"] == 1


def test_several_settings_at_once_cannot_be_told_apart(tmp_path):
    other = replace(TRANSPOSED, phase_shuffle_radius=0)
    runs = write_seeds(tmp_path, "a", [{}, {}]) + write_seeds(tmp_path, "b", [{}, {}], other)
    document = document_json(runs, tmp_path / "out")
    (warning,) = document["warnings"]
    assert warning == (
        "The groups differ in 2 settings at once (upsampler and phase shuffle radius), so that no "
        "difference can be put down to one of them. Compare runs that differ in one setting."
    )


def test_warnings_of_one_kind_are_one_that_lists_the_runs(tmp_path):
    """Six warnings of one kind would hide the others."""
    runs = write_seeds(tmp_path, "a", [{}] * 4)
    for run in runs[1:3]:
        write_measurement(run, [quantity("rms_db", None, real=None, reason="silence")])
    for run in runs[2:]:
        (run / "history.jsonl").write_text('{"step": 20}\n')
    warnings = document_json(runs, tmp_path / "out")["warnings"]
    unfinished, silent, alone = warnings
    assert "or were measured too seldom to tell: r3 (a-2) and r4 (a-3). `wavegan" in unfinished
    assert silent.startswith("Silent generator: r2 (a-1) and r3 (a-2). Leave these runs out")
    assert alone.startswith("Measured without real audio: r2 (a-1) and r3 (a-2). Put the record")


def test_how_often_a_run_was_looked_at_makes_no_other_setting(tmp_path):
    often = replace(SMALL, seed=1, log_every=1, measure_every=1, save_every=1, sample_count=2)
    runs = [write_run(tmp_path / "a"), write_run(tmp_path / "b", often)]
    # One word for all stages is the same as the word for each.
    stages = replace(SMALL, seed=2, upsampler=("resize", "resize"))
    document = document_json([*runs, write_run(tmp_path / "c", stages)], tmp_path / "out")
    assert len(document["groups"]) == 1


def stopped(run, step=12):
    """Make a run one that Ctrl-C stopped: a checkpoint, then the generator; no summary."""
    (run / "summary.json").unlink()
    (run / "checkpoints").mkdir()
    for saved in (6, step):
        (run / "checkpoints" / f"step-{saved:06d}.json").write_text("{}")
    rows = (run / "history.jsonl").read_text().splitlines(keepends=True)
    (run / "history.jsonl").write_text("".join(rows[:step]))
    os.utime(run / "generator.keras")
    for file in (run / "measurement").iterdir():
        os.utime(file)
    return run


def test_a_run_that_was_stopped_early_is_compared_as_it_was_then(tmp_path):
    runs = write_seeds(tmp_path, "a", [{}] * 2) + write_seeds(tmp_path, "b", [{}] * 2, TRANSPOSED)
    for run in runs[2:]:
        stopped(run)
    document = document_json(runs, tmp_path / "out")
    about = document["runs"][2]
    assert (about["steps"], about["steps_asked"]) == (12, 20)
    assert document["groups"][1]["label"] == "transposed"
    assert document["summary"]["finding"].startswith("After 12 to 20 steps and 2 seeds each, ")
    (note,) = [w for w in document["warnings"] if w.startswith("Stopped early")]
    assert note == (
        "Stopped early, and compared as it was then: r3 (b-0) at step 12 of 20 and r4 (b-1) at "
        "step 12 of 20. `wavegan-rc train --resume RUN` continues it."
    )


def test_a_generator_older_than_the_last_checkpoint_is_not_of_it(tmp_path):
    """A training that was resumed and is under way, or was killed."""
    run = stopped(write_run(tmp_path / "a"))
    generator = (run / "generator.keras").stat().st_mtime_ns
    os.utime(run / "checkpoints" / "step-000012.json", ns=(generator + 10**9, generator + 10**9))
    with pytest.raises(
        DataError,
        match=r"no generator of its last checkpoint: `wavegan-rc train .* --steps 12` writes one",
    ):
        document_json([run], tmp_path / "out")


def test_a_folder_of_runs_is_expanded_and_what_is_left_out_is_named(tmp_path, caplog):
    folder = tmp_path / "runs"
    write_seeds(folder, "b", [{}] * 2)
    write_seeds(folder, "a", [{}] * 2, TRANSPOSED)
    (folder / "a-1" / "generator.keras").unlink()
    (folder / "notes").mkdir()
    (folder / "notes.txt").write_text("")
    document = document_json([folder], tmp_path / "out")
    assert [run["name"] for run in document["runs"]] == ["a-0", "b-0", "b-1"]
    (left_out,) = [w for w in document["warnings"] if w.startswith("Left out: ")]
    assert str(folder / "a-1") in left_out
    assert left_out in caplog.text
    for run in folder.iterdir():
        if run.is_dir():
            (run / "generator.keras").unlink(missing_ok=True)
    with pytest.raises(DataError, match="is unfinished and has no checkpoint"):
        document_json([folder], tmp_path / "out")
    with pytest.raises(DataError, match="not a run folder"):
        document_json([folder / "notes"], tmp_path / "out")


@pytest.mark.parametrize("second", ["a", "b"])
def test_the_same_training_twice_is_refused(tmp_path, second):
    """Two equal runs would be two seeds without spread."""
    runs = [write_run(tmp_path / "a")]
    runs.append(runs[0] if second == "a" else write_run(tmp_path / "b"))
    with pytest.raises(ParameterError, match="runs must differ in their settings or seeds") as e:
        document_json(runs, tmp_path / "out")
    assert str(runs[1]) in str(e.value)


def test_no_runs_are_refused(tmp_path):
    with pytest.raises(ParameterError, match="runs must name"):
        document_json([], tmp_path)


HOSTILE = ["<script>alert(1)<", "日本語 ü \U0001f600", "$\\frac{$", "_x & \"y\" 'z'", "two\nlines"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(tmp_path, name):
    run = write_run(tmp_path / name, replace(SMALL, data=name), device=name)
    document = document_json([run], tmp_path / "out")
    (about,) = document["runs"]
    assert about["name"] == name.replace("\n", "\\n")
    assert about["settings"]["data"] == name
    assert about["device"] == name
    json.dumps(document, ensure_ascii=False).encode("utf-8")


def test_bytes_that_are_no_text_can_be_written(tmp_path):
    run = write_run(tmp_path / os.fsdecode(b"\xff\xfe"))
    document = document_json([run], tmp_path / "out")
    assert document["runs"][0]["name"] == "\\udcff\\udcfe"
    json.dumps(document, ensure_ascii=False).encode("utf-8")


def remove(name):
    return lambda run: (run / name).unlink()


def replace_text(name, old, new):
    def change(run):
        text = (run / name).read_text()
        assert old in text
        (run / name).write_text(text.replace(old, new))

    return change


def write(name, text):
    return lambda run: (run / name).write_text(text)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (remove("config.yaml"), "not a run folder"),
        (write("config.yaml", "cutoff_hz: [1, 2]\n"), "not the settings of a run"),
        (write("config.yaml", "use_bias: [true]\n"), "use_bias must be true or false"),
        (remove("generator.keras"), "is unfinished and has no checkpoint"),
        (remove("summary.json"), "is unfinished and has no checkpoint"),
        (remove("history.jsonl"), "is unfinished and has no checkpoint"),
        (
            replace_text("config.yaml", "steps: 20", "steps: 30"),
            "is unfinished and has no checkpoint",
        ),
        (write("history.jsonl", '{"step": 20'), "not the history of a run"),
        (write("history.jsonl", '{"step": "x"}\n'), "not the history of a run"),
        (write("history.jsonl", '{"step": %s}\n' % ("1" * 400)), "not the history of a run"),
        (write("history.jsonl", "[" * 100_000), "not the history of a run"),
        (remove("environment.json"), "environment.json: not the record of a run"),
        (write("environment.json", "[]"), "not the record of a run"),
        (write("environment.json", "{}"), "not the record of a run"),
        (write("environment.json", "[" * 100_000), "not the record of a run"),
        (replace_text("environment.json", '"2.21.0"', "[1]"), "not the record of a run"),
        (replace_text("environment.json", '"resumed": []', '"resumed": [1]'), "not the record"),
        (replace_text("measurement/artifacts.json", '"quantities"', '"q"'), "not a measurement"),
        (replace_text("measurement/artifacts.json", '"rms_db"', "[1]"), "not a measurement"),
        (replace_text("measurement/artifacts.json", '"stage": 2', '"stage": 3'), None),
        (replace_text("measurement/artifacts.json", "4000.0", "NaN"), "not a measurement"),
        (replace_text("measurement/artifacts.json", "{", "["), "cannot be read"),
    ],
)
def test_a_run_that_cannot_be_used_is_named(tmp_path, damage, words):
    runs = write_seeds(tmp_path, "a", [{}, {}])
    damage(runs[1])
    if words is None:  # it says of every stage 2 that it is stage 3: strange, but a measurement
        assert document_json(runs, tmp_path / "out")["rows"]
        return
    with pytest.raises((DataError, ParameterError), match=words) as error:
        document_json(runs, tmp_path / "out")
    assert str(runs[1]) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="no such run folder"):
        document_json([tmp_path / "none"], tmp_path)


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "1e999", '"5"', "true", "[1]", "1" * 400]
)
def test_what_is_no_finite_number_is_null(tmp_path, value):
    run = write_run(tmp_path / "a", values={"rms_db": 123.0})
    replace_text("measurement/artifacts.json", "123.0", value)(run)
    document = document_json([run], tmp_path / "out")
    cell = row_of(document, "rms_db")["cells"]["g1"]
    assert cell["value"] is None
    assert cell["reason"]
    json.dumps(document, allow_nan=False)


CONFIGS = [
    Config(),
    Config(seed=3, cutoff_hz=None, use_bias=False, data="a b/$x"),
    Config(upsampling_factors=(4, 4), upsampler=("transposed", "resize"), silence_db=-55.5),
    Config(segment_length=512, upsampling_factors=(4, 4), kernel_size=8, data="-odd"),
    Config(data='two words\' "quotes"', phase_shuffle_per_example=True, learning_rate=3e-5),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_the_command_repeats_the_run(config, capsys):
    words = shlex.split(command_to_repeat(config))
    assert words[:2] == ["wavegan-rc", "train"]
    assert train_command("wavegan-rc train", [*words[2:], "--print-config"]) == 0
    assert capsys.readouterr().out == config_as_yaml(config)


def test_how_a_run_was_made_is_told(tmp_path):
    run = write_run(tmp_path / "a")
    (about,) = document_json([run], tmp_path / "out")["runs"]
    assert (about["steps"], about["steps_asked"]) == (20, 20)
    assert about["versions"] == VERSIONS
    assert (about["cutoff_hz"], about["stopband_hz"]) == (1500.0, 1700.0)
    assert [stage["stage"] for stage in about["stages"]] == [1, 2]
    assert about["stages"][1]["lines_hz"] == [4000, 8000]
    assert about["path"] == str(run)


def test_the_page_finds_what_it_needs(of_seeds):
    """The fields that the page is built against."""
    assert of_seeds["schema"] == "wavegan_rc.report/3"
    for row in of_seeds["rows"]:
        assert set(row["cells"]) == {"g1", "g2"}
        assert set(row["differences"]) == {"g2"}
        assert row["unit"] in ("dB", "bits", "")
        assert set(row["real"]) >= {"value", "low", "high"}
        for cell in row["cells"].values():
            fields = {"value", "low", "high", "over", "count", "p_value", "verdict", "runs"}
            assert set(cell) >= fields
            assert cell["value"] is not None or cell["reason"]
    kinds = [verdict["quantity"] for verdict in of_seeds["verdicts"]]
    assert len(kinds) == len(set(kinds)) == 7


def test_p_values_of_seeds_have_no_floor(tmp_path):
    """Permutations have a smallest p-value, and only they."""
    theirs = [{"out_of_band_total_db": -20.0 + d} for d in (-0.01, 0, 0.01)]
    ours = [{"out_of_band_total_db": -30.0 + d} for d in (-0.01, 0, 0.01)]
    runs = write_seeds(tmp_path, "a", theirs, TRANSPOSED) + write_seeds(tmp_path, "b", ours)
    document = build_document(runs, tmp_path / "out")
    (row,) = [row for row in document.rows if row.name == "out_of_band_total_db"]
    difference = row.differences["g2"]
    welch_p = stats.ttest_ind([-0.01, 0, 0.01], [9.99, 10, 10.01], equal_var=False).pvalue
    assert difference.p_value == pytest.approx(welch_p, rel=1e-3)
    page = render_page(document, Sounds([], 0.0, None, 0), [])
    assert f", p {welch_p:.1g}</small>" in page
    assert "&lt; 0.002" not in page
    (alone,) = build_document(runs[:1], tmp_path / "out").verdicts[:1]
    assert "p < 0.002" in alone.text


def without_pictures(monkeypatch):
    monkeypatch.setattr(report_writer, "write_figures", lambda *_: [])
    monkeypatch.setattr(report_writer, "collect_sounds", lambda *_: None)
    monkeypatch.setattr(report_writer, "render_page", lambda document, *_: str(document.as_json()))


def test_the_finding_is_told_and_a_report_of_other_runs_is_not_replaced_without_a_word(
    tmp_path, monkeypatch, caplog
):
    without_pictures(monkeypatch)
    caplog.set_level("INFO", "wavegan_rc")
    a, b = write_seeds(tmp_path, "a", [{}] * 2)
    out = tmp_path / "out"
    out.mkdir()
    for runs in ([a], [a], [a, b]):  # the same, and one more: nothing is lost
        report_writer.write_report(runs, out)
    assert "replaces" not in caplog.text
    caplog.clear()
    report_writer.write_report([b], out)
    assert f"{out}: this replaces the report of {a} and {b}" in caplog.text
    (finding,) = [each.message for each in caplog.records if each.levelname == "INFO"]
    assert finding == json.loads((out / "report.json").read_text())["summary"]["finding"]
    (out / "report.json").write_text("{}")  # not to be read: nothing is said of it
    report_writer.write_report([b], out)


def test_a_report_of_no_runs_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="runs must name at least one run folder"):
        report_writer.write_report([], tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_checkout_that_is_not_installed_makes_a_report(tmp_path, monkeypatch):
    """Nothing asks for the package's metadata: there are none."""

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata.Distribution, "from_name", missing)
    without_pictures(monkeypatch)
    (tmp_path / "out").mkdir()
    runs = [str(run) for run in write_seeds(tmp_path, "a", [{}] * 2)]
    assert report_command("report.py", [*runs, "--out", str(tmp_path / "out")]) == 0
    numbers = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert numbers["wavegan_rc"] == wavegan_rc.__version__


def test_a_path_of_recordings_that_is_no_text_is_written_as_escapes(tmp_path, monkeypatch):
    run = write_run(tmp_path / "a", replace(SMALL, data="caf\udce9"))
    without_pictures(monkeypatch)
    (tmp_path / "out").mkdir()
    page = report_writer.write_report([run], tmp_path / "out")
    assert rb"caf\udce9" in page.read_bytes()
    numbers = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert numbers["runs"][0]["settings"]["data"] == "caf\udce9"
