"""Check a GPU within some minutes: the speed of steps, then both arms of the comparison.

All work is done by other processes, each with a time limit. The results are in one JSON file after
every stage. A second call continues: what is timed is not timed again, and trainings are resumed.
"""

import itertools
import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.gpu_check_processes import NoAnswerError, Worker, run_until
from benchmarks.gpu_check_table import format_results
from benchmarks.steps import CONFIGS, OURS, UPSAMPLERS, StepPrecision
from wavegan_rc.cli.parser import Parser
from wavegan_rc.cli.process import EXIT_BY_SIGNAL, run_command
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError
from wavegan_rc.runs.history import read_history
from wavegan_rc.runs.run import Run
from wavegan_rc.utils.atomic_files import json_ready, write_json, write_whole, writing
from wavegan_rc.utils.interruptions import EndSignals
from wavegan_rc.utils.text import one_line

PROGRAMS: tuple[str, ...] = (OURS, "PyTorch eager", "PyTorch compile")
PRECISIONS: tuple[StepPrecision, ...] = StepPrecision.__args__
# Parts of all minutes at which a stage must have ended.
STAGES = {"device": 0.25, "steps": 0.45, "training": 0.8, "measurement": 0.97}
# Part of all minutes in which a training that is stopped may save its generator.
_GRACE = 0.06
# A program that ended or was silent so often is not asked further.
_FAILURES = 2
_SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
_TOY = Config(
    segment_length=64,
    upsampling_factors=(2,),
    kernel_size=4,
    filters=16,
    latent_dim=4,
    phase_shuffle_radius=1,
    batch_size=2,
    critic_steps=1,
    emphasis="none",
)
_TRAINED = ["--config", "gpu"]
_TOY_TRAINED = ["--config", "smoke", "--critic-steps", "1"]


def timed_settings(toy: bool) -> dict[str, Config]:
    """Return the settings whose steps are timed, by name."""
    if toy:
        return {"toy": _TOY}
    large = CONFIGS["wavegan16384"]
    return CONFIGS | {"wavegan16384, 64": replace(large, batch_size=64)}


