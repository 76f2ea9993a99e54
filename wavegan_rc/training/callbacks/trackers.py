"""Experiment trackers that receive a run's numbers: Weights & Biases and MLflow.

Trackers are no settings of a run: they do not change its results, and a run repeated from another
user's `config.yaml` must not write to that user's server.
"""

import dataclasses
import json
import os
import secrets
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from wavegan_rc.config import Config
from wavegan_rc.config.setting import shown
from wavegan_rc.errors import DataError, ParameterError, WaveganWarning
from wavegan_rc.runs.run import Run
from wavegan_rc.utils.atomic_files import write_json
from wavegan_rc.utils.extras import require
from wavegan_rc.utils.text import one_line

_EXPERIMENT = "wavegan_rc"


@dataclass(frozen=True)
class Destinations:
    """The project of Weights & Biases and the URI of MLflow that get a run's numbers, or None."""

    wandb: str | None = None
    mlflow: str | None = None

    def check(self) -> None:
        """Raise a ParameterError unless tools are installed, with a login, and servers answer."""
        for tool in ("wandb", "mlflow"):
            if getattr(self, tool) is not None:
                require(tool, extra=tool, asked=f"--{tool}")
        if self.wandb is not None:
            _check_wandb()
        if self.mlflow is not None:
            _check_mlflow(self.mlflow)


NOWHERE = Destinations()


def _check_wandb() -> None:
    import wandb

    try:
        wandb.login(verify=True)  # offline, it does nothing
    except Exception as error:  # servers and networks raise many kinds of errors
        raise ParameterError(
            "--wandb must have a login: run `wandb login`, or set WANDB_API_KEY or "
            f"WANDB_MODE=offline. Received: {one_line(error)}"
        ) from None


def _check_mlflow(uri: str) -> None:
    from mlflow import MlflowClient

    try:
        MlflowClient(tracking_uri=uri).get_experiment_by_name(_experiment())
    except Exception as error:  # servers, networks and disks raise many kinds of errors
        # For folders, MLflow's own message recommends database files, and vice versa.
        why = f" ({one_line(error)})" if uri.startswith("http") else ""
        raise ParameterError(
            "--mlflow must be the address of an MLflow server that answers, such as "
            "http://localhost:5000, or sqlite:///FILE where all of mlflow is installed (the extra "
            f"has its client alone). Received: {shown(uri)}{why}"
        ) from None


def _experiment() -> str:
    return os.environ.get("MLFLOW_EXPERIMENT_NAME", _EXPERIMENT)


class _Tracker(Protocol):
    def log(self, step: int, row: Mapping[str, float]) -> None: ...

    def log_results(self, run: Run, step: int) -> None: ...

    def end(self, *, failed: bool, finished: bool) -> None: ...


