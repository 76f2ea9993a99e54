import shutil
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
import soundfile
from helpers import ROOT, tone
from hypothesis import given
from hypothesis import strategies as st

from wavegan_rc.errors import DataError, ParameterError, WaveganWarning
from wavegan_rc.generator.file import Generator, load_generator, save_generator
from wavegan_rc.generator.folding import GeneratorWeights, StageWeights
from wavegan_rc.generator.generation import draw_latents, synthesize
from wavegan_rc.measurement.sources import SegmentSet, is_generator, open_segments


def everything(segments, size=512):
    return np.concatenate(list(segments.blocks(size)))


def noise(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-0.9, 0.9, shape)


def array_file(tmp_path, array, name="a.npy"):
    np.save(tmp_path / name, array)
    return tmp_path / name


@pytest.fixture
def run(smoke_runs):
    return smoke_runs[1]


def tiny_generator(path, initial_length=32, factor=2, weights=1.0):
    """Each sample is one of the dense layer's minus the next."""
    dense = np.full((3, initial_length), weights, np.float32)
    difference = np.ones((2, 1, factor), np.float32) * [[[1]], [[-1]]]
    stage = StageWeights(factor, 0, difference.astype(np.float32))
    weights = GeneratorWeights(dense, None, (stage,), None, "zeros")
    save_generator(Generator(weights, 8000), path)
    return path


# Generators


@pytest.mark.slow
def test_a_run_gives_what_its_generator_makes_of_drawn_latents(run):
    segments = open_segments(run, count=70, seed=3)
    assert (segments.name, segments.sample_rate, segments.segment_length) == (str(run), 16000, 512)
    assert (segments.count, segments.upsampling_factors) == (70, (4, 4))
    assert (segments.stopband_hz, segments.skipped) == (1700.0, ())
    generator = load_generator(run).model
    expected = synthesize(generator, draw_latents(70, 8, seed=3))
    np.testing.assert_array_equal(everything(segments), expected)
    assert not np.array_equal(everything(open_segments(run, count=70, seed=4)), expected)


@pytest.mark.slow
def test_of_a_run_512_segments_are_drawn_with_the_seed_of_its_samples(run):
    segments = open_segments(run)
    audio = everything(segments)
    assert audio.shape == (512, 512)
    wav, _ = soundfile.read(run / "samples" / "0003.wav", dtype="int16")
    np.testing.assert_array_equal(np.round(audio[3] * 32767), wav)
    np.testing.assert_array_equal(everything(segments, size=7), audio)


@pytest.mark.slow
def test_a_generator_file_is_as_good_as_its_run(run):
    file = open_segments(run / "generator.keras", count=5, segment_length=512, sample_rate=16000)
    assert (file.upsampling_factors, file.stopband_hz) == ((4, 4), 1700.0)
    np.testing.assert_array_equal(everything(file), everything(open_segments(run, count=5)))


def test_a_generator_may_have_no_low_pass(tmp_path):
    segments = open_segments(tiny_generator(tmp_path / "g.keras"))
    assert (segments.upsampling_factors, segments.stopband_hz) == ((2,), None)


@pytest.mark.slow
def test_what_loads_tensorflow_is_known_beforehand(run, make_wav):
    assert is_generator(run)
    assert is_generator(str(run / "generator.keras"))
    assert not is_generator(run / "samples")
    assert not is_generator(make_wav("a.wav", tone(500)))
    assert not is_generator(run / "none.keras")
    assert not is_generator("x" * 5000)


def test_recordings_and_arrays_load_no_tensorflow(make_wav):
    code = (
        "import sys\n"
        "from wavegan_rc.measurement.sources import open_segments\n"
        "print(len(list(open_segments(sys.argv[1]).blocks())))\n"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", code, str(make_wav("a.wav", tone(500)))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("1\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"segment_length": 256}, r"segment_length of .* is 512\. Received: 256"),
        ({"sample_rate": 8000}, r"sample_rate of .* is 16000\. Received: 8000"),
        ({"count": 0}, r"count must be at least 1\. Received: 0"),
        ({"seed": -1}, r"seed must be at least 0\. Received: -1"),
    ],
)
def test_what_contradicts_the_generator_is_refused(run, arguments, message):
    with pytest.raises(ParameterError, match=message):
        open_segments(run, **arguments)


