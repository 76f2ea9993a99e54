"""Everything that a report says, as JSON values."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import wavegan_rc
from wavegan_rc.errors import ParameterError
from wavegan_rc.report.comparisons import compare_groups
from wavegan_rc.report.fairness import build_warnings
from wavegan_rc.report.groups import Group, differing_settings, group_runs
from wavegan_rc.report.measured import Measured, measured
from wavegan_rc.report.rows import build_rows
from wavegan_rc.report.run_files import Run, read_run
from wavegan_rc.report.verdicts import build_verdicts
from wavegan_rc.runs.begin import check_writable

# Raised when a field changes its meaning or goes.
SCHEMA = "wavegan_rc.report/2"


def build_document(runs: Sequence[Path], out: Path) -> dict[str, Any]:
    """Put finished runs side by side: what made them, numbers, verdicts and warnings.

    Each run is measured once, into its folder `measurement`. Runs that differ in nothing but the
    seed are taken together. Every setting is compared with that of the first run: trained once
    each, over segments (as `measure` does); else over seeds (Student's and Welch's intervals,
    p-values corrected by Holm's method for the number of stages or lines).

    Args:
        runs: Folders, at least 1; the first run's setting is what others are compared with.
        out: Folder of the report, where comparisons of segments are kept.

    Returns:
        JSON values without NaN; what could not be measured is null, with a reason.

    Raises:
        ParameterError: If there are no runs, or two are the same.
        DataError: If one is unfinished or cannot be read or measured: the message names it.
    """
    if not runs:
        raise ParameterError("runs must name at least one run folder. Received: none")
    check_writable(out)
    read = [read_run(path.expanduser(), f"r{i + 1}") for i, path in enumerate(runs)]
    groups = group_runs(read)
    measurements = {run.id: _of_one(run, groups) for run in read}
    first, *others = groups
    comparisons = {group.id: compare_groups(group, first, measurements, out) for group in others}
    rows = build_rows(groups, measurements, comparisons)
    group_of = {run.id: group.id for group in groups for run in group.runs}
    document = {
        "schema": SCHEMA,
        "title": _title(groups),
        "wavegan_rc": wavegan_rc.__version__,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "groups": [group.about() for group in groups],
        "runs": [
            run.about()
            | {
                "group": group_of[run.id],
                "segments": measurements[run.id].segments,
                "stages": measurements[run.id].stages,
            }
            for run in read
        ],
        "differing_settings": differing_settings(read),
        "warnings": build_warnings(groups, measurements),
        "verdicts": build_verdicts(groups, rows, comparisons),
        "rows": rows,
    }
    json.dumps(document, allow_nan=False)
    return document


def _of_one(run: Run, groups: Sequence[Group]) -> Measured:
    """A run's measurement; segments stay at hand only where they will be compared."""
    found = measured(run)
    if len(groups) > 1 and any(group.runs == (run,) for group in groups):
        return found
    return replace(found, measurement=None)


def _title(groups: Sequence[Group]) -> str:
    first, *others = groups
    if not others:
        return first.label
    if len(others) == 1:
        return f"{others[0].label} beside {first.label}"
    return f"{first.label} and {len(others)} others"
