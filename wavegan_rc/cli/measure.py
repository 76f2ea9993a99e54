"""The `measure` command."""

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wavegan_rc.cli.parser import Parser
from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.utils.atomic_files import write_whole
from wavegan_rc.utils.text import printable

if TYPE_CHECKING:
    from wavegan_rc.measurement.measurement import Measurement

EXIT_LIMIT_CROSSED = 1
TABLE_FILE = "artifacts.txt"
_EXAMPLES = (
    "runs/001-resize",
    "runs/001-transposed runs/002-resize --all",
    "'other/*.wav' --reference real/ --upsampling-factors 4,4,4,4 --stopband-hz 1700",
)


def measure_command(program: str, argv: Sequence[str]) -> int:
    """Measure artifacts in runs, generators, recordings or arrays, and compare with real audio."""
    flags = _parser(program).parse(argv)
    from wavegan_rc.measurement.measure import compare, measure
    from wavegan_rc.measurement.sources import is_generator

    bounds = parse_limits(flags.fail_above)
    for path in flags.paths:
        if flags.networks and not is_generator(path):
            raise ParameterError(f"networks needs runs or generator files. Received: {path}")
    check_out(flags.paths, flags.out)
    first, found = None, []
    for path, folder in zip(flags.paths, result_folders(flags.paths, flags.out), strict=True):
        measurement = measure(
            path,
            sample_rate=flags.sample_rate,
            reference=flags.reference,
            upsampling_factors=flags.upsampling_factors,
            stopband_hz=flags.stopband_hz,
            segment_length=flags.segment_length,
            seed=flags.seed,
        )
        measurement.save(folder)
        print(f"{path}: {measurement.measured.in_words()}")
        _tell(measurement, folder, whole=flags.all)
        for words in measurement.found_in_words():
            print(f"found without knowing the factors: {words}")
        if measurement.measured.unfinished:
            print(f"the training is unfinished: {measurement.measured.unfinished}")
        if first is None:
            first = measurement
        else:
            comparison = compare(measurement, first)
            comparison.save(folder)
            table = comparison.table(reference="reference")
            print(f"{path} compared with {flags.paths[0]}:\n{table}")
        print(f"wrote {folder}", flush=True)
        found += [f"{path}: {message}" for message in crossed(measurement, bounds)]
    if flags.networks:
        from wavegan_rc.network_audit.audit import audit_networks

        for path, folder in zip(flags.paths, result_folders(flags.paths, flags.out), strict=True):
            networks = audit_networks(Path(path).expanduser(), folder, seed=flags.seed)
            print(f"networks of {path}:\n{networks.table()}\nwrote {folder}", flush=True)
    for message in found:
        print(f"fail: {message}", file=sys.stderr)
    return EXIT_LIMIT_CROSSED if found else 0


def _tell(measurement: "Measurement", folder: Path, *, whole: bool) -> None:
    """Print what was found in three lines; the table goes to a file, and is printed if asked."""
    from wavegan_rc.cli.findings import in_three_lines

    print(in_three_lines(measurement))
    try:
        write_whole(folder / TABLE_FILE, measurement.table() + "\n")
    except OSError as error:
        raise DataError(f"out cannot be written: {error}") from None
    if whole:
        print(measurement.table())


def _parser(program: str) -> Parser:
    """Return the parser of `measure`."""
    parser = Parser(program, measure_command.__doc__, _EXAMPLES)
    parser.argument(
        "paths",
        tuple[str, ...],
        "run folder, generator.keras, audio file, folder or glob, or .npy file of shape (segments, "
        "samples); each further one is compared with the first, too",
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
    parser.switch("all", "print the table of all quantities, which is always in artifacts.txt")
    parser.switch("networks", "audit the networks of runs and generators, too")
    parser.flag(
        "fail_above",
        tuple[str, ...],
        "limits such as line_prominence_db=6; exit code 1 if one is exceeded",
        default=(),
        metavar="NAME=X",
    )
    parser.flag(
        "out",
        Path,
        "folder for the results; only those of the same paths are replaced",
        default=Path("measurement"),
    )
    return parser


def result_folders(paths: Sequence[str], out: Path) -> list[Path]:
    """Return the result folder of each path: `out` for a single path, else numbered ones in it.

    Example:
        >>> [folder.name for folder in result_folders(["a", "b"], Path("measurement"))]
        ['01', '02']
    """
    if len(paths) == 1:
        return [out]
    return [out / f"{number:02d}" for number in range(1, len(paths) + 1)]


def check_out(paths: Sequence[str], out: Path) -> None:
    """Raise a ParameterError if the folder holds results of other paths."""
    from wavegan_rc.measurement.measurement import JSON_FILE

    own = dict(zip(result_folders(paths, out), paths, strict=True))
    for file in sorted([*out.glob(JSON_FILE), *out.glob(f"[0-9]*/{JSON_FILE}")]):
        try:
            name = str(json.loads(file.read_text(encoding="utf-8"))["set"]["name"])
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            name = "something else"
        if file.parent not in own or _whole(own[file.parent]) != _whole(name):
            raise ParameterError(
                "out must be a new folder, or one with results of the same paths, which are "
                f"replaced. Received: {out}, where {printable(str(file))} is of {printable(name)}"
            )


def _whole(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))


def crossed(measurement: "Measurement", limits: Mapping[str, float]) -> list[str]:
    """Return a sentence for each limit that a quantity exceeds at any stage or line.

    Raises:
        ParameterError: If a limit names a quantity that was not measured.
    """
    found = []
    for name, bound in limits.items():
        named = [q for q in measurement.quantities if q.name == name]
        if not named:
            names = ", ".join(dict.fromkeys(q.name for q in measurement.quantities))
            raise ParameterError(f"fail_above must name one of {names}. Received: {name}")
        values = [float(q.estimate.value) for q in named if q.estimate]
        if not values:
            raise ParameterError(f"fail_above: {name} was not measured: {named[0].reason}")
        if max(values) > bound:
            found.append(f"{name} is {max(values):.3g}, above {bound:g}")
    return found


def parse_limits(limits: Sequence[str]) -> dict[str, float]:
    """Return bounds by the name of the quantity from `name=value` words.

    Raises:
        ParameterError: If a word has another form, or names no quantity.

    Example:
        >>> parse_limits(["line_prominence_db=6"])
        {'line_prominence_db': 6.0}
    """
    from wavegan_rc.measurement.evaluator import QUANTITIES

    bounds = {}
    for limit in limits:
        name, _, text = limit.partition("=")
        if name not in QUANTITIES:
            raise ParameterError(
                f"fail_above must name one of {', '.join(QUANTITIES)}. Received: {name}"
            )
        try:
            bounds[name] = float(text)
        except ValueError:
            bounds[name] = math.nan
        if math.isnan(bounds[name]):
            raise ParameterError(f"fail_above must be name=value. Received: {limit}")
    return bounds
