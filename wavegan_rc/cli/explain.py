"""The `explain` command."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from wavegan_rc.cli.parser import Parser
from wavegan_rc.cli.process import quiet_start
from wavegan_rc.config.settings import SETTINGS
from wavegan_rc.errors import ParameterError

# Random networks that intervals need.
_FEWEST_DRAWS = 10


def explain_command(program: str, argv: Sequence[str]) -> int:
    """Predict the artifacts of upsampling stages, and draw their spectra before training."""
    parser = Parser(program, explain_command.__doc__)
    for name, changes in (
        ("upsampler", {}),
        ("kernel_size", {}),
        ("upsampling_factors", {"name": "factors"}),
        ("sample_rate", {"help": "sampling rate of the output"}),
    ):
        parser.declare(replace(SETTINGS[name], group="", **changes))
    parser.flag(
        "draws",
        int,
        "random networks per upsampler in the figures",
        default=100,
        low=0,
        zero="no figures",
    )
    parser.flag("seed", int, "seed of the random networks", default=0, low=0)
    parser.flag("out", Path, "folder for the figures", default=Path("explanation"))
    flags = parser.parse(argv)
    if 0 < flags.draws < _FEWEST_DRAWS:
        raise ParameterError(
            f"draws must be 0 or at least {_FEWEST_DRAWS}. Received: {flags.draws}"
        )
    from wavegan_rc.explain.explanation import Stages, describe

    stages = Stages(flags.upsampler, flags.kernel_size, flags.factors, flags.sample_rate)
    print(describe(stages), flush=True)
    if flags.draws:
        with quiet_start():
            from wavegan_rc.explain.initial_spectra import draw
        print(draw(stages, draws=flags.draws, seed=flags.seed, out=flags.out))
    return 0
