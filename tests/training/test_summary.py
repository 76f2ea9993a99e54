"""The sentences at the end of a run, over made-up numbers."""

import json

import pytest

from wavegan_rc.training.summary import Line, RunSummary, read_summary

QUIET = Line(4000.0, 6, 0.1, 0.4)
COUNTS = {"real": 512, "generated": 512, "real_independent": 400}


def summary(ratios, *lines, unfinished=None):
    return RunSummary(COUNTS, ratios, list(lines), unfinished)


@pytest.mark.parametrize(
    ("real", "generated", "words"),
    [
        (-86.2, -43.0, "a 43 dB larger share of its power than real audio"),
        (-86.2, -85.4, "no larger share of its power"),
        (-86.2, -90.0, "no larger share of its power"),
        (-86.2, None, "holds nothing either, or it is silent altogether"),
        (None, -43.0, "has -43 dB of its power"),
    ],
)
def test_how_far_from_real(real, generated, words):
    found = summary({"real": real, "generated": generated}, QUIET).in_sentences(1700.0)[0]
    assert found.startswith("Above 1700 Hz, where real audio holds next to nothing, the generated")
    assert words in found


def test_without_a_low_pass_another_command_can_tell():
    assert "only `measure` can tell" in summary(None, QUIET).in_sentences(None)[0]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            [QUIET, Line(1000.0, 4, 0.2, 9.1)],
            "The strongest tone is at 1000 Hz, 9 dB above its surroundings (real audio: 0 dB); it "
            "comes from upsampling stage 4.",
        ),
        # As strong in real audio: a hum, not an artifact.
        (
            [QUIET, Line(1000.0, 4, 9.0, 9.1)],
            "No tone stands out at the 2 predicted frequencies: the strongest, at 4000 Hz, is "
            "0.4 dB above its surroundings.",
        ),
        # Only the valley that speech has there is filled: nothing stands out.
        ([Line(250.0, 2, -6.0, 0.2)], "No tone stands out at the 1 predicted frequencies"),
        ([Line(250.0, 2, None, 8.0)], "at 250 Hz, 8 dB above its surroundings (real audio: 0 dB)"),
        ([Line(250.0, 2, 0.1, None)], "No predicted tone could be measured."),
    ],
)
def test_the_strongest_line_is_named_with_its_stage_where_it_stands_out(lines, words):
    assert words in summary(None, *lines).in_sentences(None)[1]


def test_it_is_read_as_it_was_written_and_the_table_has_its_numbers(tmp_path):
    written = summary({"real": -86.2, "generated": -43.0}, QUIET, unfinished="too few steps")
    written.write(tmp_path / "summary.json")
    assert json.loads((tmp_path / "summary.json").read_text())["lines"][0]["stage"] == 6
    assert read_summary(tmp_path / "summary.json") == written
    table = written.table(1700.0)
    for words in ("-86.2", "-43.0", "line at 4000 Hz, stage 6 (dB)", "unfinished: too few steps"):
        assert words in table
