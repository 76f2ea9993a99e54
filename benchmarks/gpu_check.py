"""Check a GPU: the speed of training, and the artifacts of the trained generators.

Each part writes a file when it is finished, and is skipped if the file exists. So a machine that is
available for minutes at a time can do the check in pieces.
"""

import gc
import itertools
import json
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.timing import machine
from benchmarks.training import CONFIGS, PRECISIONS, UPSAMPLERS, time_steps
from wavegan_rc.audio.corpus import Corpus, open_corpus
from wavegan_rc.cli.progress import ProgressDisplay
from wavegan_rc.config import Config
from wavegan_rc.config.choices import Precision, Upsampler
from wavegan_rc.errors import DataError, DivergenceError
from wavegan_rc.measurement.measure import measure
from wavegan_rc.measurement.measurement import JSON_FILE
from wavegan_rc.runs.history import read_history
from wavegan_rc.runs.run import Run
from wavegan_rc.training.devices import device_name
from wavegan_rc.training.train import train
from wavegan_rc.utils.atomic_files import write_whole
from wavegan_rc.utils.text import one_line


@dataclass(frozen=True)
class Plan:
    """Contents of a check.

    Attributes:
        timed: Settings whose steps are timed, by name.
        repeats: Number of timed rounds.
        trained: Settings of the trainings, one with each upsampler.
    """

    timed: Mapping[str, Config]
    repeats: int
    trained: Config


PLAN = Plan(
    timed=CONFIGS,
    repeats=20,
    # the preset gpu
    trained=replace(
        CONFIGS["gpu"],
        emphasis=Config().emphasis,
        learning_rate=1e-4,
        steps=50000,
        log_every=100,
        measure_every=1000,
        save_every=5000,
    ),
)
# A plan of seconds, which shows that everything runs.
_TOY = Config(
    segment_length=512,
    upsampling_factors=(4, 4),
    kernel_size=8,
    filters=16,
    latent_dim=8,
    batch_size=4,
    critic_steps=1,
    steps=6,
    sample_count=4,
    log_every=2,
    measure_every=2,
    save_every=3,
)
TOY = Plan(timed={"toy": _TOY}, repeats=1, trained=_TOY)

# Errors of JAX and PyTorch if the device has too little memory.
_NO_MEMORY = re.compile("RESOURCE_EXHAUSTED|out of memory", re.IGNORECASE)


