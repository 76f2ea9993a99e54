"""The first sentences of a report, over made-up results."""

from dataclasses import replace

import numpy as np
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

NAMES = (
    *("transposed", "resize", "linear", "sinc", "subpixel", "a", "b", "c", "d"),
    "sinc, 32 filters",
)
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
            "After 2,000 steps and 5 seeds each, resize leaves 10 dB less of its power out of "
            "band (above 1.7 kHz) than transposed, has 2.0 dB weaker lines there, has fainter "
            "images of its sound and is closer to real speech.",
            "",
        ),
        (
            {NOISE: WORSE, LINES: WORSE},
            {},
            "After 2,000 steps and 5 seeds each, resize leaves 10 dB more of its power out of "
            "band (above 1.7 kHz) than transposed and has lines that stand out more.",
            "",
        ),
        (
            {NOISE: BETTER, LINES: UNKNOWN, DISTANCE: WORSE},
            {},
            "After 2,000 steps and 5 seeds each, resize leaves 10 dB less of its power out of "
            "band (above 1.7 kHz) than transposed, but is further from real speech.",
            "Cannot be told with 5 seeds each: line prominence.",
        ),
        (
            {NOISE: UNKNOWN, NOISE_LINES: BETTER, LINES: UNKNOWN},
            {},
            "After 2,000 steps and 5 seeds each, resize has 2.0 dB weaker lines out of band "
            "(above 1.7 kHz) than transposed.",
            "Cannot be told with 5 seeds each: out-of-band level and line prominence.",
        ),
        (
            {NOISE: BETTER, NOISE_LINES: UNKNOWN, LINES: WORSE},
            {},
            "After 2,000 steps and 5 seeds each, resize leaves 10 dB less of its power out of "
            "band (above 1.7 kHz) than transposed, but has lines that stand out more.",
            "Cannot be told with 5 seeds each: out-of-band lines.",
        ),
        (
            {NOISE: "alike", NOISE_LINES: "alike", LINES: UNKNOWN},
            {},
            "After 2,000 steps and 5 seeds each, it cannot be told which is better, resize or "
            "transposed.",
            "Cannot be told with 5 seeds each: line prominence.",
        ),
        (
            {NOISE: UNKNOWN, NOISE_LINES: UNKNOWN, LINES: [UNKNOWN, BETTER]},
            {"count": 3},
            "After 2,000 steps and 5 seeds each, linear has lines that stand out less than "
            "transposed; for resize this cannot be told.",
            "Cannot be told with 5 seeds each: out-of-band level and out-of-band lines.",
        ),
        (
            {NOISE: ["alike", BETTER]},
            {"count": 3},
            "After 2,000 steps and 5 seeds each, linear leaves 10 dB less of its power out of "
            "band (above 1.7 kHz) than transposed; resize is alike.",
            "",
        ),
        (
            {NOISE: UNKNOWN, NOISE_LINES: UNKNOWN},
            {},
            "After 2,000 steps and 5 seeds each, it cannot be told which is better, resize or "
            "transposed.",
            "Cannot be told with 5 seeds each: out-of-band level and out-of-band lines.",
        ),
        (
            {NOISE: WORSE, NOISE_LINES: WORSE},
            {"count": 1},
            "After 2,000 steps and 5 seeds, transposed leaves 10 dB more of its power out of "
            "band (above 1.7 kHz) than real speech and has stronger lines there.",
            "",
        ),
        (
            {NOISE: WORSE, NOISE_LINES: BETTER, LINES: BETTER},
            {},
            "After 2,000 steps and 5 seeds each, resize has 2.0 dB weaker lines out of band "
            "(above 1.7 kHz) than transposed, but leaves 10 dB more of its power there.",
            "",
        ),
        (
            {NOISE: "alike", LINES: BOTH},
            {},
            "After 2,000 steps and 5 seeds each, resize has lines that stand out less at some "
            "stages and lines that stand out more at others than transposed.",
            "",
        ),
        (
            {NOISE: "alike", IMAGES: BOTH},
            {},
            "After 2,000 steps and 5 seeds each, resize has fainter images of its sound at some "
            "stages and stronger images at others than transposed.",
            "",
        ),
        (
            {NOISE: UNKNOWN, LINES: UNKNOWN, DISTANCE: UNKNOWN},
            {"seeds": 2},
            "After 2,000 steps and 2 seeds each, it cannot be told which is better, resize or "
            "transposed.",
            "Cannot be told with 2 seeds each: out-of-band level, line prominence and Frechet "
            "distance. More seeds may tell: train 3 more of each.",
        ),
        (
            {NOISE: "alike", LINES: "alike"},
            {},
            "After 2,000 steps and 5 seeds each, resize and transposed are alike in all that is"
            " measured.",
            "",
        ),
        (
            {LINES: BETTER, DISTANCE: BETTER},
            {"cutoff_hz": None, "data": "drums"},
            "After 2,000 steps and 5 seeds each, resize has lines that stand out less than "
            "transposed and is closer to real audio.",
            "The data has no low-pass, so no band is known to hold artifacts alone.",
        ),
        (
            {NOISE: BETTER, LINES: UNKNOWN},
            {"seeds": 1},
            "After 2,000 steps, in one training each, resize leaves 10 dB less of its power out"
            " of band (above 1.7 kHz) than transposed.",
            "Cannot be told with one training each: line prominence. Another seed may give "
            "another result: train 4 more of each.",
        ),
        (
            {NOISE: BETTER},
            {"steps": 6, "history": [{"step": 2}, {"step": 6}]},
            "After 6 steps and 5 seeds each, resize leaves 10 dB less of its power out of band "
            "(above 1.7 kHz) than transposed.",
            "Training may not have settled: more steps may change this.",
        ),
        (
            {},
            {},
            "After 2,000 steps and 5 seeds each, nothing could be measured.",
            "",
        ),
        (
            {NOISE: WORSE, LINES: UNKNOWN, DISTANCE: WORSE},
            {"count": 1},
            "After 2,000 steps and 5 seeds, transposed leaves 10 dB more of its power out of "
            "band (above 1.7 kHz) than real speech.",
            "Cannot be told with 5 seeds: line prominence.",
        ),
        (
            {NOISE: UNKNOWN, LINES: UNKNOWN},
            {"count": 1},
            "After 2,000 steps and 5 seeds, it cannot be told whether transposed has artifacts.",
            "Cannot be told with 5 seeds: out-of-band level and line prominence.",
        ),
        (
            {NOISE: [BETTER, BETTER, WORSE]},
            {"count": 4},
            "After 2,000 steps and 5 seeds each, resize and linear leave less of their power "
            "out of band (above 1.7 kHz) than transposed; sinc leaves 10 dB more.",
            "",
        ),
        (
            {NOISE: [BETTER, BETTER, BETTER, BETTER, UNKNOWN], LINES: WORSE},
            {"count": 6},
            "After 2,000 steps and 5 seeds each, 4 groups leave less of their power out of band"
            " (above 1.7 kHz) than transposed; for a this cannot be told. But 5 groups are "
            "worse in line prominence.",
            "",
        ),
        (
            {NOISE: UNKNOWN},
            {"count": 3},
            "After 2,000 steps and 5 seeds each, it cannot be told which of the 3 groups is best.",
            "Cannot be told with 5 seeds each: out-of-band level.",
        ),
        (
            {
                NOISE: [BETTER, BETTER, BETTER, BETTER, UNKNOWN],
                NOISE_LINES: [BETTER, BETTER, BETTER, BETTER, BETTER],
                DISTANCE: [WORSE, WORSE, BETTER, BETTER, BETTER],
            },
            {"count": 6},
            "After 2,000 steps and 5 seeds each, 4 groups leave less of their power out of band"
            " (above 1.7 kHz) than transposed; for a this cannot be told. But a is better in "
            "out-of-band lines and Frechet distance; 2 groups are worse in Frechet distance.",
            "",
        ),
        (
            {NOISE: [BETTER, BETTER], LINES: [WORSE, UNKNOWN], IMAGES: [UNKNOWN, UNKNOWN]},
            {"count": 3},
            "After 2,000 steps and 5 seeds each, resize and linear leave less of their power "
            "out of band (above 1.7 kHz) than transposed. But resize is worse in line "
            "prominence.",
            "Cannot be told with 5 seeds each: line prominence (linear) and image coherence.",
        ),
        (
            {NOISE: [WORSE, UNKNOWN], DISTANCE: [BETTER, BETTER]},
            {"count": 3, "seeds": 3},
            "After 2,000 steps and 3 seeds each, resize leaves 10 dB more of its power out of "
            "band (above 1.7 kHz) than transposed; for linear this cannot be told. But resize "
            "and linear are better in Frechet distance.",
            "More seeds may tell: train 2 more of each.",
        ),
        (
            {
                NOISE: [BETTER, BETTER],
                LINES: [BOTH, UNKNOWN],
                IMAGES: [WORSE, BETTER],
                DISTANCE: [WORSE, WORSE],
            },
            {"count": 3, "seeds": 4},
            "After 2,000 steps and 4 seeds each, resize and linear leave less of their power "
            "out of band (above 1.7 kHz) than transposed. But resize is mixed in "
            "line prominence and worse in image coherence; resize and linear are worse in "
            "Frechet distance.",
            "Cannot be told with 4 seeds each: line prominence (linear). More seeds may tell: "
            "train 1 more of each.",
        ),
        (
            {
                NOISE: [BETTER, BETTER, BETTER, WORSE],
                NOISE_LINES: [BETTER, WORSE, WORSE, BETTER],
                IMAGES: [UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN],
            },
            {"count": 5},
            "After 2,000 steps and 5 seeds each, resize, linear and sinc leave less of their "
            "power out of band (above 1.7 kHz) than transposed; subpixel leaves 10 dB more. But"
            " subpixel is better in out-of-band lines; linear and sinc are worse in out-of-band"
            " lines.",
            "Cannot be told with 5 seeds each: image coherence.",
        ),
        (
            {
                NOISE: [BETTER, BETTER, BETTER, BETTER, BETTER, BETTER, WORSE, WORSE, UNKNOWN],
                LINES: [WORSE, BETTER, BETTER, BETTER, BETTER, BETTER, UNKNOWN, UNKNOWN, UNKNOWN],
                DISTANCE: [BETTER, BETTER, BETTER, BETTER, BETTER, BETTER, BETTER, BETTER, BETTER],
            },
            {"count": 10, "seeds": 2},
            "After 2,000 steps and 2 seeds each, 6 groups leave less of their power out of band"
            " (above 1.7 kHz) than transposed; c and d leave more; for “sinc, 32 filters” this "
            "cannot be told. But 4 groups differ elsewhere: see the cards.",
            "Cannot be told with 2 seeds each: line prominence (c, d and “sinc, 32 filters”). "
            "More seeds may tell: train 3 more of each.",
        ),
        (
            {
                NOISE: [BETTER, BETTER, WORSE, WORSE, "alike", "alike", UNKNOWN, UNKNOWN, UNKNOWN],
                NOISE_LINES: [WORSE, BETTER, WORSE, BETTER, WORSE, BETTER, WORSE, BETTER, UNKNOWN],
                LINES: [BOTH, BOTH, BOTH, BOTH, BOTH, BOTH, BOTH, BOTH, BOTH],
                IMAGES: [BETTER, UNKNOWN, WORSE, BETTER, UNKNOWN, WORSE, BETTER, UNKNOWN, WORSE],
                DISTANCE: [
                    UNKNOWN,
                    UNKNOWN,
                    UNKNOWN,
                    UNKNOWN,
                    UNKNOWN,
                    UNKNOWN,
                    UNKNOWN,
                    UNKNOWN,
                    UNKNOWN,
                ],
            },
            {"count": 10, "seeds": 1},
            "After 2,000 steps, in one training each, 2 groups leave less of their power out of"
            " band (above 1.7 kHz) than transposed; 2 groups leave more; 2 groups are alike; "
            "for 3 groups this cannot be told. But 9 groups differ elsewhere: see the cards.",
            "Cannot be told with one training each: out-of-band lines (“sinc, 32 filters”), "
            "image coherence (linear, a and d) and Frechet distance. Another seed may give "
            "another result: train 4 more of each.",
        ),
        (
            {NOISE: ["not measured", BETTER]},
            {"count": 3},
            "After 2,000 steps and 5 seeds each, linear leaves 10 dB less of its power out of "
            "band (above 1.7 kHz) than transposed; for resize it was not measured.",
            "",
        ),
        (
            {NOISE: "alike", LINES: "alike"},
            {"count": 4},
            "After 2,000 steps and 5 seeds each, all 4 groups are alike in all that is measured.",
            "",
        ),
        (
            {},
            {"count": 3},
            "After 2,000 steps and 5 seeds each, nothing could be measured.",
            "",
        ),
        (
            {NOISE: UNKNOWN},
            {"count": 1, "seeds": 2},
            "After 2,000 steps and 2 seeds, it cannot be told whether transposed has artifacts.",
            "Cannot be told with 2 seeds: out-of-band level. More seeds may tell: train 3 more.",
        ),
    ],
)
def test_sentences_follow_from_verdicts(told, run, finding, more):
    summary = summary_of(told, **run)
    assert summary.finding == finding
    assert " ".join(summary.more) == more


