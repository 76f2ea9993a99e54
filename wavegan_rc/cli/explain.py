"""The `explain` command."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wavegan_rc.cli.parser import Parser
from wavegan_rc.config.settings import SETTINGS
from wavegan_rc.config.yaml_file import read_settings
from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.runs.run import Run, similar_name

# Random networks that intervals need.
_FEWEST_DRAWS = 10
_SETTINGS = ("upsampler", "upsampling_factors", "kernel_size", "sample_rate")
_EXAMPLES = (
    "--upsampler transposed --kernel-size 25 --upsampling-factors 4,4,4,4",
    "--config wavegan16384 --draws 0",
    "runs/001-resize --page",
)
_PAGE = "page.html"
_RESIDUAL = """\
Each stage is a residual block: a skip beside it upsamples too, with the same fixed filter and a
kernel of one sample (transposed: of 2 x factor samples, which overlap evenly). It leaves images at
the same frequencies. The tables and the figures are of the stage alone.
"""


def explain_command(program: str, argv: Sequence[str]) -> int:
    """Predict the artifacts of upsampling stages, and draw their spectra before training."""
    parser = _parser(program)
    flags = parser.parse(argv)
    if flags.page:
        return _write_page(parser, flags)
    if 0 < flags.draws < _FEWEST_DRAWS:
        raise ParameterError(
            f"draws must be 0 or at least {_FEWEST_DRAWS}. Received: {flags.draws}"
        )
    in_file = _read_file(flags)
    settings = {
        name: getattr(flags, name, in_file.get(name, SETTINGS[name].default)) for name in _SETTINGS
    }
    from wavegan_rc.explain.explanation import Stages, describe

    stages = Stages(
        settings["upsampler"],
        settings["kernel_size"],
        settings["upsampling_factors"],
        settings["sample_rate"],
    )
    print(describe(stages), flush=True)
    if in_file.get("architecture") == "residual":
        print(f"\n{_RESIDUAL}", end="", flush=True)
    if flags.draws:
        from wavegan_rc.explain.initial_spectra import draw

        print(draw(stages, draws=flags.draws, seed=flags.seed, out=flags.out))
    return 0


def _parser(program: str) -> Parser:
    parser = Parser(program, explain_command.__doc__, _EXAMPLES)
    parser.argument(
        "run", Path | None, "run folder to explain; with --page, a generator file too", nargs="?"
    )
    parser.flag("config", Path | None, "preset or YAML file of settings; flags take precedence")
    for name in _SETTINGS:
        text = "sampling rate of the output" if name == "sample_rate" else SETTINGS[name].help
        parser.declare(replace(SETTINGS[name], group="", help=text), default=argparse.SUPPRESS)
    draws = "random networks per upsampler in the figures"
    parser.flag("draws", int, draws, default=100, low=0, zero="no figures")
    parser.flag("seed", int, "seed of the random networks", default=0, low=0)
    parser.flag("out", Path, "folder for the figures or the page", default=Path("explanation"))
    parser.switch(
        "page", f"write {_PAGE}, which explains, plays and runs trained generators, and no figures"
    )
    return parser


def _read_file(flags: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of the run or the file."""
    if flags.run is not None and flags.config is not None:
        raise ParameterError("--config cannot be combined with a run")
    file = flags.config
    if flags.run is not None:
        file = Run(flags.run).config
        if not file.is_file():
            raise DataError(f"{flags.run}: not a run folder{similar_name(flags.run)}")
    return {} if file is None else read_settings(file)


def _write_page(parser: Parser, flags: argparse.Namespace) -> int:
    """Write the page, which has controls of its own for all that the other flags set."""
    for name, value in vars(flags).items():
        if name not in ("run", "page", "out") and value != parser.get_default(name):
            raise ParameterError(f"--page cannot be combined with --{name.replace('_', '-')}")
    from wavegan_rc.explain.page import write_page

    page = flags.out / _PAGE
    size = write_page(page, flags.run)
    print(f"wrote {page} ({size / 1e6:.1f} MB): open it in a browser")
    return 0
