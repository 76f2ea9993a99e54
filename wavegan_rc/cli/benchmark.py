"""The `benchmark` command."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from wavegan_rc.cli.process import quiet_start, require_tensorflow
from wavegan_rc.cli.settings import Parser


def benchmark_command(program: str, argv: Sequence[str]) -> int:
    """Time the upsampling layers at the low rate against the same in two steps."""
    parser = Parser(prog=program, description=benchmark_command.__doc__)
    parser.add_argument(
        "subject", type=Literal["upsampling"], metavar="upsampling", help="what to time"
    )
    parser.add_argument("--repeats", type=int, metavar="N", default=15, help="timed rounds")
    parser.add_argument(
        "--stacks",
        type=Literal["2x7", "4x4", "4x5"],
        nargs="+",
        metavar="NAME",
        default=["2x7", "4x4", "4x5"],
        help="which stages to time: 2x7, 4x4, 4x5",
    )
    parser.add_argument("--json", type=str | None, metavar="FILE", help="write the numbers there")
    flags = parser.parse_command_line(argv)
    require_tensorflow("benchmark")
    with quiet_start():
        from wavegan_rc.benchmarks.upsampling import benchmark
    benchmark(flags.stacks, flags.repeats, None if flags.json is None else Path(flags.json))
    return 0
