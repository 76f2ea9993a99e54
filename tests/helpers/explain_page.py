"""The page's JavaScript modules, run by Node.js."""

import json
import shutil
import subprocess
from typing import Any

import pytest

from helpers import ROOT

WEB = ROOT / "wavegan_rc" / "explain" / "web"


def run_modules(script: str, given: Any) -> Any:
    """Run a script in which `given` and the exports of all arithmetic modules are known.

    Args:
        script: Body of a function that returns JSON values.
        given: JSON value.
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs the program node")
    modules = ("fourier", "network", "random", "spectrum", "stages", "size", "tables", "theory")
    lines = [f'import * as {name} from "{(WEB / f"{name}.js").as_uri()}";' for name in modules]
    lines.append("let text = ''; for await (const part of process.stdin) text += part;")
    lines.append("const given = JSON.parse(text);")
    lines.append("const numbers = (_, x) => ArrayBuffer.isView(x) ? [...x] : x;")
    lines.append(f"const run = async () => {{ {script} }};")
    lines.append("process.stdout.write(JSON.stringify(await run(), numbers));")
    done = subprocess.run(
        [node, "--input-type=module", "-e", "\n".join(lines)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
