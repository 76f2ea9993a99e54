"""The batch of each step, as a pure function of the seed, the step and the rollbacks."""

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from wavegan_rc.audio.segments import Segments
from wavegan_rc.config import Config

# Larger than any number of steps: after a rollback, no draw repeats.
_STEPS_APART = 2**31

# A function that returns an iterator over the batches of `fit`.
Batches = Callable[[], Iterator[tuple[np.ndarray]]]


def batch(
    segments: Segments, config: Config, step: int, rollbacks: int, rows: slice = slice(None)
) -> np.ndarray:
    """Return the real segments of a step from 1 on, after so many rollbacks.

    The float32 array has the shape (rows, critic_steps, samples, 1); several hosts share a batch.
    """
    first, last, _ = rows.indices(config.batch_size)
    part = slice(first * config.critic_steps, last * config.critic_steps)
    drawn = segments.draw(_draw(step, rollbacks), _count(config), part)
    return drawn.reshape(last - first, config.critic_steps, config.segment_length, 1)


def batch_sources(
    segments: Segments, config: Config, step: int, rollbacks: int
) -> list[tuple[str, int]]:
    """Return the recording and first sample of each segment of a batch, in row-major order."""
    return segments.sources(_draw(step, rollbacks), _count(config))


def batches(
    segments: Segments, config: Config, first_step: int, rollbacks: int, rows: slice = slice(None)
) -> Iterator[tuple[np.ndarray]]:
    """Yield the batches, or rows of them, from one step to the last, in the form of `fit`."""
    for step in range(first_step, config.steps + 1):
        yield (batch(segments, config, step, rollbacks, rows),)


@contextlib.contextmanager
def drawn_ahead(batches: Batches) -> Iterator[Batches]:
    """Provide the same batches, each drawn in a thread during the step before it.

    Under JAX, Keras waits for each step's losses before it asks for a batch. A device would
    otherwise be idle meanwhile.

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
