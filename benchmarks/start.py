"""Time the start of programs, each in a new process."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.timing import Visit, interleaved, medians_ms, table, timed, write_numbers
from wavegan_rc.cli.commands import COMMANDS

IMPORT_LIMIT_MS = 200
HELP_LIMIT_MS = 1000


def benchmark_start(repeats: int, json_file: Path | None) -> None:
    """Time Python alone, `import wavegan_rc` and the help of each command."""
    run = "from wavegan_rc.cli.commands import main; main()"
    programs: dict[str, list[str]] = {
        "python alone": ["-c", "pass"],
        "import wavegan_rc": ["-c", "import wavegan_rc"],
    } | {f"{command} --help": ["-c", run, command, "--help"] for command in COMMANDS}
    visits = {name: _visit([sys.executable, *arguments]) for name, arguments in programs.items()}
    rows = [
        {"program": name, "median_ms": median, "limit_ms": _limit_ms(name)}
        for name, median in medians_ms(interleaved(visits, repeats)).items()
    ]
    write_numbers(json_file, rows, repeats=repeats)
    columns = {
        "program": lambda row: row["program"],
        "median ms": lambda row: f"{row['median_ms']:.0f}",
        "limit ms": lambda row: f"{row['limit_ms'] or '-'}",
        "": lambda row: "too slow" if row["median_ms"] > (row["limit_ms"] or np.inf) else "",
    }
    print(*table(columns, rows), sep="\n")


def _limit_ms(program: str) -> int | None:
    if program.endswith("--help"):
        return HELP_LIMIT_MS
    return IMPORT_LIMIT_MS if program.startswith("import") else None


def _visit(argv: list[str]) -> Visit:
    call = partial(subprocess.run, argv, check=True, stdout=subprocess.DEVNULL)
    return partial(timed, call, 1, before=0)
