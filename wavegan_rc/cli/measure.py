"""The `measure` command."""

import sys
from collections.abc import Sequence
from pathlib import Path

from wavegan_rc.cli.parser import Parser
from wavegan_rc.cli.process import quiet_start
from wavegan_rc.errors import ParameterError

EXIT_LIMIT_CROSSED = 1


def measure_command(program: str, argv: Sequence[str]) -> int:
    """Measure artifacts in runs, generators, recordings or arrays, and compare with real audio."""
    parser = Parser(program, measure_command.__doc__)
    parser.argument(
        "paths",
        tuple[str, ...],
        "run folder, generator.keras, audio file, folder or glob, or .npy file of shape (segments, "
        "samples); the first is the reference of the others",
    )
    parser.flag("reference", str | None, "path of real audio", null="held-out data of a run")
    parser.flag(
        "upsampling_factors",
        tuple[int, ...] | None,
        "upsampling factor of each generator stage",
        low=2,
        null="those of the run or generator",
    )
    parser.flag(
        "segment_length",
        int | None,
        "length of a segment",
        unit="samples",
        low=1,
        null="that of the run, or 2048",
    )
    parser.flag(
        "stopband_hz",
        float | None,
        "frequency above which real audio holds nothing",
        unit="Hz",
        above=0,
        null="that of the run",
    )
    parser.flag("sample_rate", int | None, "sampling rate of .npy files", unit="Hz", low=1)
    parser.flag("seed", int, "seed of generated segments and intervals", default=0, low=0)
    parser.switch("networks", "audit the networks of runs and generators, too")
    parser.flag(
        "fail_above",
        tuple[str, ...],
        "limits such as line_prominence_db=6; exit code 1 if one is exceeded",
        default=(),
        metavar="NAME=X",
    )
    parser.flag("out", Path, "folder for the results", default=Path("measurement"))
    flags = parser.parse(argv)
    with quiet_start():
        from wavegan_rc.measure.measure import Audit
        from wavegan_rc.measure.measure_sets import audit, result_folders
        from wavegan_rc.measure.sources import is_generator
    for path in flags.paths:
        if flags.networks and not is_generator(path):
            raise ParameterError(f"networks needs runs or generator files. Received: {path}")
    settings = Audit(
        reference=flags.reference,
        upsampling_factors=flags.upsampling_factors,
        segment_length=flags.segment_length,
        stopband_hz=flags.stopband_hz,
        sample_rate=flags.sample_rate,
        seed=flags.seed,
    )
    crossed = audit(flags.paths, settings, out=flags.out, limits=flags.fail_above)
    if flags.networks:
        with quiet_start():
            from wavegan_rc.network_audit.audit import audit_networks
        for path, folder in zip(flags.paths, result_folders(flags.paths, flags.out), strict=True):
            networks = audit_networks(Path(path).expanduser(), folder, seed=flags.seed)
            print(f"networks of {path}:\n{networks.table()}\nwrote {folder}", flush=True)
    for message in crossed:
        print(f"fail: {message}", file=sys.stderr)
    return EXIT_LIMIT_CROSSED if crossed else 0
