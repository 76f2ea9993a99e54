"""The recordings of a report as pictures and players."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
from wavegan_rc.report.run_files import Run
from wavegan_rc.report.verdicts import REAL

# 64 segments of 2048 samples: 262 kB for a player. Longer segments are fewer.
_EMBEDDED_SAMPLES = 64 * 2048
# Up to this number all runs are embedded, about 1 MB each; beyond, the first seed of each group.
_EMBEDDED_RUNS = 10
# Peak of the loudest player of artifacts. The limit of the gain keeps 16-bit rounding faint.
_ARTIFACT_PEAK_DB = -1.0
_LARGEST_GAIN_DB = 40.0
# Settings that the recordings of real audio depend on.
_REAL_SETTINGS = ("data", "sample_rate", "segment_length", "cutoff_hz")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sound:
    """Joined segments of one run, or of real audio, as the page shows and plays them.

    Attributes:
        group: Id of the run's group, or `real`.
        run: The run; for real audio, the first one with this data.
        segments: Array of shape (segments, samples).
        levels_db: Their spectrograms side by side.
        artifact: Part of the joined segments above `stopband_hz`. None without one.
    """

    group: str
    label: str
    run: Run
    segments: np.ndarray
    levels_db: np.ndarray
    artifact: np.ndarray | None

    @property
    def is_real(self) -> bool:
        """Return whether this is real audio, which has no seed."""
        return self.group == REAL

    @property
    def id(self) -> str:
        """Run id; for real audio after `real-`."""
        return f"real-{self.run.id}" if self.is_real else self.run.id

    @property
    def name(self) -> str:
        """Label and seed."""
        return self.label if self.is_real else f"{self.label}, seed {self.run.config.seed}"

    @property
    def seconds(self) -> float:
        """Duration of all segments in seconds."""
        return self.segments.size / self.run.config.sample_rate

    @property
    def marks(self) -> list[tuple[str, float, str]]:
        """Kind, frequency in Hz and words of each line over the spectrogram."""
        marks = [("line", hz, hz_text(hz)) for hz in marked_lines(self.run.measured.stages)]
        edge_hz = self.run.config.stopband_hz
        if edge_hz is not None:
            marks.append(("edge", edge_hz, f"stopband edge {hz_text(edge_hz)}"))
        return marks

    @property
    def loudness_db(self) -> float | None:
        """Loudness in LUFS; None for silence."""
        return media.loudness_db(self.segments.ravel(), self.run.config.sample_rate)

    def picture(self, scale: Scale, top_db: float, windows: int | None = None) -> str:
        """Return the address of a picture of the first windows, or of all."""
        frames = windows and self.levels_db.shape[1] // len(self.segments) * windows
        levels = on_scale(self.levels_db[:, :frames], self.run.config.sample_rate, scale)
        return media.data_uri(spectrogram_png(levels, top_db), "image/png")

    def player(self, artifact_gain_db: float | None = None) -> str:
        """Return the address of a WAV of the segments, or of their artifact part, amplified."""
        audio = self.segments.ravel()
        if artifact_gain_db is not None and self.artifact is not None:
            audio = self.artifact * 10 ** (artifact_gain_db / 20)
        return media.data_uri(media.wav_bytes(audio, self.run.config.sample_rate), "audio/wav")


@dataclass(frozen=True)
class Sounds:
    """All pictures and players of a page.

    Attributes:
        rows: Real audio, where it can be read, then a row of runs for each group.
        top_db: Level of the brightest colour, dB re full-scale sine: the loudest point of the first
            sound, in steps of 5 dB.
        artifact_gain_db: Gain of all players of artifacts, which can therefore be compared by ear.
            None without any.
        left_out: Number of runs that are not embedded.
        missing: Warnings of real audio that cannot be read.
    """

    rows: Sequence[Sequence[Sound]]
    top_db: float
    artifact_gain_db: float | None
    left_out: int
    missing: Sequence[str] = ()


def collect_sounds(document: Document) -> Sounds:
    """Read the joined recordings of runs, and find one scale and one gain for all of them."""
    rows, missing = _read_rows(document)
    for words in missing:
        _logger.warning(words)
    top_db = math.ceil(float(rows[0][0].levels_db.max()) / 5) * 5.0
    artifacts = [sound.artifact for row in rows for sound in row if sound.artifact is not None]
    loudest = max((float(np.abs(part).max()) for part in artifacts), default=0.0)
    gain_db = None
    if loudest > 0:
        gain_db = min(_ARTIFACT_PEAK_DB - 20 * math.log10(loudest), _LARGEST_GAIN_DB)
    shown = sum(not sound.is_real for row in rows for sound in row)
    return Sounds(rows, top_db, gain_db, len(document.runs) - shown, missing)


def _read_rows(document: Document) -> tuple[list[list[Sound]], list[str]]:
    """Return real audio, then a row for each group; and what is missing of real audio."""
    all_seeds = len(document.runs) <= _EMBEDDED_RUNS
    real: dict[tuple[object, ...], list[Sound]] = {}
    missing: dict[tuple[object, ...], str] = {}
    rows = []
    for group in document.groups:
        row = []
        for run in group.runs if all_seeds else group.runs[:1]:
            row.append(_read(run, group.id, group.label))
            data = tuple(getattr(run.config, name) for name in _REAL_SETTINGS)
            title = "real" if not real else f"real, of {group.label}"
            try:
                real[data] = real.get(data) or [_read(run, REAL, title)]
                missing.pop(data, None)
            except DataError as error:  # another run may still have this audio
                missing.setdefault(data, str(error))
        rows.append(row)
    return [*real.values(), *rows], [
        f"Real audio cannot be played: {why}" for why in missing.values()
    ]


def _read(run: Run, group: str, label: str) -> Sound:
    """Read whole segments from the start of a joined recording, as many as are embedded."""
    is_real = group == REAL
    path = run.folder.real_joined if is_real else run.folder.joined
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
    return Sound(group, label, run, segments, levels_db(segments), artifact)


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
    path = str(run.folder.path)
    if not is_real:
        segments = open_segments(path, count=count, seed=run.config.seed)
    elif (parts := data_of_run(path, count)) is not None:
        segments = parts[0]
    else:
        raise DataError(f"{path}: its recordings cannot be read")
    return np.concatenate(list(segments.blocks()))
