"""The `measure` command."""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wavegan_rc.cli.parser import Parser
from wavegan_rc.errors import ParameterError
from wavegan_rc.utils.atomic_files import write_whole, writing
from wavegan_rc.utils.text import printable

if TYPE_CHECKING:
    from wavegan_rc.measurement.measurement import Measurement
    from wavegan_rc.measurement.segments import SegmentSet

EXIT_LIMIT_CROSSED = 1
TABLE_FILE = "artifacts.txt"
_EXAMPLES = (
    "runs/001-resize",
    "runs/001-transposed runs/002-resize --all",
    "'other/*.wav' --reference real/ --upsampling-factors 4,4,4,4 --stopband-hz 1700",
)
# Flags that `wavegan_rc.measure` takes too, under the same names.
_OPTIONS = (
    "sample_rate",
    "reference",
    "upsampling_factors",
    "stopband_hz",
    "segment_length",
    "seed",
)


def measure_command(program: str, argv: Sequence[str]) -> int:
    """Measure artifacts in runs, generators, recordings or arrays, and compare with real audio."""
    flags = _parser(program).parse(argv)
    from wavegan_rc.measurement.gate import check_limits, parse_limits
    from wavegan_rc.measurement.sources import is_generator

    bounds = parse_limits(flags.fail_above)
    for path in flags.paths:
        if flags.networks and not is_generator(path):
            raise ParameterError(f"networks needs runs or generator files. Received: {path}")
    folders = _result_folders(flags.paths, flags.out)
    _check_out(flags, folders)
    if len(flags.paths) > 1:
        _check_comparable(flags)
    outcomes = []
    for path, measurement in _measure_each(flags, folders):
        outcomes += [(path, outcome) for outcome in check_limits(measurement, bounds)]
    if flags.networks:
        _audit_networks(folders, flags.seed)
    for path, (passed, words) in outcomes:
        stream = sys.stdout if passed else sys.stderr
        print(f"{'pass' if passed else 'fail'}: {path}: {words}", file=stream)
    return 0 if all(outcome.passed for _, outcome in outcomes) else EXIT_LIMIT_CROSSED


def _measure_each(
    flags: argparse.Namespace, folders: Mapping[Path, str]
) -> Iterator[tuple[str, "Measurement"]]:
    """Measure each path, compare it with the first, and print what was found."""
    from wavegan_rc.measurement.measure import compare, measure

    first = None
    for folder, path in folders.items():
        measurement = measure(path, **{name: getattr(flags, name) for name in _OPTIONS})
        measurement.save(folder)
        print(f"{path}: {measurement.measured.in_words()}")
        _tell(measurement, folder, whole=flags.all)
        if first is None:
            first = measurement
        else:
            comparison = compare(measurement, first)
            comparison.save(folder)
            table = comparison.table(reference="reference")
            print(f"{path} compared with {flags.paths[0]}:\n{table}")
        print(f"wrote {folder}", flush=True)
        yield path, measurement


def _audit_networks(folders: Mapping[Path, str], seed: int) -> None:
    from wavegan_rc.network_audit.audit import audit_networks

    for folder, path in folders.items():
        networks = audit_networks(Path(path).expanduser(), folder, seed=seed)
        print(f"networks of {path}:\n{networks.table()}\nwrote {folder}", flush=True)


def _tell(measurement: "Measurement", folder: Path, *, whole: bool) -> None:
    """Print what was found in a few lines; all of it goes to a file, and is printed if asked."""
    from wavegan_rc.cli.findings import in_three_lines

    searched, found = _searched(measurement), measurement.found_in_words()
    everything = "\n".join([measurement.table(), searched, *_peaks(measurement)])
    with writing():
        write_whole(folder / TABLE_FILE, everything + "\n")
    print(in_three_lines(measurement))
    for words in found:
        print(f"found without knowing the factors: {words}")
    if whole:
        print(everything)
    elif not found:
        print(searched)
    if measurement.measured.unfinished:
        print(f"the training is unfinished: {measurement.measured.unfinished}")


def _searched(measurement: "Measurement") -> str:
    """Return what was searched for without knowing the factors."""
    from wavegan_rc.measurement.blind.findings import searched_in_words

    segments = measurement.measured.segments
    searched = searched_in_words(segments.sample_rate, segments.segment_length)
    none = "" if measurement.found_in_words() else ": none found"
    return f"searched without knowing the factors: {searched}{none}"


def _peaks(measurement: "Measurement") -> list[str]:
    peaks = [f"  {peak.in_words()}" for peak in measurement.findings.peaks]
    return ["strongest narrow peaks:", *peaks] if peaks else []


def _parser(program: str) -> Parser:
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
        null="that of the run, or one that suits the factors",
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
        "limits on a quantity (line_prominence_db=6), on its difference to the reference "
        "(difference.rms_db=3), or on a number of cases (above=0 found=0 not_measured=0 "
        "skipped=0); exit code 1 if one is exceeded or not measured",
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


def _result_folders(paths: Sequence[str], out: Path) -> dict[Path, str]:
    """Return each path by its result folder: `out` for a single path, else numbered ones in it."""
    if len(paths) == 1:
        return {out: paths[0]}
    return {out / f"{number:02d}": path for number, path in enumerate(paths, start=1)}


def _check_comparable(flags: argparse.Namespace) -> None:
    """Raise a ParameterError if a path has another rate or segment length than the first."""
    from wavegan_rc.measurement.measure import check_comparable

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they come again
        first, *others = (_open(flags, path) for path in flags.paths)
    for other in others:
        check_comparable(other, first)


def _open(flags: argparse.Namespace, path: str) -> "SegmentSet":
    from wavegan_rc.measurement.sources import open_segments

    options = ("sample_rate", "upsampling_factors", "segment_length")
    return open_segments(path, **{option: getattr(flags, option) for option in options})


def _check_out(flags: argparse.Namespace, own: Mapping[Path, str]) -> None:
    """Raise a ParameterError if the folder holds results of other paths."""
    from wavegan_rc.measurement.measurement import JSON_FILE
    from wavegan_rc.measurement.sources import is_generator

    for file in sorted([*flags.out.glob(JSON_FILE), *flags.out.glob(f"[0-9]*/{JSON_FILE}")]):
        try:
            name = str(json.loads(file.read_text(encoding="utf-8"))["set"]["name"])
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            name = "something else"
        if file.parent not in own or _whole(own[file.parent]) != _whole(name):
            # A mistyped path is a mistake of another kind, and named first.
            for path in flags.paths:
                if not is_generator(path):
                    _open(flags, path)
            raise ParameterError(
                "out must be a new folder, or one with results of the same paths, which are "
                f"replaced. Received: {flags.out}, where {printable(str(file))} is of "
                f"{printable(name)}"
            )


def _whole(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))
