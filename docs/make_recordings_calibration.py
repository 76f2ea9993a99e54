"""Calibrate verdicts on recordings: python docs/make_recordings_calibration.py --help.

Each split has three parts without a common recording: a set to judge, real audio to compare it
with, and audio to which distances are taken. All are drawn alike, so each verdict "above" or
"below" is false. The bundled speech, one speaker, comes in three arrangements, noise in a fourth:

files: 4 files of two minutes each; segments at random positions
utterances: a third of the utterances, cut at pauses; segments at random positions
folders: utterances as files, cut into segments from their starts
coloured: 40 files of noise, each with a colour and a loudness of its own, cut like folders

Then lines are tested for phase locking in noise, in noise with mains hum, and with organ chords:
20 recordings of 2 s with tones of random phases, all on predicted lines. In every other set each
recording has a tone of one phase, too, 20 dB below the noise.

Each result is a line of calibration-recordings.jsonl; results that are there are not made again.
"""

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from calibration_sets import LENGTH, LINES_HZ, RATE
from scipy import signal, stats

from wavegan_rc.audio.preparation import prepare_corpus
from wavegan_rc.measurement.estimation import estimate_quantities
from wavegan_rc.measurement.evaluator import QuantityEvaluator
from wavegan_rc.measurement.quantities import Quantity
from wavegan_rc.measurement.segments import Places, SegmentSet, consecutive
from wavegan_rc.measurement.set_sums import SetSums, sum_segments
from wavegan_rc.measurement.significance import SIGNIFICANCE, locking_p_values
from wavegan_rc.measurement.statistics import bins_of
from wavegan_rc.spectrogram import stage_combs

RESULTS = Path(__file__).with_name("calibration-recordings.jsonl")
# Raised when a number of the measurement changes: then all results are made again.
VERSION = 1
ARRANGEMENTS = ("files", "utterances", "folders", "coloured")
KINDS = ("noise", "hum", "organ")
# A predicted line that no chord has.
PLANTED_HZ = 7000
COUNTS = (50, 300, 3000)
COMBS = tuple(stage_combs([2] * 7, RATE))
STOPBAND_HZ = 1700.0
# A test at 5 % is as exact with 199 permutations as with 1000.
RESAMPLES = 199
# A pause is this quiet for so long.
_PAUSE_DB, _PAUSE_S, _FRAME = -30.0, 0.2, 320
# Least length of an utterance, in segments.
_SHORTEST = 4
_FILES_OF_NOISE = 40

Recordings = Sequence[np.ndarray]


@cache
def files() -> Recordings:
    """Return the bundled recordings, prepared as for training, float32."""
    corpus = prepare_corpus(None, sample_rate=RATE, cutoff_hz=1500.0, stopband_hz=STOPBAND_HZ)
    return [
        np.asarray(corpus.audio[r.start : r.start + r.length], np.float32) / np.float32(32768)
        for r in corpus.recordings
    ]


@cache
def utterances() -> Recordings:
    """Return the files cut in the middle of each pause."""
    return [part for file in files() for part in cut_at_pauses(file)]


