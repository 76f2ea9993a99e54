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
    for row, other in zip(rows, expected, strict=True):
        assert row == pytest.approx(other, rel=1e-3, abs=1e-4)
