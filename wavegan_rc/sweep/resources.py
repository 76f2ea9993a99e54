"""The GPUs, cores and memory of this machine that the cells of a sweep share."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from wavegan_rc.sweep.process import ONE_THREAD
from wavegan_rc.utils.cores import usable_cores

# Memory of one cell: a process at the defaults took 1.1 GB.
CELL_MEMORY_BYTES = 1_500_000_000
_CONTROL_GROUP = Path("/sys/fs/cgroup")
_COUNT_GPUS = "from wavegan_rc.training.devices import gpus; print(len(gpus()))"


def places(at_once: int | None) -> list[Mapping[str, str]]:
    """Return the places where cells can train at the same time: the GPUs, or else the cores.

    Args:
        at_once: Largest number of places. None uses all GPUs, or as many cores as have 1.5 GB of
            free memory each.

    Returns:
        Environment variables that bind a process to each place.
    """
    gpus = _gpus()
    if gpus:
        return [{"CUDA_VISIBLE_DEVICES": gpu} for gpu in gpus[:at_once]]
    if at_once is None:
        at_once = max(1, min(usable_cores(), _free_memory() // CELL_MEMORY_BYTES))
    return [ONE_THREAD] * at_once


def _gpus() -> list[str]:
    """Return CUDA's names of the GPUs that training can use."""
    if shutil.which("nvidia-smi") is None:
        return []
    # In another process, so that this one takes no GPU memory.
    asked = subprocess.run(
        [sys.executable, "-c", _COUNT_GPUS], capture_output=True, text=True, check=False
    )
    count = int(asked.stdout.split()[-1]) if asked.returncode == 0 else 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = map(str, range(count)) if visible is None else visible.split(",")
    return list(names)[:count]


def _free_memory() -> int:
    """Return the free memory in bytes, within the container's limit, as far as it is known."""
    free = [sys.maxsize]
    for line in _read(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            free.append(1024 * int(line.split()[1]))
    limit, used = (_read(_CONTROL_GROUP / f"memory.{what}").strip() for what in ("max", "current"))
    if limit.isdigit() and used.isdigit():
        free.append(int(limit) - int(used))
    return max(0, min(free))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except OSError:
        return ""
