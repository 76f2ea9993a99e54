import sys

from wavegan_rc.cli import run_command, train_command

if __name__ == "__main__":
    run_command(train_command, sys.argv[1:])
