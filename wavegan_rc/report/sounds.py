"""The recordings of a report, read from the runs' folders, as pictures and players."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wavegan_rc.audio.files import open_recording
from wavegan_rc.errors import DataError
from wavegan_rc.report import media

# 64 segments of 2048 samples: 262 kB for a player. Of longer segments fewer are embedded.
_EMBEDDED_SAMPLES = 64 * 2048
# Up to so many runs all are embedded, about 1 MB each; of more only the first seed of each group.
_EMBEDDED_RUNS = 10
# Lines of more stages would stand too close to be told apart.
_MARKED_STAGES = 4
# The loudest player of artifacts peaks at this, unless that takes more gain: rounding to 16 bits
# is not to be made loud.
_ARTIFACT_PEAK_DB = -1.0
_LARGEST_GAIN_DB = 40.0
# What the recordings of real audio depend on.
_REAL_SETTINGS = ("data", "sample_rate", "segment_length", "cutoff_hz")


@dataclass(frozen=True)
class Sound:
    """Joined segments of one run, or of real audio, as the page shows and plays them.

    Attributes:
        id: Of a run, or of the run whose data it is, with "real-" before.
        label: Setting and seed; "real".
        name: Of the run's folder.
        sample_rate: In Hz.
        segment_length: In samples.
        count: Segments embedded.
        stopband_hz: Above it the data holds nothing; None: it is not low-passed.
        marks: Frequencies in Hz to be marked, with words: the cutoff, and lines by stage.
        picture: Spectrogram, as an address that holds it.
        audio: WAV, likewise.
        artifact: WAV of the part above `stopband_hz`, louder by the gain of the report; None if
            there is none.
        loudness_db: K-weighted; None for silence.
    """

    id: str
    label: str
    name: str
    sample_rate: int
    segment_length: int
    count: int
    stopband_hz: float | None
    marks: Sequence[tuple[str, float, str]]
    picture: str
    audio: str
    artifact: str | None
    loudness_db: float | None

    @property
    def seconds(self) -> float:
        """Of all segments."""
        return self.count * self.segment_length / self.sample_rate


@dataclass(frozen=True)
class Sounds:
    """Everything that is shown and played.

    Attributes:
        rows: From the top: real audio, then a row for each group with its runs.
        top_db: Level of the brightest colour, dB re full-scale sine.
        artifact_gain_db: Of all players of artifacts.
        left_out: Runs that are not embedded.
    """

    rows: Sequence[Sequence[Sound]]
    top_db: float
    artifact_gain_db: float | None
    left_out: int


@dataclass(frozen=True)
class _Recording:
    """What one player is made of."""

    id: str
    label: str
    run: Mapping[str, Any]
    segments: np.ndarray

    def artifact(self) -> np.ndarray | None:
        cutoff, stopband = self.run["cutoff_hz"], self.run["stopband_hz"]
        if cutoff is None or stopband is None:
            return None
        return media.artifact_only(self.segments, self.run["sample_rate"], cutoff, stopband)


def collect_sounds(document: Mapping[str, Any], runs: Sequence[Path]) -> Sounds:
    """Read the joined recordings of runs and make pictures and players of them, on one scale.

    Args:
        document: Numbers of the report.
        runs: Folders, in the order of `document["runs"]`.

    Returns:
        The sounds. The top of the scale is the loudest point of the first real audio, in steps of
        5 dB; one gain serves all players of artifacts, so that they can be compared by ear.

    Raises:
        DataError: If a recording is missing or cannot be read.
    """
    rows, left_out = _read_rows(document, runs)
    levels = {r.id: media.levels_db(r.segments) for row in rows for r in row}
    artifacts = {r.id: r.artifact() for row in rows for r in row}
    top_db = math.ceil(float(levels[rows[0][0].id].max()) / 5) * 5.0
    peaks = [float(np.abs(part).max()) for part in artifacts.values() if part is not None]
    loudest = max(peaks, default=0.0)
    gain_db = None
    if loudest > 0:
        gain_db = min(_ARTIFACT_PEAK_DB - 20 * math.log10(loudest), _LARGEST_GAIN_DB)
    sounds = [
        [_sound(r, levels[r.id], top_db, artifacts[r.id], gain_db) for r in row] for row in rows
    ]
    return Sounds(sounds, top_db, gain_db, left_out)


def _read_rows(
    document: Mapping[str, Any], paths: Sequence[Path]
) -> tuple[list[list[_Recording]], int]:
    """Recordings by row, and how many runs were left out."""
    path_of = {run["id"]: path for run, path in zip(document["runs"], paths, strict=True)}
    about = {run["id"]: run for run in document["runs"]}
    all_seeds = len(paths) <= _EMBEDDED_RUNS
    real: dict[tuple[str, ...], list[_Recording]] = {}
    rows = []
    for group in document["groups"]:
        shown = group["runs"] if all_seeds else group["runs"][:1]
        row = []
        for run_id in shown:
            run, folder = about[run_id], path_of[run_id] / "samples"
            seed = f", seed {run['seed']}" if len(group["runs"]) > 1 else ""
            row.append(_read(folder / "joined.wav", run_id, group["label"] + seed, run))
            data = tuple(str(run["settings"].get(name)) for name in _REAL_SETTINGS)
            if data not in real:
                title = "real" if not real else f"real, of {group['label']}"
                real[data] = [_read(folder / "real-joined.wav", f"real-{run_id}", title, run)]
        rows.append(row)
    return [*real.values(), *rows], len(paths) - sum(map(len, rows))


def _read(path: Path, sound_id: str, label: str, run: Mapping[str, Any]) -> _Recording:
    """Whole segments from the start of a joined recording, as many as are embedded."""
    rate, length = run["sample_rate"], run["segment_length"]
    try:
        with open_recording(path) as file:
            if (file.samplerate, file.channels) != (rate, 1):
                raise DataError(f"must be mono, {rate} Hz, as its run")
            audio = file.read(max(_EMBEDDED_SAMPLES // length, 1) * length)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    count = len(audio) // length
    if not count or not np.isfinite(audio).all():
        raise DataError(f"{path}: must hold finite segments of {length} samples")
    return _Recording(sound_id, label, run, audio[: count * length].reshape(count, length))


def _sound(
    recording: _Recording,
    level_db: np.ndarray,
    top_db: float,
    artifact: np.ndarray | None,
    gain_db: float | None,
) -> Sound:
    run, segments = recording.run, recording.segments
    rate = run["sample_rate"]
    amplified = None
    if artifact is not None:
        amplified = _player(artifact * 10 ** ((gain_db or 0) / 20), rate)
    return Sound(
        id=recording.id,
        label=recording.label,
        name=run["name"],
        sample_rate=rate,
        segment_length=segments.shape[1],
        count=segments.shape[0],
        stopband_hz=run["stopband_hz"],
        marks=_marks(run),
        picture=media.data_uri(media.spectrogram_png(level_db, top_db), "image/png"),
        audio=_player(segments.ravel(), rate),
        artifact=amplified,
        loudness_db=media.loudness_db(segments.ravel(), rate),
    )


def _player(audio: np.ndarray, sample_rate: int) -> str:
    return media.data_uri(media.wav_bytes(audio, sample_rate), "audio/wav")


def _marks(run: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    """Kind, frequency and words of each line over a spectrogram."""
    marks = [
        ("line", frequency, f"stage {stage['stage']}")
        for stage in run["stages"][-_MARKED_STAGES:]
        for frequency in stage["lines_hz"]
    ]
    if run["cutoff_hz"] is not None:
        marks.append(("cutoff", run["cutoff_hz"], f"cutoff {run['cutoff_hz']:g} Hz"))
    return marks
