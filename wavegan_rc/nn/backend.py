"""Differences between TensorFlow and JAX within a step: gradients, state, branches, devices.

TensorFlow runs a step on several devices at once, each with a part of the batch. Under JAX, a step
is written for the whole batch, whatever it runs on.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
from keras import ops

if keras.backend.backend() == "jax":
    import jax
else:
    import tensorflow as tf

Loss = Callable[[], tuple[Any, Any]]


def on_jax() -> bool:
    """Return whether Keras runs on JAX; otherwise it runs on TensorFlow."""
    return keras.backend.backend() == "jax"


def gradients_by_inputs(function: Callable[[Any], Any], inputs: Any) -> Any:
    """Differentiate the sum of a function's values with respect to its inputs, a tensor.

    For scores that each depend on one example alone, this is the gradient of each example's score.
    It may be differentiated again.

    Example:
        >>> gradients_by_inputs(ops.square, ops.ones((2, 1))).shape == (2, 1)
        True
    """
    if on_jax():
        return jax.grad(lambda x: ops.sum(function(x)))(inputs)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        outputs = function(inputs)
    return tape.gradient(outputs, inputs)


def gradients_by_variables(
    loss: Loss, variables: Sequence[keras.Variable], others: Sequence[keras.Variable]
) -> tuple[Any, list[Any]]:
    """Differentiate a loss by variables; return its auxiliary values and the gradients.

    The loss returns a scalar and any auxiliary values. `others` are all other variables that it
    reads or assigns, random states included; TensorFlow finds them by itself.

    Example:
        >>> x = keras.Variable(3.0)
        >>> auxiliary, (gradient,) = gradients_by_variables(lambda: (x * x, "x"), [x], [])
        >>> auxiliary, float(gradient)
        ('x', 6.0)
    """
    if on_jax():
        return _jax_gradients(loss, variables, others)
    with tf.GradientTape() as tape:
        value, auxiliary = loss()
    return auxiliary, tape.gradient(value, [variable.value for variable in variables])


def _jax_gradients(
    loss: Loss, variables: Sequence[keras.Variable], others: Sequence[keras.Variable]
) -> tuple[Any, list[Any]]:
    # A scope hides the one around it, so it needs the values of all variables.
    now = [(other, other.value) for other in others]

    def pure(values: list[Any]) -> tuple[Any, tuple[Any, list[Any]]]:
        with keras.StatelessScope([*now, *zip(variables, values, strict=True)]) as scope:
            value, auxiliary = loss()
        return value, (auxiliary, [scope.get_current_value(other) for other in others])

    gradients, (auxiliary, after) = jax.grad(pure, has_aux=True)([v.value for v in variables])
    for (other, before), value in zip(now, after, strict=True):
        if value is not before:
            other.assign(value)
    return auxiliary, gradients


def either(
    condition: Any,
    first: Callable[[], Any],
    second: Callable[[], Any],
    variables: Sequence[keras.Variable],
) -> Any:
    """Run the first of two functions if a scalar is true, else the second, in a compiled step too.

    Both return tensors of the same structure, shapes and dtypes. `variables` are all that they
    read; they may assign those not trainable.

    Example:
        >>> count = keras.Variable(1.0, trainable=False)
        >>> float(either(True, lambda: count.assign(5.0), lambda: count.value, [count]))
        5.0
        >>> float(count)
        5.0
    """
    states = [variable for variable in variables if not variable.trainable]
    # JAX needs all, as in `_jax_gradients`. TensorFlow could not differentiate by values that stand
    # for variables.
    held = variables if on_jax() else states

    def pure(function: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> tuple[Any, list[Any]]:
            with keras.StatelessScope([(each, each.value) for each in held]) as scope:
                results = function()
            return results, [scope.get_current_value(state) for state in states]

        return run

    results, after = ops.cond(condition, pure(first), pure(second))
    for state, value in zip(states, after, strict=True):
        state.assign(value)
    return results


class Optimizers:
    """Two optimizers behind the interface of one.

    Under JAX, Keras passes the variables of `model.optimizer` to a step and takes them back.
    """

    built = True

    def __init__(
        self, generator: keras.optimizers.Optimizer, critic: keras.optimizers.Optimizer
    ) -> None:
        self.variables = [*generator.variables, *critic.variables]


def stateless_step(model: keras.Model, state: tuple[list[Any], ...], data: Any) -> tuple[Any, Any]:
    """Run `model.step` as a function that JAX can compile, and return its logs and the new state.

    A state is the values of trainable, non-trainable, optimizer and metrics variables.
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


def sync_variables(model: keras.Model) -> None:
    """Write the values that `fit` holds during training into the model's variables.

    Under JAX, `fit` keeps them to itself until it ends.
    """
    if on_jax():
        model.jax_state_sync()


@contextlib.contextmanager
def single_device() -> Iterator[None]:
    """Compute on one device of this process, whatever the training runs on.

    Under JAX, arrays and models are otherwise created on all devices of all hosts.
    """
    distribution = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(distribution)


def replica_count() -> int:
    """Return the number of devices that share this step's batch; 1 under JAX.

    Example:
        >>> replica_count()
        1
    """
    return 1 if on_jax() else tf.distribute.get_strategy().num_replicas_in_sync


def own_part(of_all: Any, axis: int = 0) -> Any:
    """Return this device's part of a tensor.

    Random draws are made for the whole batch on every device, from the same state. Each device
    takes its part along the batch axis, so the draws equal those of one device.
    """
    count = replica_count()
    if count == 1:
        return of_all
    index = tf.distribute.get_replica_context().replica_id_in_sync_group
    return tf.stack(tf.split(of_all, count, axis))[index]


def means_over_replicas(tensors: list[Any]) -> list[Any]:
    """Return the means over all devices: for means and gradients, those of the whole batch."""
    if replica_count() == 1:
        return tensors
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, tensors)


def apply_gradients(
    optimizer: keras.optimizers.Optimizer, gradients: list[Any], variables: list[Any]
) -> list[Any]:
    """Update variables by the gradients of each device's part of the batch; return their means."""
    gradients = means_over_replicas(gradients)
    if replica_count() == 1:
        optimizer.apply(gradients, variables)
    else:  # the optimizer sums over the devices
        optimizer.apply([gradient / replica_count() for gradient in gradients], variables)
    return gradients
