"""What a process leaves in the cache when it is killed, and what happens to those still at work."""

import contextlib
import fcntl
import signal
import subprocess
import sys
import tempfile

import pytest
from conftest import tone

from wavegan_rc.audio.corpus import prepare_corpus
from wavegan_rc.audio.work_folder import remove_abandoned, work_folder

# Stops in the middle of preparing until a line comes in.
PREPARE = """
import sys
from wavegan_rc.audio.corpus import prepare_corpus

def on_file(done, count, name):
    if done == 1:
        print("preparing", flush=True)
        sys.stdin.readline()

corpus = prepare_corpus(
    sys.argv[1], sample_rate=16000, cutoff_hz=None, stopband_hz=None, on_file=on_file
)
print(len(corpus.audio), flush=True)
"""


@pytest.fixture
def folder(make_wav, fresh_cache):
    make_wav("a.wav", tone(300))
    return make_wav("b.wav", tone(500)).parent


@contextlib.contextmanager
def process_at_work(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", PREPARE, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "preparing\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def prepare(folder):
    return prepare_corpus(str(folder), sample_rate=16000, cutoff_hz=None, stopband_hz=None)


def names(cache):
    return sorted(path.name.split("-")[0] for path in cache.iterdir())


def test_a_killed_process_leaves_no_entry_and_its_folder_goes_next_time(folder, fresh_cache):
    with process_at_work(folder) as process:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert names(fresh_cache) == ["preparing"]
    assert len(prepare(folder).audio) == 32000
    (entry,) = fresh_cache.iterdir()
    assert not entry.name.startswith("preparing")
    assert not list(entry.glob("filtered*"))


def test_opening_an_entry_is_enough_to_clean_up(folder, fresh_cache, make_wav, tmp_path):
    prepare(folder)
    other = make_wav("../other/c.wav", tone(500))
    make_wav("../other/d.wav", tone(500))
    with process_at_work(other.parent) as process:
        process.kill()
    assert "preparing" in names(fresh_cache)
    prepare(folder)
    assert "preparing" not in names(fresh_cache)


def test_a_living_process_is_left_to_finish_and_both_share_one_entry(folder, fresh_cache):
    with process_at_work(folder) as process:
        process.send_signal(signal.SIGSTOP)  # however long it sleeps
        ours = prepare(folder)
        before = {path.name: path.read_bytes() for path in fresh_cache.glob("*/*.npy")}
        assert "preparing" in names(fresh_cache)
        process.send_signal(signal.SIGCONT)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "32000\n"
        assert process.wait() == 0
    assert "preparing" not in names(fresh_cache)
    assert len(list(fresh_cache.iterdir())) == 1
    assert {path.name: path.read_bytes() for path in fresh_cache.glob("*/*.npy")} == before
    assert (prepare(folder).audio == ours.audio).all()


def test_a_folder_taken_for_abandoned_before_it_is_locked_is_made_anew(tmp_path, monkeypatch):
    original = {"mkdtemp": tempfile.mkdtemp, "flock": fcntl.flock}
    interrupted = []

    def once(name):
        def call(*args, **kwargs):
            result = original[name](*args, **kwargs) if name == "mkdtemp" else None
            if name not in interrupted:
                interrupted.append(name)
                remove_abandoned(tmp_path)
            return original[name](*args, **kwargs) if name == "flock" else result

        return call

    monkeypatch.setattr(tempfile, "mkdtemp", once("mkdtemp"))
    monkeypatch.setattr(fcntl, "flock", once("flock"))
    with work_folder(tmp_path) as folder:
        assert sorted(interrupted) == ["flock", "mkdtemp"]
        remove_abandoned(tmp_path)
        (folder / "file").write_text("")
    assert not list(tmp_path.iterdir())


def test_without_locks_nothing_is_taken_for_abandoned(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with work_folder(tmp_path) as folder:
        (folder / "file").write_text("")
        remove_abandoned(tmp_path)
        assert (folder / "file").exists()
    assert not list(tmp_path.iterdir())


def test_a_missing_cache_has_nothing_abandoned(tmp_path):
    remove_abandoned(tmp_path / "nowhere")
