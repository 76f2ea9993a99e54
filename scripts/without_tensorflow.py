"""Print what pip must install for this package without TensorFlow, and with these extras."""

import sys
import tomllib
from pathlib import Path

text = (Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8")
project = tomllib.loads(text)["project"]
print(*(need for need in project["dependencies"] if not need.startswith("tensorflow")))
for extra in sys.argv[1:]:
    print(*project["optional-dependencies"][extra])
