"""Sweeps on Ray: a cluster of two nodes, a worker that is killed, the same runs as without it."""

import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec

import pytest
import yaml
from helpers import PRESETS, ROOT
from helpers.runs import SMALL
from helpers.sweeps import Sweep

from wavegan_rc.cli.sweep import sweep_command
from wavegan_rc.errors import ParameterError
from wavegan_rc.runs.lock import run_lock
from wavegan_rc.utils import extras

pytestmark = [pytest.mark.slow, pytest.mark.extra]

needs_ray = pytest.mark.skipif(not find_spec("ray"), reason="the extra ray is not installed")

CLUSTER = """
import sys
from ray.cluster_utils import Cluster

node = {"num_cpus": 1, "memory": 2 * 10**9, "object_store_memory": 10**8}
cluster = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
cluster.add_node(**node)
cluster.wait_for_nodes()
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A cluster of two nodes of one core each: its address, and what its workers may do."""
    folder = tmp_path_factory.mktemp("cluster")
    allowed = folder / "allowed"
    allowed.write_text("inf")
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "ALLOWED": str(allowed),
        "HOME": str(folder),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",
    }
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", CLUSTER],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        )
    address = process.stdout.readline().strip()
    assert address, (folder / "output.txt").read_text()
    yield address, allowed, environment
    process.stdin.close()
    process.wait(timeout=120)
    process.stdout.close()


@pytest.fixture
def on_ray(sweep, cluster):
    address, allowed, environment = cluster

    def make(text) -> tuple[Sweep, list[str]]:
        ours = sweep(text)
        ours.allowed = allowed
        ours.environment |= environment
        return ours, ["--engine", "ray", "--address", address]

    return make


@needs_ray
def test_a_cell_whose_worker_is_killed_goes_on_where_it_stopped(on_ray):
    ours, flags = on_ray("steps: 20\ngrid:\n  seed: [0, 13, 1]\n")
    ours.allowed.write_text("5")
    process = ours.start(*flags)
    fifth = {"step": 5, "steps_per_s": 10.0}
    ours.wait_for(lambda: all(fifth in ours.history(f"seed={n}") for n in (0, 1)), process)
    workers = [ours.history(f"seed={n}")[0]["parent"] for n in (0, 1)]
    assert workers[0] != workers[1]
    os.kill(workers[0], signal.SIGKILL)
    ours.wait_for(lambda: ours.history("seed=0")[-1].get("begun_at"), process)
    ours.allowed.write_text("inf")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, out + err
    assert ours.states() == {"seed=0": "finished", "seed=13": "failed", "seed=1": "finished"}
    assert ours.record()["seed=13"]["error"] == "an unlucky number"
    for seed, begun in ((0, [0, 5]), (1, [0])):
        history = ours.history(f"seed={seed}")
        assert [row["begun_at"] for row in history if "begun_at" in row] == begun
        assert [row["step"] for row in history if "step" in row] == [*range(1, 21)]
    assert out.splitlines()[-1] == "report: seed=0 seed=1"


@needs_ray
def test_a_signal_has_the_cells_save_and_end(on_ray):
    """Which signals do is tested with the engine `local`."""
    ours, flags = on_ray("steps: 20\ngrid:\n  seed: [0, 1, 2]\n")
    ours.allowed.write_text("4")
    process = ours.start(*flags)

    def begun():
        return [n for n in range(3) if any("step" in row for row in ours.history(f"seed={n}"))]

    ours.wait_for(lambda: len(begun()) == 2, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert set(ours.states().values()) == {"interrupted"}
    ends = [ours.history(f"seed={n}")[-1].keys() for n in begun()]
    assert ends == [{"stopped_at"}] * 2  # they had ended before it did
    ours.allowed.write_text("inf")
    assert ours.run(*flags)[0] == 0
    assert set(ours.states().values()) == {"finished"}


@needs_ray
def test_killed_in_the_middle_it_goes_on_with_either_engine(on_ray):
    ours, flags = on_ray("steps: 20\ngrid:\n  seed: [0]\n")
    ours.allowed.write_text("4")
    process = ours.start(*flags)
    ours.wait_for(lambda: len(ours.history("seed=0")) > 4, process)
    process.kill()
    process.communicate()
    with run_lock(ours.out / "seed=0", wait=True):  # Ray ends the tasks of a driver that is gone
        pass
    ours.allowed.write_text("inf")
    assert ours.run()[0] == 0
    assert [row["begun_at"] for row in ours.history("seed=0") if "begun_at" in row] == [0, 4]


@needs_ray
def test_both_engines_give_the_same_runs(tmp_path, cluster):
    address, _, environment = cluster
    settings = yaml.safe_load((PRESETS / "smoke.yaml").read_text())
    settings |= SMALL | {"steps": 3, "grid": {"seed": [7]}}
    grid = tmp_path / "grid.yaml"
    grid.write_text(yaml.safe_dump(settings))
    # Without the report, which is not what this is about.
    script = "import sys, types\n"
    script += "report = types.SimpleNamespace(write_report=lambda runs, out: out)\n"
    script += "sys.modules['wavegan_rc.report.write'] = report\n"
    script += "from wavegan_rc.cli.sweep import sweep_command\n"
    script += "sys.exit(sweep_command('sweep.py', sys.argv[1:]))\n"
    folders = []
    for flags in (["--engine", "local"], ["--engine", "ray", "--address", address]):
        folders.append(tmp_path / flags[1])
        command = [sys.executable, "-c", script, str(grid), "--out", str(folders[-1]), *flags]
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
    names = [
        {str(p.relative_to(f)) for p in f.rglob("*") if not p.name.startswith("events")}
        for f in folders
    ]
    assert names[0] == names[1]
    same = [name for name in names[0] if name.endswith((".wav", ".npz"))]
    assert len(same) == settings["sample_count"] + 3
    for name in same:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    checksums = [
        json.loads((f / "seed=7" / "checkpoints" / "step-000003.json").read_text())["sha256"]
        for f in folders
    ]
    rows = [
        [
            {k: v for k, v in json.loads(line).items() if k != "steps_per_s"}
            for line in (f / "seed=7" / "history.jsonl").read_text().splitlines()
        ]
        for f in folders
    ]
    assert rows[0] == rows[1]
    assert checksums[0] == checksums[1]


@needs_ray
def test_no_cluster_at_the_address(sweep):
    ours = sweep("steps: 3\ngrid:\n  seed: [0]\n")
    ours.environment["RAY_AUTH_MODE"] = "disabled"
    code, _, err = ours.run("--engine", "ray", "--address", "nonsense")
    assert code == 2
    assert err.splitlines()[-1].startswith("error: --address nonsense: ")


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--engine", "ray", "--at-once", "2"], "at_once cannot be combined with the engine ray"),
        (["--address", "auto"], "address cannot be combined with the engine local"),
        (["--engine", "dask"], "one of"),
        (["--engine", "ray"], r"engine ray needs .*wavegan_rc\[ray\]"),
    ],
)
def test_flags_that_do_not_go_together_and_a_missing_package(flags, named, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(ParameterError, match=named):
        sweep_command("sweep.py", [str(ROOT / "configs" / "sweeps" / "smoke.yaml"), *flags])
