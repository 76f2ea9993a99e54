from sys import argv

from wavegan_rc.cli.export import export_command
from wavegan_rc.cli.process import run_command

if __name__ == "__main__":
    run_command(export_command, "export.py", argv[1:])
