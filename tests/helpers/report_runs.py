"""Run folders with measurements of known values, as a report reads them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wavegan_rc.config import Config
from wavegan_rc.measurement.measurement import SCHEMA
from wavegan_rc.report.document import build_document
from wavegan_rc.runs.run import config_as_yaml
from wavegan_rc.spectrogram import stage_combs

VERSIONS = {"wavegan_rc": "0.1.0", "tensorflow": "2.21.0", "keras": "3.15.1"}
SMALL = Config(segment_length=512, upsampling_factors=(4, 4), kernel_size=8, steps=20)
STAGES = (1, 2)
# What stands for a whole, and what for each stage, in the files below.
WHOLE = ("out_of_band_total_db", "filtering_db", "frechet_distance", "rms_db")
BY_STAGE = ("line_prominence_db", "phase_locking_excess", "image_coherence")


def document_json(runs, out):
    """What `report.json` holds."""
    return json.loads(json.dumps(build_document(runs, out).as_json(), allow_nan=False))


def numbers(value, spread=0.1):
    if value is None:
        return {"value": None, "low": None, "high": None}
    return {"value": value, "low": value - spread, "high": value + spread}


def quantity(name, value, *, stage=None, hz=None, real: Any = 0.0, reason=None):
    """As `artifacts.json` has it; a value of None was not measured."""
    measured = value is not None and real is not None
    if value is None and reason is None:
        reason = "nothing is there: minus infinity dB"
    return {
        "name": name,
        "stage": stage,
        "frequency_hz": hz,
        **numbers(value),
        "reference": None if real is None else numbers(real),
        "difference": numbers(value - real) if measured else None,
        "p_value": 0.001 if measured else None,
        "locked_p_value": None,
        "verdict": ("above" if value > real else "below") if measured else "",
        "reason": reason,
    }


def quantities(values, config=SMALL, real=0.0):
    """Of every name, a number or one for each stage; names that are not given are 0."""
    combs = stage_combs(config.upsampling_factors, config.sample_rate)
    found = [quantity(name, values.get(name, 0.0), real=real) for name in WHOLE]
    for name in BY_STAGE:
        for i, comb in enumerate(combs):
            value = values.get(name, [0.0] * len(combs))[i]
            found.append(quantity(name, value, stage=comb.stage, real=real))
    lines = values.get("lines", {})
    for comb in combs:
        for line in comb.lines:
            value = lines.get(line.frequency_hz, 0.0)
            place = {"stage": comb.stage, "hz": line.frequency_hz, "real": real}
            found.append(quantity("line_prominence_db", value, **place))
    return found


def write_measurement(run, found, config=SMALL, *, segments=512, seed=0):
    combs = stage_combs(config.upsampling_factors, config.sample_rate)
    stages = [
        {
            "stage": comb.stage,
            "spacing_hz": comb.spacing_hz,
            "period": comb.period,
            "lines_hz": [line.frequency_hz for line in comb.lines],
            "given_to_later_stages_hz": list(comb.shared_hz),
        }
        for comb in combs
    ]
    about = {
        "name": "a run",
        "sample_rate": config.sample_rate,
        "segment_length": config.segment_length,
        "segments": segments,
        "stopband_hz": config.stopband_hz,
        "skipped": [],
        "stages": stages,
    }
    folder = run / "measurement"
    folder.mkdir(exist_ok=True)
    real = {"name": "real", "segments": segments, "independent_segments": segments}
    result = {"schema": SCHEMA, "set": about, "real": real, "found_combs": []}
    result["quantities"] = found
    (folder / "artifacts.json").write_text(json.dumps(result))
    rng = np.random.default_rng(seed)
    bins = config.segment_length // 2 + 1
    power = 1e-6 * rng.chisquare(8, bins)
    np.savez(
        folder / "artifacts.npz",
        frequencies_hz=np.linspace(0, config.sample_rate / 2, bins),
        power=np.stack([power, 0.8 * power, 1.2 * power]),
        phase_locking=rng.uniform(0, 0.5, bins),
        image_coherence=np.zeros((len(combs), bins)),
        real_power=1e-9 * np.stack([power, 0.9 * power, 1.1 * power]),
        real_phase_locking=rng.uniform(0, 0.1, bins),
        real_image_coherence=np.zeros((len(combs), bins)),
    )


def write_run(folder, config=SMALL, values=None, *, fingerprint="a" * 64, **changes) -> Path:
    """A finished run, whose levels settle, measured; `changes` are of its record."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(config_as_yaml(config), encoding="utf-8")
    record = {
        "started": "2026-01-02T03:04:05Z",
        "command_line": ["train.py"],
        "device": "CPU, 2 cores",
        "python": "3.11.7",
        "platform": "Linux",
        "versions": VERSIONS,
        "data_fingerprint": fingerprint,
        "resumed": [],
    } | changes
    (folder / "environment.json").write_text(json.dumps(record))
    (folder / "summary.json").write_text("{}")
    (folder / "generator.keras").write_bytes(b"")
    rows = [
        {
            "step": step,
            "steps_per_s": 2.0,
            "out_of_band_total_db": -min(step, 3 * config.steps // 4) + config.seed,
            **{f"line_prominence_db/stage_{stage}": stage + config.seed for stage in STAGES},
        }
        for step in np.unique(np.linspace(0, config.steps, 21).astype(int)[1:]).tolist()
    ]
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = quantities(values or {}, config)
    write_measurement(folder, found, config, seed=config.seed)
    return folder


def write_seeds(folder, name, values, config=SMALL, **changes) -> list[Path]:
    """A run for each of the values, with the seeds 0, 1, ..."""
    return [
        write_run(folder / f"{name}-{seed}", replace(config, seed=seed), each, **changes)
        for seed, each in enumerate(values)
    ]
