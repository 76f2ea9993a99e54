"""The public names: what they are, that they load late, print nothing and have one default each."""

import ast
import inspect
import logging
import os
import re
import signal
import subprocess
import sys
import tomllib

import numpy as np
import pytest
import soundfile
import yaml
from helpers import ROOT

import wavegan_rc
from wavegan_rc.config import Config
from wavegan_rc.errors import ParameterError

PUBLIC = [
    *("Config", "PhaseShuffle", "Run", "UpsampleConv1D", "WGANGP", "artifact_figure"),
    *("build_critic", "build_generator", "compare", "generate", "load_generator", "measure"),
    *("predicted_comb", "spectrogram_figure", "train", "write_report"),
]


def python(code, **environment):
    """Run code as a user's own script would, and return what it printed."""
    own = {
        k: v for k, v in os.environ.items() if k not in ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL")
    }
    environment = own | {"PYTHONPATH": str(ROOT)} | environment
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    return done.stdout, done.stderr


def test_the_public_names_each_have_an_example():
    assert wavegan_rc.__all__ == PUBLIC
    for name in PUBLIC:
        value = getattr(wavegan_rc, name)
        assert value.__name__ == name
        assert ">>> " in value.__doc__, name
    with pytest.raises(AttributeError, match="bogus"):
        _ = wavegan_rc.bogus


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"(?m)^## (\S+)$", changes)[1]
    assert {project["version"], citation["version"], newest} == {wavegan_rc.__version__}


def test_nothing_is_loaded_before_it_is_used():
    out, _ = python("import wavegan_rc, sys; dir(wavegan_rc); print('numpy' in sys.modules)")
    assert out == "False\n"


@pytest.mark.parametrize(
    ("first_use", "before"),
    [
        ("from wavegan_rc.cli.commands import main", "error: "),
        ("import wavegan_rc; wavegan_rc.train", "wavegan_rc.errors.WaveganError: "),
        ("import wavegan_rc.utils.interruptions", "wavegan_rc.errors.WaveganError: "),
    ],
)
def test_a_system_that_is_not_posix_is_named_in_one_line(first_use, before):
    _, error = python(f"import os; os.name = 'nt'; {first_use}")
    *above, line = error.splitlines()
    assert line.startswith(f"{before}the system must be Linux or another POSIX one")
    assert line.endswith("Received: nt")
    assert bool(above) == (before != "error: ")  # a command prints no traceback


@pytest.mark.slow
def test_sweeps_and_recordings_are_driven_and_measured_without_keras():
    code = """
import sys
import wavegan_rc.cli.commands, wavegan_rc.measurement.measure, wavegan_rc.report.write
import wavegan_rc.sweep.sweep
print({"keras", "tensorflow", "jax"} & set(sys.modules))
"""
    assert python(code)[0] == "set()\n"


@pytest.mark.slow
def test_keras_starts_without_a_word():
    code = "import wavegan_rc; print(wavegan_rc.build_generator(filters=4).output_shape)"
    assert python(code) == ("(None, 2048, 1)\n", "")


@pytest.mark.slow
@pytest.mark.extra
def test_without_tensorflow_keras_starts_on_jax():
    pytest.importorskip("jax")
    code = """
import sys
sys.modules["tensorflow"] = None  # as if it were not installed
import wavegan_rc
wavegan_rc.UpsampleConv1D
import keras
print(keras.backend.backend())
"""
    assert python(code)[0] == "jax\n"


@pytest.mark.slow
def test_an_unknown_backend_is_refused_where_it_is_needed():
    code = "import wavegan_rc; wavegan_rc.Config(); print('fine'); wavegan_rc.build_critic"
    out, error = python(code, KERAS_BACKEND="torch")
    assert out == "fine\n"
    assert error.endswith("KERAS_BACKEND must be tensorflow or jax. Received: torch\n")


