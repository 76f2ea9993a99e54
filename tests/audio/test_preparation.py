"""Preparation in threads: what comes out, whatever happens on the way."""

import contextlib
import itertools
import signal
import subprocess
import sys
import threading
import time
import warnings
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers import tone
from hypothesis import given
from hypothesis import strategies as st

from wavegan_rc.audio import positions, preparation, units
from wavegan_rc.audio.corpus import prefetch, windows
from wavegan_rc.audio.preparation import prepare_corpus
from wavegan_rc.audio.segments import Segments
from wavegan_rc.errors import DataError, WaveganWarning

FILES = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Recordings of very different lengths, two of them bad."""
    folder = tmp_path_factory.mktemp("recordings")
    rng = np.random.default_rng(0)
    for number, length in enumerate(rng.integers(300, 30000, FILES)):
        noise = rng.standard_normal(length) * rng.uniform(0.001, 0.3)
        soundfile.write(folder / f"{number:02}.wav", noise, 16000, subtype="FLOAT")
    (folder / "05b.wav").write_bytes(b"bad")
    (folder / "99.wav").write_bytes(b"bad")
    return folder


def prepare(folder, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WaveganWarning)
        return prepare_corpus(
            str(folder), sample_rate=16000, cutoff_hz=1500.0, stopband_hz=1700.0, **options
        )


def assert_same(corpus, other):
    np.testing.assert_array_equal(corpus.audio, other.audio)
    np.testing.assert_array_equal(corpus.block_power, other.block_power)
    assert corpus.recordings == other.recordings
    assert (corpus.power, corpus.fingerprint) == (other.power, other.fingerprint)
    assert corpus.skipped == other.skipped
    for split in ("training", "held_out"):
        every: tuple[dict[str, Any], ...] = (
            {"segment_length": 100},
            {"segment_length": 1000},
            {"segment_length": 9000, "short_recordings": "pad"},
            {"segment_length": 9000, "short_recordings": "pad", "one_shots": True},
        )
        for options in every:
            options |= {"silence_db": -20.0, "seed": 1}
            one, two = Segments(corpus, split, **options), Segments(other, split, **options)
            np.testing.assert_array_equal(one.draw(3, 200), two.draw(3, 200))
            assert one.sources(3, 20) == two.sources(3, 20)
            assert one.seconds == two.seconds


@pytest.fixture(scope="module")
def reference(folder, tmp_path_factory):
    """In one unit, by one thread."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparation, "usable_cores", lambda: 1)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("reference")))
        corpus = prepare(folder)
        np.asarray(corpus.audio)
        yield corpus


@pytest.mark.parametrize("unit_bytes", [1, 90000])
def test_units_and_threads_change_nothing(folder, reference, fresh_cache, monkeypatch, unit_bytes):
    monkeypatch.setattr(units, "UNIT_BYTES", unit_bytes)
    monkeypatch.setattr(preparation, "usable_cores", lambda: 3)
    told = []
    corpus = prepare(folder, on_progress=lambda *event: told.append(event))
    assert_same(corpus, reference)
    done = [done for done, _, _ in told]
    assert done == sorted(set(done))
    assert done[-1] == FILES + 2
    assert len(done) > (3 if unit_bytes > 1 else 10)
    assert [path.name for path in fresh_cache.iterdir()] == [corpus.folder.name]


def test_however_many_files_there_are_few_units(folder, reference, fresh_cache, monkeypatch):
    monkeypatch.setattr(units, "UNIT_BYTES", 1)
    monkeypatch.setattr(units, "MOST_UNITS", 4)
    told = []
    assert_same(prepare(folder, on_progress=lambda *event: told.append(event)), reference)
    assert 1 < len(told) <= 5


def test_of_a_unit_without_recordings_nothing_is_read(make_wav, fresh_cache, monkeypatch):
    monkeypatch.setattr(units, "UNIT_BYTES", 1)
    monkeypatch.setattr(units, "MOST_UNITS", 10**9)
    path = make_wav("b.wav", tone(300))
    for name in ("a.wav", "c.wav"):
        (path.parent / name).write_bytes(b"bad")
    told = []
    corpus = prepare(path.parent, on_progress=lambda *event: told.append(event))
    assert len(told) == 3
    assert len(corpus.audio[:]) == len(corpus.audio[-16000:]) == 16000
    segments = Segments(corpus, "held_out", segment_length=1000, silence_db=-40.0, seed=0)
    assert (segments.draw(0, 50) != 0).any(axis=1).all()


def test_reasons_do_not_depend_on_threads(make_wav, tmp_path, monkeypatch):
    folder = make_wav("good.wav", tone(300)).parent
    empty_flac = make_wav("good.flac", tone(300)).read_bytes()[:50]
    for number in range(60):
        content = (b"bad", b"RIFF", b"", b"RIFF    WAVEfmt ", b"OggS", empty_flac)[number % 6]
        (folder / f"{number:02}.wav").write_bytes(content)
    monkeypatch.setattr(units, "UNIT_BYTES", 1)
    monkeypatch.setattr(units, "MOST_UNITS", 10**9)
    skipped = []
    for cores in (1, 8):
        monkeypatch.setattr(preparation, "usable_cores", lambda cores=cores: cores)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / str(cores)))
        skipped.append(prepare(folder).skipped)
    assert skipped[0] == skipped[1]
    assert len(skipped[0]) == 60
    assert len({reason for _, reason in skipped[0]}) > 2