def cut_at_pauses(file: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the parts of a recording between the middles of its pauses, without short ones."""
    frames = file[: len(file) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = np.mean(frames**2, axis=1)
    quiet = np.concatenate([[False], power < power.mean() * 10 ** (_PAUSE_DB / 10), [False]])
    edges = np.flatnonzero(np.diff(quiet.astype(int))).reshape(-1, 2)
    pauses = edges[np.diff(edges)[:, 0] * _FRAME >= _PAUSE_S * RATE]
    for part in np.split(file, pauses.mean(axis=1).astype(int) * _FRAME):
        if len(part) >= _SHORTEST * LENGTH:
            yield part


def random_positions(recordings: Recordings, count: int, rng: np.random.Generator) -> SegmentSet:
    """Return segments that begin anywhere, in the order of the recordings."""
    fitting = np.array([len(recording) - LENGTH for recording in recordings])
    number = np.sort(rng.integers(fitting.sum(), size=count))
    ends = np.cumsum(fitting)
    own = np.searchsorted(ends, number, side="right")
    start = number - (ends - fitting)[own]
    cut = [recordings[i][s : s + LENGTH] for i, s in zip(own, start, strict=True)]
    return _set(np.stack(cut), Places(own, start, random=True))


def from_the_start(recordings: Recordings, count: int) -> SegmentSet:
    """Return the segments of as many recordings as are needed for `count` segments."""
    segments, counts = [], []
    for recording in recordings:
        if sum(counts) < count:
            counts.append(len(recording) // LENGTH)
            segments.append(recording[: counts[-1] * LENGTH].reshape(-1, LENGTH))
    return _set(np.concatenate(segments), consecutive(counts, LENGTH))


def _set(segments: np.ndarray, places: Places | None) -> SegmentSet:
    return SegmentSet(
        "speech", RATE, LENGTH, len(segments), lambda: iter([segments]), places=places
    )


def coloured_noise(segments: int, rng: np.random.Generator) -> np.ndarray:
    """Return a recording of noise of some segments, with a colour and a loudness of its own."""
    white = rng.standard_normal(segments * LENGTH)
    noise = signal.lfilter([1], [1, -rng.uniform(0.6, 0.9)], white)
    loudness = 0.05 * 10 ** (3 * rng.standard_normal() / 20)
    return (loudness * noise / noise.std()).astype(np.float32)


def three_parts(arrangement: str, count: int, split: int) -> list[SetSums]:
    """Return the sums of the set, of real audio and of the audio to which distances are taken."""
    rng = np.random.default_rng([ARRANGEMENTS.index(arrangement), count, split])
    if arrangement == "coloured":
        each = -(-count // _FILES_OF_NOISE)
        parts = [[coloured_noise(each, rng) for _ in range(_FILES_OF_NOISE)] for _ in range(3)]
    else:
        recordings = files() if arrangement == "files" else utterances()
        order = rng.permutation(len(recordings))
        parts = [[recordings[i] for i in order[part::3]] for part in range(3)]
    if arrangement in ("folders", "coloured"):
        sets = [from_the_start(part, count) for part in parts]
    else:
        sets = [random_positions(part, count, rng) for part in parts]
    return [sum_segments(one, COMBS) for one in sets]


def with_tones(kind: str, planted: bool, rng: np.random.Generator) -> np.ndarray:
    """Return a recording of noise with steady tones of random phases, together as loud."""
    notes = {"noise": (), "hum": (50.0,), "organ": (250.0, 312.5, 375.0)}[kind]
    seconds = 2  # all frequencies are multiples of half a hertz
    bins = (seconds * np.outer(notes, np.arange(1, 21)).ravel()).astype(int)
    spectrum = np.zeros(seconds * RATE // 2 + 1, complex)
    np.add.at(spectrum, bins, np.exp(2j * np.pi * rng.random(len(bins))) / np.sqrt(2 * len(bins)))
    if planted:
        spectrum[seconds * PLANTED_HZ] += 0.1 / np.sqrt(2) * np.exp(1j)
    noise = rng.standard_normal(seconds * RATE)
    return 0.1 * (noise + np.fft.irfft(spectrum) * seconds * RATE)


def lock(kind: str, split: int) -> dict:
    """Return whether any line, and whether a planted one, is called locked."""
    planted = split % 2 == 1
    rng = np.random.default_rng([3, KINDS.index(kind), split])
    recordings = [with_tones(kind, planted, rng).astype(np.float32) for _ in range(20)]
    sums = sum_segments(from_the_start(recordings, 10**6))
    lines = bins_of(sums.spectra, LINES_HZ.tolist())
    p_values = locking_p_values(*sums.spectra.locking_of_recordings())[lines]
    locked = stats.false_discovery_control(p_values) < SIGNIFICANCE
    at_planted = LINES_HZ == PLANTED_HZ
    return {
        "version": VERSION,
        "arrangement": kind,
        "segments": sums.spectra.count,
        "split": split,
        "told": {"a line locked, not planted": bool(locked[~at_planted].any())}
        | ({"planted line locked": bool(locked[at_planted].all())} if planted else {}),
    }


def family(quantity: Quantity) -> str:
    """Return the name under which quantities are tested together."""
    place = "" if quantity.stage is None else ", stages"
    return quantity.name + (place if quantity.frequency_hz is None else ", lines")


def judge(arrangement: str, count: int, split: int) -> dict:
    """Return the verdicts of one split, and whether intervals hold the truth, by family.

    Levels below the detection limit do not count: the difference of two limits is not 0.
    """
    test, real, baseline = three_parts(arrangement, count, split)
    evaluator = QuantityEvaluator(RATE, COMBS, STOPBAND_HZ, baseline, seed=split)
    quantities = estimate_quantities(test, real, evaluator, with_locking=True, resamples=RESAMPLES)
    families = defaultdict(list)
    for quantity in quantities:
        families[family(quantity)].append(quantity)
    p_values = {
        name: min(tested)
        for name, own in families.items()
        if (tested := [q.p_value for q in own if q.p_value is not None])
    }
    told = {
        name: any(q.verdict in ("above", "below", "locked") for q in families[name])
        for name in p_values
    }
    limits = evaluator.notes(test).keys() | evaluator.notes(real).keys()
    held = defaultdict(list)
    for q in quantities:
        is_limit = (q.name, q.stage, q.frequency_hz) in limits
        if q.difference is not None and not np.isnan(q.difference.low) and not is_limit:
            held[family(q)].append(q.difference.low <= 0 <= q.difference.high)
    holds = {name: round(float(np.mean(own)), 3) for name, own in held.items()}
    locked = any(q.locked_p_value is not None and q.verdict == "locked" for q in quantities)
    return {
        "version": VERSION,
        "arrangement": arrangement,
        "segments": count,
        "split": split,
        "units": [sums.units.in_words() for sums in (test, real)],
        "untold": sorted({q.untold for q in quantities if q.untold}),
        "told": told,
        "significant": {name: p < SIGNIFICANCE for name, p in p_values.items()},
        "holds": holds,
        "locked": locked,
    }


def results() -> list[dict]:
    """Return the results of this version so far."""
    lines = RESULTS.read_text().splitlines() if RESULTS.is_file() else []
    return [row for row in map(json.loads, lines) if row.get("version") == VERSION]


def result_of(one: tuple[str, int, int]) -> dict:
    """Return the result of an arrangement or a kind, a number of segments and a split."""
    return lock(one[0], one[2]) if one[0] in KINDS else judge(*one)


def make(splits: int, counts: Sequence[int], processes: int) -> None:
    """Judge what is not judged yet."""
    found = results()
    if not found and RESULTS.is_file():
        raise SystemExit(f"{RESULTS}: no results of version {VERSION}: move it away")
    done = {(row["arrangement"], row["segments"], row["split"]) for row in found}
    wanted = [*((kind, 300) for kind in KINDS), *((a, n) for a in ARRANGEMENTS for n in counts)]
    # 50 consecutive segments are of two or three utterances.
    wanted = [column for column in wanted if column != ("folders", 50)]
    todo = [(*column, split) for split in range(splits) for column in wanted]
    todo = [one for one in todo if one not in done]
    os.environ["OMP_NUM_THREADS"] = "1"  # of each process
    with get_context("spawn").Pool(processes) as pool:
        for result in pool.imap_unordered(result_of, todo):
            with RESULTS.open("a") as out:
                out.write(json.dumps(result) + "\n")


def by_column(arrangements: Sequence[str]) -> dict[tuple[str, int], list[dict]]:
    """Return the results by arrangement and number of segments, in order."""
    found: dict[tuple[str, int], list[dict]] = defaultdict(list)
    for row in results():
        if row["arrangement"] in arrangements:
            found[row["arrangement"], row["segments"]].append(row)
    order = sorted(found, key=lambda column: (arrangements.index(column[0]), column[1]))
    return {column: found[column] for column in order}


def percentages(rows: Sequence[dict], kind: str) -> dict[str, float]:
    """Return the mean of each entry over the splits that have it, in percent."""
    found = defaultdict(list)
    for row in rows:
        for name, value in row[kind].items():
            found[name].append(value)
    return {name: 100 * float(np.mean(values)) for name, values in found.items()}


def print_tables() -> None:
    """Print false verdicts and the coverage of intervals in percent."""
    print_table("told", "false verdicts, %", ARRANGEMENTS)
    print_table("significant", "p-values below 5 %, %", ARRANGEMENTS)
    print_table("holds", "intervals that hold 0, %", ARRANGEMENTS)
    print_table("told", "sets with a line called locked, %", KINDS)


def print_table(kind: str, title: str, arrangements: Sequence[str]) -> None:
    columns = by_column(arrangements)
    titles = [f"{arrangement}, {count}" for arrangement, count in columns]
    print(f"\n| {title} | {' | '.join(titles)} |\n|---|{'---:|' * len(columns)}")
    print(f"| splits | {' | '.join(str(len(rows)) for rows in columns.values())} |")
    untold = [sum(bool(row.get("untold")) for row in rows) for rows in columns.values()]
    print(f"| splits without a verdict | {' | '.join(map(str, untold))} |")
    shares = [percentages(rows, kind) for rows in columns.values()]
    for name in dict.fromkeys(name for own in shares for name in own):
        cells = (f"{own[name]:.1f}" if name in own else "" for own in shares)
        print(f"| `{name}` | {' | '.join(cells)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--segments", type=int, nargs="+", default=list(COUNTS))
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="one thread each")
    parser.add_argument("--table", action="store_true", help="print the tables of what was made")
    flags = parser.parse_args()
    if flags.table:
        print_tables()
    else:
        make(flags.splits, flags.segments, flags.processes)
