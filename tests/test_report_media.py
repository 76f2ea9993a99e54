"""Pictures, players and text of a report, without a browser."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import tone
from PIL import Image
from scipy import signal

from wavegan_rc.errors import DataError
from wavegan_rc.report import media
from wavegan_rc.report.page import interval_text, number_text, render_page
from wavegan_rc.report.sounds import collect_sounds

RATE, LENGTH, COUNT = 16000, 2048, 64
HOSTILE = "<script>alert(1)</script>"


def run_entry(number, group, *, seed=0, name=None, **settings):
    """A run as the document of a report tells of it."""
    shape = {"sample_rate": RATE, "segment_length": LENGTH, "cutoff_hz": 1500.0} | settings
    cutoff = shape["cutoff_hz"]
    highest = shape["sample_rate"] / 2
    return shape | {
        "id": f"r{number}",
        "name": name or f"{number:03d}-run",
        "path": f"runs/{name or number}",
        "group": group,
        "seed": seed,
        "settings": shape | {"data": None, "upsampler": ["resize"], "use_bias": True} | settings,
        "versions": {"wavegan_rc": "0.1.0", "keras": "3.15.1"},
        "python": "3.11.7",
        "platform": "Linux",
        "device": "CPU, 2 cores",
        "command": f"python scripts/train.py --data '{name}' --seed {seed}",
        "started": "2026-01-01T00:00:00Z",
        "train_seconds": 515.0,
        "steps": 2000,
        "steps_per_s": 4.2,
        "stopband_hz": None if cutoff is None else cutoff + 200,
        "stages": [
            {"stage": 1, "lines_hz": [highest / 4, 3 * highest / 4]},
            {"stage": 2, "lines_hz": [highest / 2]},
            {"stage": 3, "lines_hz": [highest]},
        ],
    }


def document_of(entries, labels, rows=()):
    """A document of runs, whose groups have these labels."""
    groups = [
        {
            "id": group,
            "label": label,
            "runs": [entry["id"] for entry in entries if entry["group"] == group],
            "seeds": [entry["seed"] for entry in entries if entry["group"] == group],
        }
        for group, label in labels.items()
    ]
    return {
        "schema": "wavegan_rc.report/2",
        "title": f"{' and '.join(labels.values())} side by side",
        "wavegan_rc": "0.1.0",
        "created": "2026-01-01T00:00:00Z",
        "groups": groups,
        "runs": list(entries),
        "differing_settings": ["upsampler"],
        "warnings": [],
        "verdicts": [],
        "rows": list(rows),
    }


def write_run(folder: Path, audio, real, rate=RATE):
    """The recordings of a run."""
    (folder / "samples").mkdir(parents=True)
    for name, samples in (("joined", audio), ("real-joined", real)):
        soundfile.write(folder / "samples" / f"{name}.wav", samples, rate, subtype="PCM_16")
    return folder


def low_passed_noise(seed, seconds=COUNT * LENGTH / RATE):
    noise = 0.2 * np.random.default_rng(seed).standard_normal(round(seconds * RATE) + 458)
    return signal.fftconvolve(noise, media.design_lowpass(1500, 1700, RATE), mode="valid")


def decoded(uri):
    """Samples and rate of an embedded recording."""
    assert uri.startswith("data:audio/wav;base64,")
    return soundfile.read(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def power_db(audio):
    return 10 * np.log10(np.mean(np.square(audio)))


def test_artifact_only_is_what_was_planted_above_the_band():
    speech = low_passed_noise(0)
    planted = tone(4000, seconds=len(speech) / RATE, amplitude=1e-3)
    kept = media.artifact_only((speech + planted).reshape(COUNT, LENGTH), RATE, 1500, 1700)
    # Fades of 10 ms (160 samples) at both ends keep 3/8 of the power each.
    expected = power_db(planted) + 10 * np.log10(1 - 2 * 160 * (5 / 8) / LENGTH)
    assert kept is not None
    assert power_db(kept) == pytest.approx(expected, abs=0.1)
    # Without it, what is left of the band is 80 dB below: joints do not click.
    nothing = media.artifact_only(speech.reshape(COUNT, LENGTH), RATE, 1500, 1700)
    assert nothing is not None
    assert power_db(nothing) - power_db(speech) < -80


def test_artifact_only_needs_room_above_the_band():
    segments = np.zeros((2, 256))
    assert media.artifact_only(segments, 4000, 1700, 1900) is None
    kept = media.artifact_only(segments, RATE, 1500, 1700)  # shorter than its filter
    assert kept is not None
    assert len(kept) == segments.size


def test_a_pixel_is_a_bin_of_a_frame_and_low_frequencies_are_below():
    segments = np.stack([tone(1000, seconds=LENGTH / RATE), np.zeros(LENGTH)])
    level = media.levels_db(segments)
    picture = Image.open(io.BytesIO(media.spectrogram_png(level, 0.0)))
    pixels = np.asarray(picture)
    assert pixels.shape == level.shape == (257, 26)
    assert (pixels[:, :13].argmax(axis=0) == 256 - 32).all()  # 1000 Hz is bin 32
    # A tone of amplitude 0.5 is 6 dB below the top of 80 dB.
    assert pixels[256 - 32, 5] == round(255 * (1 - 6.02 / 80))
    assert not pixels[:, 13:].any()


def test_a_player_has_the_recording_bit_by_bit():
    audio = np.random.default_rng(0).integers(-32767, 32768, 1000)
    played, rate = soundfile.read(io.BytesIO(media.wav_bytes(audio / 32767, 8000)), dtype="int16")
    assert rate == 8000
    assert np.array_equal(played, audio)


@pytest.mark.parametrize("seconds", [0.05, 0.3, 2.0])
def test_loudness_is_that_of_the_recommendation(seconds):
    # ITU-R BS.1770-4: a full-scale sine of 997 Hz in one channel has -3.01 LKFS.
    sine = tone(997, 48000, seconds, amplitude=1.0)
    assert media.loudness_db(sine, 48000) == pytest.approx(-3.01, abs=0.15)
    assert media.loudness_db(0.1 * sine, 48000) == pytest.approx(-23.01, abs=0.15)
    assert media.loudness_db(0 * sine, 48000) is None


def test_one_scale_and_one_gain_serve_all(tmp_path):
    real = low_passed_noise(0)
    faint, strong = (
        real + tone(4000, seconds=len(real) / RATE, amplitude=a) for a in (0.001, 0.01)
    )
    runs = [
        write_run(tmp_path / name, audio, real) for name, audio in (("a", faint), ("b", strong))
    ]
    entries = [run_entry(1, "g1"), run_entry(2, "g2")]
    sounds = collect_sounds(document_of(entries, {"g1": "faint", "g2": "strong"}), runs)
    (real_row,), (first,), (second,) = sounds.rows
    assert [s.label for s in (real_row, first, second)] == ["real", "faint", "strong"]
    # The one 20 dB stronger peaks 1 dB below full scale, the other 20 dB lower: the same gain.
    assert sounds.artifact_gain_db == pytest.approx(40 - 1, abs=0.2)
    levels = [power_db(decoded(sound.artifact)[0]) for sound in (real_row, first, second)]
    assert levels[2] - levels[1] == pytest.approx(20, abs=0.1)
    assert levels[0] < levels[1] - 20
    assert np.allclose(decoded(first.audio)[0], faint, atol=2 / 32768)
    top = media.levels_db(real.reshape(COUNT, LENGTH)).max()
    assert top <= sounds.top_db < top + 5


def test_rounding_is_not_made_loud(tmp_path):
    real = low_passed_noise(0)
    run = write_run(tmp_path / "a", real, real)
    sounds = collect_sounds(document_of([run_entry(1, "g1")], {"g1": "resize"}), [run])
    assert sounds.artifact_gain_db == 40
    assert abs(decoded(sounds.rows[1][0].artifact)[0]).max() < 0.02


def test_full_band_data_has_no_artifact_players(tmp_path):
    run = write_run(tmp_path / "a", low_passed_noise(1), low_passed_noise(0))
    document = document_of([run_entry(1, "g1", cutoff_hz=None)], {"g1": "resize"})
    sounds = collect_sounds(document, [run])
    assert sounds.artifact_gain_db is None
    page = render_page(document, sounds, [])
    assert 'No "artifact only" players' in page
    assert "Artifact only:" not in page


def test_runs_of_other_data_have_their_own_real_row(tmp_path):
    real = low_passed_noise(0)
    runs = [write_run(tmp_path / name, real, real) for name in "abc"]
    entries = [
        run_entry(1, "g1"),
        run_entry(2, "g2", filters=8),
        run_entry(3, "g3", data="takes", segment_length=4096),
    ]
    labels = {"g1": "transposed", "g2": "filters 8", "g3": "takes"}
    sounds = collect_sounds(document_of(entries, labels), runs)
    assert [row[0].label for row in sounds.rows[:2]] == ["real", "real, of takes"]
    assert [row[0].count for row in sounds.rows] == [64, 32, 64, 64, 32]


def test_long_segments_and_many_runs_keep_the_page_small(tmp_path):
    rng = np.random.default_rng(0)
    long = rng.uniform(-0.9, 0.9, 64 * 16384)  # the worst to compress
    runs = [write_run(tmp_path / "long", long, long)]
    entry = run_entry(1, "g1", segment_length=16384)
    (real,), (sound,) = collect_sounds(document_of([entry], {"g1": "resize"}), runs).rows
    assert real.count == sound.count == 8

    noise = long[: COUNT * LENGTH]
    folders = [write_run(tmp_path / str(i), noise, noise) for i in range(12)]
    entries = [run_entry(i, f"g{i % 2}", seed=i) for i in range(12)]
    labels = {"g0": "transposed", "g1": "resize"}
    document = document_of(entries[:5], labels)
    page = render_page(document, collect_sounds(document, folders[:5]), [])
    assert len(page) < 9e6  # of 15 MB, figures and table have the rest
    all_runs = collect_sounds(document_of(entries, labels), folders)
    assert [len(row) for row in all_runs.rows] == [1, 1, 1]
    assert all_runs.left_out == 10


@pytest.mark.parametrize(
    ("cutoffs", "low_passed", "full"),
    [((1500.0, 1500.0), True, False), ((None, None), False, True), ((1500.0, None), True, True)],
)
def test_only_of_low_passed_data_it_is_said_what_lies_above_the_cutoff(
    tmp_path, cutoffs, low_passed, full
):
    real = low_passed_noise(0)
    folders = [write_run(tmp_path / str(i), real, real) for i in range(2)]
    entries = [run_entry(i, f"g{i}", cutoff_hz=cutoff) for i, cutoff in enumerate(cutoffs)]
    document = document_of(entries, {"g0": "transposed", "g1": "resize"})
    page = render_page(document, collect_sounds(document, folders), [])
    assert ("Above the cutoff low-passed data holds nothing" in page) == low_passed
    assert ("Data without a low-pass may hold sound at any frequency" in page) == full


def test_what_cannot_be_negative_is_not_shown_so_but_its_difference_may_be(tmp_path):
    real = low_passed_noise(0)
    run = write_run(tmp_path / "a", real, real)
    below = {"value": -0.004, "low": -0.006, "high": 0.002, "p_value": 0.5, "verdict": ""}
    cell = below | {"reason": None, "runs": {"r1": -0.004, "r2": 0.5}}
    entries = [run_entry(1, "g1"), run_entry(2, "g1", seed=1), run_entry(3, "g2")]
    row = {"name": "image_coherence", "unit": "", "stage": 1, "frequency_hz": None, "lines_hz": []}
    row |= {"real": below | {"reason": None}, "cells": {"g1": cell}, "differences": {"g2": cell}}
    document = document_of(entries, {"g1": "transposed", "g2": "resize"}, [row])
    page = render_page(document, collect_sounds(document, [run] * 3), [])
    shown = "0.00000 [0.00000, 0.00200]"
    assert page.count(shown) == 2
    assert "seeds: 0.0, 0.500" in page
    assert page.count("\N{MINUS SIGN}0.00400 [\N{MINUS SIGN}0.00600, 0.00200]") == 1


@pytest.mark.parametrize("spoil", ["missing", "text", "stereo", "rate", "short"])
def test_a_recording_that_cannot_be_used_is_named(tmp_path, spoil):
    real = low_passed_noise(0)
    run = write_run(tmp_path / "a", real, real)
    file = run / "samples" / "joined.wav"
    if spoil == "missing":
        file.unlink()
    elif spoil == "text":
        file.write_text("not audio")
    elif spoil == "stereo":
        soundfile.write(file, np.stack([real, real], axis=1), RATE)
    elif spoil == "rate":
        soundfile.write(file, real, 8000)
    else:
        soundfile.write(file, real[:100], RATE)
    with pytest.raises(DataError, match=re.escape(str(file))):
        collect_sounds(document_of([run_entry(1, "g1")], {"g1": "resize"}), [run])


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_hostile_text_is_text_wherever_it_stands(tmp_path):
    real = low_passed_noise(0)
    run = write_run(tmp_path / "a", real, real)
    bad = f"{HOSTILE}\"'><img src=x onerror=alert(2)>"
    entry = run_entry(1, "g1", name=bad)
    for name in ("device", "platform", "python", "started", "path"):
        entry[name] = bad
    entry["settings"][bad], entry["versions"][bad] = bad, bad
    cell = {"value": 1.0, "low": 0.0, "high": 2.0, "p_value": 0.5, "verdict": bad, "reason": bad}
    row = {"name": bad, "unit": bad, "stage": None, "frequency_hz": None, "lines_hz": []}
    rows = [row | {"real": None, "cells": {"g1": cell | {"runs": {"r1": 1.0}}}, "differences": {}}]
    document = document_of([entry], {"g1": bad}, rows)
    document |= {
        "warnings": [bad],
        "verdicts": [{"kind": bad, "text": bad}],
        "created": bad,
        "wavegan_rc": bad,
    }
    page = render_page(document, collect_sounds(document, [run]), [])
    tags = _Tags()
    tags.feed(page)
    assert sum(tag == "script" for tag, _ in tags.found) == 1
    assert not any(name.startswith("on") for _, attributes in tags.found for name in attributes)
    sources = [a["src"] or "" for _, a in tags.found if "src" in a]
    assert sources
    assert all(source.startswith("data:") for source in sources)


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        ((8.63, 7.9, 10.21), "8.6 [7.9, 10.2]"),
        ((-0.00004, -0.001, 0.0012), "\N{MINUS SIGN}0.00004 [\N{MINUS SIGN}0.00100, 0.00120]"),
        ((0.0, 0.0, 0.0), "0.0 [0.0, 0.0]"),
        ((None, None, -115.7), "\N{EN DASH}"),
        ((1e9, None, None), "1000000000.0"),
    ],
)
def test_numbers_to_read(estimate, text):
    assert interval_text(dict(zip(("value", "low", "high"), estimate, strict=True))) == text
    assert number_text(float("nan")) == "\N{EN DASH}"