def test_a_generator_of_very_short_segments_is_refused(tmp_path):
    path = tiny_generator(tmp_path / "g.keras", initial_length=21, factor=3)
    with pytest.raises(ParameterError, match=r"at least 64\. Received: 63"):
        open_segments(path)


def test_a_generator_that_makes_nan_is_refused_where_it_does(tmp_path):
    """Of its weights when it is opened; of its audio when it comes."""
    path = tiny_generator(tmp_path / "g.keras", weights=np.nan)
    with pytest.raises(DataError, match=r"g\.keras: not a .*: weights of dense must be .* finite"):
        open_segments(path)
    path = tiny_generator(tmp_path / "g.keras", weights=3e38)
    segments = open_segments(path)
    with pytest.raises(DataError, match=r"g\.keras: the generator makes NaN"):
        next(segments.blocks())


def test_what_is_no_generator_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "generator.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(DataError, match="not a generator file"):
        open_segments(tmp_path)


# Recordings


def test_files_are_cut_from_their_starts_in_the_order_of_their_paths(make_wav, tmp_path):
    short, long = noise(250), noise(330, seed=1)
    make_wav("b.wav", long, subtype="FLOAT")
    make_wav("a/deep/größe 音.WAV", short, subtype="FLOAT")
    folder = tmp_path / "data"
    (folder / "notes.txt").write_text("not audio")
    expected = np.stack([*short[:200].reshape(2, 100), *long[:300].reshape(3, 100)])
    segments = open_segments(folder, segment_length=100)
    assert (segments.name, segments.count, segments.sample_rate) == (str(folder), 5, 16000)
    assert (segments.upsampling_factors, segments.stopband_hz) == (None, None)
    assert segments.skipped == ()
    for _ in range(2):
        np.testing.assert_array_equal(everything(segments), expected.astype(np.float32))
    in_glob = open_segments(str(folder / "**" / "gr*.WAV"), segment_length=100)
    np.testing.assert_array_equal(everything(in_glob), expected[:2].astype(np.float32))
    file = open_segments(str(folder / "b.wav"), segment_length=100)
    np.testing.assert_array_equal(everything(file), expected[2:].astype(np.float32))


def test_recordings_are_cut_into_2048_samples_unless_said_otherwise(make_wav):
    segments = open_segments(make_wav("a.wav", tone(500)))
    assert everything(segments).shape == (segments.count, segments.segment_length) == (7, 2048)


def test_segments_are_the_same_in_every_format(make_wav, tmp_path):
    # 70,000 samples are read in two blocks, which meet inside a segment unless care is taken.
    audio = noise(700, 100)
    steps = np.round(audio * 32768).astype(np.int16)
    paths = {
        "float": make_wav("a.wav", audio.ravel(), subtype="FLOAT"),
        "int16": make_wav("b.wav", steps.ravel(), subtype="PCM_16"),
        "flac": make_wav("c.flac", steps.ravel(), subtype="PCM_16"),
        "npy": array_file(tmp_path, audio),
        "int16 npy": array_file(tmp_path, steps, "b.npy"),
    }
    read = {
        kind: everything(open_segments(path, segment_length=100, sample_rate=16000))
        for kind, path in paths.items()
    }
    np.testing.assert_array_equal(read["float"], audio.astype(np.float32))
    np.testing.assert_array_equal(read["npy"], read["float"])
    # Half a step of 1/32768, and the rounding of float32 near 1.
    assert np.abs(read["int16"] - audio).max() <= 0.5 / 32768 + 2**-24
    np.testing.assert_array_equal(read["flac"], read["int16"])
    np.testing.assert_array_equal(read["int16 npy"], read["int16"])


@pytest.mark.parametrize("segment_length", [64, 100, 2048, 65536, 70000])
def test_no_sample_is_lost_where_blocks_meet(make_wav, segment_length):
    audio = noise(200_000).astype(np.float32)
    path = make_wav("a.wav", audio, subtype="FLOAT")
    segments = open_segments(path, segment_length=segment_length)
    whole = len(audio) // segment_length * segment_length
    np.testing.assert_array_equal(everything(segments, size=3).ravel(), audio[:whole])


def test_ogg_is_read_as_in_one_go(make_wav):
    path = make_wav("a.ogg", noise(200_000) / 2)
    whole, _ = soundfile.read(path, dtype="float32")
    segments = open_segments(path, segment_length=100)
    np.testing.assert_array_equal(everything(segments).ravel(), whole)


