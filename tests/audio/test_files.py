import io
import struct

import numpy as np
import pytest
import soundfile
from helpers import tone

from wavegan_rc.audio.files import (
    AUDIO_SUFFIXES,
    bundled_speech,
    find_audio_files,
    to_int16,
    write_wav,
)
from wavegan_rc.audio.streams import resampled_blocks
from wavegan_rc.errors import DataError


def read_mono(path, sample_rate):
    return np.concatenate(list(resampled_blocks(path, sample_rate)))


def peak_hz(audio, sample_rate=16000):
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    return spectrum.argmax() * sample_rate / len(audio)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", {"subtype": "PCM_16"}),
        ("a.wav", {"subtype": "PCM_24"}),
        ("a.wav", {"subtype": "FLOAT"}),
        ("a.wav", {"subtype": "PCM_U8"}),
        ("a.flac", {}),
        ("a.ogg", {}),
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}),
        ("a.mp3", {}),
        ("a.aiff", {}),
    ],
)
@pytest.mark.parametrize(("sample_rate", "channels"), [(48000, 1), (16000, 2), (8000, 1)])
def test_every_format_rate_and_channel_count_gives_the_same_tone(
    make_wav, name, options, sample_rate, channels
):
    audio = tone(1000, sample_rate, seconds=1)
    path = make_wav(name, np.stack([audio] * channels, axis=1), sample_rate, **options)
    mono = read_mono(path, 16000)
    assert mono.dtype == np.float32
    assert len(mono) == pytest.approx(16000, abs=1200)  # MP3 and Opus pad
    middle = mono[4000:12000]
    assert peak_hz(middle) == pytest.approx(1000, abs=2)
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.5, rel=0.03)


def test_channels_are_averaged(make_wav):
    audio = tone(500)
    path = make_wav("s.wav", np.stack([audio, -audio], axis=1), subtype="FLOAT")
    assert np.abs(read_mono(path, 16000)).max() < 1e-7


def test_folder_is_searched_recursively_and_other_files_are_passed_over(make_wav, tmp_path):
    paths = [make_wav(name, tone(500)) for name in ("b.wav", "sub/deep/a.FLAC", "sub/c.wav")]
    (tmp_path / "data" / "notes.txt").write_text("not audio")
    assert find_audio_files(str(tmp_path / "data")) == sorted(paths)
    assert find_audio_files(str(tmp_path / "data" / "**" / "*.wav")) == [paths[0], paths[2]]
    assert find_audio_files(str(paths[0])) == [paths[0]]


def test_a_folder_whose_name_looks_like_a_glob(make_wav, tmp_path):
    path = make_wav("take [1]/a.wav", tone(500))
    assert find_audio_files(str(tmp_path / "data" / "take [1]")) == [path]


@pytest.mark.parametrize("what", ["missing", "empty", "no audio", "empty glob"])
def test_no_audio_is_an_error_that_names_the_place(what, tmp_path):
    place = tmp_path / "place"
    if what != "missing":
        place.mkdir()
    if what == "no audio":
        (place / "readme.txt").write_text("")
    with pytest.raises(DataError, match="place"):
        find_audio_files(str(place / "*.wav" if what == "empty glob" else place))


