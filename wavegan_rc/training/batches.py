"""What each step is trained on, as a pure function of the seed, the step and the rollbacks."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from wavegan_rc.audio.segments import Segments
from wavegan_rc.config import Config

# More than a run can have steps: after a rollback no draw comes again.
_STEPS_APART = 2**31


def batch(segments: Segments, config: Config, step: int, rollbacks: int) -> np.ndarray:
    """The real segments of one step.

    Args:
        segments: Of the training recordings.
        config: Sizes.
        step: From 1.
        rollbacks: Made before it.

    Returns:
        float32 array of shape (batch, critic_steps, samples, 1).
    """
    drawn = segments.draw(_draw(step, rollbacks), _count(config))
    return drawn.reshape(config.batch_size, config.critic_steps, config.segment_length, 1)


def batch_sources(
    segments: Segments, config: Config, step: int, rollbacks: int
) -> list[tuple[str, int]]:
    """Where a batch's segments come from: recording and first sample, in row-major order."""
    return segments.sources(_draw(step, rollbacks), _count(config))


def batches(
    segments: Segments, config: Config, first_step: int, rollbacks: int
) -> Iterator[tuple[np.ndarray]]:
    """The batches of all steps from one on, as `fit` takes them."""
    for step in range(first_step, config.steps + 1):
        yield (batch(segments, config, step, rollbacks),)


@contextlib.contextmanager
def drawn_ahead(
    batches: Iterator[tuple[np.ndarray]],
) -> Iterator[Iterator[tuple[np.ndarray]]]:
    """The same batches, each drawn in a thread while the one before is trained on.

    Under JAX, Keras waits for each step's losses before it asks for a batch: meanwhile a device
    would stand still.

    Args:
        batches: Only this thread draws them.

    Example:
        >>> with drawn_ahead(iter([(np.zeros(1),), (np.ones(1),)])) as ahead:
        ...     [float(batch[0]) for (batch,) in ahead]
        [0.0, 1.0]
    """

    def take() -> Iterator[tuple[np.ndarray]]:
        following = drawing.submit(next, batches, None)
        while (batch := following.result()) is not None:
            following = drawing.submit(next, batches, None)
            yield batch

    with ThreadPoolExecutor(1, thread_name_prefix="draw") as drawing:
        yield take()


def _draw(step: int, rollbacks: int) -> int:
    return rollbacks * _STEPS_APART + step - 1


def _count(config: Config) -> int:
    return config.batch_size * config.critic_steps
