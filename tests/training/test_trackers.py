"""What a run sends to Weights & Biases and MLflow arrives, and nothing there stops a training."""

import json
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from helpers import PRESETS
from helpers.runs import timed_history

from wavegan_rc.cli.train import train_command
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, DivergenceError, ParameterError, WaveganWarning
from wavegan_rc.runs.run import Run
from wavegan_rc.training.callbacks.trackers import Destinations, Trackers, tracking
from wavegan_rc.utils import extras

pytestmark = pytest.mark.extra

SMOKE = PRESETS / "smoke.yaml"


@pytest.fixture(scope="module")
def sent(tmp_path_factory):
    """A training, and its going on, sent to local stores of the tools that are installed."""
    folder = tmp_path_factory.mktemp("sent")
    where = {"wandb": "project", "mlflow": str(folder / "store")}
    flags = [f"--{tool}={name}" for tool, name in where.items() if find_spec(tool)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_ERROR_REPORTING", "false")
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # no longer their default
        argv = ["--config", str(SMOKE), "--out", str(folder), "--name=ours", "--steps=3"]
        argv += ["--critic-steps=1"]
        assert train_command("train.py", [*argv, *flags]) == 0
        argv = ["--resume", str(folder / "ours"), "--steps=6"]
        assert train_command("train.py", [*argv, *flags]) == 0
        yield folder / "ours", where["mlflow"]


def wandb_records(file):
    """The records of W&B's log, a LevelDB one: blocks of 32 KiB, records in up to several parts."""
    from wandb.proto.wandb_internal_pb2 import Record  # pyright: ignore

    data, position, parts = file.read_bytes(), 7, b""
    while position + 7 <= len(data):
        room = 32768 - position % 32768
        if room < 7:
            position += room
            continue
        length = int.from_bytes(data[position + 4 : position + 6], "little")
        kind = data[position + 6]
        parts += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


def from_wandb(run):
    """Settings, rows by step and files of what lies in the folders of a run's parts."""
    rows, settings, files, names = {}, {}, set(), set()
    for folder in sorted((run / "wandb").glob("offline-run-*")):
        (log,) = folder.glob("*.wandb")
        for record in wandb_records(log):
            if record.WhichOneof("record_type") == "run":
                names.add((record.run.run_id, record.run.display_name, record.run.project))
                settings = {u.key: json.loads(u.value_json) for u in record.run.config.update}
            if record.WhichOneof("record_type") == "history":
                items = record.history.item
                row = {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in items}
                rows.setdefault(row.pop("_step"), {}).update(row)
        files |= {path.name.split("_")[0] for path in folder.glob("files/media/*/*")}
    ((_, name, project),) = names
    assert (name, project) == ("ours", "project")
    return settings, rows, files


def from_mlflow(where):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=where)
    experiment = client.get_experiment_by_name("wavegan_rc")
    (found,) = client.search_runs([experiment.experiment_id])
    assert (found.info.run_name, found.info.status) == ("ours", "FINISHED")
    rows = {}
    for key in found.data.metrics:
        for value in client.get_metric_history(found.info.run_id, key):
            rows.setdefault(value.step, {})[key] = value.value
    folder = Path(found.info.artifact_uri.removeprefix("file://"))
    return found.data.params, rows, {path.stem for path in folder.rglob("*.*")}


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["wandb", "mlflow"])
def test_settings_losses_artifacts_and_results_arrive_in_one_run(tool, request):
    pytest.importorskip(tool, reason=f"the extra {tool} is not installed")
    run, store = request.getfixturevalue("sent")
    settings, rows, files = from_wandb(run) if tool == "wandb" else from_mlflow(store)
    assert str(settings["kernel_size"]) == "8"
    assert str(settings["learning_rate"]) == "0.001"
    for row in timed_history(run):
        got = rows[row.pop("step")]
        for key, value in row.items():
            assert got[key] == pytest.approx(value, rel=1e-6)
    assert "out_of_band_total_db" in rows[6]
    expected = {"spectrogram", "spectrum", "losses", "artifacts-over-training"}
    expected |= {"generated", "real"} if tool == "wandb" else {"joined", "real-joined", "summary"}
    assert files >= expected


class Broken:
    """Fails from its second line on."""

    def __init__(self):
        self.calls = []

    def log(self, step, row):
        self.calls.append(step)
        if len(self.calls) == 2:
            raise ConnectionError("server\ngone")

    def log_results(self, run, step):
        self.calls.append("results")

    def end(self, *, failed, finished):
        self.calls.append((failed, finished))


