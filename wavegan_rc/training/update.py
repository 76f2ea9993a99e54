"""An update of a network by gradients, and the sizes by which it is seen to be finite."""

from typing import Any

import keras
from keras import ops

from wavegan_rc.nn.replicas import means_over_replicas, replica_count


def update(
    optimizer: keras.optimizers.Optimizer, gradients: list[Any], variables: list[Any]
) -> list[Any]:
    """Update variables by the gradients of the whole batch, and return those."""
    gradients = means_over_replicas(gradients)
    if replica_count() == 1:
        optimizer.apply(gradients, variables)
    else:  # optimizers add up what the devices give
        optimizer.apply([gradient / replica_count() for gradient in gradients], variables)
    return gradients


def size(tensor: Any) -> Any:
    """Sum of squares: not finite if an element is not, or is too large for Adam to square."""
    return ops.sum(ops.square(ops.cast(tensor, "float32")))


def sizes_of_update(network: str, gradients: list[Any], variables: list[Any]) -> dict[str, Any]:
    """Of the gradients, from the last layer back, as they are computed, and of the new weights."""
    pairs = list(zip(gradients, variables, strict=True))
    of_gradients = {f"gradient of {network}/{v.path}": size(g) for g, v in reversed(pairs)}
    return of_gradients | {f"{network}/{variable.path}": size(variable) for variable in variables}
