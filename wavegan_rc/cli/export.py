"""The `export` command."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from wavegan_rc.cli.parser import Parser
from wavegan_rc.cli.process import require_tensorflow

_EXAMPLES = (
    "runs/001-resize --format onnx",
    "runs/001-resize --format savedmodel --out served",
    "generator.keras --format litert",
)


def export_command(program: str, argv: Sequence[str]) -> int:
    """Write a trained generator for TensorFlow Serving, ONNX Runtime or LiteRT."""
    parser = Parser(program, export_command.__doc__, _EXAMPLES)
    parser.argument("run", Path, "run folder or generator.keras file")
    parser.flag(
        "format",
        Literal["savedmodel", "onnx", "litert"],
        "format; onnx needs the extra `onnx`",
        required=True,
    )
    parser.flag(
        "out",
        Path | None,
        "file or folder to write",
        null="generator.savedmodel, .onnx or .tflite in the run folder",
    )
    flags = parser.parse(argv)
    require_tensorflow("export")
    from wavegan_rc.generator.exports import export

    written, description = export(flags.run, flags.format, flags.out)
    print(f"{description}\nexported: {written}")
    return 0