def test_channels_are_averaged(make_wav):
    channels = noise(1000, 3).astype(np.float32)
    segments = open_segments(make_wav("a.wav", channels, subtype="FLOAT"), segment_length=1000)
    # The order of three float32 summands is not promised.
    np.testing.assert_allclose(everything(segments)[0], channels.mean(axis=1), atol=2**-23)


def test_the_rate_of_recordings_is_left_alone_and_others_are_skipped(make_wav):
    first = make_wav("a.wav", np.zeros(10), 8000)
    usable = make_wav("b.wav", tone(440, 44100), 44100)
    other = make_wav("c.wav", tone(440), 16000)
    with pytest.warns(WaveganWarning) as caught:
        segments = open_segments(usable.parent)
    assert (segments.sample_rate, segments.count) == (44100, 44100 // 2048)
    assert segments.skipped == (
        (str(first), "is shorter than a segment: 10 of 2048 samples"),
        (str(other), "has a sample rate of 16000 Hz, not 44100 Hz"),
    )
    (warning,) = caught
    assert str(warning.message) == (
        f"{usable.parent}: skipped 2 of 3 files, the first: {first} "
        "is shorter than a segment: 10 of 2048 samples"
    )
    assert warning.filename == __file__
    with pytest.warns(WaveganWarning, match="skipped 2 of 3"):
        segments = open_segments(usable.parent, sample_rate=16000)
    assert (segments.sample_rate, segments.count) == (16000, 16000 // 2048)


@pytest.mark.parametrize(("rate", "segment_length"), [(8000, 2048), (44100, 2048), (44100, 70000)])
def test_recordings_of_another_rate_are_resampled_if_asked_for(make_wav, rate, segment_length):
    """A tone stays at its frequency and level, over all segments of both files."""
    paths = [make_wav("a.wav", 0.5 * tone(500, rate, seconds=10), rate)]
    paths.append(make_wav("b.wav", 0.5 * tone(500, seconds=10), 16000))
    nothing_above = "; those of 8000 Hz hold nothing above 4000 Hz" if rate < 16000 else ""
    with pytest.warns(WaveganWarning) as caught:
        segments = open_segments(
            paths[0].parent, segment_length=segment_length, sample_rate=16000, resample=True
        )
    assert [str(warning.message) for warning in caught] == [
        f"{paths[0].parent}: 1 of 2 files are resampled to 16000 Hz{nothing_above}"
    ]
    assert segments.count == 2 * (160000 // segment_length)
    audio = everything(segments)[: segments.count // 2].ravel()
    expected = 0.5 * tone(500, seconds=10)[: len(audio)]
    np.testing.assert_allclose(audio[2000:-2000], expected[2000:-2000], atol=1e-3)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("text", "is not readable as audio"),
        ("cut", "is cut short"),
        ("empty", "has no samples"),
        ("nan", "has NaN or infinite samples"),
        ("inf", "has NaN or infinite samples"),
        ("short", "is shorter than a segment: 2047 of 2048 samples"),
    ],
)
def test_a_file_that_cannot_be_used_is_skipped_and_alone_is_an_error(make_wav, damage, reason):
    audio = {"empty": np.zeros(0), "short": np.zeros(2047)}.get(damage, tone(440, seconds=6))
    if damage in ("nan", "inf"):
        audio[-1] = float(damage)  # the last of all, in the second block
    bad = make_wav("a.wav", audio, subtype="FLOAT")
    if damage == "text":
        bad.write_text("this is not audio, whatever the name says\n" * 50)
    elif damage == "cut":
        bad.write_bytes(bad.read_bytes()[:100_000])
    with pytest.raises(DataError, match=f"no usable audio; skipped 1 of 1 files.*{reason}"):
        open_segments(bad)
    good = make_wav("b.wav", tone(500))
    with pytest.warns(WaveganWarning, match=f"skipped 1 of 2 files, the first: .*{reason}"):
        segments = open_segments(bad.parent)
    ((file, why),) = segments.skipped
    assert file == str(bad)
    assert why.startswith(reason)
    np.testing.assert_array_equal(everything(segments), everything(open_segments(good)))


def test_a_single_file_of_another_rate_than_said_is_refused(make_wav):
    path = make_wav("a.wav", tone(440))
    with pytest.raises(DataError, match=r"a\.wav.* 16000 Hz, not 8000 Hz"):
        open_segments(path, sample_rate=8000)


def test_silence_is_usable(make_wav):
    assert not everything(open_segments(make_wav("a.wav", np.zeros(5000)))).any()


@pytest.mark.slow
def test_the_samples_of_a_run_count_once_and_without_the_real_ones(run):
    with pytest.warns(WaveganWarning, match=r"skipped 2 of 7 files.*joined\.wav joins segments"):
        segments = open_segments(run / "samples", segment_length=512)
    assert segments.count == 5
    generated = everything(open_segments(run, count=5))
    # Rounded to 1/32767 when written, and read as multiples of 1/32768.
    np.testing.assert_allclose(everything(segments), generated, atol=0.5 / 32767 + 1 / 32768)
    real = open_segments(run / "samples" / "real-joined.wav", segment_length=512)
    assert (real.count, real.skipped) == (64, ())


def test_a_recording_called_joined_is_a_recording(make_wav):
    make_wav("joined.wav", tone(500))
    path = make_wav("other.wav", tone(500))
    assert open_segments(path.parent, segment_length=1000).count == 32


@pytest.mark.parametrize("seconds", [0.5, 2.0])
def test_a_file_that_changes_after_it_was_checked_is_an_error(make_wav, seconds):
    path = make_wav("a.wav", tone(500, seconds=1))
    segments = open_segments(path)
    make_wav("a.wav", tone(500, seconds=seconds))
    with pytest.raises(DataError, match=r"a\.wav: changed while it was measured: has \d+ segments"):
        everything(segments)
    path.unlink()
    with pytest.raises(DataError, match=r"a\.wav: changed while it was measured: is not readable"):
        everything(segments)


@pytest.mark.parametrize("kind", ["wav", "npy"])
def test_ten_minutes_need_no_more_memory_than_some_blocks(tmp_path, kind):
    path = tmp_path / f"long.{kind}"
    count = 44100 * 600 // 2048
    if kind == "wav":
        with soundfile.SoundFile(path, "w", 44100, 1, "PCM_16") as file:
            for _ in range(count):
                file.write(np.ones(2048, np.int16))
    else:
        np.lib.format.open_memmap(path, mode="w+", dtype=np.int16, shape=(count, 2048)).flush()
    tracemalloc.start()
    try:
        segments = open_segments(path, sample_rate=44100)
        assert sum(len(block) for block in segments.blocks()) == count == segments.count
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # A block has 4 MiB, and the next is filled while the caller holds one; the file has 50 MiB, and
    # 100 MiB as float32.
    assert peak < 12 * 2**20


# Arrays


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2", "<i2", ">i2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_every_float_and_int16_are_read(tmp_path, dtype, order):
    audio = np.round(noise(5, 64) * 128) / 128  # exact in all of them
    stored = audio * 32768 if "i2" in dtype else audio
    path = array_file(tmp_path, stored.astype(dtype, order=order))
    segments = open_segments(path, sample_rate=22050)
    assert (segments.name, segments.sample_rate) == (str(path), 22050)
    assert (segments.count, segments.segment_length) == (5, 64)
    blocks = list(segments.blocks(size=2))
    assert [block.dtype for block in blocks] == [np.float32] * 3
    np.testing.assert_array_equal(np.concatenate(blocks), audio)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(640), r"shape \(segments, samples\).* Received shape: \(640,\)"),
        (np.zeros((2, 64, 1)), r"Received shape: \(2, 64, 1\)"),
        (np.zeros((0, 64)), r"Received shape: \(0, 64\)"),
        (np.zeros((2, 0)), r"Received shape: \(2, 0\)"),
        (np.zeros((2, 63)), r"segment_length of .* at least 64\. Received: 63"),
        (np.full((2, 64), np.nan), "has NaN or infinite"),
        (np.full((2, 64), 1e39), "has NaN or infinite"),
        (np.zeros((2, 64), np.int32), "float or int16. Received: int32"),
        (np.zeros((2, 64), np.uint16), "float or int16. Received: uint16"),
        (np.zeros((2, 64), complex), "float or int16. Received: complex128"),
        (np.zeros((2, 64), bool), "float or int16. Received: bool"),
        (np.zeros((2, 64), [("a", "f4")]), "float or int16"),
        (np.zeros((2, 64), object), "not a usable .npy file"),
    ],
)
def test_arrays_that_hold_no_segments_are_refused(tmp_path, array, message):
    path = array_file(tmp_path, array)
    with pytest.raises((DataError, ParameterError), match=message) as caught:
        open_segments(path, sample_rate=16000)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_stray_nan_anywhere_is_found(tmp_path):
    array = np.zeros((2000, 64), np.float32)
    array[-1, -1] = np.nan
    with pytest.raises(DataError, match="has NaN"):
        open_segments(array_file(tmp_path, array), sample_rate=16000)


