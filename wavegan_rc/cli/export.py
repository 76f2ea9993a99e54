"""The `export` command."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from wavegan_rc.cli.process import quiet_start, require_tensorflow
from wavegan_rc.cli.settings import Parser


def export_command(program: str, argv: Sequence[str]) -> int:
    """Write a trained generator for TensorFlow Serving, ONNX Runtime or LiteRT."""
    parser = Parser(prog=program, description=export_command.__doc__)
    parser.add_argument("run", type=str, help="run folder or generator.keras file")
    parser.add_argument(
        "--format",
        type=Literal["savedmodel", "onnx", "litert"],
        metavar="WORD",
        required=True,
        help="savedmodel, onnx (extra `onnx`) or litert",
    )
    parser.add_argument(
        "--out",
        type=str | None,
        metavar="PATH",
        help="what to write; null: beside the generator, generator.savedmodel, .onnx or .tflite",
    )
    flags = parser.parse_command_line(argv)
    require_tensorflow("export")
    with quiet_start():
        from wavegan_rc.generator.exports import export
    out = None if flags.out is None else Path(flags.out).expanduser()
    written, what = export(Path(flags.run).expanduser(), flags.format, out)
    print(f"{what}\nexported: {written}")
    return 0
