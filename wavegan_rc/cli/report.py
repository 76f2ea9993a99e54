"""The `report` command."""

from collections.abc import Sequence
from pathlib import Path

from wavegan_rc.cli.parser import Parser

_EXAMPLES = (
    "runs/001-transposed runs/002-resize",
    "runs/*-transposed runs/*-resize",
    "runs/*-transposed runs/*-sinc --out sinc",
)


def report_command(program: str, argv: Sequence[str]) -> int:
    """Compare finished runs on one page: verdicts, spectrograms, audio and all numbers."""
    parser = Parser(program, report_command.__doc__, _EXAMPLES)
    parser.argument(
        "runs",
        tuple[Path, ...],
        "run folders, or folders of runs; runs that differ only in the seed form a group, and the "
        "first group is the reference",
    )
    parser.flag("out", Path, "folder for the report", default=Path("report"))
    flags = parser.parse(argv)
    from wavegan_rc.report.write import write_report

    page = write_report(flags.runs, flags.out)
    print(f"report: {page} ({page.stat().st_size / 1e6:.1f} MB)")
    return 0
