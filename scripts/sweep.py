from sys import argv

from wavegan_rc.cli.process import run_command
from wavegan_rc.cli.sweep import sweep_command

if __name__ == "__main__":
    run_command(sweep_command, "sweep.py", argv[1:])
