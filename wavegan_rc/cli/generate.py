"""The `generate` command."""

from collections.abc import Sequence
from pathlib import Path

from wavegan_rc.cli.parser import Parser
from wavegan_rc.cli.process import quiet_start


def generate_command(program: str, argv: Sequence[str]) -> int:
    """Write WAVs from a run folder or a generator.keras, with the latents that made them."""
    parser = Parser(program, generate_command.__doc__)
    parser.argument("run", Path, "run folder or generator.keras file")
    parser.flag("count", int, "number of WAVs", default=64, low=1)
    parser.flag("seed", int, "seed of the latents", default=0, low=0)
    parser.flag("out", Path, "folder for the WAVs, new or empty", default=Path("generated"))
    parser.flag("latents", Path | None, "latents.npz file to use", null="random latents")
    parser.switch("interpolate", "walk in --count steps between the first two latents")
    flags = parser.parse(argv)
    with quiet_start():
        from wavegan_rc.generator.generation import generate
    out = generate(
        flags.run,
        flags.out,
        count=flags.count,
        seed=flags.seed,
        latents_file=flags.latents,
        interpolate=flags.interpolate,
    )
    print(f"wavs: {out}")
    return 0
