"""The `benchmark` command."""

import os
from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Literal

from wavegan_rc.cli.process import quiet_start, require_tensorflow
from wavegan_rc.cli.settings import Parser
from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.utils.extras import load_before_tensorflow

Subject = Literal["upsampling", "training", "generation", "preparation", "start", "quality"]
SUBJECTS: tuple[Subject, ...] = Subject.__args__
Stacks = Literal["2x7", "4x4", "4x5"]
Configs = Literal["speech2048", "wavegan16384", "gpu"]


def benchmark_command(program: str, argv: Sequence[str]) -> int:
    """Time upsampling layers, training, generation, preparation or start; or quality over time."""
    parser = Parser(prog=program, description=benchmark_command.__doc__)
    add = parser.add_argument
    add("subject", type=Subject, metavar="SUBJECT", help=f"one of {', '.join(SUBJECTS)}")
    add(
        "--repeats",
        type=int | None,
        metavar="N",
        help="timed rounds (default: 15; training, preparation: 5)",
    )
    for name, words, default, text in (
        ("--stacks", Stacks, Stacks.__args__, "upsampling: stacks to time"),
        ("--configs", Configs, Configs.__args__[:2], "training: settings to time"),
    ):
        text += f": {', '.join(words.__args__)}"
        add(name, type=words, nargs="+", metavar="NAME", default=list(default), help=text)
    add("--json", type=str | None, metavar="FILE", help="file for the numbers")
    add(
        "--seconds",
        type=float,
        metavar="X",
        default=300.0,
        help="quality: seconds of training of each program",
    )
    flags = parser.parse_command_line(argv)
    repeats = flags.repeats
    if repeats is None:
        repeats = 5 if flags.subject in ("training", "preparation") else 15
    json_file = None if flags.json is None else Path(flags.json).expanduser()
    _check(repeats, flags.seconds, json_file)
    if flags.subject in ("quality", "upsampling"):
        require_tensorflow(f"benchmark {flags.subject}")
    if flags.subject in ("quality", "training"):
        load_before_tensorflow()
    without_keras = flags.subject in ("preparation", "start")
    with nullcontext() if without_keras else quiet_start():
        module = import_module(f"benchmarks.{flags.subject}")
    options = {
        "quality": [flags.seconds],
        "training": [flags.configs, repeats],
        "upsampling": [flags.stacks, repeats],
    }
    benchmark = getattr(module, f"benchmark_{flags.subject}")
    benchmark(*options.get(flags.subject, [repeats]), json_file)
    return 0


def _check(repeats: int, seconds: float, json_file: Path | None) -> None:
    """Find mistakes before minutes of work."""
    if repeats < 1:
        raise ParameterError(f"repeats must be at least 1. Received: {repeats}")
    if not seconds > 0:
        raise ParameterError(f"seconds must be greater than 0. Received: {seconds:g}")
    if json_file is not None:
        folder = json_file.absolute().parent
        if json_file.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise DataError(f"json must be a file in a writable folder. Received: {json_file}")
