"""The `report` command."""

from collections.abc import Sequence
from pathlib import Path

from wavegan_rc.cli.process import quiet_start
from wavegan_rc.cli.settings import Parser


def report_command(program: str, argv: Sequence[str]) -> int:
    """Put finished runs side by side on one page: verdicts, spectrograms, audio, all numbers."""
    parser = Parser(prog=program, description=report_command.__doc__)
    parser.add_argument(
        "runs",
        type=str,
        nargs="+",
        metavar="RUN",
        help="run folder; others are compared with the first one's setting, seeds taken together",
    )
    parser.add_argument(
        "--out", type=str, metavar="PATH", default="report", help="folder for the report"
    )
    flags = parser.parse_command_line(argv)
    with quiet_start():
        from wavegan_rc.report.write import write_report
    runs = [Path(run).expanduser() for run in flags.runs]
    page = write_report(runs, Path(flags.out).expanduser())
    print(f"report: {page} ({page.stat().st_size / 1e6:.1f} MB)")
    return 0