@pytest.mark.parametrize("what", ["pickle", "text", "half", "header", "shape", "nothing", "folder"])
def test_files_that_are_no_arrays_are_refused_without_unpickling(tmp_path, what):
    path = array_file(tmp_path, np.zeros((20, 64)))
    data = path.read_bytes()
    if what == "pickle":
        np.zeros((20, 64)).dump(path)
    elif what == "folder":
        path.unlink()
        path.mkdir()
    else:
        content = {
            "text": b"no array\n" * 100,
            "half": data[: len(data) // 2],
            "header": data.replace(b"}", b" "),
            "shape": data.replace(b"20, 64", b"99999999999999999999,1"),
            "nothing": b"",
        }
        path.write_bytes(content[what])
    with pytest.raises(DataError, match=r"a\.npy: not a usable \.npy file") as caught:
        open_segments(path, sample_rate=16000)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"sample_rate must be given for .*a\.npy"),
        ({"sample_rate": 0}, r"sample_rate must be at least 1\. Received: 0"),
        ({"sample_rate": 1, "segment_length": 64}, r"segment_length of .* is 100\. Received: 64"),
        ({"sample_rate": 1, "segment_length": 63}, r"at least 64\. Received: 63"),
    ],
)
def test_arguments_that_do_not_suit_an_array_are_refused(tmp_path, arguments, message):
    path = array_file(tmp_path, np.zeros((2, 100)))
    with pytest.raises(ParameterError, match=message):
        open_segments(path, **arguments)


