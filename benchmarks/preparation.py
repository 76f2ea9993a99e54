"""Time the preparation of recordings, and measure its memory."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import table, write_numbers
from wavegan_rc.audio.files import bundled_speech
from wavegan_rc.utils.cores import usable_cores

# Copies of the bundled speech, 24 minutes each.
_COPIES = (1, 10)
# Another process, so that its memory is not that of this one.
_PREPARE = """
import json, resource, sys, time
from wavegan_rc.audio.preparation import prepare_corpus

start = time.perf_counter()
corpus = prepare_corpus(sys.argv[1], sample_rate=16000, cutoff_hz=1500.0, stopband_hz=1700.0)
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([seconds, len(corpus.audio) / 16000, peak]))
"""


def benchmark_preparation(repeats: int, json_file: Path | None) -> None:
    """Prepare copies of the bundled speech into an empty cache, and print medians."""
    measured: dict[int, list[list[float]]] = {copies: [] for copies in _COPIES}
    with tempfile.TemporaryDirectory() as folder:
        for copies in _COPIES:
            _copy_speech(Path(folder) / str(copies), copies)
        for _ in range(repeats):
            for copies in _COPIES:
                measured[copies].append(_prepared(Path(folder) / str(copies)))
    rows = []
    for copies, results in measured.items():
        seconds, audio_s, peak = map(statistics.median, zip(*results, strict=True))
        rows.append(
            {
                "copies": copies,
                "minutes": audio_s / 60,
                "seconds": seconds,
                "times_real_time": audio_s / seconds,
                "peak_mib": peak,
            }
        )
    write_numbers(json_file, rows, repeats=repeats)
    print(f"preparing bundled speech, low-pass at 1500 Hz, {usable_cores()} cores")
    columns = {
        "audio": lambda row: f"{row['minutes']:.0f} min",
        "time": lambda row: f"{row['seconds']:.1f} s",
        "speed": lambda row: f"{row['times_real_time']:.0f} x real time",
        "memory": lambda row: f"{row['peak_mib']:.0f} MiB",
    }
    print(*table(columns, rows, left=0), sep="\n")


def _copy_speech(folder: Path, copies: int) -> None:
    """Copy the files under different names; of links, only one would be prepared."""
    folder.mkdir()
    for path in sorted(bundled_speech().glob("*.ogg")):
        content = path.read_bytes()
        for copy in range(copies):
            (folder / f"{copy:03}-{path.name}").write_bytes(content)


def _prepared(folder: Path) -> list[float]:
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, "-c", _PREPARE, str(folder)],
            env=os.environ | {"XDG_CACHE_HOME": cache},
            stdout=subprocess.PIPE,
            check=True,
        )
    return json.loads(done.stdout)
