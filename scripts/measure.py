from sys import argv

from wavegan_rc.cli.measure import measure_command
from wavegan_rc.cli.process import run_command

if __name__ == "__main__":
    run_command(measure_command, "measure.py", argv[1:])
