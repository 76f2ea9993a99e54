"""The `measure` command."""

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wavegan_rc.cli.process import quiet_start
from wavegan_rc.cli.settings import Parser
from wavegan_rc.errors import ParameterError
from wavegan_rc.utils.text import printable

if TYPE_CHECKING:
    from wavegan_rc.measure.measurement import Measurement

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
    bounds = parse_limits(flags.fail_above)
    out = Path(flags.out).expanduser()
    with quiet_start():
        from wavegan_rc.measure.measure import compare, measure
    check_out(flags.paths, out)
    first, found = None, []
    for path, folder in zip(flags.paths, result_folders(flags.paths, out), strict=True):
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
        print(f"{path}: {measurement.measured.in_words()}\n{measurement.table()}")
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
        with quiet_start():
            from wavegan_rc.network_audit.audit import audit_networks
        for path, folder in zip(flags.paths, result_folders(flags.paths, out), strict=True):
            networks = audit_networks(Path(path).expanduser(), folder, seed=flags.seed)
            print(f"networks of {path}:\n{networks.table()}\nwrote {folder}", flush=True)
    for message in found:
        print(f"fail: {message}", file=sys.stderr)
    return EXIT_LIMIT_CROSSED if found else 0


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
    from wavegan_rc.measure.measurement import JSON_FILE

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
        ParameterError: If a word has another form.

    Example:
        >>> parse_limits(["line_prominence_db=6"])
        {'line_prominence_db': 6.0}
    """
    bounds = {}
    for limit in limits:
        name, _, text = limit.partition("=")
        try:
            bounds[name] = float(text)
        except ValueError:
            bounds[name] = math.nan
        if math.isnan(bounds[name]):
            raise ParameterError(f"fail_above must be name=value. Received: {limit}")
    return bounds