TOLD = (NOISE, NOISE_LINES, LINES, IMAGES, DISTANCE)


@pytest.mark.parametrize("seeds", [1, 2, 5])
@pytest.mark.parametrize("count", [3, 5, 10])
def test_a_sentence_about_many_can_be_read_once_and_hides_no_other_side(count, seeds):
    rng = np.random.default_rng(count)
    for _ in range(30):
        weights = rng.dirichlet(np.ones(4))  # sometimes all alike, sometimes all kinds at once
        told = {
            kind: rng.choice([BETTER, WORSE, UNKNOWN, "alike"], count - 1, p=weights).tolist()
            for kind in TOLD
        }
        summary = summary_of(told, count=count, seeds=seeds)
        assert len(summary.finding.split()) <= 50
        both = [words for words in zip(*told.values(), strict=True) if {BETTER, WORSE} <= {*words}]
        if both:  # one kind alone would show a setting as better, or as worse
            assert ". But " in summary.finding
        more = " ".join(summary.more)
        unknown = any(UNKNOWN in words for words in told.values())
        advised = f"train {5 - seeds} more of each" in more
        assert advised == (seeds < 5 and (seeds == 1 or unknown))


@pytest.mark.parametrize(
    ("verdict", "of_stages", "words"),
    [
        (BETTER, "1 of 7", "has fainter images of its sound at 1 of 7 stages than transposed."),
        (BETTER, "7 of 7", "has fainter images of its sound than transposed."),
        (BOTH, "3 of 7", "has fainter images of its sound at some stages and stronger images at"),
    ],
)
def test_an_artifact_of_some_stages_is_not_one_of_all(verdict, of_stages, words):
    groups = groups_of(2, 5)
    verdicts = [
        replace(each, of_stages=of_stages) if each.quantity == IMAGES else each
        for each in verdicts_of(groups, {IMAGES: verdict}, 5)
    ]
    finding = summarize(groups, (), verdicts).finding
    assert words in finding
    assert ("stages" in words) == ("stages" in finding)


def test_what_decides_what_is_not_told_is_the_smallest_group():
    groups = [replace(each, runs=each.runs[: 3 - i]) for i, each in enumerate(groups_of(2, 3))]
    more = summarize(groups, (), verdicts_of(groups, {NOISE: UNKNOWN}, 3)).more
    assert more[1] == "More seeds may tell: train at least 5 of each."


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
    assert summary_of({NOISE: BETTER}, count=6, rows=rows).more[0] == (
        "Transposed cannot be told from real speech; 5 groups are far from real speech."
    )


def test_what_was_compared_is_said_with_what_all_runs_share():
    assert summary_of({}).about == (
        "10 runs that differ in upsampler, trained on bundled speech, 16 kHz sample rate, "
        "low-passed at 1.5 kHz, 2,000 steps, 2 groups of 5 seeds, 64 segments measured of each run"
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
