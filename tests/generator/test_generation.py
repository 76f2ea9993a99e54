import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
import soundfile

from wavegan_rc.cli.generate import generate_command
from wavegan_rc.cli.process import run_command
from wavegan_rc.config.choices import UPSAMPLERS
from wavegan_rc.errors import DataError, WaveganWarning
from wavegan_rc.generator.file import Generator, load_generator, save_generator
from wavegan_rc.generator.folding import fold_generator
from wavegan_rc.generator.generation import draw_latents, synthesize, write_generated, write_samples
from wavegan_rc.nn.generator import build_generator

pytestmark = pytest.mark.backend


@pytest.fixture(scope="module")
def generator_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("generator") / "generator.keras"
    generator = build_generator(
        segment_length=64, upsampling_factors=(4,), filters=8, latent_dim=3, seed=0
    )
    generator.set_weights([9 * weight for weight in generator.get_weights()])  # audible
    save_generator(Generator(fold_generator(generator), 8000), path)
    return path


def wavs(folder):
    return {path.name: soundfile.read(path, dtype="int16") for path in folder.glob("[0-9]*.wav")}


def run(argv, capsys):
    with pytest.raises(SystemExit) as ended:
        run_command(generate_command, "generate.py", [str(a) for a in argv])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def test_wavs_are_what_the_generator_makes_of_the_saved_latents(generator_file, tmp_path, capsys):
    out = tmp_path / "out"
    code, printed, err = run([generator_file, "--sample-count", 70, "--out", out], capsys)
    assert (code, printed, err) == (0, f"wavs: {out}\n", "")
    made = wavs(out)
    assert sorted(made) == [f"{i:04d}.wav" for i in range(70)]
    latents = np.load(out / "latents.npz")["latents"]
    generator = load_generator(generator_file)
    assert (generator.sample_rate, generator.stopband_hz) == (8000, None)
    expected = np.round(np.asarray(generator.model(latents))[:, :, 0] * 32767)
    for i, (audio, sample_rate) in enumerate(made[name] for name in sorted(made)):
        assert sample_rate == 8000
        np.testing.assert_allclose(audio, expected[i], atol=1)  # rounding after float32 sums
    assert np.abs(expected).max() > 300


def test_samples_beyond_full_scale_are_clipped_with_a_warning(tmp_path):
    generator = build_generator(
        segment_length=64, upsampling_factors=(4,), filters=8, post_filter_length=1, seed=0
    )
    generator.get_layer("post_filter").set_weights([np.full((1, 1, 1), 1000.0)])
    with pytest.warns(WaveganWarning, match="samples beyond full scale were clipped"):
        write_samples(generator, draw_latents(1, 64, seed=0), 8000, tmp_path)
    (audio,) = (audio for audio, _ in wavs(tmp_path).values())
    assert np.abs(audio).max() == 32767


def test_the_same_seed_gives_the_same_bytes_whatever_the_count(generator_file, tmp_path):
    for count in (3, 67):
        write_generated(generator_file, tmp_path / str(count), count=count, seed=5)
    write_generated(generator_file, tmp_path / "other", count=3, seed=6)
    for i in range(3):
        few, many, other = (tmp_path / d / f"000{i}.wav" for d in ("3", "67", "other"))
        assert few.read_bytes() == many.read_bytes() != other.read_bytes()


def test_saved_latents_are_recalled(generator_file, tmp_path):
    first = write_generated(generator_file, tmp_path / "a", count=4, seed=1)
    again = write_generated(
        generator_file, tmp_path / "b", count=99, latents_file=first / "latents.npz"
    )
    assert wavs(first).keys() == wavs(again).keys()
    for name in wavs(first):
        assert (first / name).read_bytes() == (again / name).read_bytes()


def test_interpolation_walks_from_the_first_latent_to_the_second(generator_file, tmp_path):
    ends = write_generated(generator_file, tmp_path / "ends", count=2, seed=3)
    walk = write_generated(generator_file, tmp_path / "walk", count=5, seed=3, interpolate=True)
    recalled = write_generated(
        generator_file,
        tmp_path / "recalled",
        count=5,
        interpolate=True,
        latents_file=ends / "latents.npz",
    )
    steps = np.load(walk / "latents.npz")["latents"]
    np.testing.assert_allclose(np.diff(steps, n=2, axis=0), 0, atol=1e-6)
    for folder in (walk, recalled):
        assert (folder / "0000.wav").read_bytes() == (ends / "0000.wav").read_bytes()
        assert (folder / "0004.wav").read_bytes() == (ends / "0001.wav").read_bytes()


def test_latents_are_those_that_were_once_drawn_in_batches():
    random = np.random.default_rng(4)
    batches = [2 * random.random((size, 3), np.float32) - 1 for size in (64, 64, 5)]
    np.testing.assert_array_equal(draw_latents(133, 3, seed=4), np.concatenate(batches))


