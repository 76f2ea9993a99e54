"""Several devices of a host: the engines that Keras trains with, set up.

`tf.distribute.MirroredStrategy` under TensorFlow, `keras.distribution.DataParallel` under JAX. Each
device has a part of every batch, and all have the same weights; draws and gradients are those of
one device with the whole batch, as far as sums in another order are the same.
"""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np

from wavegan_rc.config import Config
from wavegan_rc.errors import ParameterError
from wavegan_rc.training.backend import on_jax
from wavegan_rc.training.batches import Batches, drawn_ahead
from wavegan_rc.training.callbacks import StopOnSignal
from wavegan_rc.training.hardware import device_name
from wavegan_rc.training.hosts import join_hosts, with_signals


class Devices:
    """What a training runs on. Made before anything else uses the backend.

    Args:
        config: `devices` of each host and `batch_size` of all.

    Attributes:
        hosts: The processes that train together.

    Raises:
        ParameterError: If there are not so many, or the batch cannot be shared out.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._strategy: Any = None
        self._distribution: Any = None
        if on_jax() and config.devices > 1:
            import jax

            with contextlib.suppress(RuntimeError):  # has started already, with what there is
                jax.config.update("jax_num_cpu_devices", config.devices)
        self.hosts = join_hosts()
        if on_jax():
            self._set_up_jax(config.devices)
        elif config.devices > 1:
            self._set_up_tensorflow(config.devices)
        count = config.devices * self.hosts.count
        if config.batch_size % count:
            raise ParameterError(
                f"batch_size must be a multiple of the number of devices, {count}. "
                f"Received: {config.batch_size}"
            )

    def _set_up_jax(self, count: int) -> None:
        import jax

        if count > jax.local_device_count():
            raise ParameterError(_too_many(count, jax.local_device_count()))
        if count * self.hosts.count > 1:
            # In the order of the hosts, as the parts of a batch are.
            used = [d for host in range(self.hosts.count) for d in jax.local_devices(host)[:count]]
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

    def name(self) -> str:
        """What training runs on, in words."""
        several = [f"{self._config.devices} devices"] * (self._config.devices > 1)
        several += [f"{self.hosts.count} hosts"] * (self.hosts.count > 1)
        return ", ".join([device_name(), *several])

    @contextlib.contextmanager
    def feeding(self, batches: Batches, stop: StopOnSignal) -> Iterator[Any]:
        """What `fit` takes to train on batches, which are drawn ahead of their steps.

        Args:
            batches: Begins to give the rows of this host; TensorFlow's datasets may begin twice.
            stop: Says when this host was told to stop; all of several hosts are then told.
        """
        if on_jax():
            with drawn_ahead(batches) as ahead:
                yield ahead() if self.hosts.count == 1 else with_signals(ahead(), stop)
            return
        import tensorflow as tf

        raised: list[Exception] = []

        def remembering() -> Iterator[tuple[np.ndarray]]:
            try:
                yield from batches()
            except Exception as error:
                raised.append(error)
                raise

        try:
            yield self._as_dataset(remembering)
        except tf.errors.OpError:  # that is how TensorFlow tells of what a generator raises
            if raised:
                raise raised[0] from None
            raise

    def _as_dataset(self, batches: Batches) -> Any:
        import tensorflow as tf

        config = self._config
        shape = (config.batch_size, config.critic_steps, config.segment_length, 1)
        dataset = tf.data.Dataset.from_generator(
            lambda: (segments for (segments,) in batches()),
            output_signature=tf.TensorSpec(shape, tf.float32),
        )
        if self._strategy is not None:
            # It shares out the batches of a dataset that says how large they are; of a
            # generator's, it gives each device whole ones.
            dataset = dataset.unbatch().batch(config.batch_size, drop_remainder=True)
        options = tf.data.Options()
        # Its thread sleeps twice as long each time and may not wake when training ends, which
        # then waits for it (TensorFlow 2.21, 10 s were seen): so Keras's own dataset would.
        options.autotune.enabled = False
        return dataset.prefetch(2).with_options(options)


def _too_many(asked: int, found: int) -> str:
    return f"devices must be at most {found}, which there are. Received: {asked}"
