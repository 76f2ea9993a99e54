"""Several devices of a host, and several hosts: the engines that Keras trains with, set up.

One host: `tf.distribute.MirroredStrategy` under TensorFlow, `keras.distribution.DataParallel` under
JAX. Several hosts: `keras.distribution.initialize`, under JAX only. Each device has a part of every
batch, and all have the same weights; draws and gradients are those of one device with the whole
batch, as far as sums in another order are the same.
"""

import contextlib
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, LostHostError, ParameterError, WaveganError
from wavegan_rc.training.backend import device_name, on_jax
from wavegan_rc.training.callbacks import StopOnSignal
from wavegan_rc.training.found_run import check_own_files
from wavegan_rc.training.run_directory import RunDirectory
from wavegan_rc.weights_file import one_line

# As `keras.distribution.initialize` reads them.
_ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
_NUMBERS = ("KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID")
# What errors say of the libraries that hosts talk to each other by; their types vary.
_LOST = re.compile("gloo|nccl|coordination|heartbeat", re.IGNORECASE)


class Devices:
    """What a training runs on. Made before anything else uses the backend.

    Args:
        config: `devices` of each host and `batch_size` of all.

    Attributes:
        hosts: How many processes train together.
        host: Which of them this is; 0 writes the run.

    Raises:
        ParameterError: If there are not so many, or the batch cannot be shared out.
    """

    def __init__(self, config: Config) -> None:
        self.hosts, self.host = 1, 0
        self._config = config
        self._strategy: Any = None
        self._distribution: Any = None
        if on_jax():
            self._set_up_jax(config.devices)
        elif _ADDRESSES in os.environ:
            raise ParameterError(f"{_ADDRESSES}: several hosts need KERAS_BACKEND=jax")
        elif config.devices > 1:
            self._set_up_tensorflow(config.devices)
        count = config.devices * self.hosts
        if config.batch_size % count:
            raise ParameterError(
                f"batch_size must be a multiple of the number of devices, {count}. "
                f"Received: {config.batch_size}"
            )

    def _set_up_jax(self, count: int) -> None:
        import jax

        if count > 1:
            with contextlib.suppress(RuntimeError):  # has started already, with what there is
                jax.config.update("jax_num_cpu_devices", count)
        if _ADDRESSES in os.environ:
            _join_hosts()
            self.hosts, self.host = jax.process_count(), jax.process_index()
        if count > jax.local_device_count():
            raise ParameterError(_too_many(count, jax.local_device_count()))
        if count * self.hosts > 1:
            # In the order of the hosts, as the parts of a batch are.
            used = [d for host in range(self.hosts) for d in jax.local_devices(host)[:count]]
            names = [f"{device.platform}:{device.id}" for device in used]
            self._distribution = keras.distribution.DataParallel(
                devices=names, auto_shard_dataset=False
            )

    def _set_up_tensorflow(self, count: int) -> None:
        import tensorflow as tf

        kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        if kind == "CPU":
            (cpu,) = tf.config.list_physical_devices("CPU")
            parts = [tf.config.LogicalDeviceConfiguration()] * count
            with contextlib.suppress(RuntimeError):  # has started already, with what there is
                tf.config.set_logical_device_configuration(cpu, parts)
        found = len(tf.config.list_logical_devices(kind))
        if count > found:
            raise ParameterError(_too_many(count, found))
        self._strategy = tf.distribute.MirroredStrategy([f"{kind}:{i}" for i in range(count)])

    def building(self) -> AbstractContextManager[Any]:
        """Where the model is made."""
        return self.fitting() if self._strategy is None else self._strategy.scope()

    @contextlib.contextmanager
    def fitting(self) -> Iterator[None]:
        """Where the model is trained."""
        keras.distribution.set_distribution(self._distribution)
        try:
            yield
        finally:
            keras.distribution.set_distribution(None)

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
        if self.hosts == 1:
            yield config, resume
            return
        with tempfile.TemporaryDirectory(prefix="wavegan_rc-") as folder:
            try:
                if self.host > 0:
                    config, resume = replace(config, out=folder), _copy(resume, Path(folder))
                    _be_silent()
                self._wait("the others have read the run")
                yield config, resume
            except WaveganError:
                raise
            except Exception as error:
                if _LOST.search(str(error)) is None:
                    raise
                message = f"host {self.host} of {self.hosts} has lost another: {one_line(error)}"
                raise LostHostError(message) from None

    def check_alike(self, what: str, value: str) -> None:
        """See that all hosts have the same of something.

        Args:
            what: In words, plural.
            value: Of this host.

        Raises:
            DataError: If they differ.
        """
        if self.hosts == 1:
            return
        from jax.experimental import multihost_utils

        own = np.frombuffer(hashlib.sha256(value.encode()).digest(), np.uint8)
        if (np.asarray(multihost_utils.process_allgather(own)) != own).any():
            raise DataError(f"{what} must be the same on all hosts. They differ")

    def name(self) -> str:
        """What training runs on, in words."""
        several = [f"{self._config.devices} devices"] * (self._config.devices > 1)
        several += [f"{self.hosts} hosts"] * (self.hosts > 1)
        return ", ".join([device_name(), *several])

    @staticmethod
    def _wait(until: str) -> None:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(until)

    @property
    def rows(self) -> slice:
        """Of each batch, those that this host reads."""
        size = self._config.batch_size // self.hosts
        return slice(self.host * size, (self.host + 1) * size)

    def feed(self, batches: Callable[[], Iterator[tuple[np.ndarray]]], stop: StopOnSignal) -> Any:
        """What `fit` takes to train on batches.

        Args:
            batches: Begins to give the rows of this host. TensorFlow's datasets begin twice.
            stop: Says when this host was told to stop; all of several hosts are then told.
        """
        if self.hosts > 1:
            return self._with_signals(batches(), stop)
        return batches() if self._strategy is None else self._as_dataset(batches)

    def _with_signals(
        self, batches: Iterator[tuple[np.ndarray]], stop: StopOnSignal
    ) -> Iterator[Any]:
        for (segments,) in batches:
            told = np.full(len(segments), stop.received is not None, np.float32)
            yield segments, told

    def _as_dataset(self, batches: Callable[[], Iterator[tuple[np.ndarray]]]) -> Any:
        # A strategy shares out the batches of a dataset that says how large they are; of a
        # generator's, it gives each device whole ones.
        import tensorflow as tf

        config = self._config
        shape = (config.batch_size, config.critic_steps, config.segment_length, 1)
        dataset = tf.data.Dataset.from_generator(
            lambda: (segments for (segments,) in batches()),
            output_signature=tf.TensorSpec(shape, tf.float32),
        )
        return dataset.unbatch().batch(config.batch_size, drop_remainder=True)


def _join_hosts() -> None:
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


def _copy(run: Path | None, folder: Path) -> Path | None:
    if run is None:
        return None
    check_own_files(RunDirectory(run))
    copy = folder / "run"
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("samples", "figures", ".lock"))
    for empty in ("samples", "figures"):
        (copy / empty).mkdir()
    return copy


def _be_silent() -> None:
    sys.stdout.flush()
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)


def _too_many(asked: int, found: int) -> str:
    return f"devices must be at most {found}, which there are. Received: {asked}"
