from sys import argv

from wavegan_rc.cli import generate_command, run_command

if __name__ == "__main__":
    run_command(generate_command, "generate.py", argv[1:])
