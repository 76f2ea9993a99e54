from sys import argv

from wavegan_rc.cli.process import run_command
from wavegan_rc.cli.report import report_command

if __name__ == "__main__":
    run_command(report_command, "report.py", argv[1:])
