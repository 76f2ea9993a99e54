import itertools
import json
from typing import Any

import numpy as np
import pytest
import yaml
from helpers import PRESETS
from helpers.backends import tensorflow_only

from wavegan_rc.config import Config

pytestmark = [tensorflow_only, pytest.mark.slow]
pytest.importorskip("tensorflow")

from benchmarks import quality  # noqa: E402

RATE = 16000


def noise_below(cutoff_hz, count, seed):
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(0, 0.1, (count, 2048)))
    spectrum[:, np.fft.rfftfreq(2048, 1 / RATE) > cutoff_hz] = 0
    return np.fft.irfft(spectrum).astype(np.float32)


def test_segments_of_the_same_kind_are_near_and_a_high_tone_is_far_outside_the_band_alone():
    real, alike = noise_below(1500, 1000, 0), noise_below(1500, 512, 1)
    tone = 0.02 * np.sin(2 * np.pi * 4000 * np.arange(2048) / RATE).astype(np.float32)
    clean, disturbed = (quality.quality_of(x, real, Config()) for x in (alike, alike + tone))
    assert abs(clean["frechet_distance"]) < 0.1
    assert disturbed["frechet_distance"] > 5
    assert disturbed["frechet_distance_in_band"] == pytest.approx(
        clean["frechet_distance_in_band"], abs=0.05
    )
    power = np.mean(np.square(alike, dtype=np.float64))
    assert disturbed["out_of_band_total_db"] == pytest.approx(
        10 * np.log10(2e-4 / (power + 2e-4)), abs=0.3
    )


def test_measurements_grow_apart_and_the_last_comes_at_the_end(monkeypatch):
    now = iter(np.arange(0, 10000, 0.5))
    monkeypatch.setattr(quality.time, "perf_counter", lambda: next(now))
    monkeypatch.setattr(quality, "batch", lambda *arguments, **options: None)
    program = quality.Program(Config(), lambda data: None, lambda latents: latents)
    nothing: Any = None
    due = list(quality._training(program, nothing, 60.0))
    seconds = [spent for _, spent in due]
    assert seconds[0] == 10.0
    assert seconds[-1] == 60.0
    assert all(later >= 1.3 * one for one, later in itertools.pairwise(seconds[:-1]))
    assert [step for step, _ in due] == [2 * spent for spent in seconds]


def test_every_program_trains_and_is_measured(tmp_path, monkeypatch, capsys, own_cache):
    smoke = yaml.safe_load((PRESETS / "smoke.yaml").read_text())
    monkeypatch.setattr(quality, "Config", lambda: Config(**smoke))
    monkeypatch.setattr(quality, "find_spec", lambda name: None)
    quality.benchmark_quality(0.01, tmp_path / "quality.json")
    rows = json.loads((tmp_path / "quality.json").read_text())["rows"]
    assert [row["program"] for row in rows] == [
        "this, resize",
        "this, transposed",
        "plain Keras, resize, no emphasis",
    ]
    for row in rows:
        assert row["step"] >= 1
        assert np.isfinite([row[name] for name in quality.SHOWN]).all()
    out = capsys.readouterr().out
    assert "PyTorch is not installed" in out
    assert out.count("10 not in") == 3
