"""What the scripts and the `wavegan-rc` program do.

Nothing here imports TensorFlow or an audio library before the arguments are known to be good.
"""

import dataclasses
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

from jsonargparse import Namespace

import wavegan_rc
from wavegan_rc.choices import UPSAMPLERS, Upsampler
from wavegan_rc.cli.process import (
    EXIT_BY_SIGNAL,
    EXIT_USER_ERROR,
    Command,
    quiet_start,
    run_command,
)
from wavegan_rc.cli.settings import Parser, add_settings, read_config
from wavegan_rc.config import Config
from wavegan_rc.errors import ParameterError

EXIT_LIMIT_CROSSED = 1
# Intervals of fewer random networks would mean nothing.
_FEWEST_DRAWS = 10


def train_command(program: str, argv: Sequence[str]) -> int:
    """Train a generator; leave WAVs, pictures and a table of its artifacts in a run folder."""
    parser = Parser(prog=program, description=train_command.__doc__)
    parser.add_argument(
        "--config", type=str, metavar="FILE", help="YAML file of settings; flags beat it"
    )
    parser.add_argument(
        "--resume",
        type=str,
        metavar="RUN",
        help="run folder to go on with, from its last checkpoint; its settings are the defaults",
    )
    parser.add_argument(
        "--print-config", action="store_true", help="print the resolved settings as YAML and exit"
    )
    add_settings(parser)
    flags = parser.parse_command_line(argv)
    if flags.resume is not None and flags.config is not None:
        raise ParameterError("resume takes its settings from the run: give no config beside it")
    run = None if flags.resume is None else Path(flags.resume).expanduser()
    file = flags.config if run is None else run / "config.yaml"
    in_file = {}
    if file is not None:
        # The file's values become the defaults, so a flag wins wherever it stands.
        in_file = read_config(Path(file))
        parser.set_defaults(in_file)
        flags = parser.parse_command_line(argv)
    config = _config(flags, in_file, file)
    if run is not None:
        config.check_goes_on(Config(**{**dataclasses.asdict(config), **in_file}))
    if flags.print_config:
        from wavegan_rc.training.run_directory import config_as_yaml

        print(config_as_yaml(config), end="")
        return 0

    with quiet_start():
        from wavegan_rc.training.train import train
    folder, received = train(config, command_line=[program, *argv], resume=run)
    print(f"run: {folder}")
    return 0 if received is None else EXIT_BY_SIGNAL + received


def _config(flags: Namespace, in_file: Mapping[str, Any], file: str | Path | None) -> Config:
    """The settings that flags and file make; an error names the file if the value is from it."""
    try:
        return Config(**{field.name: flags[field.name] for field in dataclasses.fields(Config)})
    except ParameterError as error:
        words = re.findall(r"\w+", str(error))
        named = any(key in words and repr(flags[key]) == repr(in_file[key]) for key in in_file)
        raise ParameterError(f"{file}: {error}" if named else str(error)) from None


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
        from wavegan_rc.generation import generate
    out = generate(
        Path(flags.run),
        Path(flags.out).expanduser(),
        count=flags.count,
        seed=flags.seed,
        latents_file=None if flags.latents is None else Path(flags.latents),
        interpolate=flags.interpolate,
    )
    print(f"wavs: {out}")
    return 0


def explain_command(program: str, argv: Sequence[str]) -> int:
    """Say what theory predicts of upsampling stages, and draw their spectra before training."""
    parser = Parser(prog=program, description=explain_command.__doc__)
    defaults = Config()
    parser.add_argument(
        "--upsampler",
        type=Upsampler,
        nargs="+",
        metavar="WORD",
        default=list(defaults.upsampler),
        help=f"one for all stages, or one per stage: {', '.join(UPSAMPLERS)}",
    )
    parser.add_argument(
        "--kernel-size", type=int, metavar="N", default=defaults.kernel_size, help="in samples"
    )
    parser.add_argument(
        "--factors",
        type=int,
        nargs="+",
        metavar="N",
        default=list(defaults.upsampling_factors),
        help="upsampling factor of each stage",
    )
    parser.add_argument(
        "--sample-rate", type=int, metavar="N", default=defaults.sample_rate, help="in Hz"
    )
    parser.add_argument(
        "--draws",
        type=int,
        metavar="N",
        default=100,
        help="random networks per upsampler in the figure of initial spectra; 0: no figures",
    )
    parser.add_argument("--seed", type=int, metavar="N", default=0, help="of the random networks")
    parser.add_argument(
        "--out", type=str, metavar="PATH", default="explanation", help="folder for the figures"
    )
    flags = parser.parse_command_line(argv)
    from wavegan_rc.explanation import Stages, describe

    stages = Stages(flags.upsampler, flags.kernel_size, flags.factors, flags.sample_rate)
    if not (flags.draws == 0 or flags.draws >= _FEWEST_DRAWS) or flags.seed < 0:
        raise ParameterError(
            f"draws must be 0 or at least {_FEWEST_DRAWS}, seed at least 0. "
            f"Received: {flags.draws}, {flags.seed}"
        )
    print(describe(stages), flush=True)
    if flags.draws:
        with quiet_start():
            from wavegan_rc.initial_spectra import draw
        out = Path(flags.out).expanduser()
        print(draw(stages, draws=flags.draws, seed=flags.seed, out=out))
    return 0


