"""A long run: `pytest -m soak`, which the suite leaves out. Memory is read from Linux's /proc."""

import os
import signal
import sys
import time

import numpy as np
import pytest
from helpers import tone
from helpers.runs import history, newest_step, start_training

STEPS = 20_000
# The second quarter of the steps and the last are compared: before, pools and caches fill; in
# windows of 2000 steps figures that wait for the garbage collector move the median by 2 %.
# Updates alone take 705.0 MB at step 4000 and at 18,000. What grows is Keras 3.15.1's saving: for
# each optimizer it makes a new one to look at and 0.07 MB is lost (it looks its list of names up
# under another key than it keeps it under), 0.14 MB a checkpoint whatever the networks' size.
QUARTER = STEPS // 4
SETTINGS = {
    "segment_length": 64,
    "upsampling_factors": 2,
    "kernel_size": 2,
    "filters": 2,
    "latent_dim": 2,
    "phase_shuffle_radius": 1,
    "batch_size": 2,
    "critic_steps": 1,
    "sample_count": 1,
    "steps": STEPS,
    "log_every": 1,
    "measure_every": 50,
    "save_every": 100,
}


def resident_megabytes(process):
    with open(f"/proc/{process}/status") as file:
        (line,) = (line for line in file if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def written_megabytes(run):
    """What is only ever appended to."""
    logs = [run / "history.jsonl", *(run / "tensorboard").iterdir()]
    return sum(path.stat().st_size for path in logs) / 2**20


@pytest.mark.soak
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_20000_steps_take_no_more_memory_or_files_and_write_ever_less(tmp_path, make_wav):
    data = make_wav("own.wav", tone(440, seconds=4))
    flags = [f"--{name}={value}" for name, value in SETTINGS.items()]
    process = start_training(tmp_path, f"--data={data}", *flags)
    run = tmp_path / "runs" / "001-resize"
    samples = []  # step, resident megabytes, open files, megabytes written
    try:
        while process.poll() is None and (not samples or samples[-1][0] < STEPS - 100):
            step = newest_step(run)
            if step > (samples[-1][0] if samples else 0):
                files = len(os.listdir(f"/proc/{process.pid}/fd"))
                memory = resident_megabytes(process.pid)
                samples.append((step, memory, files, written_megabytes(run)))
            time.sleep(0.02)
        assert process.wait(timeout=600) == 0, (tmp_path / "output.txt").read_text()[-2000:]
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    step, memory, files, written = np.array(samples).T
    for begin in range(0, STEPS, 2000):
        part = (step > begin) & (step <= begin + 2000)
        numbers = [np.median(values[part]) for values in (memory, files, written)]
        print("{:6d} {:8.1f} MB {:4.0f} files {:8.2f} MB written".format(begin, *numbers))
    early = (step > QUARTER) & (step <= 2 * QUARTER)
    late = step > 3 * QUARTER
    assert late.sum() > 25
    assert np.median(memory[late]) < 1.02 * np.median(memory[early])
    assert files[late].max() <= files[early].max()
    # A doubling of the steps adds no more than the doubling before.
    at = [written[np.searchsorted(step, count)] for count in (5000, 10_000, STEPS - 100)]
    assert at[2] - at[1] < 1.1 * (at[1] - at[0])
    assert len(history(run)) < 1000 + 5 * 500 + STEPS // 50
