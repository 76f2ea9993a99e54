"""Backgrounds and the reading of sets, shared by the studies of calibration."""

from collections.abc import Callable, Sequence

import numpy as np

from wavegan_rc.audio.preparation import prepare_corpus
from wavegan_rc.audio.segments import Segments
from wavegan_rc.measurement.grouped_spectra import GroupedSpectra, group_spectra
from wavegan_rc.measurement.statistics import mean_power
from wavegan_rc.spectrogram import line_prominence_db, predicted_comb

RATE, LENGTH, BLOCK = 16000, 2048, 512
SPACING_HZ = RATE / LENGTH
LINES_HZ = np.array([line.frequency_hz for line in predicted_comb([2] * 7, RATE)])
COUNTS = (64, 512, 4096)
MOST = max(COUNTS)

Draw = Callable[[int, int], np.ndarray]


def backgrounds() -> dict[str, Draw]:
    """Clean segments by the number of the set and the count of its segments."""
    corpus = prepare_corpus(None, sample_rate=RATE, cutoff_hz=1500.0, stopband_hz=1700.0)
    options = {"segment_length": LENGTH, "silence_db": -40.0, "seed": 0}

    def noise(step: int, count: int) -> np.ndarray:
        rng = np.random.default_rng([0, step])
        return np.float32(0.1) * rng.standard_normal((count, LENGTH), dtype=np.float32)

    def silence(_: int, count: int) -> np.ndarray:
        return np.zeros((count, LENGTH), np.float32)

    return {
        "noise": noise,
        "speech": Segments(corpus, "held_out", **options).draw,
        "training speech": Segments(corpus, "training", **options).draw,
        "silence": silence,
    }


def read(segments: np.ndarray) -> GroupedSpectra:
    blocks = (segments[start : start + BLOCK] for start in range(0, len(segments), BLOCK))
    return group_spectra(blocks, len(segments), segment_length=LENGTH, sample_rate=RATE)


def subsets(spectra: GroupedSpectra, size: int) -> np.ndarray:
    """Weights of the disjoint sets of `size` segments that one reading holds."""
    first = np.cumsum(spectra.counts) - spectra.counts
    inside = first // size == np.arange(spectra.count // size)[:, None]
    return inside / inside.sum(axis=1, keepdims=True)


def level_db(segments: np.ndarray) -> float:
    """Mean square in dB; tones in silence are relative to full scale 1."""
    power = np.mean(np.square(segments, dtype=np.float64))
    return float(10 * np.log10(power)) if power > 0 else 0.0


def line_range(low_hz: float, high_hz: float) -> np.ndarray:
    return np.flatnonzero((low_hz <= LINES_HZ) & (high_hz >= LINES_HZ))


def prominence_db(
    spectra: GroupedSpectra, weights: np.ndarray, lines_hz: Sequence[float]
) -> np.ndarray:
    """Prominences of lines, shape (resamples, lines)."""
    power = mean_power(spectra, weights)
    return line_prominence_db(spectra.frequencies_hz, power, lines_hz, RATE)
