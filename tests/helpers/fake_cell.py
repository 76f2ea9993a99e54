"""Stands in for the training of a cell: the same files and the same ends, in no time.

Steps beyond the number in the file that $ALLOWED names wait for it to change. Seed 13 fails.
"""

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from wavegan_rc.cli.cell import end_with
from wavegan_rc.config import Config
from wavegan_rc.runs.lock import run_lock
from wavegan_rc.runs.run import Run, config_as_yaml


def allowed() -> float:
    file = os.environ.get("ALLOWED")
    return float(Path(file).read_text() or 0) if file else float("inf")


def main() -> int:
    text, name = sys.argv[1:]
    config = Config(**json.loads(text)["config"])
    run = Run(Path(config.out) / name)
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    end_with(sys.stdin.fileno())
    if config.seed == 13:
        print("about to fail\nerror: an unlucky number\nanother line")
        return 2
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    with run_lock(run.path, wait=True):
        # As a training does: `auto` is recorded as what it stands for.
        precision = "float32" if config.precision == "auto" else config.precision
        run.config.write_text(config_as_yaml(replace(config, precision=precision)))
        step = max((int(p.stem[5:]) for p in run.checkpoints.iterdir()), default=0)
        with run.history.open("a") as history:
            history.write(
                json.dumps({"begun_at": step, "process": os.getpid(), "parent": os.getppid()})
                + "\n"
            )
            history.flush()
            while step < config.steps and not stopped:
                if step >= allowed():
                    time.sleep(0.01)
                    continue
                step += 1
                # Tests that wait for the step in the history may kill this process at once.
                (run.checkpoints / f"step-{step:06d}.json").touch()
                history.write(json.dumps({"step": step, "steps_per_s": 10.0}) + "\n")
                history.flush()
            if stopped:
                history.write(json.dumps({"stopped_at": step}) + "\n")
                return 143
        run.summary.write_text("{}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