class Check:
    """One check, with its files in one folder.

    Args:
        plan: Contents of the check.
        folder: Existing folder for all files.
        corpus: Folder of the prepared recordings; `prepare` makes it.
    """

    def __init__(self, plan: Plan, folder: Path, corpus: Path) -> None:
        self.plan = plan
        self.corpus = corpus
        self.benchmarks = folder / "benchmarks"
        self.runs = folder / "runs"
        self.measured = folder / "measured"

    def prepare(self) -> None:
        """Prepare the training recordings in a folder that can be copied to another machine.

        Only this part needs the audio libraries; all other parts need its folder.
        """
        if self.corpus.exists():
            return
        if not all(map(find_spec, ("platformdirs", "soundfile", "soxr"))):
            self._open_corpus()  # says what to bring
        from wavegan_rc.audio.preparation import corpus_of

        corpus = corpus_of(self.plan.trained)
        assert corpus.folder is not None  # prepared recordings lie somewhere
        partial = self.corpus.with_name(f".partial-{self.corpus.name}")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(corpus.folder, partial)
        partial.rename(self.corpus)
        print(f"prepared recordings: {self.corpus}", flush=True)

    def _open_corpus(self) -> Corpus:
        if not self.corpus.exists():
            raise DataError(
                f"{self.corpus}: no prepared recordings; `prepare` makes them on a machine with "
                "audio libraries, from which this folder can be copied"
            )
        return open_corpus(self.corpus)

    def benchmark(self) -> None:
        """Time the steps with each configuration, upsampler and precision."""
        self.benchmarks.mkdir(exist_ok=True)
        for (name, upsampler, precision), file in self._benchmark_files().items():
            if file.exists():
                continue
            print(f"timing {name}, {upsampler}, {precision}", flush=True)
            config, notices = self.plan.timed[name], []
            repeats = self.plan.repeats
            try:
                rows = time_steps(name, config, repeats, notices, [upsampler], [precision])
            except RuntimeError as error:
                if not _NO_MEMORY.search(str(error)):
                    raise
                rows, notices = [], [f"{name}, {upsampler}, {precision}: {one_line(error)}"]
            gc.collect()  # models are in reference cycles, which would keep their memory
            steps = [asdict(row) for row in rows]
            result = {"machine": self._machine(), "notices": notices, "rows": steps}
            write_whole(file, json.dumps(result, indent=1))

    @staticmethod
    def _machine() -> dict[str, Any]:
        return machine() | {"device": device_name()}

    def _benchmark_files(self) -> dict[tuple[str, Upsampler, Precision], Path]:
        return {
            part: self.benchmarks / f"{'-'.join(part)}.json"
            for part in itertools.product(self.plan.timed, UPSAMPLERS, PRECISIONS)
        }

    def train(self) -> int | None:
        """Train with each upsampler, resuming from the last checkpoint.

        Returns:
            Number of the signal that stopped a training; None if all have finished.
        """
        corpus = self._open_corpus()
        for upsampler in UPSAMPLERS:
            run = Run(self.runs / upsampler)
            if run.summary.exists():
                continue
            if run.path.exists() and not run.has_begun():
                shutil.rmtree(run.path)  # it was killed before its first checkpoint
            try:
                received = self._train(upsampler, run, corpus)
            except DivergenceError as error:  # the other training can still succeed
                print(f"{upsampler}: {error}", flush=True)
                continue
            if received is not None:
                return received
        return None

    def _train(self, upsampler: Upsampler, run: Run, corpus: Corpus) -> int | None:
        config = replace(self.plan.trained, upsampler=(upsampler,), out=str(self.runs))
        resume = run.path if run.path.exists() else None
        sessions = self._sessions(upsampler) if resume else []
        seconds = None  # of a killed session
        self._write_sessions(upsampler, [*sessions, seconds])
        started = time.perf_counter()
        name = None if resume else upsampler
        try:
            with ProgressDisplay() as display:
                run = train(
                    config,
                    resume=resume,
                    name=name,
                    on_progress=display.show,
                    corpus=corpus,
                    command_line=["gpu_check"],
                )
            seconds = time.perf_counter() - started
        except DivergenceError:
            seconds = time.perf_counter() - started
            raise
        finally:
            self._write_sessions(upsampler, [*sessions, seconds])
        return run.stopped_by

    def _sessions(self, upsampler: Upsampler) -> list[float | None]:
        file = self.runs / f"{upsampler}.json"
        return json.loads(file.read_text()) if file.exists() else []

    def _write_sessions(self, upsampler: Upsampler, seconds: list[float | None]) -> None:
        self.runs.mkdir(exist_ok=True)
        write_whole(self.runs / f"{upsampler}.json", json.dumps(seconds))

    def measure(self) -> None:
        """Measure the generators of both trainings, with held-out recordings as the reference."""
        for upsampler in UPSAMPLERS:
            run = self.runs / upsampler
            folder = self.measured / upsampler
            if not (folder / JSON_FILE).exists() and (run / "summary.json").exists():
                print(f"measuring {run}", flush=True)
                measure(run, reference=self._open_corpus()).save(folder)

    def results(self) -> dict[str, Any]:
        """Return all results so far as JSON values."""
        files = [file for file in self._benchmark_files().values() if file.exists()]
        timed = [json.loads(file.read_text()) for file in files]
        notices = [notice for part in timed for notice in part["notices"]]
        return {
            "machine": timed[-1]["machine"] if timed else self._machine(),
            "notices": list(dict.fromkeys(notices)),
            "steps": [row for part in timed for row in part["rows"]],
            "trainings": [
                self._training(upsampler)
                for upsampler in UPSAMPLERS
                if Run(self.runs / upsampler).history.exists()
            ],
        }

    def _training(self, upsampler: Upsampler) -> dict[str, Any]:
        run = Run(self.runs / upsampler)
        rows = read_history(run.history)
        speeds = sorted(row["steps_per_s"] for row in rows if "steps_per_s" in row)
        sessions = self._sessions(upsampler)
        measured = self.measured / upsampler / JSON_FILE
        quantities = json.loads(measured.read_text())["quantities"] if measured.exists() else []
        shown = ("out_of_band_total_db", "line_prominence_db")
        return {
            "upsampler": upsampler,
            "steps": rows[-1]["step"] if rows else 0,
            "of_steps": self.plan.trained.steps,
            "ms_per_step": 1000 / speeds[len(speeds) // 2] if speeds else None,
            "minutes": sum(seconds or 0 for seconds in sessions) / 60,
            "sessions": len(sessions),
            "killed_sessions": sessions.count(None),
            "artifacts": [quantity for quantity in quantities if quantity["name"] in shown],
        }
