import hashlib
import json
import os
import platform
import re
import subprocess
import sys

import numpy as np
import pytest
from helpers import tone

from wavegan_rc.audio import preparation, units
from wavegan_rc.audio.corpus import BLOCK, write_skipped
from wavegan_rc.audio.preparation import prepare_corpus
from wavegan_rc.audio.segments import Segments, Split
from wavegan_rc.errors import DataError


def prepare(data, cutoff_hz: float | None = 1500.0, **options):
    stopband_hz = None if cutoff_hz is None else cutoff_hz + 200
    return prepare_corpus(
        str(data), sample_rate=16000, cutoff_hz=cutoff_hz, stopband_hz=stopband_hz, **options
    )


@pytest.fixture
def folder(make_wav, fresh_cache):
    for i, frequency in enumerate([300, 600, 900, 1200]):
        make_wav(f"{i}.wav", tone(frequency, amplitude=0.1 * (i + 1)), subtype="FLOAT")
    return make_wav("4.wav", tone(440, 44100, seconds=2), 44100).parent


def test_index_describes_the_audio_and_one_gain_brings_the_peak_to_nine_tenths(folder):
    corpus = prepare(folder)
    assert corpus.audio.dtype == np.int16
    assert not corpus.audio[:9].flags.writeable
    assert sum(r.length for r in corpus.recordings) == len(corpus.audio) == 16000 * 6
    peaks = {}
    for recording in corpus.recordings:
        middle = corpus.audio[recording.start :][: recording.length][4000:12000] / 32767
        peaks[recording.name] = np.abs(middle).max()
    assert np.abs(corpus.audio).max() / 32767 == pytest.approx(0.9, abs=1e-3)
    # Levels between recordings are kept.
    assert peaks["3.wav"] / peaks["0.wav"] == pytest.approx(4, rel=0.02)


def test_nothing_is_left_above_the_stopband(make_wav, fresh_cache):
    noise = np.random.default_rng(0).standard_normal(32000) * 0.1
    make_wav("a.wav", noise, subtype="FLOAT")
    path = make_wav("b.wav", noise, subtype="FLOAT")
    audio = prepare(path.parent).audio[:32000].astype(np.float64)
    power = np.abs(np.fft.rfft(audio[2000:-2000] * np.blackman(28000))) ** 2
    frequencies = np.fft.rfftfreq(28000, 1 / 16000)
    ratio_db = 10 * np.log10(power[frequencies > 1700].sum() / power.sum())
    assert ratio_db < -75
    unfiltered = prepare(path.parent, cutoff_hz=None).audio
    assert not np.array_equal(unfiltered[:32000], audio)


def test_block_powers_are_mean_squares(folder):
    corpus = prepare(folder)
    block, power = 0, np.asarray(corpus.block_power)
    for recording in corpus.recordings:
        audio = corpus.audio[recording.start :][: recording.length] / 32767
        for start in range(0, recording.length, BLOCK):
            expected = np.mean(audio[start : start + BLOCK] ** 2)
            assert power[block] == pytest.approx(expected, rel=1e-4, abs=1e-12)
            block += 1
    assert block == len(corpus.block_power)
    assert corpus.power == pytest.approx(np.mean((np.asarray(corpus.audio) / 32767) ** 2), rel=1e-4)


def test_second_time_comes_from_the_cache(folder, monkeypatch):
    first = prepare(folder)
    monkeypatch.setattr(units, "resampled_blocks", lambda *_: pytest.fail("read again"))
    second = prepare(folder)
    assert second.recordings == first.recordings
    np.testing.assert_array_equal(second.audio, first.audio)


def test_a_changed_file_or_setting_is_prepared_anew(folder, make_wav, fresh_cache):
    prepare(folder)
    prepare(folder, cutoff_hz=1000.0)
    make_wav("4.wav", tone(500, seconds=3))
    prepare(folder)
    assert len(list(fresh_cache.iterdir())) == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_preparation_leaves_nothing_if_nothing_was_done(
    folder, monkeypatch, fresh_cache, error
):
    def fail(path, *rest):
        if path.name == "2.wav":
            raise error
        return original(path, *rest)

    original = units.resampled_blocks
    monkeypatch.setattr(units, "resampled_blocks", fail)
    with pytest.raises(error):
        prepare(folder)
    assert not list(fresh_cache.iterdir())


