"""The `explain` command."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from wavegan_rc.cli.parser import Parser
from wavegan_rc.cli.process import quiet_start
from wavegan_rc.config.settings import SETTINGS
from wavegan_rc.errors import ParameterError

# Random networks that intervals need.
_FEWEST_DRAWS = 10
_PAGE = Path("explanation/page.html")


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
    parser.add_argument(
        "run", nargs="?", type=Path, help="run folder or generator file, for --page"
    )
    parser.add_argument(
        "--page",
        nargs="?",
        type=Path,
        const=_PAGE,
        metavar="OUT",
        help="write the page that explains, plays, and runs trained generators, and nothing else "
        f"(an .html file; without OUT: {_PAGE})",
    )
    flags = parser.parse(argv)
    if flags.page:
        return _write_page(parser, flags)
    if flags.run:
        raise ParameterError(f"run must be given with --page. Received: {flags.run}")
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


def _write_page(parser: Parser, flags: Namespace) -> int:
    """Write the page, which has controls of its own for all that the other flags set."""
    for name, value in vars(flags).items():
        if name not in ("run", "page") and value != parser.get_default(name):
            raise ParameterError(f"--page cannot be combined with --{name.replace('_', '-')}")
    with quiet_start():
        from wavegan_rc.explain.page import write_page
    size = write_page(flags.page, flags.run)
    print(f"wrote {flags.page} ({size / 1e6:.1f} MB): open it in a browser")
    return 0