# Prepares as `test_units_and_threads_change_nothing` does.
PREPARE = """
import sys, warnings
warnings.simplefilter("ignore")
from wavegan_rc.audio import preparation, units
units.UNIT_BYTES = 1
preparation.usable_cores = lambda: 2
preparation.prepare_corpus(sys.argv[1], sample_rate=16000, cutoff_hz=1500.0, stopband_hz=1700.0)
"""


def finished(cache):
    """Units that are filtered, and units that are scaled."""
    filtered = [*cache.glob("*/unit-*.json")]
    return sum(1 + (not unit.with_suffix(".float32").exists()) for unit in filtered)


@pytest.mark.slow
def test_killed_again_and_again_it_goes_on_and_ends_the_same(
    folder, reference, fresh_cache, monkeypatch
):
    signals = itertools.cycle([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    reached, kills = 0, 0
    while True:
        process = subprocess.Popen(
            [sys.executable, "-c", PREPARE, str(folder)], stderr=subprocess.DEVNULL
        )
        while process.poll() is None and finished(fresh_cache) < reached + 5:
            time.sleep(0.01)
        if process.poll() == 0:
            break
        assert process.poll() is None
        process.send_signal(next(signals))
        process.wait()
        if list(fresh_cache.glob("[!p]*")):  # it was quicker
            break
        assert finished(fresh_cache) >= reached + 5  # nothing that was whole is lost
        reached, kills = finished(fresh_cache), kills + 1
    assert kills > 1
    monkeypatch.setattr(units, "UNIT_BYTES", 1)
    assert_same(prepare(folder), reference)
    assert len(list(fresh_cache.iterdir())) == 1


def test_samples_go_while_the_corpus_grows_and_every_stage_can_be_gone_on_from(
    folder, reference, fresh_cache, monkeypatch
):
    monkeypatch.setattr(units, "UNIT_BYTES", 1)
    monkeypatch.setattr(preparation, "usable_cores", lambda: 1)
    left = []
    original = preparation.scale_unit

    def scale(unit, *args):
        if unit.samples.exists():
            left.append(sum(p.stat().st_size for p in fresh_cache.glob("*/unit-*.float32")))
            if len(left) % 3 == 2:
                raise OSError(28, "No space left on device")
        original(unit, *args)

    monkeypatch.setattr(preparation, "scale_unit", scale)
    attempts = 0
    while not any(fresh_cache.glob("[!p]*")):
        attempts += 1
        with contextlib.suppress(DataError):
            prepare(folder)
    assert attempts > 3
    assert_same(prepare(folder), reference)
    assert left == sorted(left, reverse=True)
    assert len(set(left)) > 4


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_error_ends_the_other_threads_soon(folder, fresh_cache, monkeypatch, error):
    began = threading.Event()

    def blocks(path, *_):
        if path.name == "00.wav":
            began.wait()
            raise error
        began.set()
        while True:
            yield np.zeros(2**16, np.float32)

    monkeypatch.setattr(units, "UNIT_BYTES", 1)
    monkeypatch.setattr(units, "resampled_blocks", blocks)
    monkeypatch.setattr(preparation, "usable_cores", lambda: 2)
    with pytest.raises((DataError, KeyboardInterrupt), match=r"No space left|^$"):
        prepare(folder)
    assert not list(fresh_cache.glob("*/unit-*"))


@given(st.integers(1, 9000), st.lists(st.integers(0, 8999), max_size=9), st.integers(1, 5000))
def test_a_mapped_file_is_read_like_an_array(tmp_path_factory, length, starts, window):
    """Pages have 4096 bytes; windows begin in any of them and may reach beyond the last."""
    whole = np.arange(length, dtype=np.int16)
    path = tmp_path_factory.mktemp("mapped") / "audio"
    whole.tofile(path)
    mapped = np.memmap(path, "<i2", "r")
    at = np.array([start % length for start in starts], np.int64)
    prefetch(mapped, at, window)
    found = windows(mapped, at, window)
    assert found.shape == (len(starts), window)
    for row, start in zip(found, at, strict=True):
        part = whole[start : start + window]
        np.testing.assert_array_equal(row, np.pad(part, (0, window - len(part))))


def test_counts_are_kept_beside_the_corpus_and_spoilt_ones_are_made_again(
    folder, fresh_cache, monkeypatch
):
    corpus = prepare(folder)
    options = {"segment_length": 1000, "silence_db": -20.0, "seed": 1}
    drawn = Segments(corpus, "training", **options).draw(0, 50)
    (kept,) = corpus.folder.glob("positions-*.npy")
    for spoilt in (b"", kept.read_bytes()[:-1]):
        kept.write_bytes(spoilt)
        np.testing.assert_array_equal(Segments(corpus, "training", **options).draw(0, 50), drawn)
    monkeypatch.setattr(positions.Positions, "count", lambda _: pytest.fail("counted again"))
    np.testing.assert_array_equal(Segments(corpus, "training", **options).draw(0, 50), drawn)


def test_segments_come_from_where_they_are_said_to_come(make_wav, fresh_cache, monkeypatch):
    monkeypatch.setattr(units, "UNIT_BYTES", 1)
    for name in ("a.wav", "b.wav", "c.wav"):
        path = make_wav(name, np.random.default_rng(len(name)).standard_normal(20000) * 0.1)
    corpus = prepare(path.parent)
    segments = Segments(corpus, "training", segment_length=9000, silence_db=-40.0, seed=0)
    whole = np.asarray(corpus.audio) / np.float32(32767)
    first = {recording.name: recording.start for recording in corpus.recordings}
    for segment, (name, start) in zip(segments.draw(0, 20), segments.sources(0, 20), strict=True):
        np.testing.assert_array_equal(segment, whole[first[name] + start :][:9000])
