import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from filelock import FileLock
from hypothesis import settings

from wavegan_rc.config import Config
from wavegan_rc.utils.extras import load_before_tensorflow
from wavegan_rc.utils.keras_start import choose_backend

load_before_tensorflow()
# Side by side, TensorFlow's operations now and then differ in the last bit, and tests ask for equal
# bytes: see the README.
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
choose_backend()  # for this process and those that it starts, before anything loads Keras
# Byte-equal WAVs and tolerances of 1e-5 are promised for the CPU.
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
# A shell's background job ignores Ctrl-C, and so would the programs that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# On shared machines a first call may take seconds, and a failure must come again when run again.
settings.register_profile("shared", deadline=None, derandomize=True)
settings.load_profile("shared")


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """A folder of all processes of these tests."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(autouse=True, scope="session")
def own_cache(shared_folder):
    """Prepared corpora of the tests stay out of the user's cache; subprocesses inherit this."""
    before = os.environ.get("XDG_CACHE_HOME")
    (shared_folder / "cache").mkdir(exist_ok=True)
    os.environ["XDG_CACHE_HOME"] = str(shared_folder / "cache")
    yield Path(os.environ["XDG_CACHE_HOME"])
    if before is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(scope="session")
def smoke_runs(shared_folder, own_cache):
    """Two finished runs, transposed and resize, for tests that only read them (or copies).

    Of several processes of tests, one trains.
    """
    out = shared_folder / "smoke-runs"
    words = ("transposed", "resize")
    with FileLock(f"{out}.lock"):
        if not (out / "resize" / "summary.json").exists():
            from wavegan_rc.training.train import train

            for word in words:
                train(Config.read("smoke", upsampler=word, out=str(out)), name=word)
    return [out / word for word in words]


@pytest.fixture
def fresh_cache(tmp_path, monkeypatch):
    """An empty cache for one test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "wavegan_rc" / "corpora"


@pytest.fixture
def make_wav(tmp_path) -> Callable[..., Path]:
    def make(name: str, audio: np.ndarray, sample_rate: int = 16000, **options) -> Path:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, audio, sample_rate, **options)
        return path

    return make


@pytest.fixture(scope="module")
def browser():
    from helpers.browser import chromium  # few tests need Selenium

    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory):
    """The folder for screenshots: $WAVEGAN_SCREENSHOTS, else pytest's temporary one."""
    asked = os.environ.get("WAVEGAN_SCREENSHOTS")
    folder = Path(asked) if asked else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
