from sys import argv

from wavegan_rc.cli.benchmark import benchmark_command
from wavegan_rc.cli.process import run_command

if __name__ == "__main__":
    run_command(benchmark_command, "benchmark.py", argv[1:])
