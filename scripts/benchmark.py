import sys
from pathlib import Path

# `benchmarks/` stands beside the package and is not installed with it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.command import benchmark_command
from wavegan_rc.cli.process import run_command

if __name__ == "__main__":
    run_command(benchmark_command, "benchmark.py", sys.argv[1:])
