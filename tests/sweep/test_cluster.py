"""What the cluster's files run, with the programs of a cluster played by small ones on the PATH."""

import os
import subprocess

import pytest
import yaml
from helpers import ROOT

pytestmark = pytest.mark.slow

CLUSTER = ROOT / "configs" / "cluster"


@pytest.fixture
def program(tmp_path):
    """Make a program that is found before all others."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def make(name, text):
        path = folder / name
        path.write_text(f"#!/usr/bin/env bash\n{text}\n")
        path.chmod(0o755)

    make("python", 'echo "$KERAS_DISTRIBUTION_PROCESS_ID $*"')
    return make


def run(tmp_path, *command, **variables):
    variables |= {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "OUT": str(tmp_path / "runs")}
    done = subprocess.run(
        ["bash", *command], cwd=ROOT, env=os.environ | variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_named_run_is_begun_until_it_has_a_checkpoint_and_then_gone_on_with(program, tmp_path):
    script = str(CLUSTER / "train_or_resume.sh")
    out, run_folder = tmp_path / "runs", tmp_path / "runs" / "one"
    begun = f"scripts/train.py --steps 5 --out {out} --name one"
    for host in ("0", "1"):
        (run_folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        lines = run(tmp_path, script, "one", "--steps", "5", KERAS_DISTRIBUTION_PROCESS_ID=host)
        assert lines == [f"{host} {begun}"]
        assert run_folder.exists() == (host == "1")  # the first host removes what cannot go on
    (run_folder / "checkpoints" / "step-000003.json").touch()
    for host in ("0", "1"):
        variables = {"KERAS_DISTRIBUTION_PROCESS_ID": host, "DEVICES": "2"}
        lines = run(tmp_path, script, "one", "--steps", "5", **variables)
        assert lines == [f"{host} scripts/train.py --resume {run_folder} --devices 2"]


def test_slurm_starts_a_task_on_each_node_that_knows_its_number_and_the_first_node(
    program, tmp_path
):
    program("scontrol", 'printf "node-a\\nnode-b\\n"')
    program("python", 'env | grep "^KERAS_[BD]" | sort; echo "$*"')
    program("srun", 'shift; for SLURM_PROCID in 0 1; do export SLURM_PROCID; "$@"; done')
    lines = run(
        tmp_path,
        str(CLUSTER / "slurm.sbatch"),
        SLURM_JOB_NODELIST="node-[a-b]",
        SLURM_NNODES="2",
        SLURM_JOB_ID="17",
        SLURM_CPUS_PER_TASK="16",
    )
    flags = f"--config gpu --devices 4 --out {tmp_path / 'runs'} --name job-17"
    for host, of_host in enumerate((lines[:5], lines[5:])):
        assert of_host == [
            "KERAS_BACKEND=jax",
            "KERAS_DISTRIBUTION_JOB_ADDRESSES=node-a:23456",
            "KERAS_DISTRIBUTION_NUM_PROCESSES=2",
            f"KERAS_DISTRIBUTION_PROCESS_ID={host}",
            f"scripts/train.py {flags}",
        ]


def test_the_pods_of_kubernetes_find_the_first_one_and_know_how_many_they_are():
    service, job = yaml.safe_load_all((CLUSTER / "kubernetes.yaml").read_text())
    name, spec = job["metadata"]["name"], job["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    variables = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == {"job-name": name}
    assert pod["subdomain"] == service["metadata"]["name"]
    host, _ = variables["KERAS_DISTRIBUTION_JOB_ADDRESSES"].split(":")
    assert host == f"{name}-0.{pod['subdomain']}"
    assert variables["KERAS_DISTRIBUTION_NUM_PROCESSES"] == str(spec["completions"])
    assert spec["completions"] == spec["parallelism"]
    assert (ROOT / container["command"][1]).is_file()
