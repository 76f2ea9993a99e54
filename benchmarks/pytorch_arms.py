"""PyTorch's steps as the benchmark of training times them."""

# pyright: reportMissingImports=false

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.pytorch import Critic, Generator, pytorch_step
from benchmarks.timing import timed
from wavegan_rc.config import Config
from wavegan_rc.utils.cores import usable_cores

Visit = Callable[[], list[float]]


def pytorch_programs() -> dict[str, Callable[[Config, str, np.ndarray, int], Visit]]:
    """The arms: eager, and on a GPU compiled too."""
    programs = {"PyTorch eager": _eager}
    if torch.cuda.is_available():
        # As Keras on JAX does by default; and the fastest convolutions are looked for.
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
        programs["PyTorch compile"] = _compiled
    return programs


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _eager(config: Config, precision: str, segments: np.ndarray, steps: int) -> Visit:
    return _visit(config, precision, segments, steps, None)


def _compiled(config: Config, precision: str, segments: np.ndarray, steps: int) -> Visit:
    return _visit(config, precision, segments, steps, "inductor")


def _visit(
    config: Config, precision: str, segments: np.ndarray, steps: int, backend: str | None
) -> Visit:
    device = _device()
    generator = Generator(config).to(device)
    critic = Critic(config, shuffle_by_index=backend is not None).to(device)
    step = pytorch_step(config, generator, critic, precision != "float32", backend)
    real = torch.from_numpy(np.ascontiguousarray(segments.transpose(1, 0, 3, 2))).to(device)
    return _with_best_threads(lambda: step(real).item(), steps)


def pytorch_peak(size: int, precision: str, count: int) -> Visit:
    """A matrix product, one of `count` in a row."""
    dtype = torch.float32 if precision == "float32" else torch.bfloat16
    left, right = (torch.randn((size, size), device=_device(), dtype=dtype) for _ in range(2))
    right /= size**0.5  # so scaled, the products stay as large as the first factor

    def multiply() -> float:
        product = left
        for _ in range(count):
            product = product @ right
        return product[0, 0].item()

    visit = _with_best_threads(multiply, 3)
    return lambda: [seconds / count for seconds in visit()]


def _with_best_threads(step: Callable[[], Any], steps: int) -> Visit:
    """Visits with the number of threads that a short trial finds to be the fastest."""
    cores = usable_cores()
    counts = sorted({1, max(cores // 2, 1), cores})
    trials = {}
    for count in counts if _device().type == "cpu" else counts[-1:]:
        torch.set_num_threads(count)
        trials[count] = statistics.median(timed(step, steps))
    threads = min(trials, key=lambda count: trials[count])

    def visit() -> list[float]:
        torch.set_num_threads(threads)
        return timed(step, steps)

    return visit
