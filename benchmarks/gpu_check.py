"""What is to be known of a GPU: how fast training is there, and what comes out of it.

Every part leaves a file when it is done and is not done again where that file is: machines that are
lent for minutes do it piece by piece.
"""

import gc
import itertools
import json
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.timing import machine
from benchmarks.training import CONFIGS, PRECISIONS, UPSAMPLERS, time_steps
from wavegan_rc.audio.corpus import Corpus, open_corpus
from wavegan_rc.config import Config
from wavegan_rc.config.choices import Precision, Upsampler
from wavegan_rc.errors import DataError, DivergenceError
from wavegan_rc.measure.measure import measure
from wavegan_rc.measure.measurement import JSON_FILE
from wavegan_rc.runs.directory import RunDirectory, has_begun
from wavegan_rc.runs.history import read_history
from wavegan_rc.runs.weights_file import one_line
from wavegan_rc.training.hardware import device_name
from wavegan_rc.training.train import train
from wavegan_rc.utils.atomic_files import write_whole
from wavegan_rc.utils.extras import missing


@dataclass(frozen=True)
class Plan:
    """What is checked.

    Attributes:
        timed: Settings whose steps are timed, by name.
        repeats: Rounds of timing.
        trained: Settings that are trained with each upsampler.
    """

    timed: Mapping[str, Config]
    repeats: int
    trained: Config


PLAN = Plan(
    timed=CONFIGS,
    repeats=20,
    # configs/gpu.yaml
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
# Seconds of work, to see that all of it runs.
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


# What JAX and PyTorch say where something does not fit a device; smaller things do.
_NO_MEMORY = re.compile("RESOURCE_EXHAUSTED|out of memory", re.IGNORECASE)


class Check:
    """One check in one folder.

    Args:
        plan: What is checked.
        folder: Existing; where everything is kept.
        corpus: Where the prepared recordings are, or shall be.
    """

    def __init__(self, plan: Plan, folder: Path, corpus: Path) -> None:
        self.plan = plan
        self.corpus = corpus
        self.benchmarks = folder / "benchmarks"
        self.runs = folder / "runs"
        self.measured = folder / "measured"

    def prepare(self) -> None:
        """Prepare the recordings that are trained on, and copy them to where they can be carried.

        Needs the audio libraries. Everything else needs what this leaves.
        """
        if self.corpus.exists():
            return
        if missing("platformdirs", "soundfile", "soxr"):
            self._open_corpus()  # says what to bring
        from wavegan_rc.audio.preparation import prepare_corpus

        config = self.plan.trained
        corpus = prepare_corpus(
            config.data,
            sample_rate=config.sample_rate,
            cutoff_hz=config.cutoff_hz,
            stopband_hz=config.stopband_hz,
        )
        assert corpus.folder is not None  # prepared recordings lie somewhere
        partial = self.corpus.with_name(f".partial-{self.corpus.name}")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(corpus.folder, partial)
        partial.rename(self.corpus)
        print(f"prepared recordings: {self.corpus}", flush=True)

    def _open_corpus(self) -> Corpus:
        if not self.corpus.exists():
            raise DataError(
                f"{self.corpus}: no prepared recordings; where audio libraries are installed, "
                "`prepare` makes them; bring that folder"
            )
        return open_corpus(self.corpus)

    def benchmark(self) -> None:
        """Time the steps of each configuration, upsampler and precision."""
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
            gc.collect()  # models refer to themselves, and would keep their memory
            result = {"machine": self._machine(), "notices": notices, "rows": rows}
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
        """Train with each upsampler, going on from the last checkpoint.

        Returns:
            Number of the signal that ended it early; None: all are trained.
        """
        corpus = self._open_corpus()
        for upsampler in UPSAMPLERS:
            run = RunDirectory(self.runs / upsampler)
            if run.summary.exists():
                continue
            if run.path.exists() and not has_begun(run):
                shutil.rmtree(run.path)  # it was killed before its first checkpoint
            try:
                received = self._train(upsampler, run, corpus)
            except DivergenceError as error:  # the others are still to be had
                print(f"{upsampler}: {error}", flush=True)
                continue
            if received is not None:
                return received
        return None

    def _train(self, upsampler: Upsampler, run: RunDirectory, corpus: Corpus) -> int | None:
        config = replace(self.plan.trained, upsampler=(upsampler,), out=str(self.runs))
        sessions = self._sessions(upsampler) if run.path.exists() else []
        # A session that is killed has no duration.
        self._write_sessions(upsampler, [*sessions, None])
        started = time.perf_counter()
        resume = run.path if run.path.exists() else None
        name = None if resume else upsampler
        try:
            _, received = train(config, ["gpu_check"], resume=resume, name=name, corpus=corpus)
        except DivergenceError:
            self._write_sessions(upsampler, [*sessions, time.perf_counter() - started])
            raise
        self._write_sessions(upsampler, [*sessions, time.perf_counter() - started])
        return received

    def _sessions(self, upsampler: Upsampler) -> list[float | None]:
        file = self.runs / f"{upsampler}.json"
        return json.loads(file.read_text()) if file.exists() else []

    def _write_sessions(self, upsampler: Upsampler, seconds: list[float | None]) -> None:
        self.runs.mkdir(exist_ok=True)
        write_whole(self.runs / f"{upsampler}.json", json.dumps(seconds))

    def measure(self) -> None:
        """Measure the generators of both trainings, beside held-out recordings."""
        for upsampler in UPSAMPLERS:
            run = self.runs / upsampler
            folder = self.measured / upsampler
            if not (folder / JSON_FILE).exists() and (run / "summary.json").exists():
                print(f"measuring {run}", flush=True)
                measure(run, reference=self._open_corpus()).save(folder)

    def results(self) -> dict[str, Any]:
        """Everything that is known so far, as JSON values."""
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
                if RunDirectory(self.runs / upsampler).history.exists()
            ],
        }

    def _training(self, upsampler: Upsampler) -> dict[str, Any]:
        run = RunDirectory(self.runs / upsampler)
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
