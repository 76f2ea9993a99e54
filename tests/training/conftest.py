"""A cache of what JAX compiles."""

import os

import pytest


@pytest.fixture(scope="module")
def shared_compilation(tmp_path_factory):
    """What JAX compiles is the same in many of these processes: they share it."""
    with pytest.MonkeyPatch.context() as patch:
        if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
            patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("jax")))
            patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")
        yield
