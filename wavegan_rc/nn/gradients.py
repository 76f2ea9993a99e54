"""Gradients on TensorFlow and on JAX: the one thing of training that Keras does not do alike."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

if keras.backend.backend() == "jax":
    import jax
else:
    import tensorflow as tf

Loss = Callable[[], tuple[Any, Any]]


def gradients_by_inputs(function: Callable[[Any], Any], inputs: Any) -> Any:
    """Derivative of the sum of what a function gives, by its inputs.

    Args:
        function: From a tensor to a tensor. It may be differentiated again.
        inputs: Tensor, of any shape.

    Returns:
        Tensor of the inputs' shape. Of scores that each depend on one example alone, it holds the
        gradient of every example's score.

    Example:
        >>> gradients_by_inputs(ops.square, ops.ones((2, 1))).shape == (2, 1)
        True
    """
    if keras.backend.backend() == "jax":
        return jax.grad(lambda x: ops.sum(function(x)))(inputs)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(inputs)
        outputs = function(inputs)
    return tape.gradient(outputs, inputs)


def gradients_by_variables(
    loss: Loss, variables: Sequence[keras.Variable], others: Sequence[keras.Variable]
) -> tuple[Any, list[Any]]:
    """Derivatives of a loss by variables.

    Args:
        loss: Gives a scalar, and anything that is wanted beside it.
        variables: To differentiate by.
        others: All other variables that it reads or assigns, random states included. TensorFlow
            knows them by itself.

    Returns:
        What was wanted beside the loss, and the gradients, one for each variable.

    Example:
        >>> x = keras.Variable(3.0)
        >>> beside, (gradient,) = gradients_by_variables(lambda: (x * x, "beside"), [x], [])
        >>> beside, float(gradient)
        ('beside', 6.0)
    """
    if keras.backend.backend() == "jax":
        return _jax_gradients(loss, variables, others)
    with tf.GradientTape() as tape:
        value, beside = loss()
    return beside, tape.gradient(value, [variable.value for variable in variables])


def _jax_gradients(
    loss: Loss, variables: Sequence[keras.Variable], others: Sequence[keras.Variable]
) -> tuple[Any, list[Any]]:
    # A scope hides the one around it, so it needs the values of all variables.
    now = [(other, other.value) for other in others]

    def pure(values: list[Any]) -> tuple[Any, tuple[Any, list[Any]]]:
        with keras.StatelessScope([*now, *zip(variables, values, strict=True)]) as scope:
            value, beside = loss()
        return value, (beside, [scope.get_current_value(other) for other in others])

    gradients, (beside, after) = jax.grad(pure, has_aux=True)([v.value for v in variables])
    for (other, before), value in zip(now, after, strict=True):
        if value is not before:
            other.assign(value)
    return beside, gradients