@pytest.mark.parametrize("name", ["build_generator", "build_critic", "WGANGP"])
def test_defaults_are_those_of_the_settings(name):
    parameters = inspect.signature(getattr(wavegan_rc, name)).parameters
    settings = vars(Config())
    shared = {key: parameters[key].default for key in parameters.keys() & settings.keys()}
    shared.pop("emphasis", None)  # a layer there
    assert shared.pop("seed") is None  # None draws one
    assert len(shared) >= 2
    assert shared == {key: settings[key] for key in shared}


def test_only_commands_print():
    """`sweep/table.py` is the display of a sweep in a terminal."""
    for path in (ROOT / "wavegan_rc").rglob("*.py"):
        parts = path.relative_to(ROOT / "wavegan_rc").parts
        if parts[0] == "cli" or parts == ("sweep", "table.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{path}:{node.lineno}"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run, its progress, and what was logged; nothing was prepared before."""
    shown, logged = [], []
    handler = logging.Handler()
    handler.emit = lambda record: logged.append(record.getMessage())
    logger = logging.getLogger("wavegan_rc")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("empty-cache")))
    try:
        out = str(tmp_path_factory.mktemp("runs"))
        config = wavegan_rc.Config.read("smoke", out=out, measure_every=0, critic_steps=1)
        run = wavegan_rc.train(config, on_progress=lambda *each: shown.append(each))
    finally:
        patch.undo()
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    return run, shown, logged


@pytest.mark.slow
def test_training_returns_the_run_and_reports_its_progress(trained, capfd):
    run, shown, logged = trained
    assert isinstance(run, wavegan_rc.Run)
    assert run.stopped_by is None
    assert run.summary.is_file()
    works = list(dict.fromkeys(work for work, *_ in shown))
    assert works == ["preparing", "training"]
    assert [each[:3] for each in shown if each[0] == "training"] == [
        ("training", step, 6) for step in range(7)
    ]
    assert shown[-1][3].startswith("distance ")
    about = "16 kHz, mono, low-passed at 1500 Hz (--cutoff-hz null: off)"
    assert logged[0] == f"preparing: bundled speech: {about}"
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


@pytest.mark.slow
def test_generated_audio_is_that_of_the_samples(trained):
    run, *_ = trained
    audio = wavegan_rc.generate(run, 3)
    assert (audio.shape, audio.dtype) == ((3, 512), np.float32)
    sample = soundfile.read(run.samples / "0002.wav", dtype="int16")[0]
    np.testing.assert_array_equal(np.round(audio[2] * 32767), sample)
    for source in (str(run.path), run.generator, wavegan_rc.load_generator(run.path)):
        np.testing.assert_array_equal(wavegan_rc.generate(source, 3), audio)
    assert not np.array_equal(wavegan_rc.generate(run, 3, seed=1), audio)
    with pytest.raises(ParameterError, match="count must be at least 1"):
        wavegan_rc.generate(run, 0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::wavegan_rc.errors.WaveganWarning")
def test_the_page_about_notebooks_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reported = []
    monkeypatch.setattr("wavegan_rc.report.write.write_report", reported.extend)  # its own tests'
    text = (ROOT / "docs" / "how-to" / "notebook.md").read_text(encoding="utf-8")
    names = {}
    for block in re.findall(r"(?s)```python\n(.*?)```", text):
        exec(block, names)
    assert names["audio"].shape == (4, 512, 1)
    assert reported == [names["run"].path, names["other"].path]
    assert (tmp_path / "resize.png").is_file()


@pytest.mark.slow
def test_an_interrupted_training_returns_a_run_that_can_be_resumed(tmp_path):
    config = wavegan_rc.Config.read("smoke", out=str(tmp_path), measure_every=0, critic_steps=1)

    def interrupt(work, done, total, note):
        if (work, done) == ("training", 2):
            os.kill(os.getpid(), signal.SIGTERM)

    run = wavegan_rc.train(config, on_progress=interrupt)
    assert run.stopped_by == signal.SIGTERM
    assert not run.summary.exists()
    resumed = wavegan_rc.train(config, resume=run.path)
    assert resumed.stopped_by is None
    assert resumed.summary.exists()
