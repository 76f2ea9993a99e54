"""A step that TensorFlow runs on several devices at once, each with a part of the batch.

Under JAX a step is written for the whole batch, whatever it runs on: nothing here does anything.
"""

from typing import Any

import keras

if keras.backend.backend() == "tensorflow":
    import tensorflow as tf


def replica_count() -> int:
    """How many devices run this step, each with a part of the batch; 1 under JAX.

    Example:
        >>> replica_count()
        1
    """
    if keras.backend.backend() != "tensorflow":
        return 1
    return tf.distribute.get_strategy().num_replicas_in_sync


def own_part(of_all: Any, axis: int = 0) -> Any:
    """The part of this device.

    What is drawn at random is drawn for the whole batch on every device, from the same state, and
    each takes its part: so the draws are those of one device that has the whole batch.

    Args:
        of_all: Tensor; its length in `axis`, the batch's, is a multiple of the number of devices.
        axis: That of the batch.
    """
    count = replica_count()
    if count == 1:
        return of_all
    index = tf.distribute.get_replica_context().replica_id_in_sync_group
    return tf.stack(tf.split(of_all, count, axis))[index]


def means_over_replicas(tensors: list[Any]) -> list[Any]:
    """The means of some tensors over all devices: of means and gradients, those of the whole batch.

    Args:
        tensors: Of this device.
    """
    if replica_count() == 1:
        return tensors
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, tensors)
