"""The `benchmark` command."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from wavegan_rc.cli.parser import Parser
from wavegan_rc.cli.process import quiet_start, require_tensorflow
from wavegan_rc.utils.extras import load_before_tensorflow

Subject = Literal["upsampling", "training", "generation", "preparation", "start", "quality"]
SUBJECTS: tuple[Subject, ...] = Subject.__args__
Stack = Literal["2x7", "4x4", "4x5"]
STACKS: tuple[Stack, ...] = Stack.__args__

# Each one's help is timed.
_COMMANDS = ("train", "generate", "explain", "export", "measure", "report", "sweep")


def benchmark_command(program: str, argv: Sequence[str]) -> int:
    """Time upsampling layers, training, generation, preparation or start; or quality over time."""
    parser = Parser(program, benchmark_command.__doc__)
    parser.argument("subject", Subject, f"one of {', '.join(SUBJECTS)}")
    parser.flag(
        "repeats", int | None, "timed rounds", low=1, null="15, or 5 of training and preparation"
    )
    parser.flag(
        "stacks",
        tuple[Stack, ...],
        f"stages timed by upsampling: {', '.join(STACKS)}",
        default=STACKS,
    )
    parser.flag(
        "configs",
        tuple[Literal["speech2048", "wavegan16384", "gpu"], ...],
        "settings timed by training: speech2048, wavegan16384 (batch 8), gpu",
        default=("speech2048", "wavegan16384"),
    )
    parser.flag("json", Path | None, "file for the numbers")
    parser.flag(
        "seconds",
        float,
        "training time of each program in quality",
        unit="s",
        above=0,
        default=300.0,
    )
    flags = parser.parse(argv)
    repeats = flags.repeats
    if repeats is None:
        repeats = 5 if flags.subject in ("training", "preparation") else 15
    if flags.subject == "preparation":
        from benchmarks.preparation import benchmark_preparation

        benchmark_preparation(repeats, flags.json)
    elif flags.subject == "start":
        from benchmarks.start import benchmark_start

        benchmark_start(_COMMANDS, repeats, flags.json)
    elif flags.subject == "training":
        load_before_tensorflow()
        with quiet_start():
            from benchmarks.training import benchmark_training
        benchmark_training(flags.configs, repeats, flags.json)
    elif flags.subject == "quality":
        require_tensorflow("benchmark quality")
        load_before_tensorflow()
        with quiet_start():
            from benchmarks.quality import benchmark_quality
        benchmark_quality(flags.seconds, flags.json)
    elif flags.subject == "generation":
        with quiet_start():
            from benchmarks.generation import benchmark_generation
        benchmark_generation(repeats, flags.json)
    else:
        require_tensorflow("benchmark upsampling")
        with quiet_start():
            from benchmarks.upsampling import benchmark_upsampling
        benchmark_upsampling(flags.stacks, repeats, flags.json)
    return 0
