"""A run's numbers sent to other people's tools while it trains: Weights & Biases, MLflow.

Which tool is no setting of a run: it changes nothing of what is trained, and whoever repeats a run
from its `config.yaml` should not write to somebody else's server.
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
from wavegan_rc.runs.directory import RunDirectory, has_begun
from wavegan_rc.runs.weights_file import one_line
from wavegan_rc.utils.atomic_files import write_whole
from wavegan_rc.utils.extras import require

_EXPERIMENT = "wavegan_rc"
# Under which name each tool knows the run, so that who goes on with it adds to the same.
_NAMES_FILE = "trackers.json"


@dataclass(frozen=True)
class Destinations:
    """Where numbers are sent to.

    Attributes:
        wandb: Project of Weights & Biases; None: not there.
        mlflow: URI or folder of MLflow's store; None: not there.
    """

    wandb: str | None = None
    mlflow: str | None = None

    def check(self) -> None:
        """See that what is needed is installed, and that MLflow's store can be used.

        Raises:
            ParameterError: If not.
        """
        for tool in ("wandb", "mlflow"):
            if getattr(self, tool) is not None:
                require(tool, extra=tool, asked=f"--{tool}")
        if self.mlflow is not None:
            _check_mlflow(self.mlflow)


NOWHERE = Destinations()


def _check_mlflow(uri: str) -> None:
    from mlflow import MlflowClient

    try:
        MlflowClient(tracking_uri=uri).get_experiment_by_name(_experiment())
    except Exception as error:  # of servers, networks and disks
        # Of folders and database files, MLflow's own messages each recommend the other.
        why = f" ({one_line(error)})" if uri.startswith("http") else ""
        raise ParameterError(
            "--mlflow must be the address of an MLflow server that answers, as "
            "http://localhost:5000, or sqlite:///FILE where all of mlflow is installed (the extra "
            f"has its client alone). Received: {shown(uri)}{why}"
        ) from None


def _experiment() -> str:
    return os.environ.get("MLFLOW_EXPERIMENT_NAME", _EXPERIMENT)


class _Tracker(Protocol):
    def log(self, step: int, row: Mapping[str, float]) -> None: ...

    def log_results(self, run: RunDirectory, step: int) -> None: ...

    def end(self, *, failed: bool, finished: bool) -> None: ...


class Trackers:
    """All that a run's numbers are sent to.

    None of them stops a training: one that fails is named in a warning, and left out from then on.

    Args:
        trackers: By name.
    """

    def __init__(self, trackers: Mapping[str, _Tracker]) -> None:
        self._trackers = dict(trackers)
        self._finished = False

    def log(self, step: int, row: Mapping[str, float]) -> None:
        """Send a line of the history."""
        self._each(lambda tracker: tracker.log(step, row))

    def log_results(self, run: RunDirectory, step: int) -> None:
        """Send what a finished run leaves: figures, what was generated, the table."""
        self._finished = True
        self._each(lambda tracker: tracker.log_results(run, step))

    def end(self, *, failed: bool) -> None:
        """Say how the run ended."""
        self._each(lambda tracker: tracker.end(failed=failed, finished=self._finished))

    def _each(self, what: Callable[[_Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                what(tracker)
            except Exception as error:  # of servers, networks and disks
                del self._trackers[name]
                message = f"{name} gets nothing more of this run: {one_line(error)}"
                warnings.warn(message, WaveganWarning, stacklevel=4)


@contextmanager
def tracking(run: RunDirectory, config: Config, destinations: Destinations) -> Iterator[Trackers]:
    """Begin to send a run's numbers, or go on with it, and say at the end how the run ended.

    Args:
        run: Its folder.
        config: Its settings.
        destinations: Where to.

    Raises:
        DataError: If a tool cannot be reached, or will have nothing of this run. The folder of a
            new run is removed.
    """
    makers = {"wandb": _WandB, "mlflow": _MLflow}
    names = _read_names(run.path / _NAMES_FILE)
    trackers: dict[str, _Tracker] = {}
    for tool, make in makers.items():
        where = getattr(destinations, tool)
        if where is None:
            continue
        try:
            trackers[tool] = tracker = make(where, run, config, names.get(tool, {}).get(where))
        except Exception as error:  # of servers, networks and disks
            Trackers(trackers).end(failed=True)
            if not has_begun(run) and not run.history.exists():
                shutil.rmtree(run.path, ignore_errors=True)
            raise DataError(f"--{tool} {where}: {one_line(error)}") from None
        names.setdefault(tool, {})[where] = tracker.name
    if trackers:
        write_whole(run.path / _NAMES_FILE, json.dumps(names, indent=1))
    all_of_them = Trackers(trackers)
    try:
        yield all_of_them
    except BaseException:
        all_of_them.end(failed=True)
        raise
    all_of_them.end(failed=False)


def _read_names(file: Path) -> dict[str, dict[str, str]]:
    if not file.is_file():
        return {}
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise DataError(f"{file}: damaged; without it, the run is sent as a new one") from None


class _WandB:
    def __init__(self, project: str, run: RunDirectory, config: Config, name: str | None) -> None:
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

    def log_results(self, run: RunDirectory, step: int) -> None:
        pictures = {file.stem: self._wandb.Image(str(file)) for file in run.figures.glob("*.png")}
        audio = {
            name: self._wandb.Audio(str(run.samples / f"{file}.wav"))
            for name, file in (("generated", "joined"), ("real", "real-joined"))
        }
        self._run.log(pictures | audio, step=step)

    def end(self, *, failed: bool, finished: bool) -> None:  # noqa: ARG002
        self._run.finish(exit_code=int(failed))


class _MLflow:
    def __init__(self, uri: str, run: RunDirectory, config: Config, name: str | None) -> None:
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
        # Without waiting for the server: training goes on while it is away for a moment.
        self._sent.append(self._client.log_batch(self.name, metrics=metrics, synchronous=False))

    def log_results(self, run: RunDirectory, step: int) -> None:  # noqa: ARG002
        self._client.log_artifacts(self.name, str(run.figures), "figures")
        for name in ("joined.wav", "real-joined.wav"):
            self._client.log_artifact(self.name, str(run.samples / name), "samples")
        self._client.log_artifact(self.name, str(run.summary))

    def end(self, *, failed: bool, finished: bool) -> None:
        for sent in self._sent:
            sent.wait()
        status = "FAILED" if failed else "FINISHED" if finished else "KILLED"
        self._client.set_terminated(self.name, status)
