"""The first sentences of a report, over made-up results."""

from dataclasses import replace

import pytest
from helpers.report_page import run_of

from wavegan_rc.report.groups import Group
from wavegan_rc.report.measured import Cell, Interval
from wavegan_rc.report.rows import Row
from wavegan_rc.report.sentences import summarize
from wavegan_rc.report.verdicts import (
    DISTANCE,
    IMAGES,
    KINDS,
    LINES,
    NOISE,
    NOISE_LINES,
    Verdict,
    judge,
)

NAMES = ("transposed", "resize", "linear", "sinc", "subpixel", "other")
STEADY = [{"step": step, "out_of_band_total_db": -40.0} for step in range(1, 2001, 50)]


def groups_of(count, seeds, steps=2000, history=STEADY, **settings):
    groups = []
    for i in range(count):
        runs = [
            replace(run_of(seed, "x", seed=seed, **settings), history=history)
            for seed in range(seeds)
        ]
        own = {"steps": steps, "upsampler": (NAMES[i % 5],)}
        runs = [replace(run, config=replace(run.config, **own)) for run in runs]
        groups.append(Group(f"g{i + 1}", NAMES[i], tuple(runs)))
    return groups


def verdicts_of(groups, told, seeds):
    """Verdicts of each group but the first, or of the only one beside real audio."""
    trainings = f"{seeds} seeds" if seeds > 1 else "one training"
    beside = groups[0].id if len(groups) > 1 else "real"
    found = []
    for i, group in enumerate(groups[1:] or groups):
        for kind in KINDS:
            words = told.get(kind, "not measured")
            word = words if isinstance(words, str) else words[i]
            size = 10.0 if kind == NOISE else 2.0
            each = " each" if len(groups) > 1 else ""
            found.append(Verdict(kind, group.id, beside, word, "", size, trainings + each))
    return found


def summary_of(told, *, count=2, seeds=5, rows=(), **run):
    groups = groups_of(count, seeds, **run)
    return summarize(groups, rows, verdicts_of(groups, told, seeds))


BETTER, WORSE, UNKNOWN, BOTH = "better", "worse", "cannot be told", "better and worse"


@pytest.mark.parametrize(
    ("told", "run", "finding", "more"),
    [
        (
            dict.fromkeys((NOISE, NOISE_LINES, LINES, IMAGES, DISTANCE), BETTER),
            {},
            "After 2,000 steps and 5 seeds each, resize leaves 10 dB less of its power above 1.7 "
            "kHz than transposed, has 2.0 dB weaker lines there, has fainter mirror images and is "
            "closer to real speech.",
            "",
        ),
        (
            {NOISE: WORSE, LINES: WORSE},
            {},
            "After 2,000 steps and 5 seeds each, resize leaves 10 dB more of its power above 1.7 "
            "kHz than transposed and has lines that stand out more.",
            "",
        ),
        (
            {NOISE: BETTER, LINES: UNKNOWN, DISTANCE: WORSE},
            {},
            "After 2,000 steps and 5 seeds each, resize leaves 10 dB less of its power above 1.7 "
            "kHz than transposed, but is further from real speech.",
            "5 seeds each cannot tell which has lines that stand out less.",
        ),
        (
            {NOISE: UNKNOWN, NOISE_LINES: BETTER, LINES: UNKNOWN},
            {},
            "After 2,000 steps and 5 seeds each, resize has 2.0 dB weaker lines above 1.7 kHz than "
            "transposed.",
            "5 seeds each cannot tell which has less of its power above 1.7 kHz.",
        ),
        (
            {NOISE: BETTER, NOISE_LINES: UNKNOWN, LINES: WORSE},
            {},
            "After 2,000 steps and 5 seeds each, resize leaves 10 dB less of its power above 1.7 "
            "kHz than transposed, but has lines that stand out more.",
            "5 seeds each cannot tell which has weaker lines above 1.7 kHz.",
        ),
        (
            {NOISE: "alike", NOISE_LINES: "alike", LINES: UNKNOWN},
            {},
            "After 2,000 steps and 5 seeds each, it cannot be told which is better, resize or "
            "transposed.",
            "5 seeds each cannot tell which has lines that stand out less.",
        ),
        (
            {NOISE: UNKNOWN, NOISE_LINES: UNKNOWN, LINES: [UNKNOWN, BETTER]},
            {"count": 3},
            "After 2,000 steps and 5 seeds each, linear has lines that stand out less than "
            "transposed; for resize it cannot be told.",
            "",
        ),
        (
            {NOISE: ["alike", BETTER]},
            {"count": 3},
            "After 2,000 steps and 5 seeds each, linear leaves 10 dB less of its power above 1.7 "
            "kHz than transposed; resize is alike.",
            "",
        ),
        (
            {NOISE: UNKNOWN, NOISE_LINES: UNKNOWN},
            {},
            "After 2,000 steps and 5 seeds each, it cannot be told which is better, resize or "
            "transposed.",
            "5 seeds each cannot tell which has less of its power above 1.7 kHz or weaker lines "
            "there.",
        ),
        (
            {NOISE: WORSE, NOISE_LINES: WORSE},
            {"count": 1},
            "After 2,000 steps and 5 seeds, transposed leaves 10 dB more of its power above 1.7 "
            "kHz than real speech and has stronger lines there.",
            "",
        ),
        (
            {NOISE: WORSE, NOISE_LINES: BETTER, LINES: BETTER},
            {},
            "After 2,000 steps and 5 seeds each, resize has 2.0 dB weaker lines above 1.7 kHz than "
            "transposed, but leaves 10 dB more of its power there.",
            "",
        ),
        (
            {NOISE: "alike", LINES: BOTH},
            {},
            "After 2,000 steps and 5 seeds each, resize has lines that stand out less at "
            "some stages and lines that stand out more at others than transposed.",
            "",
        ),
        (
            {NOISE: UNKNOWN, LINES: UNKNOWN, DISTANCE: UNKNOWN},
            {"seeds": 2},
            "After 2,000 steps and 2 seeds each, it cannot be told which is better, resize or "
            "transposed.",
            "2 seeds each cannot tell which has less of its power above 1.7 kHz, lines that stand "
            "out less or the smaller distance from real speech.",
        ),
        (
            {NOISE: "alike", LINES: "alike"},
            {},
            "After 2,000 steps and 5 seeds each, resize and transposed are alike in all that is "
            "measured.",
            "",
        ),
        (
            {LINES: BETTER, DISTANCE: BETTER},
            {"cutoff_hz": None, "data": "drums"},
            "After 2,000 steps and 5 seeds each, resize has lines that stand out less than "
            "transposed and is closer to real audio.",
            "The data has no low-pass, so noise above its band cannot be told from sound.",
        ),
        (
            {NOISE: BETTER, LINES: UNKNOWN},
            {"seeds": 1},
            "After 2,000 steps, in one training each, resize leaves 10 dB less of its power above "
            "1.7 kHz than transposed.",
            "One training each cannot tell which has lines that stand out less. Another seed "
            "may give another result: train three or more of each.",
        ),
        (
            {NOISE: BETTER},
            {"steps": 6, "history": [{"step": 2}, {"step": 6}]},
            "After 6 steps and 5 seeds each, resize leaves 10 dB less of its power above 1.7 kHz "
            "than transposed.",
            "Training was too short to settle: more steps may change this.",
        ),
        ({}, {}, "After 2,000 steps and 5 seeds each, nothing could be measured.", ""),
        (
            {NOISE: WORSE, LINES: UNKNOWN, DISTANCE: WORSE},
            {"count": 1},
            "After 2,000 steps and 5 seeds, transposed leaves 10 dB more of its power above 1.7 "
            "kHz than real speech.",
            "",
        ),
        (
            {NOISE: UNKNOWN, LINES: UNKNOWN},
            {"count": 1},
            "After 2,000 steps and 5 seeds, it cannot be told whether transposed has artifacts.",
            "",
        ),
        (
            {NOISE: [BETTER, BETTER, WORSE]},
            {"count": 4},
            "After 2,000 steps and 5 seeds each, resize and linear leave less of their power above "
            "1.7 kHz than transposed; sinc leaves 10 dB more of its power above 1.7 kHz.",
            "",
        ),
        (
            {NOISE: [BETTER] * 4 + [UNKNOWN], LINES: WORSE},
            {"count": 6},
            "After 2,000 steps and 5 seeds each, 4 settings leave less of their power above 1.7 "
            "kHz than transposed; for other it cannot be told.",
            "",
        ),
        (
            {NOISE: UNKNOWN},
            {"count": 3},
            "After 2,000 steps and 5 seeds each, it cannot be told which of the 3 settings is "
            "best.",
            "",
        ),
    ],
)
def test_sentences_follow_from_verdicts(told, run, finding, more):
    summary = summary_of(told, **run)
    assert summary.finding == finding
    assert " ".join(summary.more) == more