def test_a_tool_that_fails_is_left_out_with_one_warning():
    broken, sound = Broken(), Broken()
    sound.log = lambda step, row: sound.calls.append(step)
    trackers = Trackers({"broken": broken, "sound": sound})
    trackers.log(1, {})
    with pytest.warns(WaveganWarning, match="broken gets nothing more of this run: server gone"):
        trackers.log(2, {})
    trackers.log(3, {})
    trackers.log_results(Run(Path("nowhere")), 3)
    trackers.end(failed=False)
    assert broken.calls == [1, 2]
    assert sound.calls == [1, 2, 3, "results", (False, True)]


def test_how_a_run_ended_is_said(tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "another")
    store = str(tmp_path / "store")
    for name, raised in (
        ("stopped", None),
        ("diverged", DivergenceError("at step 3", step=3, tensor="critic_loss")),
    ):
        run = Run(tmp_path / name)
        run.path.mkdir()
        try:
            with tracking(run, Config(), Destinations(mlflow=store)) as trackers:
                trackers.log(1, {"critic_loss": 1.0})
                if raised is not None:
                    raise raised
        except DivergenceError:
            assert raised is not None
    client = MlflowClient(tracking_uri=store)
    found = client.search_runs([client.get_experiment_by_name("another").experiment_id])
    ends = {one.info.run_name: one.info.status for one in found}
    assert ends == {"stopped": "KILLED", "diverged": "FAILED"}


def test_a_store_that_cannot_be_is_one_line(tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    run = Run(tmp_path / "run")
    run.path.mkdir()
    with (
        pytest.raises(DataError, match=r"^--mlflow nosuchscheme://x: .*nosuchscheme"),
        tracking(run, Config(), Destinations(mlflow="nosuchscheme://x")),
    ):
        pass
    assert not run.path.exists()


@pytest.mark.parametrize("store", ["./mlruns", "sqlite:///mlflow.db", "http://127.0.0.1:9"])
def test_a_store_is_tried_before_any_work_and_the_message_says_what_works(
    store, tmp_path, monkeypatch
):
    """With an MLflow that refuses every store, in a message that recommends another."""

    class Client:
        def __init__(self, tracking_uri):
            assert tracking_uri == store

        def get_experiment_by_name(self, name):
            raise RuntimeError("use\nthe other")

    fake: Any = ModuleType("mlflow")
    fake.__spec__ = ModuleSpec("mlflow", None)
    fake.MlflowClient = Client
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    argv = ["--config", str(SMOKE), "--out", str(tmp_path / "runs"), "--mlflow", store]
    with pytest.raises(ParameterError, match="must be the address of an MLflow server") as error:
        train_command("train.py", argv)
    message = str(error.value)
    assert ("use the other" in message) == store.startswith("http")
    assert f"Received: {store}" in message
    assert "\n" not in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("logged_in", [True, False])
def test_a_login_at_wandb_is_checked_before_any_work(logged_in, tmp_path, monkeypatch):
    def login(*, verify):
        assert verify
        if not logged_in:
            raise RuntimeError("api_key not configured\n(no-tty)")
        return True

    fake: Any = ModuleType("wandb")
    fake.__spec__ = ModuleSpec("wandb", None)
    fake.login = login
    monkeypatch.setitem(sys.modules, "wandb", fake)
    if logged_in:
        Destinations(wandb="project").check()
        return
    argv = ["--config", str(SMOKE), "--out", str(tmp_path / "runs"), "--wandb", "project"]
    with pytest.raises(ParameterError, match=r"^--wandb must have a login: .*\(no-tty\)$"):
        train_command("train.py", argv)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("tool", ["wandb", "mlflow"])
def test_a_missing_package_is_named_with_its_extra_before_any_work(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    argv = ["--config", str(SMOKE), "--out", str(tmp_path), f"--{tool}", "somewhere"]
    with pytest.raises(ParameterError, match=rf"--{tool} needs .*wavegan_rc\[{tool}\]"):
        train_command("train.py", argv)
    assert not list(tmp_path.iterdir())


def test_where_numbers_are_sent_is_no_setting():
    assert not {"wandb", "mlflow"} & set(Config.__dataclass_fields__)
    assert not {"wandb", "mlflow"} & set(yaml.safe_load(SMOKE.read_text()))
