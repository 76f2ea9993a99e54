from sys import argv

from wavegan_rc.cli.explain import explain_command
from wavegan_rc.cli.process import run_command

if __name__ == "__main__":
    run_command(explain_command, "explain.py", argv[1:])
