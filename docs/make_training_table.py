"""Print the README's table of training speed from a file of `benchmark.py training --json`."""

import json
import sys
from pathlib import Path

from benchmarks.training_table import StepRow, readme_table

if __name__ == "__main__":
    rows = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["rows"]
    print(readme_table([StepRow(**row) for row in rows]))
