"""The engine that trains cells as Ray tasks, on this machine or a cluster."""

import logging
import warnings

import ray
from ray.exceptions import RayError, TaskCancelledError

from wavegan_rc.errors import DataError, WaveganWarning
from wavegan_rc.sweep.process import ONE_THREAD, Job, Outcome, run_job
from wavegan_rc.sweep.resources import CELL_MEMORY_BYTES
from wavegan_rc.utils.text import one_line

# Retries after a worker dies: its cell resumes from its checkpoint elsewhere.
_RETRIES = 5


class RayEngine:
    """Ray tasks, each with a GPU or a core and the memory that it needs.

    The nodes of a cluster must have this package installed, and the sweep folder and the recordings
    at the same paths. The address `auto` is this machine's cluster; None starts one.

    Raises:
        DataError: If there is no cluster at the address.
    """

    def __init__(self, address: str | None) -> None:
        try:
            ray.init(
                address="local" if address is None else address,
                include_dashboard=False if address is None else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except (ConnectionError, ValueError, RuntimeError, RayError) as error:
            raise DataError(f"address {address}: {one_line(error)}") from None
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        unit = "GPU" if any(node.get("GPU") for node in nodes) else "CPU"
        needs = {unit: 1, "memory": CELL_MEMORY_BYTES}
        if not any(all(node.get(key, 0) >= need for key, need in needs.items()) for node in nodes):
            message = f"no node has the resources of a cell: 1 {unit}, {CELL_MEMORY_BYTES / 1e9} GB"
            warnings.warn(message, WaveganWarning, stacklevel=2)
        self._environment = ONE_THREAD if unit == "CPU" else {}
        self._task = ray.remote(
            max_retries=_RETRIES,
            num_cpus=int(unit == "CPU"),
            num_gpus=int(unit == "GPU"),
            memory=CELL_MEMORY_BYTES,
        )(run_job)
        self._names: dict[ray.ObjectRef, str] = {}
        self.description = f"Ray, {len(nodes)} nodes"

    def submit(self, job: Job) -> None:
        """Run a job as soon as a node is free."""
        self._names[self._task.remote(job, self._environment)] = job.name

    def ended(self, timeout: float) -> dict[str, Outcome]:
        """Return the outcome of the next job that ends within `timeout` s, by name."""
        done, _ = ray.wait(list(self._names), num_returns=1, timeout=timeout)
        return {self._names.pop(task): _outcome(task) for task in done}

    def stop(self) -> None:
        """Ask running jobs to save and stop, and start no more."""
        for task in list(self._names):
            ray.cancel(task, force=False)


def _outcome(task: ray.ObjectRef) -> Outcome:
    try:
        return ray.get(task)
    except TaskCancelledError:
        return Outcome(interrupted=True)
    except RayError as error:
        return Outcome(error=one_line(error))
