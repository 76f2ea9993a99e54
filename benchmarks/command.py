"""The `benchmark` command."""

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Literal

from wavegan_rc.cli.parser import Parser
from wavegan_rc.cli.process import require_tensorflow
from wavegan_rc.errors import DataError
from wavegan_rc.utils.extras import load_before_tensorflow

Subject = Literal["upsampling", "training", "generation", "quality"]
SUBJECTS: tuple[Subject, ...] = Subject.__args__
Stack = Literal["2x7", "4x4", "4x5"]
STACKS: tuple[Stack, ...] = Stack.__args__


def benchmark_command(program: str, argv: Sequence[str]) -> int:
    """Time upsampling layers, training or generation; or measure quality over time."""
    parser = Parser(program, benchmark_command.__doc__)
    parser.argument("subject", Subject, f"one of {', '.join(SUBJECTS)}")
    parser.flag("repeats", int | None, "timed rounds", low=1, null="15, or 5 of training")
    parser.flag(
        "stacks",
        tuple[Stack, ...],
        f"stages timed by upsampling: {', '.join(STACKS)}",
        default=STACKS,
    )
    parser.flag(
        "config",
        tuple[Literal["speech2048", "wavegan16384", "gpu"], ...],
        "settings timed by training: speech2048, wavegan16384 (batch 8), gpu",
        default=("speech2048", "wavegan16384"),
    )
    parser.flag("out", Path | None, "JSON file for the numbers")
    parser.flag(
        "seconds",
        float,
        "training time of each program in quality",
        unit="s",
        above=0,
        default=300.0,
    )
    flags = parser.parse(argv)
    repeats = flags.repeats or (5 if flags.subject == "training" else 15)
    _check_writable(flags.out)
    if flags.subject in ("quality", "upsampling"):
        require_tensorflow(f"benchmark {flags.subject}")
    if flags.subject in ("quality", "training"):
        load_before_tensorflow()
    module = import_module(f"benchmarks.{flags.subject}")
    options = {
        "quality": [flags.seconds],
        "training": [flags.config, repeats],
        "upsampling": [flags.stacks, repeats],
    }
    benchmark = getattr(module, f"benchmark_{flags.subject}")
    benchmark(*options.get(flags.subject, [repeats]), flags.out)
    return 0


def _check_writable(file: Path | None) -> None:
    """Find a mistake before minutes of work."""
    if file is not None:
        folder = file.absolute().parent
        if file.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise DataError(f"out must be a file in a writable folder. Received: {file}")
