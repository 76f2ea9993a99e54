"""The `measure` command."""

import sys
from collections.abc import Sequence
from pathlib import Path

from wavegan_rc.cli.process import quiet_start
from wavegan_rc.cli.settings import Parser
from wavegan_rc.errors import ParameterError

EXIT_LIMIT_CROSSED = 1


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
        "--reference",
        type=str | None,
        metavar="PATH",
        help="real audio, resampled if need be; null: a run's own data",
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
        "--out",
        type=str,
        metavar="PATH",
        default="measurement",
        help="folder for the results; only those of the same paths are replaced",
    )
    flags = parser.parse_command_line(argv)
    if flags.seed < 0:
        raise ParameterError(f"seed must be at least 0. Received: {flags.seed}")
    with quiet_start():
        from wavegan_rc.measure.measure import Audit
        from wavegan_rc.measure.measure_sets import audit, result_folders
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
