"""Sweeps of pretended cells."""

import json
import os
import subprocess
import sys
import time

from helpers import ROOT

FAKE_CELL = ROOT / "tests" / "helpers" / "fake_cell.py"


DRIVER = f"""
import json, sys, types
from dataclasses import asdict
from wavegan_rc.cli import sweep
from wavegan_rc.cli.process import run_command

def command_of_cell(cell):
    text = json.dumps({{"config": asdict(cell.config)}})
    return [sys.executable, {str(FAKE_CELL)!r}, text, cell.name]

def write_report(runs, out):
    return " ".join(run.name for run in runs)

sweep.command_of_cell = command_of_cell
sys.modules["wavegan_rc.report.write"] = types.SimpleNamespace(write_report=write_report)
run_command(sweep.sweep_command, "sweep.py", sys.argv[1:])
"""


class Sweep:
    """A sweep of pretended cells in a folder."""

    def __init__(self, folder, text):
        self.folder = folder
        self.grid = folder / "grid.yaml"
        self.grid.write_text(text)
        self.out = folder / "out"
        self.started = []
        self.allowed = folder / "allowed"
        self.allowed.write_text("inf")
        self.environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "ALLOWED": str(self.allowed),
            "TF_CPP_MIN_LOG_LEVEL": "3",  # so that nothing is loaded in order to hold it back
        }

    def start(self, *flags, **options):
        argv = [sys.executable, "-c", DRIVER, str(self.grid), "--out", str(self.out), *flags]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        self.started.append(
            subprocess.Popen(argv, env=self.environment, cwd=self.folder, **options)
        )
        return self.started[-1]

    def kill(self):
        """Leave no process behind, whatever a test came to."""
        for process in self.started:
            process.kill()
            process.communicate()

    def run(self, *flags):
        process = self.start(*flags)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def record(self):
        return json.loads((self.out / "sweep.json").read_text())["cells"]

    def states(self):
        return {name: entry["state"] for name, entry in self.record().items()}

    def history(self, name):
        file = self.out / name / "history.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def wait_for(self, condition, process):
        deadline = time.monotonic() + 120
        while not condition():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
