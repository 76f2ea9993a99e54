"""The same run comes out wherever it is made: a process of its own in each environment."""

import errno
import json
import os
import shutil
import subprocess
import sys

import pytest
from helpers import ROOT
from helpers.runs import SMOKE

from wavegan_rc.errors import DataError

pytestmark = pytest.mark.slow


def program(name, *arguments):
    return [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *arguments]


TRAIN = program("train", "--config", str(SMOKE))
TRAIN += ["--segment-length=128", "--critic-steps=1", "--steps=2", "--sample-count=2"]
TRAIN += ["--log-every=1", "--measure-every=1", "--save-every=1"]

# Python imports this module first. Folders become read-only, for the superuser too.
READ_ONLY = """
import os, sys
closed = tuple(os.environ["READ_ONLY"].split(":"))
writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT
def refuse_writing(event, arguments):
    path = arguments[0] if arguments else None
    path = os.fspath(path) if isinstance(path, os.PathLike) else path
    if event == "os.mkdir" or (event == "open" and (arguments[2] or 0) & writing):
        if isinstance(path, str) and os.path.abspath(path).startswith(closed):
            raise PermissionError(13, "Permission denied", path)
sys.addaudithook(refuse_writing)
"""
# A file system without locks, that cannot flush a folder either.
BARE = f"""
import errno, fcntl, os, stat
fsync = os.fsync
def refuse_folders(number):
    if stat.S_ISDIR(os.fstat(number).st_mode):
        raise OSError({errno.EINVAL}, "Invalid argument")
    fsync(number)
def refuse(*_):
    raise OSError({errno.ENOSYS}, "Function not implemented")
os.fsync, fcntl.flock = refuse_folders, refuse
"""
# A user whom the system does not know, as in a container.
UNKNOWN_USER = """
import pwd
def unknown(number):
    raise KeyError(number)
pwd.getpwuid = unknown
"""
# What reads a run; each leaves a folder.
READERS = {
    "measurement": program("measure", "runs/run", "--out=measurement"),
    "generated": program("generate", "runs/run", "--sample-count=2", "--out=generated"),
    "report": program("report", "runs/run", "--out=report"),
}
# In the process of the tests too.
SET_BY_PACKAGE = {"KERAS_HOME", "MPLCONFIGDIR"}


@pytest.fixture
def folder(tmp_path):
    for name in ("home", "first", "tmp", "work"):
        (tmp_path / name).mkdir()
    return tmp_path


def first(folder, text):
    """Variables that have Python run some code before everything else."""
    (folder / "first" / "sitecustomize.py").write_text(text)
    return {"PYTHONPATH": f"{folder / 'first'}:{ROOT}"}


