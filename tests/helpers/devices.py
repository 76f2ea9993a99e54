"""Trainings on several devices, in processes of their own."""

import os
import subprocess
import sys

import pytest

from helpers import ROOT

TRAIN = str(ROOT / "scripts" / "train.py")


def environment(backend):
    return os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}


def run(backend, *flags):
    return subprocess.run(
        [sys.executable, TRAIN, *flags],
        env=environment(backend),
        capture_output=True,
        text=True,
        check=False,
    )


def assert_alike(rows, expected):
    assert [row["step"] for row in rows] == [row["step"] for row in expected]
    # Sums over parts of a batch round differently. That grows from 1e-7 to 2e-3 in 12 steps, in the
    # norm of a gradient where a ReLU turns.
    for row, other in zip(rows, expected, strict=True):
        assert row == pytest.approx(other, rel=5e-3, abs=1e-4)
