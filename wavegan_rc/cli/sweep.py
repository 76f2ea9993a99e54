"""The `sweep` command."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jsonargparse import Namespace

from wavegan_rc.cli.cell import command_of_cell
from wavegan_rc.cli.process import EXIT_BY_SIGNAL, choose_backend, quiet_start
from wavegan_rc.cli.settings import Parser, settings_parser, typed
from wavegan_rc.config.yaml_file import read_grid
from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.sweep.grid import Cell, grid_cells
from wavegan_rc.utils.extras import require

if TYPE_CHECKING:
    from wavegan_rc.sweep.sweep import Engine

EXIT_CELLS_FAILED = 1


def sweep_command(program: str, argv: Sequence[str]) -> int:
    """Train every combination of a grid of settings, several at once, and compare them."""
    parser = Parser(prog=program, description=sweep_command.__doc__)
    parser.add_argument(
        "grid", type=str, help="YAML file of settings, with a `grid:` of settings that have a list"
    )
    parser.add_argument(
        "--out",
        type=str | None,
        metavar="PATH",
        help="folder for the runs, one that a sweep was begun in to go on; "
        "null: sweeps/<name of the file>",
    )
    parser.add_argument(
        "--at-once",
        type=int | None,
        metavar="N",
        help="cells trained at the same time; null: one on each GPU, or on each core",
    )
    parser.add_argument(
        "--engine",
        type=Literal["local", "ray"],
        metavar="WORD",
        default="local",
        help="local: processes on this machine; ray: tasks of Ray (extra `ray`)",
    )
    parser.add_argument(
        "--address",
        type=str | None,
        metavar="ADDRESS",
        help="of a Ray cluster; auto: the one that this machine is of; null: this machine alone",
    )
    flags = parser.parse_command_line(argv)
    _check_engine(flags)
    file = Path(flags.grid).expanduser()
    out = Path("sweeps") / file.stem if flags.out is None else Path(flags.out).expanduser()
    cells = read_cells(file, out)

    from wavegan_rc.sweep.sweep import sweep

    engine = _ray(flags.address) if flags.engine == "ray" else _local(flags.at_once)
    runs, failed, received = sweep(cells, out, command=command_of_cell, engine=engine)
    print(f"sweep: {out}: {len(runs)} of {len(cells)} cells are finished")
    if received is not None:
        print("the same command goes on with it", file=sys.stderr)
        return EXIT_BY_SIGNAL + received
    if runs:
        with quiet_start():
            from wavegan_rc.report.write import write_report
        print(f"report: {write_report(runs, out / 'report')}")
    return EXIT_CELLS_FAILED if failed else 0


def _check_engine(flags: Namespace) -> None:
    if flags.at_once is not None and flags.at_once < 1:
        raise ParameterError(f"at_once must be at least 1. Received: {flags.at_once}")
    other = {"local": "address", "ray": "at_once"}[flags.engine]
    if flags[other] is not None:
        raise ParameterError(f"{other} does not go with the engine {flags.engine}")
    if flags.engine == "ray":
        require("ray", extra="ray", asked="engine ray")


def _local(at_once: int | None) -> "Callable[[], Engine]":
    from wavegan_rc.sweep.local import LocalEngine
    from wavegan_rc.sweep.resources import places

    choose_backend()  # the processes that are asked for GPUs, and train, inherit it
    return lambda: LocalEngine(places(at_once))


def _ray(address: str | None) -> "Callable[[], Engine]":
    from wavegan_rc.sweep.ray_engine import RayEngine

    return lambda: RayEngine(address)


def read_cells(file: Path, out: Path) -> list[Cell]:
    """The cells of a grid file.

    Args:
        file: YAML.
        out: Folder of the sweep.

    Raises:
        DataError: If it is no grid of settings that can be; names the file, and the key.
    """
    settings, grid = read_grid(file)
    parser = settings_parser()
    settings = {key: typed(key, value, str(file), parser) for key, value in settings.items()}
    grid = {
        key: [typed(key, value, f"{file}: grid", parser) for value in values]
        for key, values in grid.items()
    }
    try:
        return grid_cells(settings, grid, out)
    except ParameterError as error:
        raise DataError(f"{file}: {error}") from None
