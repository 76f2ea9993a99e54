"""The `generate` command."""

from collections.abc import Sequence
from pathlib import Path

from wavegan_rc.cli.process import quiet_start
from wavegan_rc.cli.settings import Parser


def generate_command(program: str, argv: Sequence[str]) -> int:
    """Write WAVs from a run folder or a generator.keras, with the latents that made them."""
    parser = Parser(prog=program, description=generate_command.__doc__)
    parser.add_argument("run", type=str, help="run folder or generator.keras file")
    parser.add_argument("--count", type=int, metavar="N", default=64, help="number of WAVs")
    parser.add_argument("--seed", type=int, metavar="N", default=0, help="fixes the latents")
    parser.add_argument(
        "--out",
        type=str,
        metavar="PATH",
        default="generated",
        help="folder for the WAVs, new or empty",
    )
    parser.add_argument(
        "--latents", type=str | None, metavar="FILE", help="latents.npz to recall (sets the count)"
    )
    parser.add_argument(
        "--interpolate",
        action="store_true",
        help="walk in --count steps from one latent to another (the first two of --latents)",
    )
    flags = parser.parse_command_line(argv)

    with quiet_start():
        from wavegan_rc.generator.generation import generate
    out = generate(
        Path(flags.run).expanduser(),
        Path(flags.out).expanduser(),
        count=flags.count,
        seed=flags.seed,
        latents_file=None if flags.latents is None else Path(flags.latents).expanduser(),
        interpolate=flags.interpolate,
    )
    print(f"wavs: {out}")
    return 0
