"""The recordings of a report as pictures and players."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from wavegan_rc.audio.streams import open_recording
from wavegan_rc.errors import DataError
from wavegan_rc.figures.drawing import levels_db, spectrogram_png
from wavegan_rc.figures.frequency_axis import Scale, hz_text, on_scale
from wavegan_rc.figures.spectra import marked_lines
from wavegan_rc.measurement.references import data_of_run
from wavegan_rc.measurement.sources import open_segments
from wavegan_rc.report import media
from wavegan_rc.report.document import Document
from wavegan_rc.report.measured import Measured
from wavegan_rc.report.run_files import Run

# 64 segments of 2048 samples: 262 kB for a player. Longer segments are fewer.
_EMBEDDED_SAMPLES = 64 * 2048
# Up to this number all runs are embedded, about 1 MB each; beyond, the first seed of each group.
_EMBEDDED_RUNS = 10
# Windows of the small picture at the top of the page.
_FIRST_WINDOWS = 16
# Peak of the loudest player of artifacts. The limit of the gain keeps 16-bit rounding faint.
_ARTIFACT_PEAK_DB = -1.0
_LARGEST_GAIN_DB = 40.0
# Settings that the recordings of real audio depend on.
_REAL_SETTINGS = ("data", "sample_rate", "segment_length", "cutoff_hz")


@dataclass(frozen=True)
class Sound:
    """Joined segments of one run, or of real audio, as the page shows and plays them.

    Pictures and WAVs are addresses that hold them. Real audio has no seed.

    Attributes:
        id: Run id; for real audio, `real-` and the id of the run with this data.
        count: Number of embedded segments.
        marks: Kind, frequency in Hz and words of each line over the spectrogram.
        small_picture: First windows on a mel axis.
        artifact: Part above `stopband_hz`, amplified by the report's gain. None without one.
        loudness_db: Loudness in LUFS. None for silence.
    """

    id: str
    group: str
    label: str
    seed: int | None
    sample_rate: int
    segment_length: int
    count: int
    stopband_hz: float | None
    marks: Sequence[tuple[str, float, str]]
    pictures: Mapping[Scale, str]
    small_picture: str
    audio: str
    artifact: str | None
    loudness_db: float | None

    @property
    def is_real(self) -> bool:
        """Return whether this is real audio."""
        return self.seed is None

    @property
    def name(self) -> str:
        """Label and seed."""
        return self.label if self.seed is None else f"{self.label}, seed {self.seed}"

    @property
    def seconds(self) -> float:
        """Duration of all segments in seconds."""
        return self.count * self.segment_length / self.sample_rate


@dataclass(frozen=True)
class Sounds:
    """All pictures and players of a page.

    Attributes:
        rows: Real audio, then a row of runs for each group.
        top_db: Level of the brightest colour, dB re full-scale sine.
        left_out: Number of runs that are not embedded.
    """

    rows: Sequence[Sequence[Sound]]
    top_db: float
    artifact_gain_db: float | None
    left_out: int


@dataclass(frozen=True)
class _Recording:
    """Segments of one player, with their spectrogram and their artifact part."""

    id: str
    group: str
    label: str
    run: Run
    segments: np.ndarray
    levels_db: np.ndarray
    artifact: np.ndarray | None


def collect_sounds(document: Document) -> Sounds:
    """Read the joined recordings of runs, and make pictures and players of them on one scale.

    Returns:
        The sounds. The top of the scale is the loudest point of the first real audio, in steps of
        5 dB. One gain serves all players of artifacts, which can therefore be compared by ear.
    """
    rows = _read_rows(document)
    top_db = math.ceil(float(rows[0][0].levels_db.max()) / 5) * 5.0
    artifacts = [r.artifact for row in rows for r in row if r.artifact is not None]
    loudest = max((float(np.abs(part).max()) for part in artifacts), default=0.0)
    gain_db = None
    if loudest > 0:
        gain_db = min(_ARTIFACT_PEAK_DB - 20 * math.log10(loudest), _LARGEST_GAIN_DB)
    sounds = [
        [_sound(r, document.measurements[r.run.id], top_db, gain_db or 0.0) for r in row]
        for row in rows
    ]
    shown = sum(not sound.is_real for row in sounds for sound in row)
    return Sounds(sounds, top_db, gain_db, len(document.runs) - shown)


def _read_rows(document: Document) -> list[list[_Recording]]:
    all_seeds = len(document.runs) <= _EMBEDDED_RUNS
    real: dict[tuple[object, ...], list[_Recording]] = {}
    rows = []
    for group in document.groups:
        row = []
        for run in group.runs if all_seeds else group.runs[:1]:
            row.append(_read(run, group.id, group.label))
            data = tuple(getattr(run.config, name) for name in _REAL_SETTINGS)
            if data not in real:
                title = "real" if not real else f"real, of {group.label}"
                real[data] = [_read(run, "real", title)]
        rows.append(row)
    return [*real.values(), *rows]


def _read(run: Run, group: str, label: str) -> _Recording:
    """Read whole segments from the start of a joined recording, as many as are embedded."""
    is_real = group == "real"
    path = run.path / "samples" / ("real-joined.wav" if is_real else "joined.wav")
    rate, length = run.config.sample_rate, run.config.segment_length
    most = max(_EMBEDDED_SAMPLES // length, 1)
    if run.config.steps < run.steps_asked:  # recordings of an earlier end would be older
        audio = _segments_of_stopped(run, most, is_real=is_real).ravel()
    else:
        audio = _read_recording(path, rate, most * length)
    count = len(audio) // length
    if not count or not np.isfinite(audio).all():
        raise DataError(f"{path}: must hold finite segments of {length} samples")
    segments = audio[: count * length].reshape(count, length)
    artifact, cutoff, stopband = None, run.config.cutoff_hz, run.config.stopband_hz
    if cutoff is not None and stopband is not None:
        artifact = media.artifact_only(segments, rate, cutoff, stopband)
    sound_id = f"real-{run.id}" if is_real else run.id
    return _Recording(sound_id, group, label, run, segments, levels_db(segments), artifact)


def _read_recording(path: Path, sample_rate: int, samples: int) -> np.ndarray:
    try:
        with open_recording(path) as file:
            if (file.samplerate, file.channels) != (sample_rate, 1):
                raise DataError(f"must be mono, {sample_rate} Hz, as its run")
            return file.read(samples)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _segments_of_stopped(run: Run, count: int, *, is_real: bool) -> np.ndarray:
    """Make the segments that a run would have written at its end."""
    path = str(run.path)
    if not is_real:
        segments = open_segments(path, count=count, seed=run.config.seed)
    elif (parts := data_of_run(path, count)) is not None:
        segments = parts[0]
    else:
        raise DataError(f"{path}: no real audio to show: its recordings cannot be read")
    return np.concatenate(list(segments.blocks()))


def _sound(recording: _Recording, measured: Measured, top_db: float, gain_db: float) -> Sound:
    config, segments, artifact = recording.run.config, recording.segments, recording.artifact
    rate, levels = config.sample_rate, recording.levels_db
    lines = marked_lines(measured.stages)
    marks = [("line", hz, hz_text(hz)) for hz in lines]
    if config.cutoff_hz is not None:
        marks.append(("cutoff", config.cutoff_hz, f"cutoff {hz_text(config.cutoff_hz)}"))
    frames = levels.shape[1] // len(segments) * _FIRST_WINDOWS

    def picture(levels: np.ndarray, scale: Scale) -> str:
        png = spectrogram_png(on_scale(levels, rate, scale), top_db)
        return media.data_uri(png, "image/png")

    return Sound(
        id=recording.id,
        group=recording.group,
        label=recording.label,
        seed=None if recording.group == "real" else config.seed,
        sample_rate=rate,
        segment_length=segments.shape[1],
        count=segments.shape[0],
        stopband_hz=config.stopband_hz,
        marks=marks,
        pictures={scale: picture(levels, scale) for scale in get_args(Scale)},
        small_picture=picture(levels[:, :frames], "mel"),
        audio=_player(segments.ravel(), rate),
        artifact=None if artifact is None else _player(artifact * 10 ** (gain_db / 20), rate),
        loudness_db=media.loudness_db(segments.ravel(), rate),
    )


def _player(audio: np.ndarray, sample_rate: int) -> str:
    return media.data_uri(media.wav_bytes(audio, sample_rate), "audio/wav")
