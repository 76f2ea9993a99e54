"""Several hosts that train together: how they join, what each reads, writes and must share.

Keras's own engine joins them (`keras.distribution.initialize`), under JAX only.
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
from wavegan_rc.runs.run import Run
from wavegan_rc.training.backend import on_jax
from wavegan_rc.training.callbacks import StopOnSignal
from wavegan_rc.utils.text import one_line

# As `keras.distribution.initialize` reads them.
_ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
_NUMBERS = ("KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID")
# What errors say of the libraries that hosts talk to each other by; their types vary.
_LOST = re.compile("gloo|nccl|coordination|heartbeat", re.IGNORECASE)


@dataclass(frozen=True)
class Hosts:
    """The processes that train together.

    Attributes:
        count: How many there are.
        index: Which of them this is; 0 writes the run.
    """

    count: int = 1
    index: int = 0

    @contextlib.contextmanager
    def own_folder(
        self, config: Config, resume: Path | None
    ) -> Iterator[tuple[Config, Path | None]]:
        """Settings and run folder of this host.

        All hosts do all the same, so that none waits for what another one does not do. Only the
        first says what it does and keeps its run; the others write into a folder that goes.

        Args:
            config: Settings.
            resume: Run folder to go on with, which all hosts can read; None: a new run.

        Raises:
            LostHostError: If another host ends meanwhile.
        """
        if self.count == 1:
            yield config, resume
            return
        with contextlib.ExitStack() as stack:
            try:
                if self.index > 0:
                    folder = tempfile.TemporaryDirectory(prefix="wavegan_rc-")
                    path = Path(stack.enter_context(folder))
                    config, resume = replace(config, out=str(path)), _copy(resume, path)
                    nowhere = stack.enter_context(open(os.devnull, "w"))
                    stack.enter_context(contextlib.redirect_stdout(nowhere))
                _wait("the others have read the run")
                yield config, resume
            except WaveganError:
                raise
            except Exception as error:
                if _LOST.search(str(error)) is None:
                    raise
                message = f"host {self.index} of {self.count} has lost another: {one_line(error)}"
                raise LostHostError(message) from None

    def check_alike(self, what: str, value: str) -> None:
        """See that all hosts have the same of something.

        Args:
            what: In words, plural.
            value: Of this host.

        Raises:
            DataError: If they differ.
        """
        if self.count == 1:
            return
        from jax.experimental import multihost_utils

        own = np.frombuffer(hashlib.sha256(value.encode()).digest(), np.uint8)
        if (np.asarray(multihost_utils.process_allgather(own)) != own).any():
            raise DataError(f"{what} must be the same on all hosts. They differ")

    def rows(self, batch_size: int) -> slice:
        """Of each batch, those that this host reads."""
        size = batch_size // self.count
        return slice(self.index * size, (self.index + 1) * size)


def join_hosts() -> Hosts:
    """Join the hosts that the environment names; where it names none, this one is alone.

    Raises:
        ParameterError: If a variable is missing, or the backend cannot train on several hosts.
        LostHostError: If they cannot be joined.
    """
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
    except Exception as error:  # what JAX raises is of many kinds
        raise LostHostError(f"the hosts cannot be joined: {one_line(error)}") from None
    import jax

    return Hosts(jax.process_count(), jax.process_index())


def with_signals(batches: Iterator[tuple[np.ndarray]], stop: StopOnSignal) -> Iterator[Any]:
    """Batches with whether this host was told to stop: by that, all hosts are told."""
    for (segments,) in batches:
        yield segments, np.full(len(segments), stop.received is not None, np.float32)


def _copy(run: Path | None, folder: Path) -> Path | None:
    if run is None:
        return None
    Run(run).check_own_files()
    copy = folder / "run"
    try:
        shutil.copytree(run, copy, ignore=shutil.ignore_patterns("samples", "figures", ".lock"))
        for empty in ("samples", "figures"):
            (copy / empty).mkdir()
    except OSError as error:
        raise DataError(f"{run} cannot be copied to {folder}: {one_line(error)}") from None
    return copy


def _wait(until: str) -> None:
    from jax.experimental import multihost_utils

    multihost_utils.sync_global_devices(until)
