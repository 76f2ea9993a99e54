import threading

import numpy as np
import pytest

from wavegan_rc.errors import DataError
from wavegan_rc.training.batches import drawn_ahead


def test_batches_are_drawn_ahead_in_order():
    second_is_drawn = threading.Event()

    def batches():
        for step in range(5):
            if step == 1:
                second_is_drawn.set()
            yield (np.full(3, step),)

    with drawn_ahead(batches) as begin:
        ahead = begin()
        assert next(ahead)[0].tolist() == [0, 0, 0]
        assert second_is_drawn.wait(60)  # nobody has asked for it
        assert [batch[0].item(0) for batch in ahead] == [1, 2, 3, 4]
    assert not any(thread.name.startswith("draw") for thread in threading.enumerate())


def test_an_error_in_drawing_is_raised_where_the_batch_is_asked_for():
    def batches():
        yield (np.zeros(1),)
        raise DataError("damaged")

    with pytest.raises(DataError, match="damaged"), drawn_ahead(batches) as ahead:
        list(ahead())


def test_whoever_stops_early_leaves_no_thread():
    endless = ((np.zeros(1),) for _ in iter(int, 1))
    with drawn_ahead(lambda: endless) as ahead:
        next(ahead())
    assert not any(thread.name.startswith("draw") for thread in threading.enumerate())