def benchmark_command(program: str, argv: Sequence[str]) -> int:
    """Time the upsampling layers at the low rate against the same in two steps."""
    parser = Parser(prog=program, description=benchmark_command.__doc__)
    parser.add_argument(
        "subject", type=Literal["upsampling"], metavar="upsampling", help="what to time"
    )
    parser.add_argument("--repeats", type=int, metavar="N", default=15, help="timed rounds")
    parser.add_argument(
        "--stacks",
        type=Literal["2x7", "4x4", "4x5"],
        nargs="+",
        metavar="NAME",
        default=["2x7", "4x4", "4x5"],
        help="which stages to time: 2x7, 4x4, 4x5",
    )
    parser.add_argument("--json", type=str | None, metavar="FILE", help="write the numbers there")
    flags = parser.parse_command_line(argv)
    with quiet_start():
        from wavegan_rc.benchmarks.upsampling import benchmark
    benchmark(flags.stacks, flags.repeats, None if flags.json is None else Path(flags.json))
    return 0


def measure_command(program: str, argv: Sequence[str]) -> int:
    """Measure the artifacts in runs, recordings, arrays or generators, beside real audio."""
    parser = Parser(prog=program, description=measure_command.__doc__)
    parser.add_argument(
        "paths",
        type=str,
        nargs="+",
        metavar="PATH",
        help="run, generator.keras, folder, glob or file of audio, .npy (segments, samples)",
    )
    parser.add_argument(
        "--reference", type=str | None, metavar="PATH", help="real audio; null: a run's own data"
    )
    parser.add_argument(
        "--upsampling-factors",
        type=int,
        nargs="+",
        metavar="N",
        help="of the generator, first stage first; null: as the run or generator says",
    )
    parser.add_argument(
        "--segment-length", type=int | None, metavar="N", help="in samples; null: 2048 or the run's"
    )
    parser.add_argument(
        "--stopband-hz", type=float | None, metavar="X", help="above it the data holds nothing"
    )
    parser.add_argument("--sample-rate", type=int | None, metavar="N", help="in Hz, for .npy files")
    parser.add_argument(
        "--seed", type=int, metavar="N", default=0, help="of generated segments and intervals"
    )
    parser.add_argument(
        "--networks",
        action="store_true",
        help="look into the networks of runs and generators too",
    )
    parser.add_argument(
        "--fail-above",
        type=str,
        nargs="+",
        metavar="NAME=X",
        default=[],
        help="exit with 1 if a quantity lies above: line_prominence_db=6",
    )
    parser.add_argument(
        "--out", type=str, metavar="PATH", default="measurement", help="folder for the results"
    )
    flags = parser.parse_command_line(argv)
    if flags.seed < 0:
        raise ParameterError(f"seed must be at least 0. Received: {flags.seed}")
    with quiet_start():
        from wavegan_rc.audit import Audit, audit, result_folders
    settings = Audit(
        reference=flags.reference,
        upsampling_factors=flags.upsampling_factors,
        segment_length=flags.segment_length,
        stopband_hz=flags.stopband_hz,
        sample_rate=flags.sample_rate,
        seed=flags.seed,
    )
    out = Path(flags.out).expanduser()
    found = audit(flags.paths, settings, out=out, limits=flags.fail_above)
    if flags.networks:
        with quiet_start():
            from wavegan_rc.network_audit.audit import audit_networks
        for path, folder in zip(flags.paths, result_folders(flags.paths, out), strict=True):
            networks = audit_networks(Path(path).expanduser(), folder, seed=flags.seed)
            print(f"networks of {path}:\n{networks.table()}\nwrote {folder}", flush=True)
    for message in found:
        print(f"fail: {message}", file=sys.stderr)
    return EXIT_LIMIT_CROSSED if found else 0


COMMANDS: dict[str, Command] = {
    "train": train_command,
    "generate": generate_command,
    "explain": explain_command,
    "benchmark": benchmark_command,
    "measure": measure_command,
}


def main() -> NoReturn:
    """The `wavegan-rc` program: its first argument names the command."""
    names = "|".join(COMMANDS)
    argv = sys.argv[1:]
    if argv[:1] == ["--version"]:
        print(wavegan_rc.__version__)
        sys.exit(0)
    if not argv or argv[0] in ("-h", "--help"):
        print(f"usage: wavegan-rc {names} [--help] ...")
        for name, command in COMMANDS.items():
            print(f"  {name:10} {command.__doc__}")
        sys.exit(0 if argv else EXIT_USER_ERROR)
    if argv[0] not in COMMANDS:
        print(f"error: the command must be one of {names}. Received: {argv[0]}", file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)
    run_command(COMMANDS[argv[0]], f"wavegan-rc {argv[0]}", argv[1:])
