"""When something is written that a run keeps for good."""


def due(step: int, every: int, dense: int) -> bool:
    """Whether something is due: at multiples of `every`, but ever more rarely in long runs.

    Each time that the steps double beyond `dense * every`, the interval does too, so that there are
    `dense / 2` more for each doubling: what a run keeps does not grow without bound. It depends on
    the step alone, so that a run that goes on has the same as one that never stopped.

    Args:
        step: Steps made, from 1.
        every: Steps between two at first.
        dense: How many there are before the interval first doubles.

    Example:
        >>> [step for step in range(1, 33) if due(step, every=1, dense=4)]
        [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]
    """
    while step > dense * every:
        every *= 2
    return step % every == 0
