"""Devices of this host: what they are, what suits them, and how Keras trains on several.

Several devices are run by `tf.distribute.MirroredStrategy` under TensorFlow and by
`keras.distribution.DataParallel` under JAX. Each has a part of every batch, and all have the same
weights. Draws and gradients equal those of one device, up to the order of sums.
"""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from wavegan_rc.config import Config
from wavegan_rc.config.choices import Precision
from wavegan_rc.errors import ParameterError
from wavegan_rc.nn.backend import on_jax
from wavegan_rc.training.batches import Batches, drawn_ahead
from wavegan_rc.training.hosts import join_hosts, with_stop_requests
from wavegan_rc.utils.cores import usable_cores
from wavegan_rc.utils.interruptions import EndSignals


class Devices:
    """The devices of a training. They must be set up before anything else uses the backend.

    Args:
        config: Settings: `devices` of each host and `batch_size` of all.

    Attributes:
        hosts: The processes that train together.

    Raises:
        ParameterError: If there are fewer devices, or the batch cannot be divided among them.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._strategy: Any = None
        self._distribution: Any = None
        if on_jax() and config.devices > 1:
            import jax

            with contextlib.suppress(RuntimeError):  # JAX has started, with the devices it found
                jax.config.update("jax_num_cpu_devices", config.devices)
        self.hosts = join_hosts()
        if on_jax():
            self._set_up_jax(config.devices)
        elif config.devices > 1:
            # TensorFlow's devices do not agree on what to add up in a branch of its graph, and each
            # sees its own part of a batch alone.
            if config.growing_steps or config.penalty_every > 1 or config.minibatch_std:
                raise ParameterError(
                    "devices must be 1 for growing_steps, penalty_every and minibatch_std under "
                    f"TensorFlow (KERAS_BACKEND=jax takes several). Received: {config.devices}"
                )
            self._set_up_tensorflow(config.devices)
        count = config.devices * self.hosts.count
        if config.batch_size % count:
            raise ParameterError(
                f"batch_size must be a multiple of the number of devices, {count}. "
                f"Received: {config.batch_size}"
            )

    def _set_up_jax(self, count: int) -> None:
        import jax

        _check_count(count, jax.local_device_count())
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
            with contextlib.suppress(RuntimeError):  # TensorFlow has started
                tf.config.set_logical_device_configuration(cpu, parts)
        _check_count(count, len(tf.config.list_logical_devices(kind)))
        self._strategy = tf.distribute.MirroredStrategy([f"{kind}:{i}" for i in range(count)])

    def building(self) -> AbstractContextManager[Any]:
        """Return the context in which to build the model."""
        return self.fitting() if self._strategy is None else self._strategy.scope()

    @contextlib.contextmanager
    def fitting(self) -> Iterator[None]:
        """Enter the context in which to train the model."""
        keras.distribution.set_distribution(self._distribution)
        try:
            yield
        finally:
            keras.distribution.set_distribution(None)

    def name(self) -> str:
        """Return the devices and hosts in words."""
        several = [f"{self._config.devices} devices"] * (self._config.devices > 1)
        several += [f"{self.hosts.count} hosts"] * (self.hosts.count > 1)
        return ", ".join([device_name(), *several])

    @contextlib.contextmanager
    def feeding(self, batches: Batches, stop: EndSignals) -> Iterator[Any]:
        """Provide the argument of `fit` for this host's rows, which are drawn ahead of their steps.

        TensorFlow's datasets may call `batches` twice. All hosts learn of this one's `stop`.
        """
        if on_jax():
            with drawn_ahead(batches) as ahead:
                yield ahead() if self.hosts.count == 1 else with_stop_requests(ahead(), stop)
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
        except tf.errors.OpError:  # TensorFlow's error for whatever a generator raises
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
            # The strategy divides the batches of a dataset with a declared batch size. Of a
            # generator's, it gives each device whole ones.
            dataset = dataset.unbatch().batch(config.batch_size, drop_remainder=True)
        options = tf.data.Options()
        # Its thread sleeps twice as long each time and may delay the end of training (TensorFlow
        # 2.21, 10 s were seen). Keras's own dataset has the same delay.
        options.autotune.enabled = False
        return dataset.prefetch(2).with_options(options)


def _check_count(asked: int, found: int) -> None:
    if asked > found:
        raise ParameterError(
            f"devices must be at most {found}, the number available. Received: {asked}"
        )


def device_name() -> str:
    """Return what training runs on, in words."""
    if names := [name for name, _ in gpus()]:
        return f"GPU: {', '.join(names)}"
    # With more than two cores, their number decides the order of sums.
    cores = usable_cores()
    return f"CPU, {cores} core{'s' * (cores > 1)}"


def gpus() -> list[tuple[str, float]]:
    """Return name and compute capability (0 for none) of each GPU that this process can use."""
    if on_jax():
        import jax

        found = [device for device in jax.local_devices() if device.platform == "gpu"]
        words = [str(getattr(gpu, "compute_capability", "")) for gpu in found]
        # AMD's are names, such as gfx90a.
        numbers = [float(word) if word.replace(".", "").isdigit() else 0 for word in words]
        return [(gpu.device_kind, number) for gpu, number in zip(found, numbers, strict=True)]
    import tensorflow as tf

    found = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in found]
    return [(d.get("device_name", ""), d.get("compute_capability", (0, 0))[0]) for d in details]


def compiles_with_xla(devices: int) -> bool:
    """Return whether steps are compiled with XLA: always under JAX, else on one GPU.

    On CPUs, XLA makes TensorFlow's steps several times slower. Steps of MirroredStrategy cannot be
    compiled with it.
    """
    return on_jax() or (devices == 1 and bool(gpus()))


def chosen_precision(precision: Precision) -> Precision:
    """Return the precision, with what `auto` stands for on this machine.

    `auto` is mixed_bfloat16 where hardware multiplies matrices in bfloat16: GPUs of compute
    capability 8 (NVIDIA Ampere) and later, and CPUs with AMX under TensorFlow; else float32.
    """
    if precision != "auto":
        return precision
    found = gpus()
    if found:
        suits = all(capability >= 8 for _, capability in found)
    else:
        suits = not on_jax() and _cpu_has("amx_bf16")
    return "mixed_bfloat16" if suits else "float32"


def _cpu_has(feature: str) -> bool:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return False
    return feature in text.split()