# All kinds


@pytest.mark.parametrize("name", ["none", "none.keras", "none.npy", "none*.wav", "x" * 5000])
def test_a_path_that_does_not_exist_is_one_line(tmp_path, name):
    with pytest.raises(DataError, match=name.replace("*", r"\*")) as caught:
        open_segments(tmp_path / name, sample_rate=16000)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["~nobody-of-that-name", "~nobody-of-that-name/a.npy"])
def test_nobodys_home_is_one_line(path):
    with pytest.raises(DataError, match="nobody-of-that-name"):
        open_segments(path, sample_rate=16000)


@pytest.mark.slow
def test_home_is_known_to_every_kind(run, tmp_path, make_wav, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    make_wav("a.wav", tone(500))
    array_file(tmp_path, np.zeros((2, 64)))
    shutil.copy(run / "generator.keras", tmp_path)
    assert open_segments("~/data/*.wav").count == 7
    assert open_segments("~/a.npy", sample_rate=16000).count == 2
    assert open_segments("~/generator.keras", count=3).count == 3


@given(
    parts=st.lists(st.integers(0, 5), min_size=1, max_size=8).filter(any), size=st.integers(1, 12)
)
def test_blocks_are_full_however_the_segments_come(parts, size):
    array = np.arange(3 * sum(parts)).reshape(-1, 3)
    pieces = np.split(array, np.cumsum(parts)[:-1])
    segments = SegmentSet("a", 1, 3, len(array), source=lambda: iter(pieces))
    blocks = list(segments.blocks(size))
    assert [len(block) for block in blocks[:-1]] == [size] * (len(blocks) - 1)
    assert 1 <= len(blocks[-1]) <= size
    np.testing.assert_array_equal(np.concatenate(blocks), array)


def test_blocks_belong_to_the_caller(tmp_path):
    path = array_file(tmp_path, noise(4, 64).astype(np.float32))
    segments = open_segments(path, sample_rate=16000)
    before = everything(segments)
    blocks = list(segments.blocks(size=2))
    blocks[0][:] = 7
    np.testing.assert_array_equal(blocks[1], before[2:])
    np.testing.assert_array_equal(everything(segments), before)
