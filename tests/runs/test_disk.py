"""A disk that fills up, or may not be written any more, while training goes on."""

import json
import os
import shutil
import signal
import subprocess
from dataclasses import replace

import pytest
from helpers.runs import (
    SMOKE,
    history,
    newest_step,
    smoke_config,
    start_training,
    tensorboard_events,
    wait_for,
)

from wavegan_rc.errors import DataError
from wavegan_rc.runs.checkpoints import newest_checkpoint
from wavegan_rc.training.train import train

pytestmark = pytest.mark.slow

STEPS = 6


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a file system of its own of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk, leave):
    """Leave some bytes; of a page, of which files get whole ones."""
    room = shutil.disk_usage(disk).free
    (disk / "ballast").write_bytes(bytes(max(0, room - leave)))


def event_steps(run):
    return [event.step for event in tensorboard_events(run)["training/critic_loss"]]


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    config = smoke_config(tmp_path_factory.mktemp("straight"), steps=STEPS)
    return history(train(replace(config, log_every=1, measure_every=0)).path)


@pytest.mark.parametrize(
    ("leave", "save_every"),
    [
        # Two checkpoints or so fit. Then they are refused before HDF5 meets the disk's end.
        (2_000_000, 1),
        # No checkpoint fits.
        (100_000, 2),
        # Lines of the history and of events until there is no page for the next.
        (0, 10**6),
    ],
)
@pytest.mark.filterwarnings("ignore:the (event file|preview):wavegan_rc.errors.WaveganWarning")
def test_a_full_disk_ends_with_an_error_and_leaves_the_last_checkpoint_good(
    small_disk, straight, leave, save_every
):
    config = replace(smoke_config(small_disk), steps=3, log_every=1, measure_every=0)
    run = train(config).path
    fill(small_disk, leave)
    longer = replace(config, steps=400, save_every=save_every)
    with pytest.raises(DataError, match=f"{run.name} cannot be written: .*No space left") as error:
        train(longer, resume=run)
    assert "\n" not in str(error.value)
    assert newest_checkpoint(run / "checkpoints").step >= 3  # a warning would fail the test
    (small_disk / "ballast").unlink()
    if newest_step(run) < STEPS:
        train(replace(config, steps=STEPS), resume=run)
        assert history(run) == straight
        assert event_steps(run) == list(range(1, STEPS + 1))


def bound_by_permissions():
    """What to start a process with that permissions bind: the superuser keeps files, not rights."""
    if os.geteuid() != 0:
        return []
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]
    if shutil.which("setpriv") is None:
        pytest.skip("the superuser ignores permissions, and there is no setpriv")
    return prefix


def set_writable(run, writable):
    for path in [run, *run.rglob("*")]:
        mode = path.stat().st_mode
        path.chmod(mode | 0o200 if writable else mode & ~0o222)


def test_a_run_folder_made_read_only_ends_the_training_and_leaves_the_last_checkpoint_good(
    tmp_path,
):
    flags = ["--config", str(SMOKE), "--steps", "100000", "--save-every", "2", "--log-every", "1"]
    flags += ["--measure-every", "0"]
    process = start_training(tmp_path, *flags, prefix=bound_by_permissions())
    run = tmp_path / "runs" / "001-resize"
    try:
        wait_for(lambda: newest_step(run) > 0, process, tmp_path)
        set_writable(run, False)
        process.wait(timeout=120)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    output = (tmp_path / "output.txt").read_text()
    assert process.returncode == 2, output
    # TensorFlow may say something after it, and the progress bar have left its line open before.
    assert output.count("error: runs/001-resize cannot be written: ") == 1
    assert "Traceback" not in output
    set_writable(run, True)
    saved = newest_checkpoint(run / "checkpoints").step
    assert json.loads((run / "history.jsonl").read_text().splitlines()[-1])["step"] <= saved + 2
    config = smoke_config(tmp_path, steps=saved + 1, log_every=1, measure_every=0)
    train(replace(config, out="runs"), resume=run)
    assert newest_step(run) == saved + 1
    assert event_steps(run) == list(range(1, saved + 2))
