"""The recordings of a report as pictures and players."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wavegan_rc.audio.files import open_recording
from wavegan_rc.errors import DataError
from wavegan_rc.figures.drawing import levels_db
from wavegan_rc.report import media
from wavegan_rc.report.document import Document
from wavegan_rc.report.measured import Measured
from wavegan_rc.report.run_files import Run

# 64 segments of 2048 samples: 262 kB for a player. Longer segments are fewer.
_EMBEDDED_SAMPLES = 64 * 2048
# Up to this number all runs are embedded, about 1 MB each; beyond, the first seed of each group.
_EMBEDDED_RUNS = 10
# Lines of more stages would stand too close to be told apart.
_MARKED_STAGES = 4
# Peak of the loudest player of artifacts. The limit of the gain keeps 16-bit rounding faint.
_ARTIFACT_PEAK_DB = -1.0
_LARGEST_GAIN_DB = 40.0
# Settings that the recordings of real audio depend on.
_REAL_SETTINGS = ("data", "sample_rate", "segment_length", "cutoff_hz")


@dataclass(frozen=True)
class Sound:
    """Joined segments of one run, or of real audio, as the page shows and plays them.

    Attributes:
        id: Run id; for real audio, `real-` and the id of the run with this data.
        label: Group and seed, or "real".
        name: Name of the run folder.
        count: Number of embedded segments.
        stopband_hz: Stopband edge of the data. None without a low-pass.
        marks: Kind, frequency in Hz and words of each line over the spectrogram.
        picture: Address that holds the spectrogram.
        audio: Address that holds the WAV.
        artifact: Address that holds the WAV of the part above `stopband_hz`, amplified by the
            report's gain. None without one.
        loudness_db: Loudness in LUFS. None for silence.
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
    def is_real(self) -> bool:
        """Return whether this is real audio."""
        return self.id.startswith("real-")

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
        artifact_gain_db: Gain of all players of artifacts. None if there are none.
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

    Raises:
        DataError: If a recording is missing or cannot be read.
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
            seed = f", seed {run.config.seed}" if len(group.runs) > 1 else ""
            row.append(_read(run, "joined.wav", run.id, group.label + seed))
            data = tuple(getattr(run.config, name) for name in _REAL_SETTINGS)
            if data not in real:
                title = "real" if not real else f"real, of {group.label}"
                real[data] = [_read(run, "real-joined.wav", f"real-{run.id}", title)]
        rows.append(row)
    return [*real.values(), *rows]


def _read(run: Run, file_name: str, sound_id: str, label: str) -> _Recording:
    """Read whole segments from the start of a joined recording, as many as are embedded."""
    path = run.path / "samples" / file_name
    rate, length = run.config.sample_rate, run.config.segment_length
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
    segments = audio[: count * length].reshape(count, length)
    artifact, cutoff, stopband = None, run.config.cutoff_hz, run.config.stopband_hz
    if cutoff is not None and stopband is not None:
        artifact = media.artifact_only(segments, rate, cutoff, stopband)
    return _Recording(sound_id, label, run, segments, levels_db(segments), artifact)


def _sound(recording: _Recording, measured: Measured, top_db: float, gain_db: float) -> Sound:
    config, segments, artifact = recording.run.config, recording.segments, recording.artifact
    rate = config.sample_rate
    marks = [
        ("line", frequency, f"stage {stage.stage}")
        for stage in measured.stages[-_MARKED_STAGES:]
        for frequency in stage.lines_hz
    ]
    if config.cutoff_hz is not None:
        marks.append(("cutoff", config.cutoff_hz, f"cutoff {config.cutoff_hz:g} Hz"))
    return Sound(
        id=recording.id,
        label=recording.label,
        name=recording.run.name,
        sample_rate=rate,
        segment_length=segments.shape[1],
        count=segments.shape[0],
        stopband_hz=config.stopband_hz,
        marks=marks,
        picture=media.data_uri(media.spectrogram_png(recording.levels_db, top_db), "image/png"),
        audio=_player(segments.ravel(), rate),
        artifact=None if artifact is None else _player(artifact * 10 ** (gain_db / 20), rate),
        loudness_db=media.loudness_db(segments.ravel(), rate),
    )


def _player(audio: np.ndarray, sample_rate: int) -> str:
    return media.data_uri(media.wav_bytes(audio, sample_rate), "audio/wav")
