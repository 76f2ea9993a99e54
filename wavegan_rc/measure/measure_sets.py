"""Measure sets one after the other, and compare each with the first."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from wavegan_rc.errors import ParameterError
from wavegan_rc.measure.blind.comb import origin_in_words
from wavegan_rc.measure.limits import crossed, parse_limits
from wavegan_rc.measure.measure import JSON_FILE, Audit
from wavegan_rc.measure.readings import ReadSet
from wavegan_rc.measure.segments import in_words
from wavegan_rc.utils.text import printable


def result_folders(paths: Sequence[str], out: Path) -> list[Path]:
    """Where the results of each path go: into one folder, or of several into numbered ones in it.

    Example:
        >>> [folder.name for folder in result_folders(["a", "b"], Path("measurement"))]
        ['01', '02']
    """
    if len(paths) == 1:
        return [out]
    return [out / f"{number:02d}" for number in range(1, len(paths) + 1)]


def check_out(paths: Sequence[str], out: Path) -> None:
    """Refuse a folder that holds results of other sets, which would be lost or left beside these.

    Raises:
        ParameterError: If it does.
    """
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


def audit(
    paths: Sequence[str], settings: Audit, *, out: Path, limits: Sequence[str] = ()
) -> list[str]:
    """Measure sets one after the other, print their tables and leave their files.

    Each set after the first is compared with the first.

    Args:
        paths: Of the sets.
        settings: How they are measured.
        out: See `result_folders`.
        limits: `name=value` each; see `crossed`.

    Returns:
        What lies above a limit.
    """
    found = []
    check_out(paths, out)
    bounds = parse_limits(limits)
    first = None
    for path, folder in zip(paths, result_folders(paths, out), strict=True):
        audited = settings.measure(path)
        audited.write(folder)
        test = audited.segment_set
        beside = "" if audited.real is None else f", beside {_count(audited.real, 'real')}"
        print(
            f"{path}: {_count(audited.read)} of {test.segment_length} samples, "
            f"{test.sample_rate} Hz{beside}\n{audited.measurement.table()}"
        )
        combs = audited.statistics.settings.combs
        for comb in audited.found_combs:
            origin = f"; {origin_in_words(comb, combs)}" if combs else ""
            print(f"found without knowing the factors: {comb.in_words()}{origin}")
        if audited.unfinished:
            print(f"the training is unfinished: {audited.unfinished}")
        if first is None:
            first = audited
        else:
            comparison = audited.compare(first, folder)
            print(f"{path} beside {paths[0]}:\n{comparison.table(reference='beside')}")
        print(f"wrote {folder}", flush=True)
        found += [f"{path}: {message}" for message in crossed(audited.measurement, bounds)]
    return found


def _count(read: ReadSet, kind: str = "") -> str:
    return in_words(read.spectra.count, read.independent, kind)