def cell(value, beside_real, verdict):
    low, high = value - 0.5, value + 0.5
    real = Interval(beside_real, beside_real - 1, beside_real + 1)
    return Cell(value, low, high, over="seeds", count=5, runs={}, verdict=verdict, beside_real=real)


FAR, NEAR, LIKE = cell(-40, 46.0, "above"), cell(-81, 5.0, "above"), cell(0.1, 0.1, UNKNOWN)


@pytest.mark.parametrize(
    ("noise", "distance", "words"),
    [
        ([FAR, FAR], [LIKE, LIKE], "Both are far from real speech."),
        ([NEAR, NEAR], [cell(16, 16, "above")] * 2, "Both are far from real speech."),
        (
            [FAR, NEAR],
            [LIKE, LIKE],
            "Transposed is far from real speech; resize is still different from real speech.",
        ),
        ([LIKE, LIKE], [LIKE, LIKE], "Both cannot be told from real speech."),
    ],
)
def test_how_far_from_real_audio_is_said_of_each_setting(noise, distance, words):
    rows = [
        Row(name, "dB", None, None, [], None, dict(zip(("g1", "g2"), cells, strict=True)), {})
        for name, cells in ((NOISE, noise), (DISTANCE, distance))
    ]
    assert summary_of({NOISE: BETTER}, rows=rows).more[0] == words


def test_of_many_settings_their_number_is_said():
    cells = {f"g{i}": FAR if i > 1 else LIKE for i in range(1, 7)}
    rows = [Row(NOISE, "dB", None, None, [], None, cells, {})]
    assert summary_of({NOISE: UNKNOWN}, count=6, rows=rows).more[0] == (
        "Transposed cannot be told from real speech; 5 settings are far from real speech."
    )


def test_what_was_compared_is_said_with_what_all_runs_share():
    assert summary_of({}).about == (
        "10 runs that differ in upsampler, trained on bundled speech, 16 kHz sample rate, "
        "low-passed at 1.5 kHz, 2,000 steps, 5 seeds a setting, 64 windows measured of each"
    )


@pytest.mark.parametrize(
    ("sides", "word"),
    [
        (["below"], "better"),
        (["above", "cannot be told"], "worse"),
        (["below", "equal within 1 dB", "above"], "better and worse"),
        (["equal within 1 dB"] * 7, "alike"),
        (["equal within 1 dB", "cannot be told"], "cannot be told"),
        ([""], "cannot be told"),  # no interval: never "alike" for want of data
    ],
)
def test_a_verdict_is_one_word(sides, word):
    assert judge(sides) == word
