"""Print what pip must install for this package without TensorFlow, and with these extras."""

import argparse
import tomllib
from pathlib import Path

text = (Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8")
project = tomllib.loads(text)["project"]
extras = project["optional-dependencies"]
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("extra", nargs="*", help=f"one of {', '.join(extras)}")
wanted = parser.parse_args().extra
if unknown := set(wanted) - extras.keys():
    parser.error(f"extra must be one of {', '.join(extras)}. Received: {', '.join(unknown)}")
print(*(need for need in project["dependencies"] if not need.startswith("tensorflow")))
for extra in wanted:
    print(*extras[extra])
