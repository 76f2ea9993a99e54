from sys import argv

from wavegan_rc.cli.process import run_command
from wavegan_rc.cli.train import train_command

if __name__ == "__main__":
    run_command(train_command, "train.py", argv[1:])
