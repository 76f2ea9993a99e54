"""What worker processes do in tests: a module that loads fast."""

import os
import signal
import sys
import time

from wavegan_rc.errors import DataError


def work(task, on_progress):
    on_progress(f"begun {task}")
    if task == "modules":
        loaded = sorted({"tensorflow", "jax", "keras", "torch"} & set(sys.modules))
        raise DataError(f"loaded: {loaded}, {os.getppid()}")
    if task == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "sleep":
        time.sleep(600)
