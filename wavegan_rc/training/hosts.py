"""Several hosts that train together: how they join, and what each of them reads and writes.

Keras joins them (`keras.distribution.initialize`), under JAX only.
"""

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, LostHostError, ParameterError, WaveganError
from wavegan_rc.nn.backend import on_jax
from wavegan_rc.runs.run import Run
from wavegan_rc.utils.interruptions import EndSignals
from wavegan_rc.utils.text import one_line

# Names that `keras.distribution.initialize` reads.
_ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
_NUMBERS = ("KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID")
# Words of errors from the libraries that connect hosts. The types of these errors vary.
_LOST = re.compile("gloo|nccl|coordination|heartbeat", re.IGNORECASE)


@dataclass(frozen=True)
class Hosts:
    """The number of processes that train together, and the index of this one; 0 writes the run."""

    count: int = 1
    index: int = 0

    @contextlib.contextmanager
    def own_folder(
        self, config: Config, resume: Path | None
    ) -> Iterator[tuple[Config, Path | None]]:
        """Provide the settings and the run folder to resume (None: a new run) of this host.

        All hosts run the same steps, to avoid deadlock. The first prints and keeps its run. The
        others read the run to resume, print nothing and write to a temporary folder. If another
        host ends meanwhile, a `LostHostError` is raised.
        """
        if self.count == 1:
            yield config, resume
            return
        from jax.experimental import multihost_utils

        with contextlib.ExitStack() as stack:
            try:
                if self.index > 0:
                    folder = tempfile.TemporaryDirectory(prefix="wavegan_rc-")
                    path = Path(stack.enter_context(folder))
                    config, resume = replace(config, out=str(path)), _copy(resume, path)
                    nowhere = stack.enter_context(open(os.devnull, "w"))
                    stack.enter_context(contextlib.redirect_stdout(nowhere))
                multihost_utils.sync_global_devices("the others have read the run")
                yield config, resume
            except WaveganError:
                raise
            except Exception as error:
                if _LOST.search(str(error)) is None:
                    raise
                message = f"host {self.index} of {self.count} has lost another: {one_line(error)}"
                raise LostHostError(message) from None

    def check_alike(self, name: str, value: str) -> None:
        """Raise a DataError unless all hosts have the same value; its name is plural."""
        if self.count == 1:
            return
        from jax.experimental import multihost_utils

        own = np.frombuffer(hashlib.sha256(value.encode()).digest(), np.uint8)
        if (np.asarray(multihost_utils.process_allgather(own)) != own).any():
            raise DataError(f"{name} must be the same on all hosts. They differ")

    def rows(self, batch_size: int) -> slice:
        """Return the rows of each batch that this host reads."""
        size = batch_size // self.count
        return slice(self.index * size, (self.index + 1) * size)


def join_hosts() -> Hosts:
    """Join the hosts that the environment names; without any, this host is alone."""
    if _ADDRESSES not in os.environ:
        return Hosts()
    if not on_jax():
        raise ParameterError(f"{_ADDRESSES}: several hosts need KERAS_BACKEND=jax")
    for name in _NUMBERS:
        if not os.environ.get(name, "").isdigit():
            raise ParameterError(
                f"{name} must be a whole number where {_ADDRESSES} is set. "
                f"Received: {os.environ.get(name)}"
            )
    try:
        keras.distribution.initialize()
    except Exception as error:  # JAX raises many kinds of errors
        raise LostHostError(f"the hosts cannot be joined: {one_line(error)}") from None
    import jax

    return Hosts(jax.process_count(), jax.process_index())


def with_stop_requests(batches: Iterator[tuple[np.ndarray]], stop: EndSignals) -> Iterator[Any]:
    """Add to each batch whether this host received a signal; the step shares it with all hosts."""
    for (segments,) in batches:
        yield segments, np.full(len(segments), stop.received is not None, np.float32)


def _copy(run: Path | None, folder: Path) -> Path | None:
    if run is None:
        return None
    own, copy = Run(run), folder / "run"
    own.check_own_files()
    emptied = (own.samples.name, own.figures.name)
    try:
        shutil.copytree(run, copy, ignore=shutil.ignore_patterns(*emptied, own.lock.name))
        for empty in emptied:
            (copy / empty).mkdir()
    except OSError as error:
        raise DataError(f"{run} cannot be copied to {folder}: {one_line(error)}") from None
    return copy
