"""The `sweep` command."""

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wavegan_rc.cli.cell import command_of_cell
from wavegan_rc.cli.parser import Parser
from wavegan_rc.cli.process import EXIT_BY_SIGNAL
from wavegan_rc.config.yaml_file import read_grids
from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.sweep.grid import SweepCell, grid_cells
from wavegan_rc.utils.extras import require
from wavegan_rc.utils.keras_start import choose_backend

if TYPE_CHECKING:
    from wavegan_rc.sweep.sweep import Engine

EXIT_CELLS_FAILED = 1
_EXAMPLES = (
    "configs/sweeps/seed_experiment.yaml",
    "grid.yaml --at-once 2 --out sweeps/again",
    "grid.yaml --engine ray --address auto",
)


def sweep_command(program: str, argv: Sequence[str]) -> int:
    """Train every combination of a grid of settings, several at once, and compare them."""
    flags = _parser(program).parse(argv)
    engine = _engine(flags)
    out = Path("sweeps") / flags.grid.stem if flags.out is None else flags.out
    cells = read_cells(flags.grid, out)

    from wavegan_rc.sweep.sweep import sweep

    runs, failed, received = sweep(cells, out, command=command_of_cell, engine=engine)
    print(f"sweep: {out}: {len(runs)} of {len(cells)} cells are finished")
    if received is not None:
        print("the same command resumes it", file=sys.stderr)
        return EXIT_BY_SIGNAL + received
    if runs:
        from wavegan_rc.report.write import write_report

        print(f"report: {write_report(runs, out / 'report')}")
    return EXIT_CELLS_FAILED if failed else 0


def _parser(program: str) -> Parser:
    parser = Parser(program, sweep_command.__doc__, _EXAMPLES)
    parser.argument(
        "grid", Path, "YAML file of settings, with a `grid:` of settings that have a list each"
    )
    parser.flag(
        "out",
        Path | None,
        "folder for the runs; name that of an earlier sweep to resume it",
        null="sweeps/ and the name of the grid file",
    )
    parser.flag(
        "at_once",
        int | None,
        "number of cells trained at the same time",
        low=1,
        null="one on each GPU, or on each core",
    )
    parser.flag(
        "engine",
        Literal["local", "ray"],
        "local (processes on this machine) or ray (tasks of Ray; needs the extra `ray`)",
        default="local",
    )
    parser.flag(
        "address",
        str | None,
        "address of a Ray cluster; auto: the cluster of this machine",
        null="this machine alone",
        metavar="ADDRESS",
    )
    return parser


def _engine(flags: Namespace) -> "Callable[[], Engine]":
    """Return a function that starts the engine, after a check of its flags."""
    other = {"local": "address", "ray": "at_once"}[flags.engine]
    if getattr(flags, other) is not None:
        raise ParameterError(f"{other} cannot be combined with the engine {flags.engine}")
    if flags.engine == "ray":
        require("ray", extra="ray", asked="engine ray")
        from wavegan_rc.sweep.ray_engine import RayEngine

        return lambda: RayEngine(flags.address)
    from wavegan_rc.sweep.process import LocalEngine
    from wavegan_rc.sweep.resources import places

    choose_backend()  # inherited by the processes that count GPUs and that train
    return lambda: LocalEngine(places(flags.at_once))


def read_cells(file: Path, out: Path) -> list[SweepCell]:
    """Return the cells of a YAML grid file, for a sweep in the folder `out`."""
    settings, grids = read_grids(file)
    try:
        return grid_cells(settings, grids, out)
    except ParameterError as error:
        raise DataError(f"{file}: {error}") from None
