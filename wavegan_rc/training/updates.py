"""One update of a network, its average, and the check for non-finite values."""

from typing import Any

import keras
from keras import ops

from wavegan_rc.nn import backend
from wavegan_rc.training.losses import Objective, wasserstein_estimate

# Logged values of each step in the order of their computation, which JAX's sorted dicts lose.
# gradient_norm belongs to the critic's scores by its input, generator_gradient_norm to the
# generator's loss by its weights.
LOSSES = (
    "wasserstein_estimate",
    "gradient_norm",
    "gradient_penalty",
    "critic_loss",
    "generator_loss",
    "generator_gradient_norm",
)
# Other values in a step's logs: the index into `WGANGP.checked` of the first tensor that is not
# finite, or -1; and, if several hosts train together, whether one of them was asked to stop.
FIRST_NONFINITE = "first_nonfinite"
STOP_REQUESTED = "stop_requested"

# Exponent of the average's weights t**_POWER over steps t: a relative width (standard deviation
# over age) of 5 %, the sharper of the two that Karras et al. store.
_POWER = 16.97

CRITIC_LATENTS, GENERATOR_LATENTS = "latents of the critic", "latents of the generator"


def size(tensor: Any) -> Any:
    """Return the sum of squares: not finite if an element is not, or overflows Adam's square."""
    return ops.sum(ops.square(ops.cast(tensor, "float32")))


def first_nonfinite(sizes: list[Any]) -> Any:
    """Return the index of the first size that is not finite on any device, or -1."""
    (stacked,) = backend.means_over_replicas([ops.stack(sizes)])
    finite = ops.isfinite(stacked)
    return ops.where(ops.all(finite), -1, ops.argmin(ops.cast(finite, "int32")))


def critic_gradients(
    critic: keras.Model,
    objective: Objective,
    weight: float | None,
    real: Any,
    fake: Any,
    mixing: Any,
) -> tuple[dict[str, Any], list[Any]]:
    """Return the critic's losses by name, and the gradients of its loss by its weights.

    A weight of None leaves the penalty out, and its values are 0; `mixing` is uniform in [0, 1], of
    shape (batch, 1, 1).
    """
    points = objective.points(real, fake, mixing)

    def loss() -> tuple[Any, dict[str, Any]]:
        scores = critic(real, training=True), critic(fake, training=True)
        value, penalty, norm = objective.critic(*scores), ops.zeros(()), ops.zeros(())
        if weight is not None:
            slopes = backend.gradients_by_inputs(lambda x: critic(x, training=True), points)
            penalty, norm = objective.penalty(slopes)
            value += weight * penalty
        return value, {
            "wasserstein_estimate": wasserstein_estimate(*scores),
            "gradient_norm": norm,
            "gradient_penalty": penalty,
            "critic_loss": value,
        }

    return backend.gradients_by_variables(
        loss, critic.trainable_variables, critic.non_trainable_variables
    )


def generator_gradients(
    generator: keras.Model,
    critic: keras.Model,
    emphasis: keras.layers.Layer | None,
    objective: Objective,
    latents: Any,
    real: Any,
) -> tuple[dict[str, Any], list[Any]]:
    """Return the generator's loss by name, and its gradients by its weights.

    `real` holds segments as the critic hears them, which some losses compare with.
    """

    def loss() -> tuple[Any, dict[str, Any]]:
        segments = generator(latents, training=True)
        heard = segments if emphasis is None else emphasis(segments)
        scores = critic(heard, training=True)
        value = objective.generator(scores, lambda: critic(real, training=True))
        return value, {"generator_loss": value}

    others = [*generator.non_trainable_variables, *critic.variables]
    others += [] if emphasis is None else emphasis.variables
    return backend.gradients_by_variables(loss, generator.trainable_variables, others)


def update(
    name: str,
    network: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    values: dict[str, Any],
    gradients: list[Any],
) -> tuple[dict[str, Any], list[Any], dict[str, Any]]:
    """Update a network by the gradients of this device's part of the batch.

    Returns:
        Values and gradients of the whole batch, and sizes of all these tensors and of the new
        weights, in the order of their computation.
    """
    names = [each for each in LOSSES if each in values]
    means = backend.means_over_replicas([values[each] for each in names])
    values = dict(zip(names, means, strict=True))
    variables = network.trainable_variables
    gradients = backend.apply_gradients(optimizer, gradients, variables)
    pairs = list(zip(gradients, variables, strict=True))
    sizes = {key: size(value) for key, value in values.items()}
    sizes |= {f"gradient of {name}/{v.path}": size(g) for g, v in reversed(pairs)}
    sizes |= {f"{name}/{v.path}": size(v) for v in variables}
    return values, gradients, sizes


def float32_copy(generator: keras.Model) -> keras.Model:
    """Return a copy of a generator in float32: an average adds up small changes."""

    def copy_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
        return type(layer).from_config(layer.get_config() | {"dtype": "float32"})

    copy = keras.models.clone_model(generator, clone_function=copy_layer)
    copy.set_weights(generator.get_weights())
    return copy


def update_average(average: keras.Model, generator: keras.Model, step: Any) -> None:
    """Move a `float32_copy` towards its generator after so many updates.

    Source:
        T. Karras et al., "Analyzing and Improving the Training Dynamics of Diffusion Models"
        (2024), section 3.1.
    """
    # Weights proportional to t**p: the new value's share is 1 - (1 - 1 / t)**(p + 1).
    share = 1 - (1 - 1 / ops.cast(step, "float32")) ** (_POWER + 1)
    pairs = zip(average.trainable_variables, generator.trainable_variables, strict=True)
    for mean, current in pairs:
        mean.assign_add(share * (ops.convert_to_tensor(current) - mean))
