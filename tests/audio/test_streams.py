"""What a header claims of a recording's length, and what is there."""

import gc
import os
import random
import re
import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from helpers import tone

from wavegan_rc.audio import lengths
from wavegan_rc.audio.preparation import prepare_corpus
from wavegan_rc.audio.streams import resampled_blocks
from wavegan_rc.errors import DataError, WaveganWarning
from wavegan_rc.measurement.sources import open_segments

LENGTH = 64000


def read(path):
    return np.concatenate([*resampled_blocks(path, 16000)])


def noise():
    return np.random.default_rng(0).standard_normal(LENGTH) * 0.1


def replace_number(data, at, form, change):
    """Change a number in a header."""
    size = struct.calcsize(form)
    (number,) = struct.unpack(form, data[at : at + size])
    data[at : at + size] = struct.pack(form, change(number))


# (suffix, what the number follows, bytes after it, form)
SIZES = [
    ("wav", b"data", 4, "<I"),
    ("aiff", b"SSND", 4, ">I"),
    ("au", b".snd", 8, ">I"),
    ("rf64", b"ds64", 16, "<Q"),
    ("caf", b"data", 4, ">q"),
    ("mp3", b"Info", 8, ">I"),
]


def claim(make_wav, suffix, change, repeats=1, **options):
    """A file whose header has another length."""
    path = make_wav(f"a.{suffix}", np.tile(noise(), repeats), **options)
    data = bytearray(path.read_bytes())
    if suffix == "flac":  # the last 36 bits of bytes 18 to 26
        fields = int.from_bytes(data[18:26], "big")
        length = fields % 2**36
        data[18:26] = (fields - length + change(length)).to_bytes(8, "big")
    else:
        (mark, after, form) = next(row[1:] for row in SIZES if row[0] == suffix)
        mark = mark if mark in data[:200] or suffix != "mp3" else b"Xing"
        replace_number(data, data.index(mark) + after, form, change)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("suffix", ["wav", "aiff", "au", "rf64", "caf"])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "PCM_U8", "ULAW"])
