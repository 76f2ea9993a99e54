"""Time the preparation of recordings: how many times faster than they play, in what memory."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import check_request, machine, write_numbers
from wavegan_rc.audio.files import bundled_speech
from wavegan_rc.utils.cores import usable_cores

# Copies of the bundled speech, 24 minutes each.
_COPIES = (1, 10)
# In a process of its own, whose memory is not that of this one.
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
    """Prepare copies of the bundled speech, into an empty cache, and print a table.

    Args:
        repeats: Times that each is prepared, in turn, at least 1; medians are printed.
        json_file: For the numbers; None: no file.

    Raises:
        ParameterError: If `repeats` is smaller than 1.
        DataError: If the file cannot be written.
    """
    check_request(repeats, json_file)
    rows = time_preparation(repeats)
    write_numbers(json_file, {"machine": machine(), "repeats": repeats, "rows": rows})
    print(format_preparation(rows))


def time_preparation(repeats: int) -> list[dict[str, float]]:
    """Medians of some repeats.

    Returns:
        For each number of copies: `copies`, `minutes` of audio, `seconds`, `times_real_time` and
        `peak_mib`, the memory.
    """
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
    return rows


def _copy_speech(folder: Path, copies: int) -> None:
    """Under names of their own, as copies: of links, only one would be prepared."""
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


def format_preparation(rows: list[dict[str, float]]) -> str:
    """The rows as a table."""
    lines = [f"preparing bundled speech, low-pass at 1500 Hz, {usable_cores()} cores"]
    lines.append(f"{'audio':>10}{'time':>10}{'speed':>18}{'memory':>12}")
    for row in rows:
        speed = f"{row['times_real_time']:.0f} x real time"
        lines.append(
            f"{row['minutes']:6.0f} min{row['seconds']:8.1f} s{speed:>18}{row['peak_mib']:8.0f} MiB"
        )
    return "\n".join(lines)
