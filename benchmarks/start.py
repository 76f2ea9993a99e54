"""Time how long programs take to start, as processes of their own."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.timing import (
    check_request,
    interleaved,
    machine,
    medians_ms,
    timed,
    write_numbers,
)

# The seconds that a start may take.
IMPORT_LIMIT_S = 0.2
HELP_LIMIT_S = 1.0


def benchmark_start(commands: Sequence[str], repeats: int, json_file: Path | None) -> None:
    """Time Python alone, `import wavegan_rc` and each command's help; print a table.

    Args:
        commands: Names of the commands.
        repeats: Timed rounds, at least 1.
        json_file: For the numbers; None: no file.

    Raises:
        ParameterError: If `repeats` is smaller than 1.
        DataError: If the file cannot be written.
    """
    check_request(repeats, json_file)
    run = "from wavegan_rc.cli.commands import main; main()"
    programs: dict[str, list[str]] = {
        "python alone": ["-c", "pass"],
        "import wavegan_rc": ["-c", "import wavegan_rc"],
    } | {f"{command} --help": ["-c", run, command, "--help"] for command in commands}
    visits = {name: _visit([sys.executable, *arguments]) for name, arguments in programs.items()}
    rows = [
        {"program": name, "median_ms": median, "limit_ms": _limit_ms(name)}
        for name, median in medians_ms(interleaved(visits, repeats)).items()
    ]
    write_numbers(json_file, {"machine": machine(), "repeats": repeats, "rows": rows})
    print(format_start(rows))


def _limit_ms(name: str) -> float | None:
    if name.endswith("--help"):
        return 1000 * HELP_LIMIT_S
    return 1000 * IMPORT_LIMIT_S if name.startswith("import") else None


def _visit(argv: list[str]) -> Callable[[], list[float]]:
    def call() -> None:
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)

    return lambda: timed(call, 1, before=0)


def format_start(rows: list[dict[str, Any]]) -> str:
    """The rows as a table."""
    lines = [f"{'':20}{'median ms':>11}{'limit ms':>10}"]
    for row in rows:
        limit = "" if row["limit_ms"] is None else f"{row['limit_ms']:10.0f}"
        slow = row["limit_ms"] is not None and row["median_ms"] > row["limit_ms"]
        lines.append(
            f"{row['program']:20}{row['median_ms']:11.0f}{limit}{'  too slow' if slow else ''}"
        )
    return "\n".join(lines)
