"""What training does differently on TensorFlow and on JAX, beside taking gradients."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras


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
