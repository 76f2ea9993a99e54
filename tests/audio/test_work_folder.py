"""What a process leaves in the cache when it is killed, and what happens to those still at work."""

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers import tone

from wavegan_rc.audio import units
from wavegan_rc.audio.preparation import prepare_corpus
from wavegan_rc.audio.work_folder import work_folder
from wavegan_rc.errors import DataError, WaveganWarning

# Every file is a unit of its own, done in turn. Stops before the second until a line comes in.
PREPARE = """
import sys
from wavegan_rc.audio import preparation, units

def blocks(path, *rest):
    if path.name == "b.wav":
        print("preparing", flush=True)
        sys.stdin.readline()
    return original(path, *rest)

original, units.resampled_blocks = units.resampled_blocks, blocks
units.UNIT_BYTES = 1
preparation.usable_cores = lambda: 1
corpus = preparation.prepare_corpus(
    sys.argv[1],
    sample_rate=16000,
    cutoff_hz=None,
    stopband_hz=None,
    on_progress=lambda done, count, text: text and print("waiting", flush=True),
)
print(len(corpus.audio), flush=True)
"""


@pytest.fixture
def folder(make_wav, fresh_cache, monkeypatch):
    monkeypatch.setattr(units, "UNIT_BYTES", 1)
    make_wav("a.wav", tone(300))
    return make_wav("b.wav", tone(500)).parent


@contextlib.contextmanager
def process(folder, first_line="preparing"):
    started = subprocess.Popen(
        [sys.executable, "-c", PREPARE, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stdout.readline() == first_line + "\n"
        yield started
    finally:
        started.kill()
        started.communicate()


def prepare(folder):
    return prepare_corpus(str(folder), sample_rate=16000, cutoff_hz=None, stopband_hz=None)


def names(cache):
    return sorted(path.name.split("-")[0] for path in cache.iterdir() if path.is_dir())


def age(cache):
    """Make what lies in a cache a month old."""
    for path in cache.glob("preparing-*"):
        then = time.time() - 30 * 86400
        os.utime(path, (then, then))


def test_a_killed_process_leaves_no_entry_and_its_work_is_gone_on_from(
    folder, fresh_cache, monkeypatch
):
    with process(folder) as killed:
        killed.send_signal(signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
    assert names(fresh_cache) == ["preparing"]
    age(fresh_cache)  # however long ago
    read = []
    original = units.resampled_blocks
    monkeypatch.setattr(
        units,
        "resampled_blocks",
        lambda path, *rest: read.append(path.name) or original(path, *rest),
    )
    assert len(prepare(folder).audio) == 32000
    assert read == ["b.wav"]
    (entry,) = fresh_cache.iterdir()
    assert not entry.name.startswith("preparing")
    left = {path.name for path in entry.iterdir()}
    assert left == {"audio.int16", "index.json", "power.float32"}


@pytest.mark.parametrize("spoilt", ["unit-00000.json", "unit-00000.float32"])
def test_work_that_is_not_whole_is_done_again(folder, fresh_cache, spoilt):
    whole = np.asarray(prepare(folder).audio)
    (entry,) = fresh_cache.iterdir()
    for path in entry.iterdir():
        path.unlink()
    entry.rmdir()
    with process(folder) as killed:
        killed.kill()
    (work,) = (path for path in fresh_cache.iterdir() if path.is_dir())
    content = (work / spoilt).read_bytes()
    (work / spoilt).write_bytes(content[: len(content) // 2])
    np.testing.assert_array_equal(prepare(folder).audio, whole)


def test_what_others_left_goes_after_a_week(folder, fresh_cache, make_wav):
    other = make_wav("../other/a.wav", tone(500))
    make_wav("../other/b.wav", tone(500))
    with process(other.parent) as killed:
        killed.kill()
    prepare(folder)
    assert "preparing" in names(fresh_cache)
    age(fresh_cache)
    make_wav("c.wav", tone(700))
    prepare(folder)
    assert not list(fresh_cache.glob("preparing-*"))


@pytest.mark.slow
def test_a_living_process_is_waited_for_however_long_it_sleeps(folder, fresh_cache):
    with process(folder) as first:
        age(fresh_cache)
        with work_folder(fresh_cache, "x", never):
            assert names(fresh_cache) == ["preparing"] * 2
        with process(folder, "waiting") as second:
            assert second.poll() is None
            first.stdin.write("\n")
            first.stdin.flush()
            assert first.stdout.readline() == "32000\n"
            assert second.stdout.readline() == "32000\n"  # without preparing
    assert len(list(fresh_cache.iterdir())) == 1


@pytest.mark.slow
def test_who_waits_takes_over_when_the_other_is_killed(folder, fresh_cache):
    with process(folder) as first, process(folder, "waiting") as second:
        first.kill()
        assert second.stdout.readline() == "preparing\n"
        second.stdin.write("\n")
        second.stdin.flush()
        assert second.stdout.readline() == "32000\n"
    assert len(list(fresh_cache.iterdir())) == 1


def never():
    pytest.fail("nobody is there to wait for")


@pytest.mark.parametrize(("owner", "name"), [(os, "open"), (fcntl, "flock")])
def test_a_lock_removed_before_it_is_held_is_made_anew(tmp_path, monkeypatch, owner, name):
    """As when the process that had it removes it."""
    interrupted = []
    original = getattr(owner, name)

    def once(*args, **options):
        if not interrupted:
            interrupted.append(name)
            (tmp_path / "preparing-x.lock").unlink(missing_ok=True)
            (tmp_path / "preparing-x").rmdir()
        return original(*args, **options)

    monkeypatch.setattr(owner, name, once)
    with work_folder(tmp_path, "x", lambda: None) as folder:
        assert interrupted
        assert folder.is_dir()
        assert (tmp_path / "preparing-x.lock").exists()
    assert not list(tmp_path.iterdir())


def work_with(parent, error):
    with work_folder(parent, "x", never) as folder:
        (folder / "file").write_text("")
        raise error


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_without_locks_every_process_has_a_folder_of_its_own(tmp_path, monkeypatch, number):
    def no_locks(*_):
        raise OSError(number, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    warned = pytest.warns(WaveganWarning, match="the file system cannot lock.*No locks available")
    with warned, work_folder(tmp_path, "x", never) as one:
        (one / "file").write_text("")
        age(tmp_path)
        with work_folder(tmp_path, "x", never) as other:
            assert one != other
        assert (one / "file").exists()
    with warned, pytest.raises(OSError, match="stop"):
        work_with(tmp_path, OSError("stop"))
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


@pytest.mark.parametrize(
    ("error", "kept"), [(OSError, True), (KeyboardInterrupt, True), (DataError, False)]
)
def test_work_is_kept_unless_it_would_fail_again(tmp_path, error, kept):
    with pytest.raises(error):
        work_with(tmp_path, error)
    assert any(tmp_path.iterdir()) == kept
    with work_folder(tmp_path, "x", never) as again:
        assert (again / "file").exists() == kept
    assert not list(tmp_path.iterdir())
