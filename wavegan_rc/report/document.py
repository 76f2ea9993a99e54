"""Everything a report says, and its form as `report.json`."""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import wavegan_rc
from wavegan_rc.errors import DataError, ParameterError
from wavegan_rc.report.fairness import build_warnings
from wavegan_rc.report.groups import Group, differing_settings, group_runs
from wavegan_rc.report.measured import measured
from wavegan_rc.report.rows import Row, build_rows
from wavegan_rc.report.run_files import Run, read_runs
from wavegan_rc.report.sentences import Summary, summarize
from wavegan_rc.report.verdicts import Verdict, build_verdicts
from wavegan_rc.report.words import named
from wavegan_rc.runs.begin import check_writable

_logger = logging.getLogger(__name__)

# Raised when a field changes its meaning or is removed.
SCHEMA = "wavegan_rc.report/3"


@dataclass(frozen=True)
class Document:
    """Runs compared: the content of a report.

    Attributes:
        created: Time of the report, UTC.
        groups: Groups in report order; the first is the reference.
    """

    title: str
    version: str
    created: str
    groups: Sequence[Group]
    runs: Sequence[Run]
    differing_settings: Sequence[str]
    warnings: Sequence[str]
    summary: Summary
    verdicts: Sequence[Verdict]
    rows: Sequence[Row]

    def as_json(self) -> dict[str, Any]:
        """Return JSON values without NaN; a missing number is null, with a reason beside it."""
        groups = {run.id: group.id for group in self.groups for run in group.runs}
        return {
            "schema": SCHEMA,
            "title": self.title,
            "wavegan_rc": self.version,
            "created": self.created,
            "groups": [group.as_json() for group in self.groups],
            "runs": [run.as_json(groups[run.id]) for run in self.runs],
            "summary": asdict(self.summary),
            "differing_settings": self.differing_settings,
            "warnings": self.warnings,
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "rows": [asdict(row) for row in self.rows],
        }


def build_document(runs: Sequence[Path], out: Path) -> Document:
    """Read, measure and compare runs.

    Each run is measured once, into its folder `measurement`. Runs that differ in nothing but the
    seed form a group. Every group is compared with the first: over segments if both have one run
    (as `measure` does), else over seeds (Student's and Welch's intervals, p-values corrected by
    Holm's method for the number of stages or lines).
    """
    if not runs:
        raise ParameterError("runs must name at least one run folder. Received: none")
    check_writable(out)
    read, reasons = read_runs(runs)
    if not read:
        raise DataError(reasons[0])
    left_out = [f"Left out: {why}" for why in reasons]
    for words in left_out:
        _logger.warning(words)
    # Equal runs are refused before the work. Those without other seeds are compared by segments.
    alone = [group.runs[0].id for group in group_runs(read) if len(group.runs) == 1]
    read = [
        replace(run, measured=measured(run.folder, run.config, run.in_words, keep=run.id in alone))
        for run in read
    ]
    groups = group_runs(read)
    rows = build_rows(groups, out)
    verdicts = build_verdicts(groups, rows)
    return Document(
        title=named([group.label for group in groups]),
        version=wavegan_rc.__version__,
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        groups=groups,
        runs=read,
        differing_settings=differing_settings(read),
        warnings=build_warnings(groups) + left_out,
        summary=summarize(groups, rows, verdicts),
        verdicts=verdicts,
        rows=rows,
    )
