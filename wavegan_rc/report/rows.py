"""The table of everything that was measured: a row for each number, a cell for each setting."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from wavegan_rc.measure.evaluator import NO_REAL
from wavegan_rc.measure.over_seeds import mean_over_seeds
from wavegan_rc.report.comparisons import (
    SEEDS,
    SEGMENTS,
    Comparison,
    Difference,
    estimate_json,
    judged,
    shared_keys,
    values_of,
)
from wavegan_rc.report.groups import Group
from wavegan_rc.report.measured import Key, Measured

_NO_SUCH_STAGE = "its generator has other stages"
_NOT_COMPARED = "not measured of both"
_NO_SPREAD = "no interval: the trainings do not differ"


def build_rows(
    groups: Sequence[Group],
    measurements: Mapping[str, Measured],
    comparisons: Mapping[str, Comparison],
) -> list[dict[str, Any]]:
    """Rows of the report: the whole, then stages, then lines.

    Args:
        groups: Settings, the first first.
        measurements: By the runs' ids.
        comparisons: By the ids of all groups but the first.
    """
    keys = list(dict.fromkeys(key for one in measurements.values() for key in one.numbers))
    # A name that cannot be measured stands as a whole one, whatever it is of in other runs.
    keys.sort(key=lambda key: (key.stage is not None) + (key.frequency_hz is not None))
    cells = {group.id: _cells(group, measurements, keys) for group in groups}
    runs = [run.id for group in groups for run in group.runs]
    return [
        {
            "name": key.name,
            "unit": unit_of(key.name),
            "stage": key.stage,
            "frequency_hz": key.frequency_hz,
            "lines_hz": list(key.lines_hz),
            "real": _real(key, runs, measurements),
            "cells": {group.id: cells[group.id][key] for group in groups},
            "differences": {
                group_id: _difference(
                    key, comparison, [cells[side][key] for side in (group_id, groups[0].id)]
                ).about()
                for group_id, comparison in comparisons.items()
            },
        }
        for key in keys
    ]


def unit_of(name: str) -> str:
    """The unit that a quantity's name ends in; nothing where it has none.

    Example:
        >>> unit_of("rms_db"), unit_of("jensen_shannon_bits"), unit_of("phase_locking")
        ('dB', 'bits', '')
    """
    return {"db": "dB", "bits": "bits"}.get(name.rsplit("_", 1)[-1], "")


def _real(key: Key, runs: Sequence[str], measurements: Mapping[str, Measured]) -> dict | None:
    """Of the first run that has it: runs of other seeds draw other segments of the same data."""
    for run in runs:
        number = measurements[run].numbers.get(key)
        if number is not None and number.reference is not None:
            return estimate_json(number.reference) | {"run": run}
    return None


def _difference(key: Key, comparison: Comparison, cells: Sequence[Mapping[str, Any]]) -> Difference:
    """A setting's number less the first's; without one, why the two cells have none."""
    missing = [cell["reason"] for cell in cells if cell["value"] is None and cell["reason"]]
    reason = comparison.reason or "; ".join(dict.fromkeys(missing)) or _NOT_COMPARED
    return comparison.differences.get(key, Difference(None, None, "", reason))


def _cells(
    group: Group, measurements: Mapping[str, Measured], keys: Sequence[Key]
) -> dict[Key, dict[str, Any]]:
    runs = {run.id: measurements[run.id] for run in group.runs}
    if len(runs) == 1:
        (run, one), *_ = runs.items()
        return {key: _cell_of_one(key, run, one) for key in keys}
    sets = list(runs.values())
    beside_real = _beside_real(sets)
    shared = set(shared_keys(sets))
    return {
        key: _cell_of_several(key, runs, beside_real.get(key))
        if key in shared
        else _empty_cell(key, runs)
        for key in keys
    }


def _cell_of_one(key: Key, run: str, one: Measured) -> dict[str, Any]:
    number = one.numbers.get(key)
    if number is None:
        return _empty_cell(key, {run: one})
    return {
        **estimate_json(number.estimate),
        "over": SEGMENTS,
        "count": one.segments,
        "p_value": number.p_value,
        "verdict": number.verdict,
        "reason": number.reason,
        "runs": {run: estimate_json(number.estimate)["value"]},
        "beside_real": estimate_json(number.difference),
        "locked_p_value": number.locked_p_value,
    }


def _cell_of_several(
    key: Key, runs: Mapping[str, Measured], beside_real: Difference | None
) -> dict[str, Any]:
    values = values_of(runs.values(), key)
    estimate = mean_over_seeds(values).estimate
    return {
        **estimate_json(estimate),
        "over": SEEDS,
        "count": len(values),
        "p_value": None if beside_real is None else beside_real.p_value,
        "verdict": "" if beside_real is None else beside_real.verdict,
        "reason": _NO_SPREAD if math.isnan(estimate.low) else None,
        "runs": dict(zip(runs, values, strict=True)),
        "beside_real": estimate_json(None if beside_real is None else beside_real.estimate),
        "locked_p_value": None,
    }


def _beside_real(sets: Sequence[Measured]) -> dict[Key, Difference]:
    """Each run less its own real segments, over seeds."""
    tested = {}
    for key in shared_keys(sets):
        differences = [one.numbers[key].difference for one in sets]
        values = [float(each.value) for each in differences if each is not None]
        if len(values) == len(sets):
            tested[key] = mean_over_seeds(values)
    return judged(tested, _NO_SPREAD)


def _empty_cell(key: Key, runs: Mapping[str, Measured]) -> dict[str, Any]:
    """Of what some of the runs have no value of: a mean of the others would be another thing."""
    values, reasons, alone = {}, [], len(runs) == 1
    for run, one in runs.items():
        number = one.numbers.get(key)
        estimate = None if number is None else number.estimate
        values[run] = estimate_json(estimate)["value"]
        if estimate is None:
            why = _missing(key) if number is None else number.reason
            reasons.append(why if alone else f"{run}: {why}")
    return {
        **estimate_json(None),
        "over": SEGMENTS if alone else SEEDS,
        "count": sum(one.segments for one in runs.values()) if alone else len(runs),
        "p_value": None,
        "verdict": "",
        "reason": "; ".join(reasons),
        "runs": values,
        "beside_real": estimate_json(None),
        "locked_p_value": None,
    }


def _missing(key: Key) -> str:
    """Why a run does not have what another has."""
    return _NO_SUCH_STAGE if key.lines_hz else NO_REAL
