"""The `benchmark` command."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from wavegan_rc.cli.process import quiet_start, require_tensorflow
from wavegan_rc.cli.settings import Parser
from wavegan_rc.utils.extras import load_before_tensorflow

Subject = Literal["upsampling", "training", "generation", "preparation", "start", "quality"]
SUBJECTS: tuple[Subject, ...] = Subject.__args__

# Each one's help is timed.
_COMMANDS = ("train", "generate", "explain", "export", "measure", "report", "sweep")


def benchmark_command(program: str, argv: Sequence[str]) -> int:
    """Time upsampling layers, training, generation, preparation or start; or quality over time."""
    parser = Parser(prog=program, description=benchmark_command.__doc__)
    parser.add_argument(
        "subject", type=Subject, metavar="SUBJECT", help=f"what to time: {', '.join(SUBJECTS)}"
    )
    parser.add_argument(
        "--repeats",
        type=int | None,
        metavar="N",
        help="timed rounds (default: 15; training, preparation: 5)",
    )
    parser.add_argument(
        "--stacks",
        type=Literal["2x7", "4x4", "4x5"],
        nargs="+",
        metavar="NAME",
        default=["2x7", "4x4", "4x5"],
        help="upsampling: which stages to time: 2x7, 4x4, 4x5",
    )
    parser.add_argument(
        "--configs",
        type=Literal["speech2048", "wavegan16384", "gpu"],
        nargs="+",
        metavar="NAME",
        default=["speech2048", "wavegan16384"],
        help="training: which settings to time: speech2048, wavegan16384 (batch 8), gpu",
    )
    parser.add_argument("--json", type=str | None, metavar="FILE", help="write the numbers there")
    parser.add_argument(
        "--seconds",
        type=float,
        metavar="X",
        default=300.0,
        help="quality: training of each program",
    )
    flags = parser.parse_command_line(argv)
    repeats = flags.repeats
    if repeats is None:
        repeats = 5 if flags.subject in ("training", "preparation") else 15
    json_file = None if flags.json is None else Path(flags.json).expanduser()
    if flags.subject == "preparation":
        from benchmarks.preparation import benchmark_preparation

        benchmark_preparation(repeats, json_file)
    elif flags.subject == "start":
        from benchmarks.start import benchmark_start

        benchmark_start(_COMMANDS, repeats, json_file)
    elif flags.subject == "training":
        load_before_tensorflow()
        with quiet_start():
            from benchmarks.training import benchmark_training
        benchmark_training(flags.configs, repeats, json_file)
    elif flags.subject == "quality":
        require_tensorflow("benchmark quality")
        load_before_tensorflow()
        with quiet_start():
            from benchmarks.quality import benchmark_quality
        benchmark_quality(flags.seconds, json_file)
    elif flags.subject == "generation":
        with quiet_start():
            from benchmarks.generation import benchmark_generation
        benchmark_generation(repeats, json_file)
    else:
        require_tensorflow("benchmark upsampling")
        with quiet_start():
            from benchmarks.upsampling import benchmark_upsampling
        benchmark_upsampling(flags.stacks, repeats, json_file)
    return 0
