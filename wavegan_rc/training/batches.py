"""What each step is trained on, as a pure function of the seed, the step and the rollbacks."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from wavegan_rc.audio.segments import Segments
from wavegan_rc.config import Config

# More than a run can have steps: after a rollback no draw comes again.
_STEPS_APART = 2**31


ALL = slice(None)

# Begins to give batches, as `fit` takes them.
Batches = Callable[[], Iterator[tuple[np.ndarray]]]


def batch(
    segments: Segments, config: Config, step: int, rollbacks: int, rows: slice = ALL
) -> np.ndarray:
    """The real segments of one step.

    Args:
        segments: Of the training recordings.
        config: Sizes.
        step: From 1.
        rollbacks: Made before it.
        rows: Of the batch, to be read: several hosts share a batch.

    Returns:
        float32 array of shape (batch or fewer, critic_steps, samples, 1).
    """
    first, last, _ = rows.indices(config.batch_size)
    part = slice(first * config.critic_steps, last * config.critic_steps)
    drawn = segments.draw(_draw(step, rollbacks), _count(config), part)
    return drawn.reshape(last - first, config.critic_steps, config.segment_length, 1)


def batch_sources(
    segments: Segments, config: Config, step: int, rollbacks: int
) -> list[tuple[str, int]]:
    """Where a batch's segments come from: recording and first sample, in row-major order."""
    return segments.sources(_draw(step, rollbacks), _count(config))


def batches(
    segments: Segments, config: Config, first_step: int, rollbacks: int, rows: slice = ALL
) -> Iterator[tuple[np.ndarray]]:
    """The batches of all steps from one on, or rows of them, as `fit` takes them."""
    for step in range(first_step, config.steps + 1):
        yield (batch(segments, config, step, rollbacks, rows),)


@contextlib.contextmanager
def drawn_ahead(batches: Batches) -> Iterator[Batches]:
    """The same batches, each drawn in a thread while the one before is trained on.

    Under JAX, Keras waits for each step's losses before it asks for a batch: meanwhile a device
    would stand still.

    Args:
        batches: Begins to give them; only this thread draws.

    Example:
        >>> with drawn_ahead(lambda: iter([(np.zeros(1),), (np.ones(1),)])) as ahead:
        ...     [float(batch[0]) for (batch,) in ahead()]
        [0.0, 1.0]
    """

    def take() -> Iterator[tuple[np.ndarray]]:
        source = batches()
        following = drawing.submit(next, source, None)
        while (batch := following.result()) is not None:
            following = drawing.submit(next, source, None)
            yield batch

    with ThreadPoolExecutor(1, thread_name_prefix="draw") as drawing:
        yield take


def _draw(step: int, rollbacks: int) -> int:
    return rollbacks * _STEPS_APART + step - 1


def _count(config: Config) -> int:
    return config.batch_size * config.critic_steps
