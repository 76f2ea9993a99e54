from sys import argv

from wavegan_rc.cli.generate import generate_command
from wavegan_rc.cli.process import run_command

if __name__ == "__main__":
    run_command(generate_command, "generate.py", argv[1:])
