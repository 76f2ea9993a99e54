"""What Keras's backends do each in their own way, for tests that run on both."""

import keras
import pytest

ON_JAX = keras.backend.backend() == "jax"
if ON_JAX:
    import jax
else:
    import tensorflow as tf

tensorflow_only = pytest.mark.skipif(ON_JAX, reason="TensorFlow's own")
# JAX compiles every operation for every shape: as many examples would take many minutes.
FEWER_EXAMPLES = 15 if ON_JAX else 1


def dtype_of(tensor):
    return keras.backend.standardize_dtype(tensor.dtype)


def derivatives(loss, x, variables=()):
    """By a tensor and by variables, without the package's own ways.

    `loss` gives a scalar and anything beside it, which is returned first.
    """
    x = keras.ops.convert_to_tensor(x)
    values = [variable.value for variable in variables]
    if ON_JAX:

        def pure(x, values):
            if not variables:  # an empty scope would hide one that is around this
                return loss(x)
            with keras.StatelessScope(list(zip(variables, values, strict=True))):
                return loss(x)

        (by_x, by_values), beside = jax.grad(pure, argnums=(0, 1), has_aux=True)(x, values)
        return beside, [by_x, *by_values]
    with tf.GradientTape() as tape:
        tape.watch(x)
        scalar, beside = loss(x)
    return beside, tape.gradient(scalar, [x, *values])


def compiled(function, variables=(), *, xla=True):
    """A function of a tensor, compiled; under JAX always with XLA.

    It may read and assign the variables, and no others.
    """
    if not ON_JAX:
        return tf.function(function, jit_compile=xla)

    @jax.jit
    def pure(values, x):
        with keras.StatelessScope(list(zip(variables, values, strict=True))) as scope:
            result = function(x)
        return result, [scope.get_current_value(variable) for variable in variables]

    def run(x):
        result, after = pure([variable.value for variable in variables], x)
        for variable, value in zip(variables, after, strict=True):
            variable.assign(value)
        return result

    return run