def test_any_count_streams_in_batches_of_one_size(generator_file, monkeypatch):
    model = load_generator(generator_file).model
    shapes = []
    predict = model.predict_on_batch
    monkeypatch.setattr(
        model, "predict_on_batch", lambda x: (shapes.append(x.shape), predict(x))[1]
    )
    assert synthesize(model, draw_latents(150, 3, seed=0)).shape == (150, 64)
    assert shapes == [(64, 3)] * 3


@pytest.mark.slow
def test_the_file_loads_in_plain_keras_and_needs_no_code_of_this_package(tmp_path):
    generator = build_generator(
        segment_length=96,
        upsampling_factors=(2, 2, 3, 2, 2),
        kernel_size=5,
        filters=8,
        upsampler=UPSAMPLERS,
        padding="reflect",
        post_filter_length=16,
        seed=0,
    )
    save_generator(Generator(fold_generator(generator), 8000), tmp_path / "g.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["g.keras"]
    code = (
        "import sys, keras, numpy as np\n"
        "model = keras.saving.load_model(sys.argv[1])\n"
        "np.save(sys.argv[2], model(np.load(sys.argv[3])))\n"
        "assert not [name for name in sys.modules if name.startswith('wavegan_rc')]"
    )
    latents = draw_latents(2, 64, seed=0)
    np.save(tmp_path / "latents.npy", latents)
    paths = [str(tmp_path / name) for name in ("g.keras", "audio.npy", "latents.npy")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True, capture_output=True)
    np.testing.assert_allclose(np.load(tmp_path / "audio.npy"), generator(latents), atol=1e-6)


def not_a_generator(kind, path):
    if kind == "text":
        path.write_text("hello")
    elif kind == "other zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a", "b")
    elif kind == "other model":
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(path)
    elif kind == "no settings":
        build_generator(segment_length=32, upsampling_factors=(2,), filters=2).save(path)
    elif kind == "cut":
        model = build_generator(segment_length=32, upsampling_factors=(2,), filters=2)
        save_generator(Generator(fold_generator(model), 8000), path)
        path.write_bytes(path.read_bytes()[:-3000])
    elif kind == "folder":
        path.mkdir()


@pytest.mark.parametrize(
    "kind", ["text", "other zip", "other model", "no settings", "cut", "missing", "folder"]
)
def test_what_is_not_a_generator_is_refused_in_one_line(kind, tmp_path, capsys):
    path = tmp_path / "g.keras"
    not_a_generator(kind, path)
    code, _, err = run([path, "--out", tmp_path / "out"], capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert "g.keras" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["text", "other key", "wrong shape", "NaN", "pickle"])
def test_unusable_latents_are_refused(content, generator_file, tmp_path, capsys):
    path = tmp_path / "latents.npz"
    arrays = {
        "other key": {"z": np.zeros((2, 3))},
        "wrong shape": {"latents": np.zeros((2, 4))},
        "NaN": {"latents": np.full((2, 3), np.nan)},
        "pickle": {"latents": np.array([{}], dtype=object)},
    }
    if content == "text":
        path.write_text("hello")
    else:
        np.savez(path, **arrays[content])
    code, _, err = run([generator_file, "--latents", path, "--out", tmp_path / "out"], capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert "latents" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "argv", [["--sample-count", 0], ["--sample-count", "many"], ["--seed", -1], ["--bogus"], []]
)
def test_bad_arguments(argv, generator_file, tmp_path, capsys):
    source = [generator_file] if argv else []
    code, _, err = run([*source, *argv, "--out", tmp_path / "out"], capsys)
    assert (code, err.count("\n")) == (2, 1)


def test_one_latent_is_no_walk(generator_file, tmp_path, capsys):
    np.savez(tmp_path / "one.npz", latents=np.zeros((1, 3), np.float32))
    argv = [generator_file, "--interpolate", "--latents", tmp_path / "one.npz"]
    code, _, err = run([*argv, "--out", tmp_path / "out"], capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert "two latents" in err


def test_nothing_is_overwritten_and_an_interrupted_run_leaves_nothing(
    generator_file, tmp_path, monkeypatch
):
    out = tmp_path / "parent" / "out"
    out.mkdir(parents=True)
    (out / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="empty folder"):
        write_generated(generator_file, out)
    (out / "mine.txt").unlink()

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("wavegan_rc.generator.generation.write_wav", interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_generated(generator_file, out)
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    assert not list(out.iterdir())
    write_generated(generator_file, out, count=2)
    assert len(wavs(out)) == 2


def test_a_folder_that_cannot_be_made(generator_file, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    code, _, err = run([generator_file, "--out", tmp_path / "file" / "out"], capsys)
    assert (code, err.count("\n")) == (2, 1)
    assert "out" in err
