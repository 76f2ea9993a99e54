"""The benchmark of generation."""

import json

import pytest
from helpers.commands import ended

from benchmarks import generation
from benchmarks.command import benchmark_command


def test_generation_is_timed_at_each_batch_size(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(generation, "_CALLS", {1: 2, generation._LARGE_BATCH: 1})
    file = tmp_path / "b.json"
    argv = ["generation", "--repeats", "1", "--out", file]
    code, out, _ = ended(benchmark_command, argv, capsys)
    assert code == 0
    rows = json.loads(file.read_text())["rows"]
    assert [(row["call"], row["batch_size"]) for row in rows] == [
        ("predict_on_batch", 1),
        ("predict_on_batch", 512),
        ("synthesize", 512),
    ]
    for row in rows:
        speed = row["batch_size"] * 0.128 / (row["median_ms"] / 1000)
        assert row["audio_s_per_s"] == pytest.approx(speed)
        assert row["median_ms"] <= row["percentile_95_ms"]
        assert f"  {row['audio_s_per_s']:,.0f}\n" in out