def test_samples_beyond_a_length_that_is_too_small_are_read_too(make_wav, suffix, subtype):
    if not soundfile.check_format(suffix.upper(), subtype):
        subtype = "PCM_S8"
    expected = read(make_wav(f"b.{suffix}", noise(), subtype=subtype))
    path = claim(make_wav, suffix, lambda length: length // 8, subtype=subtype)
    notes = []
    found = np.concatenate([*resampled_blocks(path, 16000, notes)])
    np.testing.assert_array_equal(found, expected)
    (note,) = notes
    declared, there = map(int, re.findall(r"\d+", note))
    assert note == f"declares {declared} samples but holds {there}; all are used"
    assert (declared, there) == (pytest.approx(LENGTH / 8, abs=8), LENGTH)


@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
@pytest.mark.parametrize(("suffix", "form"), [("wav", "<I"), ("aiff", ">I"), ("au", ">I")])
def test_samples_are_read_too_in_the_order_of_bytes_of_their_file(make_wav, suffix, form, endian):
    path = make_wav(f"b.{suffix}", np.stack([noise(), -noise() / 2], axis=1), endian=endian)
    expected = read(path)
    data = bytearray(path.read_bytes())
    mark = {"wav": (b"data", 4), "aiff": (b"SSND", 4)}.get(suffix, (data[:4], 8))
    form = form if data[:4] not in (b"RIFX", b"dns.") else {"<I": ">I", ">I": "<I"}[form]
    replace_number(data, data.index(mark[0]) + mark[1], form, lambda length: length // 8)
    path.write_bytes(data)
    np.testing.assert_array_equal(read(path), expected)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_U8"])
def test_chunks_after_sizes_modulo_4_gb_are_no_samples(make_wav, monkeypatch, subtype):
    """At a small scale: sizes modulo 2**15. 8-bit samples of odd length have a byte of padding."""
    path = make_wav("a.wav", noise()[: LENGTH - 1], subtype=subtype)
    expected = read(path)
    monkeypatch.setattr(lengths, "_SIZES", 2**15)
    data = bytearray(path.read_bytes())
    replace_number(data, data.index(b"data") + 4, "<I", lambda length: length % 2**15)
    path.write_bytes(data)
    chunk = struct.pack("<4sI", b"note", 20000) + b"M" * 20000
    path.write_bytes(path.read_bytes() + chunk)
    np.testing.assert_array_equal(read(path), expected)


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_a_coded_file_that_holds_much_more_than_it_declares_is_not_read_in_part(make_wav, suffix):
    path = claim(make_wav, suffix, lambda length: length // 8, repeats=8)
    message = r"header is wrong: (\d+) samples are declared, but its size suggests about (\d+)"
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    declared, there = map(int, re.search(message, str(caught.value)).groups())
    assert declared == pytest.approx(LENGTH, abs=2000)  # MP3 pads
    assert there == pytest.approx(8 * LENGTH, rel=0.1)


@pytest.mark.parametrize("suffix", ["wav", "au", "rf64"])
def test_a_file_that_declares_nothing_is_read_to_its_end(make_wav, suffix):
    expected = read(make_wav(f"b.{suffix}", noise()))
    path = claim(make_wav, suffix, lambda length: 0)
    np.testing.assert_array_equal(read(path), expected)


def test_a_flac_file_from_a_pipe_declares_no_length_and_is_read_to_its_end(make_wav):
    expected = read(make_wav("b.flac", noise()))
    path = claim(make_wav, "flac", lambda length: 0)
    np.testing.assert_array_equal(read(path), expected)


@pytest.mark.parametrize(
    "suffix", ["ogg", "opus", "flac", "mp3", "wav", "aiff", "au", "rf64", "caf"]
)
def test_files_put_one_after_the_other_are_not_read_in_part(make_wav, suffix):
    options = {"format": "OGG", "subtype": "OPUS"} if suffix == "opus" else {}
    path = make_wav(f"a.{suffix}", noise(), **options)
    path.write_bytes(2 * path.read_bytes())
    with pytest.raises(DataError, match=r"damaged|not readable"):
        read(path)


@pytest.mark.parametrize("suffix", ["wav", "rf64", "aiff", "caf"])
def test_chunks_after_the_sound_may_be_as_long_as_they_like(make_wav, suffix):
    path = make_wav(f"a.{suffix}", noise())
    expected = read(path)
    form = {"wav": "<4sI", "rf64": "<4sI", "aiff": ">4sI", "caf": ">4sq"}[suffix]
    chunk = struct.pack(form, b"note", 300001) + bytes(300001 + (suffix != "caf"))
    path.write_bytes(path.read_bytes() + 2 * chunk)
    np.testing.assert_array_equal(read(path), expected)


@pytest.fixture
def vbr(make_wav):
    """An MP3 of variable rate, without the Xing frame that says how long it is."""

    def make(name, loud_first=True):
        time = np.arange(30 * 16000) / 16000
        loud = (time < 3) if loud_first else (time > 27)
        audio = loud * np.random.default_rng(0).standard_normal(len(time)) * 0.2
        audio += ~loud * tone(300, seconds=30, amplitude=0.2)
        path = make_wav(name, audio, bitrate_mode="VARIABLE", compression_level=0.4)
        data = path.read_bytes()
        path.write_bytes(data[data.index(data[:2], 100) :])
        return path, audio

    return make


@pytest.mark.parametrize("loud_first", [False, True])
def test_an_mp3_of_variable_rate_without_a_length_is_read_to_its_end(vbr, loud_first):
    path, audio = vbr("a.mp3", loud_first)
    # The estimate of the length is what makes the difference.
    assert abs(soundfile.info(path).frames - len(audio)) > len(audio) / 4
    for tag in (b"", b"ID3\x04\0\0" + bytes([0, 20, 0, 3]) + bytes((20 << 14) + 3)):
        path.write_bytes(tag + path.read_bytes())
        found = read(path)
        assert len(found) == pytest.approx(len(audio), abs=3000)  # the encoder's padding
        # Second by second, but for the one in which it changes.
        levels, expected = (
            np.sqrt(np.mean(part[: 29 * 16000].reshape(29, 16000) ** 2, axis=1))
            for part in (found, audio)
        )
        compared = np.delete(np.arange(29), [2, 3, 26, 27])
        np.testing.assert_allclose(levels[compared], expected[compared], rtol=0.1)


def test_an_mp3_that_decodes_in_part_is_damaged(vbr):
    path, _ = vbr("a.mp3")
    data = bytearray(path.read_bytes())
    rng = random.Random(0)
    for at in range(3000, len(data), 2997):
        data[at] = rng.randrange(256)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"\d+ samples can be decoded, but its size suggests"):
        read(path)


def spoilt_mp3(path, seed=0):
    path.write_bytes(b"\xff\xfb" + random.Random(seed).randbytes(5000))
    return path


def test_a_corrupt_mp3_is_said_to_be_corrupt(tmp_path):
    reasons = set()
    for seed in range(20):
        with pytest.raises(DataError) as caught:
            read(spoilt_mp3(tmp_path / "a.mp3", seed))
        reasons.add(str(caught.value))
    assert "is not readable as audio: it is damaged and cannot be decoded" in reasons
    assert not [r for r in reasons if "exist" in r or "regular" in r or "internal" in r]


PREPARE = """
import sys
from wavegan_rc.audio import preparation, units
units.UNIT_BYTES = 1
preparation.usable_cores = lambda: int(sys.argv[2])
preparation.prepare_corpus(sys.argv[1], sample_rate=16000, cutoff_hz=None, stopband_hz=None)
"""


@pytest.mark.slow
@pytest.mark.parametrize("cores", [1, 2])
def test_the_decoders_notes_reach_no_terminal(make_wav, vbr, fresh_cache, cores):
    """However many threads decode; on good files there are some too."""
    folder = make_wav("good.mp3", noise()).parent
    vbr("vbr.mp3")
    spoilt_mp3(folder / "bad.mp3")
    twice = folder / "twice.mp3"
    twice.write_bytes(2 * (folder / "good.mp3").read_bytes())
    claim(make_wav, "mp3", lambda length: length // 8)
    done = subprocess.run(
        [sys.executable, "-c", PREPARE, str(folder), str(cores)], capture_output=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.slow
def test_a_process_without_a_standard_error_reads_all_the_same(make_wav, fresh_cache):
    folder = make_wav("good.mp3", noise()).parent
    code = f"import os; os.close(2)\n{PREPARE}\nprint(os.listdir(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), "1"], stdout=subprocess.PIPE, text=True
    )
    assert (done.returncode, done.stdout.strip()) == (0, "['good.mp3']")


def test_reading_leaves_no_descriptor_open(make_wav, vbr):
    path, _ = vbr("a.mp3")
    read(claim(make_wav, "wav", lambda length: length // 8))
    damaged = claim(make_wav, "flac", lambda length: length // 8)
    bad = spoilt_mp3(path.with_name("bad.mp3"))
    gc.collect()  # what other tests left
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(3):
        read(path)
        next(resampled_blocks(path, 16000))  # left half-read
        for broken in (damaged, bad):
            with pytest.raises(DataError):
                read(broken)
    gc.collect()  # what the caught errors hold
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_all_is_prepared_that_is_there_and_both_lengths_are_said(make_wav, vbr, fresh_cache):
    path, audio = vbr("a.mp3")
    wrong = claim(make_wav, "wav", lambda length: length // 8)
    coded = claim(make_wav, "flac", lambda length: length // 8)
    said = f"declares a wrong length; the first: {wrong} declares 8000 samples but holds {LENGTH}"
    with pytest.warns(WaveganWarning, match=re.escape(said)):
        corpus = prepare_corpus(
            str(path.parent), sample_rate=16000, cutoff_hz=None, stopband_hz=None
        )
    assert len(corpus.audio) == pytest.approx(len(audio) + LENGTH, abs=3000)
    ((file, reason),) = corpus.skipped
    assert file == str(coded)
    assert "8000 samples are declared" in reason
    with pytest.warns(WaveganWarning, match=re.escape(said)):
        assert open_segments(wrong, segment_length=1000).count == LENGTH // 1000
