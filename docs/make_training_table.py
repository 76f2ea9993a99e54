"""Print the README's table of training speed from a file of `benchmark.py training --json`."""

import json
import sys
from pathlib import Path

from benchmarks.training_table import readme_table

if __name__ == "__main__":
    print(readme_table(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["rows"]))
