"""The benchmarks of generation and of programs' starts."""

import json

import pytest

from benchmarks import generation, start
from benchmarks.command import benchmark_command
from wavegan_rc.cli.process import run_command


def run(argv):
    with pytest.raises(SystemExit) as ended:
        run_command(benchmark_command, "benchmark.py", argv)
    assert ended.value.code == 0


def test_generation_is_timed_at_each_batch_size(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(generation, "_CALLS", {1: 2, generation._LARGE_BATCH: 1})
    file = tmp_path / "b.json"
    run(["generation", "--repeats", "1", "--json", str(file)])
    rows = json.loads(file.read_text())["rows"]
    assert [(row["call"], row["batch_size"]) for row in rows] == [
        ("predict_on_batch", 1),
        ("predict_on_batch", 512),
        ("synthesize", 512),
    ]
    out = capsys.readouterr().out
    for row in rows:
        speed = row["batch_size"] * 0.128 / (row["median_ms"] / 1000)
        assert row["audio_s_per_s"] == pytest.approx(speed)
        assert row["median_ms"] <= row["percentile_95_ms"]
        assert f"  {row['audio_s_per_s']:,.0f}\n" in out


def test_starts_are_those_of_whole_processes(tmp_path, monkeypatch, capsys):
    assert len(start.COMMANDS) == 7
    monkeypatch.setattr(start, "COMMANDS", ("report",))
    file = tmp_path / "b.json"
    run(["start", "--repeats", "1", "--json", str(file)])
    rows = {row["program"]: row for row in json.loads(file.read_text())["rows"]}
    assert list(rows) == ["python alone", "import wavegan_rc", "report --help"]
    assert rows["report --help"]["median_ms"] > rows["python alone"]["median_ms"] > 0
    _, alone, _, shown = capsys.readouterr().out.splitlines()
    assert alone.split() == ["python", "alone", f"{rows['python alone']['median_ms']:.0f}", "-"]
    assert shown.split()[3] == "1000"
    assert shown.endswith("too slow") == (rows["report --help"]["median_ms"] > 1000)
