"""What training does differently on TensorFlow and on JAX, beside taking gradients."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from wavegan_rc.choices import Precision
from wavegan_rc.cores import usable_cores


class Optimizers:
    """Two optimizers, as the one that `keras.Model` knows.

    Under JAX, Keras hands a step the variables of `model.optimizer` and takes them back.

    Args:
        generator: Updates the generator; it counts the steps.
        critic: Updates the critic.
    """

    built = True

    def __init__(
        self, generator: keras.optimizers.Optimizer, critic: keras.optimizers.Optimizer
    ) -> None:
        self.variables = [*generator.variables, *critic.variables]


def on_jax() -> bool:
    """Whether Keras runs on JAX; else on TensorFlow."""
    return keras.backend.backend() == "jax"


def stateless_step(model: keras.Model, state: tuple[list[Any], ...], data: Any) -> tuple[Any, Any]:
    """Make `model.step` as a function of the values of all variables, which JAX can compile.

    Args:
        model: Has a method `step`.
        state: Values of trainable, other, optimizer and metrics variables.
        data: For the step.

    Returns:
        Logs and the new state.
    """
    groups = (
        model.trainable_variables,
        model.non_trainable_variables,
        model.optimizer.variables,
        model.metrics_variables,
    )
    mapping = [
        pair
        for group, values in zip(groups, state, strict=True)
        for pair in zip(group, values, strict=True)
    ]
    with keras.StatelessScope(mapping) as scope:
        logs = model.step(data)
    return logs, tuple([scope.get_current_value(v) for v in group] for group in groups)


def bring_up_to_date(model: keras.Model) -> None:
    """Have a model's variables hold what training made of them.

    Under JAX, `fit` keeps the values to itself until it ends or somebody asks.
    """
    if on_jax():
        model.jax_state_sync()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Where this process computes by itself, on one device, while it trains on several.

    Under JAX, arrays and models are otherwise made on all devices of all hosts.
    """
    distribution = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)


def compiles_with_xla() -> bool:
    """Whether steps are compiled with XLA: always under JAX, else on GPUs.

    On CPUs, TensorFlow's steps are several times slower with it.
    """
    return on_jax() or bool(gpu_names())


def chosen_precision(precision: Precision) -> Precision:
    """What `auto` stands for here.

    That is mixed_bfloat16 where matrices are multiplied in bfloat16 by hardware of its own: on GPUs
    of compute capability 8 (NVIDIA Ampere) and later, and by TensorFlow on CPUs with AMX.

    Args:
        precision: A setting.

    Returns:
        `float32` or `mixed_bfloat16`.
    """
    if precision != "auto":
        return precision
    if gpu_names():
        suits = all(capability >= 8 for capability in _compute_capabilities())
    else:
        suits = not on_jax() and _cpu_has("amx_bf16")
    return "mixed_bfloat16" if suits else "float32"


def _compute_capabilities() -> list[float]:
    """Of the GPUs; 0 of those that have none."""
    if on_jax():
        import jax

        gpus = [device for device in jax.local_devices() if device.platform == "gpu"]
        found = [str(getattr(gpu, "compute_capability", "")) for gpu in gpus]
        # AMD's are names, as gfx90a.
        return [float(word) if word.replace(".", "").isdigit() else 0 for word in found]
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return [detail.get("compute_capability", (0, 0))[0] for detail in details]


def _cpu_has(feature: str) -> bool:
    try:
        return (
            feature in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split()
        )
    except OSError:  # not Linux
        return False


def device_name() -> str:
    """What training runs on, in words."""
    gpus = gpu_names()
    if gpus:
        return f"GPU: {', '.join(gpus)}"
    # Their number decides in which order sums are made, where there are more than two.
    return f"CPU, {usable_cores()} cores"


def gpu_names() -> list[str]:
    """Names of the GPUs that this process can train on."""
    if on_jax():
        import jax

        return [device.device_kind for device in jax.local_devices() if device.platform == "gpu"]
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return [tf.config.experimental.get_device_details(gpu).get("device_name", "") for gpu in gpus]
