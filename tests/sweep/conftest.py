"""A fixture of sweeps of pretended cells."""

import pytest
from helpers.sweeps import Sweep


@pytest.fixture
def sweep(tmp_path):
    made = []

    def make(text):
        made.append(Sweep(tmp_path, text))
        return made[-1]

    yield make
    for one in made:
        one.kill()
