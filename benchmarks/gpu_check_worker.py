"""A process that times one program's steps for `gpu_check`: a question and an answer each a line.

A question is a JSON object: `{"ask": "machine"}`, `{"ask": "product", "precision": WORD}` or
`{"ask": "step", "config": NAME, "upsampler": WORD, "precision": WORD}`. An answer is the value as
JSON, or `{"error": TEXT}`.
"""

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from benchmarks.gpu_check import timed_settings
from benchmarks.steps import StepPrecision
from benchmarks.timing import Visit, machine
from benchmarks.training import (
    peak_gflop_per_s,
    product_shape,
    programs,
    segments_for,
    step_time,
    steps_per_visit,
)
from wavegan_rc.nn.backend import on_jax
from wavegan_rc.training.devices import device_name
from wavegan_rc.utils.text import one_line


def answers(program: str, toy: bool) -> dict[str, Callable[[Mapping[str, Any]], Any]]:
    """Return a function for each kind of question."""
    found, products = programs()
    settings = timed_settings(toy)
    product = products["PyTorch" if program.startswith("PyTorch") else program]
    seconds = 0.1 if toy else 3.0

    def about(_: Mapping[str, Any]) -> dict[str, Any]:
        return machine() | {"device": device_name()}

    def speed(question: Mapping[str, Any]) -> float:
        size, count = (128, 1) if toy else product_shape()
        return peak_gflop_per_s(_times(product(size, question["precision"], count), seconds), size)

    def step(question: Mapping[str, Any]) -> dict[str, Any]:
        name, precision = question["config"], question["precision"]
        config = replace(settings[name], upsampler=(question["upsampler"],))
        segments, steps = segments_for(config), steps_per_visit(config)
        visit = found[program](config, precision, segments, steps)
        return asdict(step_time(name, config, program, precision, _times(visit, seconds)))

    return {"machine": about, "product": speed, "step": step}


def _times(visit: Visit, seconds: float) -> list[float]:
    """Repeat a visit for some seconds, after a first one that compiles."""
    visit()
    times, end = visit(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        times += visit()
    return times


def _use_tf32(precision: StepPrecision) -> None:
    """Have JAX compute float32 with TF32, which is its default on GPUs, or without."""
    if on_jax():
        import jax

        wanted = "highest" if precision == "float32" else None
        jax.config.update("jax_default_matmul_precision", wanted)


def main(program: str, size: str) -> None:
    """Answer questions until the standard input ends; libraries print to the standard error."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    by_kind = answers(program, size == "toy")
    for line in sys.stdin:
        question = json.loads(line)
        print(question, flush=True)
        try:
            _use_tf32(question.get("precision", "tf32"))
            answer = by_kind[question["ask"]](question)
        except Exception as error:  # too little memory, no kernel for it, no compiler
            answer = {"error": one_line(error)}
        gc.collect()  # models are in reference cycles, which would keep their memory
        if "torch" in sys.modules:  # for the other programs
            sys.modules["torch"].cuda.empty_cache()
        print(json.dumps(answer), file=replies, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