class Trackers:
    """The trackers of a run. One that fails is named in a warning and left out from then on."""

    def __init__(self, trackers: Mapping[str, _Tracker]) -> None:
        self._trackers = dict(trackers)
        self._finished = False

    def log(self, step: int, row: Mapping[str, float]) -> None:
        """Send a line of the history."""
        self._each(lambda tracker: tracker.log(step, row))

    def log_results(self, run: Run, step: int) -> None:
        """Send the figures, the joined samples and the summary of a finished run."""
        self._finished = True
        self._each(lambda tracker: tracker.log_results(run, step))

    def end(self, *, failed: bool) -> None:
        """Report how the run ended."""
        self._each(lambda tracker: tracker.end(failed=failed, finished=self._finished))

    def _each(self, send: Callable[[_Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                send(tracker)
            except Exception as error:  # servers, networks and disks raise many kinds of errors
                del self._trackers[name]
                message = f"{name} gets nothing more of this run: {one_line(error)}"
                warnings.warn(message, WaveganWarning, stacklevel=4)


@contextmanager
def tracking(run: Run, config: Config, destinations: Destinations) -> Iterator[Trackers]:
    """Start or continue a run's records in its trackers, and report at the end how it ended.

    If a tool cannot be reached or refuses the run, the folder of a new run is removed.
    """
    makers = {"wandb": _WandB, "mlflow": _MLflow}
    # A resumed run continues the same record.
    names = _read_names(run.trackers)
    trackers: dict[str, _Tracker] = {}
    for tool, make in makers.items():
        where = getattr(destinations, tool)
        if where is None:
            continue
        try:
            trackers[tool] = tracker = make(where, run, config, names.get(tool, {}).get(where))
        except Exception as error:  # servers, networks and disks raise many kinds of errors
            Trackers(trackers).end(failed=True)
            if not run.has_begun() and not run.history.exists():
                shutil.rmtree(run.path, ignore_errors=True)
            raise DataError(f"--{tool} {where}: {one_line(error)}") from None
        names.setdefault(tool, {})[where] = tracker.name
    if trackers:
        write_json(run.trackers, names)
    running = Trackers(trackers)
    try:
        yield running
    except BaseException:
        running.end(failed=True)
        raise
    running.end(failed=False)


def _read_names(file: Path) -> dict[str, dict[str, str]]:
    if not file.is_file():
        return {}
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise DataError(f"{file}: damaged. Delete it to record the run as a new one") from None


class _WandB:
    def __init__(self, project: str, run: Run, config: Config, name: str | None) -> None:
        import wandb

        self.name = secrets.token_hex(4) if name is None else name
        self._wandb = wandb
        self._run = wandb.init(
            project=project,
            name=run.path.name,
            id=self.name,
            resume="allow",
            config=dataclasses.asdict(config),
            dir=run.path,
            settings=wandb.Settings(console="off"),  # the progress bar is ours
        )

    def log(self, step: int, row: Mapping[str, float]) -> None:
        self._run.log(dict(row), step=step)

    def log_results(self, run: Run, step: int) -> None:
        pictures = {file.stem: self._wandb.Image(str(file)) for file in run.figures.glob("*.png")}
        audio = {
            name: self._wandb.Audio(str(file))
            for name, file in (("generated", run.joined), ("real", run.real_joined))
        }
        self._run.log(pictures | audio, step=step)

    def end(self, *, failed: bool, finished: bool) -> None:  # noqa: ARG002
        self._run.finish(exit_code=int(failed))


class _MLflow:
    def __init__(self, uri: str, run: Run, config: Config, name: str | None) -> None:
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param

        self._metric = Metric
        self._client = MlflowClient(tracking_uri=uri)
        if name is None:
            title = _experiment()
            known = self._client.get_experiment_by_name(title)
            experiment = (
                self._client.create_experiment(title) if known is None else known.experiment_id
            )
            created = self._client.create_run(experiment, run_name=run.path.name)
            name = created.info.run_id
            settings = dataclasses.asdict(config).items()
            self._client.log_batch(name, params=[Param(key, str(value)) for key, value in settings])
        else:
            self._client.update_run(name, status="RUNNING")
        self.name = name
        self._sent: list[Any] = []

    def log(self, step: int, row: Mapping[str, float]) -> None:
        now = round(time.time() * 1000)
        metrics = [self._metric(key, value, now, step) for key, value in row.items()]
        # Asynchronous: training continues while the server is away for a moment.
        self._sent.append(self._client.log_batch(self.name, metrics=metrics, synchronous=False))

    def log_results(self, run: Run, step: int) -> None:  # noqa: ARG002
        self._client.log_artifacts(self.name, str(run.figures), "figures")
        for file in (run.joined, run.real_joined):
            self._client.log_artifact(self.name, str(file), "samples")
        if run.summary.exists():
            self._client.log_artifact(self.name, str(run.summary))

    def end(self, *, failed: bool, finished: bool) -> None:
        for sent in self._sent:
            sent.wait()
        status = "FAILED" if failed else "FINISHED" if finished else "KILLED"
        self._client.set_terminated(self.name, status)
