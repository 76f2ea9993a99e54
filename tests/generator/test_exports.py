"""What other programs make of an exported generator is what Keras makes of it."""

import sys

import numpy as np
import pytest
from helpers.backends import tensorflow_only

from benchmarks.command import benchmark_command
from wavegan_rc.cli.export import export_command
from wavegan_rc.cli.process import run_command
from wavegan_rc.config.choices import UPSAMPLERS
from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.generator.exports import export
from wavegan_rc.generator.file import Generator, load_generator, save_generator
from wavegan_rc.generator.folding import fold_generator
from wavegan_rc.generator.generation import draw_latents, synthesize
from wavegan_rc.nn.generator import build_generator
from wavegan_rc.utils import extras

pytestmark = [pytest.mark.backend, pytest.mark.extra]

# Sums in another order: half a step of 16 bits is 1.5e-5 (found: 6e-8).
TOLERANCE = 1e-5


@pytest.fixture(
    scope="module",
    params=[{}, {"padding": "reflect", "post_filter_length": 31}],
    ids=["defaults", "other options"],
)
def run(request, tmp_path_factory):
    """A generator with a stage of each upsampler."""
    folder = tmp_path_factory.mktemp("run")
    generator = build_generator(
        segment_length=8 * 2 ** len(UPSAMPLERS),
        upsampling_factors=(2,) * len(UPSAMPLERS),
        kernel_size=5,
        filters=16,
        latent_dim=6,
        upsampler=UPSAMPLERS,
        seed=1,
        **request.param,
    )
    generator.set_weights([2 * weight for weight in generator.get_weights()])  # audible
    save_generator(Generator(fold_generator(generator), 8000), folder / "generator.keras")
    return folder


def run_saved_model(path, latents):
    import tensorflow as tf

    module = tf.saved_model.load(str(path))
    return module.serve(latents).numpy()


def run_onnx(path, latents):
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    assert facts == {"sample_rate": "8000", "latents": "uniform in -1..1"}
    (audio,) = session.run(["audio"], {"latents": latents})
    return audio


def run_litert(path, latents):
    import tensorflow as tf

    with pytest.warns(UserWarning, match="ai_edge_litert"):  # its successor, a package of its own
        interpreter = tf.lite.Interpreter(model_path=str(path))
    (into,), (out_of,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(into["index"], latents.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(into["index"], latents)
    interpreter.invoke()
    return interpreter.get_tensor(out_of["index"])


@pytest.mark.slow
@tensorflow_only
@pytest.mark.parametrize(
    ("kind", "name", "runs"),
    [
        ("savedmodel", "generator.savedmodel", run_saved_model),
        ("onnx", "generator.onnx", run_onnx),
        ("litert", "generator.tflite", run_litert),
    ],
)
def test_samples_are_those_of_keras(run, kind, name, runs):
    if kind == "onnx":
        pytest.importorskip("tf2onnx", reason="the extra onnx is not installed")
    generator = load_generator(run).model
    written, what = export(run, kind)
    assert written == run / name
    length = generator.output_shape[1]
    assert what == f"latents (batch, 6) in -1..1 -> audio (batch, {length}, 1), 8000 Hz"
    for count in (1, 7):
        latents = draw_latents(count, 6, seed=2)
        expected = synthesize(generator, latents)
        audio = runs(written, latents)
        assert (audio.shape, audio.dtype) == ((count, length, 1), np.float32)
        peak = max(1, np.abs(expected).max())  # a post filter goes beyond 1, and rounding with it
        np.testing.assert_allclose(audio[:, :, 0], expected, atol=TOLERANCE * peak, rtol=0)
    assert np.abs(expected).max() > 0.05
    assert not [path.name for path in run.iterdir() if "partial" in path.name]


@pytest.fixture
def small(tmp_path):
    generator = build_generator(segment_length=64, upsampling_factors=(4,), filters=8, latent_dim=3)
    save_generator(Generator(fold_generator(generator), 8000), tmp_path / "g.keras")
    return tmp_path / "g.keras"


@tensorflow_only
def test_the_command(small, tmp_path, capsys):
    argv = [str(small), "--format", "savedmodel", "--out", str(tmp_path / "new" / "a")]
    for code, last in ((0, "exported: "), (2, "error: ")):
        with pytest.raises(SystemExit) as ended:
            run_command(export_command, "export.py", argv)
        assert ended.value.code == code
        captured = capsys.readouterr()
        assert (captured.out + captured.err).splitlines()[-1].startswith(last)
        assert captured.err.count("\n") == (code > 0)
    assert "out must not exist" in captured.err
    assert (tmp_path / "new" / "a" / "saved_model.pb").is_file()


@tensorflow_only
def test_what_cannot_be_exported_leaves_nothing(small, tmp_path):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ParameterError, match=r"out must end in \.tflite"):
        export(small, "litert", tmp_path / "a.onnx")
    with pytest.raises(DataError, match="no such generator file"):
        export(tmp_path / "nowhere", "savedmodel")
    with pytest.raises(DataError, match="out cannot be written"):
        export(small, "savedmodel", small / "a")
    with pytest.raises(ParameterError, match="one of"):
        export_command("export.py", [str(small), "--format", "pickle"])
    assert sorted(tmp_path.iterdir()) == before


def test_a_missing_package_is_named_with_its_extra(small, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ParameterError, match=r"pip install 'wavegan_rc\[onnx\]'"):
        export(small, "onnx")


@pytest.mark.parametrize(
    ("command", "argv"),
    [(export_command, ["g.keras", "--format", "litert"]), (benchmark_command, ["upsampling"])],
)
def test_what_takes_tensorflow_says_so(command, argv, capsys, monkeypatch):
    pytest.importorskip("jax")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.delitem(sys.modules, "keras")  # as in a new process
    with pytest.raises(SystemExit) as ended:
        run_command(command, "program", argv)
    err = capsys.readouterr().err
    assert (ended.value.code, err.count("\n")) == (2, 1)
    assert "needs TensorFlow" in err
