"""The `explain` command."""

from collections.abc import Sequence
from pathlib import Path

from wavegan_rc.cli.process import quiet_start
from wavegan_rc.cli.settings import Parser
from wavegan_rc.config import Config
from wavegan_rc.config.choices import UPSAMPLERS, Upsampler
from wavegan_rc.errors import ParameterError

# Intervals of fewer random networks would mean nothing.
_FEWEST_DRAWS = 10


def explain_command(program: str, argv: Sequence[str]) -> int:
    """Say what theory predicts of upsampling stages, and draw their spectra before training."""
    parser = Parser(prog=program, description=explain_command.__doc__)
    defaults = Config()
    parser.add_argument(
        "--upsampler",
        type=Upsampler,
        nargs="+",
        metavar="WORD",
        default=list(defaults.upsampler),
        help=f"one for all stages, or one per stage: {', '.join(UPSAMPLERS)}",
    )
    parser.add_argument(
        "--kernel-size", type=int, metavar="N", default=defaults.kernel_size, help="in samples"
    )
    parser.add_argument(
        "--factors",
        type=int,
        nargs="+",
        metavar="N",
        default=list(defaults.upsampling_factors),
        help="upsampling factor of each stage",
    )
    parser.add_argument(
        "--sample-rate", type=int, metavar="N", default=defaults.sample_rate, help="in Hz"
    )
    parser.add_argument(
        "--draws",
        type=int,
        metavar="N",
        default=100,
        help="random networks per upsampler in the figure of initial spectra; 0: no figures",
    )
    parser.add_argument("--seed", type=int, metavar="N", default=0, help="of the random networks")
    parser.add_argument(
        "--out", type=str, metavar="PATH", default="explanation", help="folder for the figures"
    )
    flags = parser.parse_command_line(argv)
    from wavegan_rc.explain.explanation import Stages, describe

    stages = Stages(flags.upsampler, flags.kernel_size, flags.factors, flags.sample_rate)
    if not (flags.draws == 0 or flags.draws >= _FEWEST_DRAWS) or flags.seed < 0:
        raise ParameterError(
            f"draws must be 0 or at least {_FEWEST_DRAWS}, seed at least 0. "
            f"Received: {flags.draws}, {flags.seed}"
        )
    print(describe(stages), flush=True)
    if flags.draws:
        with quiet_start():
            from wavegan_rc.explain.initial_spectra import draw
        out = Path(flags.out).expanduser()
        print(draw(stages, draws=flags.draws, seed=flags.seed, out=out))
    return 0
