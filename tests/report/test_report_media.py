"""Pictures, players and text of a report, without a browser."""

import base64
import html
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from helpers import ROOT, tone
from helpers.report_page import COUNT, HOSTILE, LENGTH, RATE, document_of, run_of, write_run
from PIL import Image
from scipy import signal

from wavegan_rc.errors import DataError
from wavegan_rc.figures.drawing import levels_db, spectrogram_png
from wavegan_rc.measurement.evaluator import QUANTITIES
from wavegan_rc.measurement.segments import SegmentSet
from wavegan_rc.report import media
from wavegan_rc.report.measured import Cell, Difference, Interval
from wavegan_rc.report.page import _environment, render_page
from wavegan_rc.report.rows import Row
from wavegan_rc.report.run_files import SessionRecord
from wavegan_rc.report.sentences import Summary
from wavegan_rc.report.sounds import collect_sounds
from wavegan_rc.report.verdicts import Verdict
from wavegan_rc.report.words import interval_text, meanings


def low_passed_noise(seed, seconds=COUNT * LENGTH / RATE):
    noise = 0.2 * np.random.default_rng(seed).standard_normal(round(seconds * RATE) + 458)
    return signal.fftconvolve(noise, media.design_lowpass(1500, 1700, RATE), mode="valid")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a run whose recordings are those of real audio."""
    real = low_passed_noise(0)
    return write_run(tmp_path_factory.mktemp("run"), real, real)


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


def test_commands_in_warnings_are_marked_and_all_else_is_escaped():
    code = _environment().filters["code"]
    assert code("`train --steps N` <b>") == "<code>train --steps N</code> &lt;b&gt;"


def test_artifact_only_needs_room_above_the_band():
    segments = np.zeros((2, 256))
    assert media.artifact_only(segments, 4000, 1700, 1900) is None
    kept = media.artifact_only(segments, RATE, 1500, 1700)  # shorter than its filter
    assert kept is not None
    assert len(kept) == segments.size


def test_a_pixel_is_a_bin_of_a_frame_and_low_frequencies_are_below():
    segments = np.stack([tone(1000, seconds=LENGTH / RATE), np.zeros(LENGTH)])
    level = levels_db(segments)
    picture = Image.open(io.BytesIO(spectrogram_png(level, 0.0)))
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
    runs = {
        name: [run_of(name, write_run(tmp_path / name, audio, real))]
        for name, audio in (("faint", faint), ("strong", strong))
    }
    sounds = collect_sounds(document_of(runs))
    (real_row,), (first,), (second,) = sounds.rows
    assert [s.label for s in (real_row, first, second)] == ["real", "faint", "strong"]
    # The one 20 dB stronger peaks 1 dB below full scale, the other 20 dB lower: the same gain.
    assert sounds.artifact_gain_db == pytest.approx(40 - 1, abs=0.2)
    players = [each.player(sounds.artifact_gain_db) for each in (real_row, first, second)]
    levels = [power_db(decoded(player)[0]) for player in players]
    assert levels[2] - levels[1] == pytest.approx(20, abs=0.1)
    assert levels[0] < levels[1] - 20
    assert np.allclose(decoded(first.player())[0], faint, atol=2 / 32768)
    top = levels_db(real.reshape(COUNT, LENGTH)).max()
    assert top <= sounds.top_db < top + 5


def test_rounding_is_not_made_loud(folder):
    run = run_of(1, folder)
    sounds = collect_sounds(document_of({"resize": [run]}))
    assert sounds.artifact_gain_db == 40
    assert abs(decoded(sounds.rows[1][0].player(40))[0]).max() < 0.02


def test_full_band_data_has_no_artifact_players(tmp_path):
    folder = write_run(tmp_path / "a", low_passed_noise(1), low_passed_noise(0))
    document = document_of({"resize": [run_of(1, folder, cutoff_hz=None)]})
    sounds = collect_sounds(document)
    assert sounds.artifact_gain_db is None
    page = render_page(document, sounds, [])
    assert 'No "artifact only" players' in page
    assert "Artifact only:" not in page


def test_runs_of_other_data_have_their_own_real_row(folder):
    runs = {
        "transposed": [run_of(1, folder)],
        "filters 8": [run_of(2, folder, filters=8)],
        "takes": [run_of(3, folder, data="takes", segment_length=4096)],
    }
    sounds = collect_sounds(document_of(runs))
    assert [row[0].label for row in sounds.rows[:2]] == ["real", "real, of takes"]
    assert [len(row[0].segments) for row in sounds.rows] == [64, 32, 64, 64, 32]


def test_long_segments_and_many_runs_keep_the_page_small(tmp_path):
    rng = np.random.default_rng(0)
    long = rng.uniform(-0.9, 0.9, 64 * 16384)  # the worst to compress
    run = run_of(1, write_run(tmp_path / "long", long, long), segment_length=16384)
    (real,), (sound,) = collect_sounds(document_of({"resize": [run]})).rows
    assert len(real.segments) == len(sound.segments) == 8

    noise = long[: COUNT * LENGTH]
    folder = write_run(tmp_path / "a", noise, noise)
    runs = [run_of(i, folder, seed=i) for i in range(12)]
    document = document_of({"transposed": runs[:3], "resize": runs[3:5]})
    page = render_page(document, collect_sounds(document), [])
    assert len(page) < 9e6  # of 15 MB, figures and table have the rest
    all_runs = collect_sounds(document_of({"transposed": runs[::2], "resize": runs[1::2]}))
    assert [len(row) for row in all_runs.rows] == [1, 1, 1]
    assert all_runs.left_out == 10


@pytest.mark.parametrize(
    ("cutoffs", "low_passed", "full"),
    [((1500.0, 1500.0), True, False), ((None, None), False, True), ((1500.0, None), True, True)],
)
def test_only_of_low_passed_data_it_is_said_what_lies_above_the_cutoff(
    folder, cutoffs, low_passed, full
):
    runs = [run_of(i, folder, cutoff_hz=cutoff) for i, cutoff in enumerate(cutoffs)]
    document = document_of({"transposed": runs[:1], "resize": runs[1:]})
    page = render_page(document, collect_sounds(document), [])
    assert ("Low-passed data holds nothing out of band" in page) == low_passed
    assert ("Data without a low-pass may hold sound at any frequency" in page) == full


def test_what_cannot_be_negative_is_not_shown_so_but_its_difference_may_be(tmp_path):
    real = low_passed_noise(0)
    folder = write_run(tmp_path / "a", real, real)
    below = (-0.004, -0.006, 0.002)
    row = Row(
        "image_coherence",
        "",
        stage=1,
        frequency_hz=None,
        lines_hz=[],
        real=Interval(*below),
        cells={
            "g1": Cell(*below, over="seeds", count=2, runs={"r1": -0.004, "r2": 0.5}),
            "g2": Cell(over="segments", count=64, runs={}),
        },
        differences={"g2": Difference(*below, p_value=0.5)},
    )
    runs = {
        "transposed": [run_of(1, folder), run_of(2, folder, seed=1)],
        "resize": [run_of(3, folder)],
    }
    document = document_of(runs, [row])
    page = render_page(document, collect_sounds(document), [])
    assert page.count("0.0000 [0.0000, 0.0020]") == 2
    assert "seeds: -0.004, 0.5" in page
    # Without a value on one side there is no difference to show.
    assert "\N{MINUS SIGN}0.0040 [" not in page


@pytest.mark.parametrize("spoil", ["missing", "text", "stereo", "rate", "short"])
def test_a_recording_that_cannot_be_used_is_named(tmp_path, spoil):
    real = low_passed_noise(0)
    folder = write_run(tmp_path / "a", real, real)
    file = folder / "samples" / "joined.wav"
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
        collect_sounds(document_of({"resize": [run_of(1, folder)]}))


def test_a_run_that_was_stopped_early_is_heard_as_well(tmp_path, monkeypatch):
    """It has no recordings: its segments are made, and real ones drawn from its data."""
    rng = np.random.default_rng(0)
    made, real = (0.1 * rng.standard_normal((COUNT, LENGTH)) for _ in range(2))
    asked = []

    def open_segments(path, *, count, seed):
        asked.append((path, count, seed))
        return SegmentSet("made", RATE, LENGTH, count, lambda: iter([made]))

    parts = (SegmentSet("real", RATE, LENGTH, COUNT, lambda: iter([real])), None)
    monkeypatch.setattr("wavegan_rc.report.sounds.open_segments", open_segments)
    monkeypatch.setattr("wavegan_rc.report.sounds.data_of_run", lambda path, count: parts)
    run = replace(run_of(1, tmp_path, seed=3), steps_asked=9000)
    (first,), (second,) = collect_sounds(document_of({"resize": [run]})).rows
    assert np.allclose(decoded(second.player())[0], made.ravel(), atol=2 / 32768)
    assert np.allclose(decoded(first.player())[0], real.ravel(), atol=2 / 32768)
    assert asked == [(str(tmp_path), COUNT, 3)]


def test_real_audio_that_cannot_be_read_is_left_out_with_a_warning(tmp_path, monkeypatch, caplog):
    """A run that was stopped early has no recordings of real audio, and its data has moved."""
    made = 0.1 * np.random.default_rng(0).standard_normal((COUNT, LENGTH))
    segments = SegmentSet("made", RATE, LENGTH, COUNT, lambda: iter([made]))
    monkeypatch.setattr("wavegan_rc.report.sounds.open_segments", lambda *_, **__: segments)
    monkeypatch.setattr("wavegan_rc.report.sounds.data_of_run", lambda *_: None)
    stopped = replace(run_of(1, tmp_path / "a"), steps_asked=9000)
    document = document_of({"resize": [stopped]})
    sounds = collect_sounds(document)
    assert [row[0].label for row in sounds.rows] == ["resize"]
    (warning,) = sounds.missing
    assert str(tmp_path / "a") in warning
    assert warning in caplog.text
    page = render_page(document, sounds, [])
    assert warning in page
    assert 'class="card real"' not in page
    # Another run may still have the same audio.
    real = low_passed_noise(0)
    finished = run_of(2, write_run(tmp_path / "b", real, real), seed=1)
    sounds = collect_sounds(document_of({"resize": [stopped, finished]}))
    assert [row[0].label for row in sounds.rows] == ["real", "resize"]
    assert not sounds.missing


def page_and_tags(*arguments):
    page, tags = render_page(*arguments), _Tags()
    tags.feed(page)
    return page, tags.found


def test_every_quantity_shown_is_explained_on_the_page(folder):
    """A page that was sent to somebody has no documentation beside it."""
    run = run_of(1, folder)
    cell = Cell(1.0, 0.0, 2.0, over="segments", count=64, runs={"r1": 1.0})
    rows = [
        Row(name, "", stage, None, [], None, {"g1": cell}, {})
        for name, stage in (("out_of_band_total_db", None), ("rms_db", None), ("phase_locking", 1))
    ]
    document = document_of({"resize": [run]}, rows)
    sounds = collect_sounds(document)
    page, tags = page_and_tags(document, sounds, [])
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert [name for name in ids if name.startswith("term-")] == [
        f"term-{row.name}" for row in rows
    ]
    leading = {
        attributes["href"] for tag, attributes in tags if tag == "a" and "href" in attributes
    }
    assert leading >= {f"#term-{row.name}" for row in rows}
    assert {address[1:] for address in leading if address.startswith("#")} <= set(ids)
    for row in rows:
        assert meanings()[row.name].definition.split(";")[0] in html.unescape(page)
    assert "documentation" not in page
    linked = render_page(document, sounds, [], "../docs/{}.md")
    assert linked.count('href="../docs/diversity.md"') == 1
    for meaning in meanings().values():
        assert (ROOT / "docs" / "explanation" / "quantities" / f"{meaning.page}.md").is_file()
    assert set(meanings()) == set(QUANTITIES)


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_hostile_text_is_text_wherever_it_stands(tmp_path):
    real = low_passed_noise(0)
    bad = f"{HOSTILE}\"'><img src=x onerror=alert(2)>"
    folder = write_run(tmp_path / bad.replace("/", "|"), real, real)
    session = SessionRecord({bad: bad}, bad, bad, bad, bad)
    run = replace(run_of(1, folder, data=bad), sessions=[session])
    cell = Cell(1.0, 0.0, 2.0, over=bad, count=1, runs={}, p_value=0.5, verdict=bad, reason=bad)
    rows = [Row("rms_db", bad, None, None, [], None, {"g1": cell}, {})]
    document = replace(
        document_of({bad: [run]}, rows),
        warnings=[bad],
        summary=Summary(bad, bad, (bad,)),
        verdicts=[Verdict("rms_db", "g1", "real", bad, bad)],
        created=bad,
        version=bad,
    )
    page = render_page(document, collect_sounds(document), [])
    tags = _Tags()
    tags.feed(page)
    assert sum(tag == "script" for tag, _ in tags.found) == 1
    assert not any(name.startswith("on") for _, attributes in tags.found for name in attributes)
    sources = [a["src"] or "" for _, a in tags.found if "src" in a]
    assert sources
    assert all(source.startswith("data:") for source in sources)


@pytest.mark.parametrize(
    ("estimate", "name", "text"),
    [
        ((8.63, 7.9, 10.21), "", "8.6 [7.9, 10.2]"),
        ((-0.00004, -0.001, 0.0012), "", "-0.0000 [-0.0010, 0.0012]"),
        ((-0.00004, -0.001, 0.0012), "kernel_distance", "0.00000 [0.00000, 0.00120]"),
        ((1234.5, 1100.0, 1300.0), "", "1234 [1100, 1300]"),
        # Less than 0.1 dB cannot be heard, however well it is known.
        ((-86.198, -86.21, -86.18), "rms_db", "-86.2 [-86.2, -86.2]"),
        ((0.0, 0.0, 0.0), "", "0.0 [0.0, 0.0]"),
        ((None, None, -115.7), "", "\N{EN DASH}"),
        ((1e9, None, None), "", "1000000000"),
        ((0.0123, None, None), "", "0.0123"),
    ],
)
def test_digits_are_those_that_the_interval_gives_a_meaning(estimate, name, text):
    shown = interval_text(Interval(*estimate), name).replace("\N{MINUS SIGN}", "-")
    assert shown == text.replace("-0.0000 ", "0.0000 ")


def test_a_card_says_0_for_the_distance_of_real_audio_from_itself(folder):
    """Its estimate has no bias, and may lie below 0, which no reader expects of a distance."""
    run = run_of(1, folder)
    cell = Cell(5.0, 4.0, 6.0, over="segments", count=64, runs={"r1": 5.0})
    distance = Interval(-0.05, -0.14, 0.16)
    rows = [Row("frechet_distance", "", None, None, [], distance, {"g1": cell}, {})]
    document = document_of({"resize": [run]}, rows)
    page = render_page(document, collect_sounds(document), [])
    assert re.findall(r"<dd>(.*?)</dd>", page)[:2] == ["0.0", "5.0"]