def ended(command, folder, prefix=(), cwd="work", **variables):
    """The process; what it said. A variable that is None is not set."""
    own = {"HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
    inherited = {name: value for name, value in os.environ.items() if name not in SET_BY_PACKAGE}
    return subprocess.run(
        [*prefix, *command],
        cwd=folder / cwd,
        env={name: value for name, value in (inherited | own | variables).items() if value},
        capture_output=True,
        text=True,
        errors="replace",
    )


def results(run):
    """WAVs, the picture of them, and the history."""
    rows = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    for row in rows:
        row.pop("steps_per_s", None)
    files = [*sorted(run.glob("samples/*.wav")), run / "figures" / "spectrogram.png"]
    assert (run / "generator.keras").is_file()
    assert (run / "summary.json").is_file()
    return rows, {file.name: file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A run in an environment without anything special, which fills the cache for the others."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "home").mkdir()
    (folder / "work").mkdir()
    done = ended([*TRAIN, "--name=run"], folder)
    assert done.returncode == 0, done.stderr
    assert "warning: " not in done.stderr
    return folder / "work"


def settings_of_the_user(folder):
    """Of Keras and Matplotlib, in a folder whose name is no text, under a locale without it."""
    (folder / "home" / ".keras").mkdir()
    settings = {"image_data_format": "channels_first", "floatx": "float16", "epsilon": 0.1}
    (folder / "home" / ".keras" / "keras.json").write_text(json.dumps(settings))
    name = os.fsdecode(b"caf\xe9")
    (folder / name).mkdir()
    text = "text.usetex: True\nfont.size: 30\nsavefig.dpi: 20\naxes.facecolor: red\n"
    (folder / name / "matplotlibrc").write_text(text)
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    return {"variables": ascii_only | {"KERAS_MAX_STEPS_PER_EPOCH": "1"}, "cwd": name}


def broken_matplotlib_settings_and_no_reader(folder):
    (folder / "work" / "matplotlibrc").write_bytes(b"font.size: 30\n# caf\xe9\n")
    prefix = ["bash", "-c", '"$@" > >(true)', "bash"]
    return {"said": "the default style is used", "prefix": prefix}


def read_only_home_and_no_locks(folder):
    closed = {"READ_ONLY": str(folder / "home")}
    return {"variables": first(folder, READ_ONLY + BARE) | closed, "said": "cannot be locked"}


def a_home_that_is_the_root(folder):
    """A container's user without a home of its own; nothing was prepared before."""
    closed = {"READ_ONLY": "/.cache:/.config", "HOME": "/", "XDG_CACHE_HOME": None}
    return without_a_cache(folder, READ_ONLY, closed)


def no_home(folder):
    return without_a_cache(folder, UNKNOWN_USER, {"HOME": None, "XDG_CACHE_HOME": None})


def without_a_cache(folder, code, variables):
    temporary = {"TMPDIR": str(folder / "tmp")}
    told = f"so {folder / 'tmp' / 'wavegan_rc-cache-'}{os.getuid()}/corpora is used"
    return {"variables": first(folder, code) | variables | temporary, "told": told}


def closed_streams(folder):
    return {"prefix": ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]}


@pytest.mark.parametrize(
    "environment",
    [
        settings_of_the_user,
        broken_matplotlib_settings_and_no_reader,
        read_only_home_and_no_locks,
        a_home_that_is_the_root,
        no_home,
        closed_streams,
    ],
    ids=lambda environment: environment.__name__,
)
def test_a_run_is_the_same_everywhere(environment, folder, plain):
    default = {"variables": {}, "said": "", "told": "", "cwd": "work", "prefix": ()}
    special = default | environment(folder)
    done = ended(
        [*TRAIN, "--name=run"], folder, special["prefix"], special["cwd"], **special["variables"]
    )
    assert done.returncode == 0, done.stderr
    assert special["said"] in done.stderr
    assert special["told"] in done.stdout
    assert done.stderr.count("warning: ") == (special["said"] != "")
    assert results(folder / special["cwd"] / "runs" / "run") == results(plain / "runs" / "run")
    assert not (folder / special["cwd"] / "~").exists()


def test_a_run_is_read_the_same_under_the_settings_of_the_user(folder, plain):
    special = settings_of_the_user(folder)
    own = folder / special["cwd"]
    shutil.copytree(plain / "runs", own / "runs")
    for name, command in READERS.items():
        done = ended(command, plain.parent)
        assert done.returncode == 0, done.stderr
        done = ended(command, folder, (), special["cwd"], **special["variables"])
        assert done.returncode == 0, done.stderr
        files = [path.relative_to(own) for path in sorted((own / name).rglob("*.*"))]
        assert len(files) > 3
        for file in files:
            if file.name != "report.json":  # it has the time of day
                assert (own / file).read_bytes() == (plain / file).read_bytes(), file


def test_a_cache_that_another_user_may_write_is_not_used(tmp_path, monkeypatch):
    from wavegan_rc.utils import cache

    def fresh():
        cache.temporary_cache.cache_clear()
        return cache.temporary_cache()

    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path))
    own = fresh()
    assert fresh() == own
    os.chmod(own, 0o777)
    other = fresh()
    assert other != own
    assert cache.temporary_cache() == other  # in one process always the same
    os.rmdir(own)
    os.symlink(tmp_path, own)
    assert fresh() != own
    cache.temporary_cache.cache_clear()


def test_without_any_place_for_files_a_variable_is_named(monkeypatch):
    from wavegan_rc.utils import cache

    def fail():
        raise FileNotFoundError(2, "No usable temporary directory found")

    cache.temporary_cache.cache_clear()
    monkeypatch.setattr(cache.tempfile, "gettempdir", fail)
    monkeypatch.setattr(cache, "takes_files", lambda _: False)
    monkeypatch.delenv("XDG_CACHE_HOME")
    with pytest.raises(DataError, match=r"^XDG_CACHE_HOME .* must name .* No usable temporary"):
        cache.cache_path("corpora", "none")
    monkeypatch.setenv("XDG_CACHE_HOME", "/closed")
    assert str(cache.cache_path("corpora", "none")) == "/closed/wavegan_rc/corpora/none"