@pytest.mark.parametrize(
    "name", ["a.wav", "a.flac", "a.ogg", "a.aiff", "a.mp3", "a.au", "a.w64", "a.rf64", "a.caf"]
)
@pytest.mark.parametrize("how", ["half", "zero-length", "text", "header only"])
def test_damaged_files_are_refused(make_wav, name, how):
    path = make_wav(name, tone(700, seconds=3))
    data = path.read_bytes()
    text = b"this is not audio, whatever the name says\n" * 50
    damaged = {"half": data[: len(data) // 2], "text": text, "header only": data[:44]}
    path.write_bytes(damaged.get(how, b""))
    with pytest.raises(DataError):
        read_mono(path, 16000)


def test_a_wav_from_a_pipe_declares_no_size_and_is_read(make_wav):
    path = make_wav("a.wav", tone(700), subtype="PCM_16")
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[4:8] = data[at : at + 4] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(data)
    assert len(read_mono(path, 16000)) == 16000


def test_no_samples_is_refused(make_wav):
    with pytest.raises(DataError):
        read_mono(make_wav("a.wav", np.zeros(0)), 16000)


def test_written_wavs_are_16_bit_pcm_and_clip_instead_of_wrapping(tmp_path):
    write_wav(tmp_path / "a.wav", np.array([0.0, 1.0, -1.0, 1.5, -9.0]), 16000)
    samples, sample_rate = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert soundfile.info(tmp_path / "a.wav").subtype == "PCM_16"
    assert sample_rate == 16000
    assert samples.tolist() == [0, 32767, -32767, 32767, -32767]


@pytest.mark.parametrize("length", [0, 1, 2049])
@pytest.mark.parametrize("sample_rate", [1, 16000, 2**31 - 1])
def test_written_wavs_are_what_soundfile_writes(tmp_path, length, sample_rate):
    audio = np.random.default_rng(0).uniform(-1.1, 1.1, length)
    write_wav(tmp_path / "a.wav", audio, sample_rate)
    form = {"subtype": "PCM_16", "format": "WAV"}
    soundfile.write(tmp_path / "b.wav", to_int16(audio), sample_rate, **form)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    opened = io.BytesIO()
    write_wav(opened, audio, sample_rate)
    assert opened.getvalue() == (tmp_path / "b.wav").read_bytes()


def test_the_bundled_speech_is_complete_and_carries_its_licence():
    files = find_audio_files(None)
    assert len(files) == 12
    minutes = sum(soundfile.info(file).duration for file in files) / 60
    assert minutes == pytest.approx(24.2, abs=0.1)
    assert "CC BY-SA 3.0" in (bundled_speech() / "ATTRIBUTION.md").read_text()


def test_a_header_that_miscounts_by_a_padding_byte_is_read(make_wav):
    path = make_wav("a.wav", tone(700), subtype="PCM_16")
    data = bytearray(path.read_bytes())
    data[4:8] = struct.pack("<I", len(data) - 8 + 1)
    path.write_bytes(data)
    assert len(read_mono(path, 16000)) == 16000


def test_links_to_one_file_count_once_and_may_loop(make_wav, tmp_path):
    path = make_wav("a.wav", tone(500))
    (tmp_path / "data" / "b.wav").symlink_to(path)
    (tmp_path / "data" / "up").symlink_to(tmp_path / "data")
    assert find_audio_files(str(tmp_path / "data")) == [path]


def test_linked_folders_are_searched_each_real_one_once(make_wav, tmp_path):
    own = make_wav("own.wav", tone(500))
    inside = make_wav("../store/deep/inside.wav", tone(500))
    data = own.parent
    (data / "a").symlink_to(tmp_path / "store")
    (data / "b").symlink_to(tmp_path / "store" / "deep")
    (inside.parent / "up").symlink_to(data)  # and round it goes
    expected = [data / "a" / "deep" / "inside.wav", own]
    assert find_audio_files(str(data)) == expected
    for pattern in ("**/*.wav", "**"):
        assert find_audio_files(str(data / pattern)) == expected
    assert find_audio_files(str(data / "*" / "inside.wav")) == [data / "b" / "inside.wav"]
    assert find_audio_files(str(tmp_path / "d*" / "**" / "in*")) == expected[:1]


@pytest.mark.parametrize("suffix", ["m4a", "WEBM", "ape", "raw", "mov", "mkv"])
def test_recordings_of_formats_that_cannot_be_read_are_found_and_named(make_wav, suffix):
    path = make_wav("a.wav", tone(500))
    other = path.with_name(f"b.{suffix}")
    other.write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(500))
    assert find_audio_files(str(path.parent)) == [path, other]
    with pytest.raises(DataError, match=r"not readable as audio: Format not recogni[sz]ed"):
        read_mono(other, 16000)


def test_every_format_of_libsndfile_is_found_by_its_suffix():
    # Each begins with its suffix; those of MAT4, MAT5 and WAVEX are shared.
    words = soundfile.available_formats().values()
    suffixes = {f".{text.split()[0].lower()}" for text in words} - {".mat4", ".mat5", ".wavex"}
    assert suffixes - {".mpeg-1/2"} <= AUDIO_SUFFIXES


@pytest.mark.parametrize(
    ("suffix", "form"),
    [("paf", "PAF"), ("iff", "SVX"), ("sf", "IRCAM"), ("avr", "AVR"), ("pvf", "PVF")],
)
def test_formats_of_old_programs_are_read(make_wav, suffix, form):
    path = make_wav(f"a.{suffix}", tone(500), format=form, subtype="PCM_16")
    assert find_audio_files(str(path.parent)) == [path]
    np.testing.assert_allclose(read_mono(path, 16000), tone(500), atol=1e-4)
