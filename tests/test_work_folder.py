"""What a process leaves in the cache when it is killed, and what happens to those still at work."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import tone

from wavegan_rc.audio import plan, units
from wavegan_rc.audio.preparation import prepare_corpus
from wavegan_rc.audio.work_folder import remove_abandoned, work_folder
from wavegan_rc.errors import DataError

# Every file is a unit of its own. Stops in the middle of preparing until a line comes in.
PREPARE = """
import sys
from wavegan_rc.audio import plan, preparation

def on_file(done, count, name):
    if name == "b.wav" or name.startswith("("):
        print("waiting" if name.startswith("(") else "preparing", flush=True)
        if name == "b.wav":
            sys.stdin.readline()

plan.UNIT_BYTES = 1
corpus = preparation.prepare_corpus(
    sys.argv[1], sample_rate=16000, cutoff_hz=None, stopband_hz=None, on_file=on_file
)
print(len(corpus.audio), flush=True)
"""


@pytest.fixture
def folder(make_wav, fresh_cache, monkeypatch):
    monkeypatch.setattr(plan, "UNIT_BYTES", 1)
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
    return sorted(path.name.split("-")[0] for path in cache.iterdir())


def age(cache):
    """Make what lies in a cache a month old."""
    for path in cache.glob("preparing-*"):
        os.utime(path, (time.time() - 30 * 86400,) * 2)


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
        units, "resampled_blocks", lambda path, rate: read.append(path.name) or original(path, rate)
    )
    assert len(prepare(folder).audio) == 32000
    assert read == ["b.wav"]
    (entry,) = fresh_cache.iterdir()
    assert not entry.name.startswith("preparing")
    assert sorted(path.name.split("-")[0] for path in entry.iterdir()) == [
        "audio",
        "index.json",
        "power",
    ]


@pytest.mark.parametrize("spoilt", ["unit-00000.json", "unit-00000.float32"])
def test_work_that_is_not_whole_is_done_again(folder, fresh_cache, spoilt):
    whole = np.asarray(prepare(folder).audio)
    (entry,) = fresh_cache.iterdir()
    for path in entry.iterdir():
        path.unlink()
    entry.rmdir()
    with process(folder) as killed:
        killed.kill()
    (work,) = fresh_cache.iterdir()
    content = (work / spoilt).read_bytes()
    (work / spoilt).write_bytes(content[: len(content) // 2])
    np.testing.assert_array_equal(prepare(folder).audio, whole)


def test_what_others_left_goes_after_a_week(folder, fresh_cache, make_wav):
    prepare(folder)
    other = make_wav("../other/a.wav", tone(500))
    make_wav("../other/b.wav", tone(500))
    with process(other.parent) as killed:
        killed.kill()
    prepare(folder)
    assert "preparing" in names(fresh_cache)
    age(fresh_cache)
    prepare(folder)
    assert "preparing" not in names(fresh_cache)


def test_a_living_process_is_waited_for_however_long_it_sleeps(folder, fresh_cache):
    with process(folder) as first:
        age(fresh_cache)
        remove_abandoned(fresh_cache, keep="")
        assert names(fresh_cache) == ["preparing"]
        with process(folder, "waiting") as second:
            assert second.poll() is None
            first.stdin.write("\n")
            first.stdin.flush()
            assert first.stdout.readline() == "32000\n"
            assert second.stdout.readline() == "32000\n"  # without preparing
    assert len(list(fresh_cache.iterdir())) == 1


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


@pytest.mark.parametrize("moment", ["mkdir", "flock"])
def test_a_folder_removed_before_it_is_locked_is_made_anew(tmp_path, monkeypatch, moment):
    """As when the one who had it removes it."""
    interrupted = []
    owner, name = (os, "open") if moment == "mkdir" else (fcntl, "flock")
    original = getattr(owner, name)

    def once(*args, **options):
        if not interrupted:
            interrupted.append(moment)
            (tmp_path / "preparing-x" / "lock").unlink(missing_ok=True)
            (tmp_path / "preparing-x").rmdir()
        return original(*args, **options)

    monkeypatch.setattr(owner, name, once)
    with work_folder(tmp_path, "x", never) as folder:
        assert interrupted
        assert (folder / "lock").exists()
    assert not list(tmp_path.iterdir())


def work_with(parent, error):
    with work_folder(parent, "x", never) as folder:
        (folder / "file").write_text("")
        raise error


def test_without_locks_every_process_has_a_folder_of_its_own(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with work_folder(tmp_path, "x", never) as one, work_folder(tmp_path, "x", never) as other:
        assert one != other
        (one / "file").write_text("")
        age(tmp_path)
        remove_abandoned(tmp_path, keep="y")
        assert (one / "file").exists()
    with pytest.raises(OSError, match="stop"):
        work_with(tmp_path, OSError("stop"))
    assert not list(tmp_path.iterdir())


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


def test_a_missing_cache_has_nothing_abandoned(tmp_path):
    remove_abandoned(tmp_path / "nowhere", keep="")
    assert not list(tmp_path.iterdir())