@pytest.mark.slow
def test_two_processes_preparing_the_same_share_one_entry(folder, fresh_cache):
    code = (
        "import sys; from wavegan_rc.audio.preparation import prepare_corpus\n"
        "c = prepare_corpus(sys.argv[1], sample_rate=16000, cutoff_hz=1500.0, stopband_hz=1700.0)\n"
        "print(int(abs(c.audio[:].astype(int)).sum()))"
    )
    command = [sys.executable, "-c", code, str(folder)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    sums = {process.communicate()[0] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert len(sums) == 1
    assert len(list(fresh_cache.iterdir())) == 1


def test_skipped_files_are_listed_beside_the_audio_and_known_ever_after(
    folder, make_wav, fresh_cache, tmp_path
):
    (folder / "broken.wav").write_bytes(b"RIFF")
    make_wav("nan.wav", np.full(100, np.nan), subtype="FLOAT")
    (folder / "z\nz.ogg").write_bytes(b"")
    corpus = prepare(folder)
    assert len(corpus.recordings) == 5
    bad = [str(folder / name) for name in ("broken.wav", "nan.wav", "z\nz.ogg")]
    assert [file for file, _ in corpus.skipped] == bad
    assert corpus.skipped[1][1] == "has NaN or infinite samples"
    (entry,) = fresh_cache.iterdir()
    rows = json.loads((entry / "skipped.json").read_text())
    assert [(row["file"], row["reason"]) for row in rows] == list(corpus.skipped)
    assert prepare(folder).skipped == corpus.skipped  # also when it comes from the cache
    write_skipped(tmp_path, corpus.skipped)
    assert json.loads((tmp_path / "skipped.json").read_text()) == rows


def test_nothing_skipped_leaves_no_list(folder, fresh_cache, tmp_path):
    assert prepare(folder).skipped == ()
    write_skipped(tmp_path, ())
    assert not list(fresh_cache.glob("*/skipped.json"))
    assert not list(tmp_path.glob("skipped.json"))


def test_only_bad_files_is_an_error_that_names_one(make_wav, fresh_cache):
    path = make_wav("nan.wav", np.full(100, np.nan), subtype="FLOAT")
    with pytest.raises(DataError, match=r"nan\.wav"):
        prepare(path.parent)
    assert not list(fresh_cache.iterdir())


def test_silence_only_is_an_error(make_wav, fresh_cache):
    path = make_wav("a.wav", np.zeros(16000))
    with pytest.raises(DataError, match="silence"):
        prepare(path.parent)
    assert not list(fresh_cache.iterdir())


def test_a_cache_that_cannot_be_written(make_wav, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"cache folder .*set XDG_CACHE_HOME to use another"):
        prepare(make_wav("a.wav", tone(500)).parent)


@pytest.mark.parametrize("what", ["audio.int16", "power.float32", "index.json"])
def test_a_damaged_cache_entry_is_named(folder, fresh_cache, what):
    prepare(folder)
    (entry,) = fresh_cache.iterdir()
    (entry / what).write_text("{}")
    with pytest.raises(DataError, match=entry.name):
        prepare(folder)


def test_progress_is_told_unit_by_unit(folder, monkeypatch, fresh_cache):
    told = []
    prepare(folder, on_progress=lambda *event: told.append(event))
    assert told == [(5, 5, "")]
    monkeypatch.setattr(units, "UNIT_BYTES", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(fresh_cache))
    prepare(folder, on_progress=lambda *event: told.append(event))
    assert told[1:] == [(done, 5, "") for done in (1, 2, 3, 4, 5)]


def test_a_name_that_is_no_text_is_prepared_like_any_other(folder):
    os.rename(folder / "0.wav", os.fsencode(folder) + b"/caf\xe9 \n.wav")
    corpus = prepare(folder)
    assert len(corpus.recordings) == 5
    options = {"segment_length": 1000, "silence_db": -40.0, "seed": 0}
    assert Segments(corpus, "held_out", **options).seconds > 0


@pytest.mark.parametrize("step", ["filter_unit", "scale_unit", "write_skipped"])
def test_a_full_disk_is_an_error_and_what_is_done_is_kept(folder, monkeypatch, fresh_cache, step):
    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(preparation, step, fail)
        with pytest.raises(DataError, match="No space left"):
            prepare(folder)
    assert [path.name.split("-")[0] for path in fresh_cache.iterdir()] == (
        [] if step == "filter_unit" else ["preparing"]
    )
    if step != "filter_unit":
        monkeypatch.setattr(units, "resampled_blocks", lambda *_: pytest.fail("read again"))
    assert len(prepare(folder).recordings) == 5
    (entry,) = fresh_cache.iterdir()
    assert not entry.name.startswith("preparing")


def test_one_sample_does_not_stop_the_others(folder, make_wav):
    make_wav("one.wav", np.ones(1), 48000)
    assert len(prepare(folder).recordings) == 5


def test_one_recording_at_the_scale_of_integers_does_not_crush_the_others(folder, make_wav):
    """With one gain for all, the others would be samples of -1, 0 and 1."""
    alone = prepare(folder)
    odd = make_wav("odd.wav", 9000 * tone(500), subtype="FLOAT")
    corpus = prepare(folder)
    np.testing.assert_array_equal(corpus.audio, alone.audio)
    assert corpus.fingerprint == alone.fingerprint
    ((file, reason),) = corpus.skipped
    assert file == str(odd)
    assert re.fullmatch(r"has samples of 4\d\d\d.*, where full scale is 1", reason)


def test_recordings_that_all_have_the_scale_of_integers_share_a_gain(make_wav, fresh_cache):
    for i in range(3):
        path = make_wav(f"{i}.wav", (i + 1) * 3000 * tone(500), subtype="FLOAT")
    make_wav("silent.wav", np.zeros(16000), subtype="FLOAT")
    make_wav("silent too.wav", np.zeros(16000), subtype="FLOAT")
    corpus = prepare(path.parent)
    assert len(corpus.recordings) == 5
    assert np.abs(corpus.audio).max() / 32767 == pytest.approx(0.9, abs=1e-3)


def test_a_linked_folder_is_named_by_its_link_wherever_it_leads(make_wav, tmp_path, fresh_cache):
    """Names decide which recordings are held out: no machine's own paths may be in them."""
    folder = make_wav("own/a.wav", tone(500)).parent.parent
    kept = []
    for place in ("here", "far/away"):
        (tmp_path / place).mkdir(parents=True)
        make_wav(f"../{place}/b.wav", tone(700))
        (folder / "linked").symlink_to(tmp_path / place)
        kept.append(prepare(folder))
        (folder / "linked").unlink()
    assert [r.name for r in kept[0].recordings] == ["linked/b.wav", "own/a.wav"]
    assert kept[0].fingerprint == kept[1].fingerprint
    # The same files by another link have other names: not those that the cache holds.
    (folder / "other").symlink_to(tmp_path / "here")
    assert [r.name for r in prepare(folder).recordings] == ["other/b.wav", "own/a.wav"]


# Written down at first: a change makes old runs another experiment. The fingerprint
# also holds the version of the split rule.
AUDIO = "a677514081ce3a87b60746a21ecdeabaf11b95ecea8d2fd2fcc511b798c1699e"
POWER = "755220f7b75b6cd8c0a56348efae01d74804f99b6d1a98c84b87451ca99059df"
FINGERPRINT = "cbae6b3bad3f62441a3236a6a2b0c2693edfb7bedca03ed630f154ce1ace105c"
DRAWN: dict[tuple[Split, int], str] = {
    ("training", 100): "9333ab385b9b1a19",
    ("training", 2048): "f38370b5525d5708",
    ("training", 16384): "efbf5d5b87ad7a85",
    ("held_out", 100): "be26e7f0a76d7d0b",
    ("held_out", 2048): "0fda6a9e672353b4",
    ("held_out", 16384): "088f8289e76319ff",
}


def sha256(array):
    return hashlib.sha256(np.asarray(array).tobytes()).hexdigest()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="pinned on one kind of machine")
def test_the_bundled_speech_and_what_is_drawn_of_it_never_changes():
    corpus = prepare_corpus(None, sample_rate=16000, cutoff_hz=1500.0, stopband_hz=1700.0)
    assert (sha256(corpus.audio), sha256(corpus.block_power)) == (AUDIO, POWER)
    assert corpus.fingerprint == FINGERPRINT
    assert corpus.power == pytest.approx(0.026505510973059962, rel=1e-15)
    for (split, length), expected in DRAWN.items():
        segments = Segments(corpus, split, segment_length=length, silence_db=-40.0, seed=3)
        assert sha256(segments.draw(5, 512))[:16] == expected