class Check:
    """One check, in an existing folder; `toy` uses small networks, to see that all works."""

    def __init__(self, out: Path, minutes: float, *, toy: bool) -> None:
        self._out, self._toy, self._seconds = out, toy, 60 * minutes
        self._started = time.monotonic()
        self._file, self._log = out / "gpu_check.json", out / "gpu_check.log"
        self.results: dict[str, Any] = {"machine": {}, "product_gflop_per_s": {}, "steps": []}
        if self._file.exists():
            self.results = json.loads(self._file.read_text(encoding="utf-8"))
        self.results |= {"minutes": minutes, "toy": toy, "notices": [], "stages": []}
        self._failures = dict.fromkeys(PROGRAMS, 0)

    def run(self) -> None:
        """Run all stages. What cannot be done is left out with a notice."""
        with self._workers() as workers:  # their memory is free before the trainings
            self._run_stage("device", lambda end: self._device(workers, end))
            self._run_stage("steps", lambda end: self._steps(workers, end))
        self._run_stage("training", self._train)
        self._run_stage("measurement", self._measure)

    def _run_stage(self, stage: str, work: Callable[[float], None]) -> None:
        began, end = time.monotonic(), self._started + STAGES[stage] * self._seconds
        print(f"{stage}: at most {max(end - began, 0):.0f} s", flush=True)
        try:
            work(end)
        finally:
            seconds = round(time.monotonic() - began, 1)
            self.results["stages"].append({"stage": stage, "seconds": seconds})
            self.results["trainings"] = [self._training(each) for each in UPSAMPLERS]
            self._save()

    def _save(self) -> None:
        write_json(self._file, json_ready(self.results))

    def _notice(self, text: str) -> None:
        print(text, flush=True)
        self.results["notices"].append(text)

    @contextmanager
    def _workers(self) -> Iterator[dict[str, Worker]]:
        """Provide a process for each program; they end with the context."""
        programs = PROGRAMS if find_spec("torch") else (OURS,)
        if programs != PROGRAMS:
            self._notice("PyTorch is not installed: its programs are left out")
        module, size = "benchmarks.gpu_check_worker", "toy" if self._toy else "full"
        workers = {
            program: Worker([sys.executable, "-m", module, program, size], self._log)
            for program in programs
        }
        try:
            yield workers
        finally:
            for worker in workers.values():
                worker.close()

    def _ask(
        self, workers: Mapping[str, Worker], program: str, end: float, question: dict[str, str]
    ) -> Any:
        """Return a program's answer, or None with a notice.

        One question may take a third of a stage's time, so that one that hangs leaves the others.
        """
        left = end - time.monotonic()
        if left <= 0 or program not in workers or self._failures[program] == _FAILURES:
            return None
        about = ", ".join([program, *question.values()])
        try:
            answer = workers[program].ask(question, min(left, max(left / 3, 30)))
        except NoAnswerError as error:
            self._failures[program] += 1
            again = self._failures[program] < _FAILURES
            self._notice(f"{about}: {error}{'' if again else '; this program is left out'}")
            return None
        if isinstance(answer, dict) and "error" in answer:
            self._notice(f"{about}: {answer['error']}")
            return None
        return answer

    def _device(self, workers: Mapping[str, Worker], end: float) -> None:
        """Name the device and versions, and time a large matrix product of both libraries."""
        speeds = self.results["product_gflop_per_s"]
        for program in (OURS, "PyTorch eager"):
            about = self._ask(workers, program, end, {"ask": "machine"})
            self.results["machine"] = (about or {}) | self.results["machine"]
            for precision in PRECISIONS:
                question = {"ask": "product", "precision": precision}
                speed = self._ask(workers, program, end, question)
                if speed is not None:
                    speeds[precision] = max(speed, speeds.get(precision, 0.0))
            self._save()

    def _steps(self, workers: Mapping[str, Worker], end: float) -> None:
        """Time the steps: first all with `resize`, then with `transposed`."""
        names = ("upsampler", "config", "precision", "program")
        done = [tuple(row[name] for name in names) for row in self.results["steps"]]
        arms = itertools.product(UPSAMPLERS, timed_settings(self._toy), PRECISIONS, workers)
        missing = [arm for arm in arms if arm not in done]
        for number, (upsampler, config, precision, program) in enumerate(missing):
            if time.monotonic() >= end:
                self._notice(f"no time for {len(missing) - number} of {len(missing)} steps")
                return
            question = {"config": config, "upsampler": upsampler, "precision": precision}
            row = self._ask(workers, program, end, {"ask": "step", **question})
            if row is not None:
                self.results["steps"].append(row)
                self._save()

    def _train(self, end: float) -> None:
        """Train each arm for an equal part of the time; the second makes no more steps."""
        steps: list[str] = []
        for number, upsampler in enumerate(UPSAMPLERS):
            run = Run(self._out / "runs" / upsampler)
            flags = [*(_TOY_TRAINED if self._toy else _TRAINED), "--upsampler", upsampler]
            flags += ["--out", str(run.path.parent), "--name", upsampler]
            if run.has_begun():
                flags = ["--resume", str(run.path)]
            else:
                shutil.rmtree(run.path, ignore_errors=True)  # of a killed training
            now = time.monotonic()
            until = now + (end - now) / (len(UPSAMPLERS) - number)
            self._script(f"training with {upsampler}", until, "train", *flags, *steps)
            steps = ["--steps", str(run.last_step())] if run.last_step() else []

    def _measure(self, end: float) -> None:
        """Write a report of both arms, and WAVs and a spectrogram of each."""
        runs = [Run(self._out / "runs" / upsampler) for upsampler in UPSAMPLERS]
        found = [run.path for run in runs if run.generator.exists()]
        for run in found:
            folder = self._out / "generated" / run.name
            shutil.rmtree(folder, ignore_errors=True)  # of an earlier check
            self._script(f"WAVs of {run}", end, "generate", str(run), "--out", str(folder))
        if found:
            runs_folder, folder = self._out / "runs", self._out / "report"
            self._script("the report", end, "report", str(runs_folder), "--out", str(folder))
            if (folder / "report.json").exists():
                self.results["report"] = json.loads((folder / "report.json").read_text())

    def _script(self, what: str, end: float, name: str, *flags: str) -> None:
        """Run a command of the package, with a notice if it does not end by itself."""
        command = [sys.executable, str(_SCRIPTS / f"{name}.py"), *flags]
        ended = run_until(command, end, grace_s=_GRACE * self._seconds, log=self._log)
        if ended != "done":
            self._notice(f"{what}: {ended}")

    def _training(self, upsampler: str) -> dict[str, Any]:
        """Return what an arm has reached, as JSON values."""
        run = Run(self._out / "runs" / upsampler)
        rows = read_history(run.history) if run.history.exists() else []
        speeds = [row["steps_per_s"] for row in rows if "steps_per_s" in row]
        return {
            "upsampler": upsampler,
            "steps": rows[-1]["step"] if rows else 0,
            "ms_per_step": 1000 / statistics.median(speeds) if speeds else None,
        }


def gpu_check_command(program: str, argv: Sequence[str]) -> int:
    """Time steps on this machine's GPU, train both arms, and measure them, in some minutes."""
    parser = Parser(program, gpu_check_command.__doc__)
    parser.argument("out", Path, "folder for all results; that of an earlier check is continued")
    parser.flag("minutes", float, "time for everything", unit="min", above=0, default=8.0)
    parser.switch("toy", "use small networks, to see that everything works")
    flags = parser.parse(argv)
    out = flags.out.expanduser() / "toy" if flags.toy else flags.out.expanduser()
    try:
        out.mkdir(parents=True, exist_ok=True)
        check = Check(out, flags.minutes, toy=flags.toy)
    except (OSError, ValueError) as error:
        raise DataError(f"{out} cannot be used: {one_line(error)}") from None
    code = 0
    with EndSignals("ending", then=_stop) as signals:
        try:
            check.run()
        except Exception as error:  # the table is printed whatever happened
            check.results["notices"].append(f"the check ended early: {one_line(error)}")
            code = 1
    text = format_results(check.results)
    print(f"\n{text}", flush=True)
    with writing(str(out)):
        write_whole(out / "gpu_check.txt", text + "\n")
    return code if signals.received is None else EXIT_BY_SIGNAL + signals.received


def _stop() -> None:
    raise InterruptedError("a signal came")


if __name__ == "__main__":
    run_command(gpu_check_command, "gpu_check.sh", sys.argv[1:])
