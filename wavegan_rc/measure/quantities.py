"""Every statistic of a set as a function of weights over its groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wavegan_rc.measure import statistics as st
from wavegan_rc.measure.bootstrap import estimate
from wavegan_rc.measure.distances import (
    Bins,
    frechet_distance,
    kernel_distance,
    nearest_distance,
)
from wavegan_rc.measure.features import Levels, level_statistics, log_mel_features, standardize
from wavegan_rc.measure.grouped_spectra import StageComb
from wavegan_rc.measure.readings import ReadSet
from wavegan_rc.spectrogram import line_neighbours
from wavegan_rc.utils.extras import missing

# What the Frechet distance's covariances and the k-means bins need.
FEWEST_SEGMENTS = 100
# And what computes features, and bins.
_PACKAGES = ("librosa", "sklearn")
# Bins from a component to its image.
_FEWEST_BINS_APART = 3
# Measured of the lines above the stopband edge together.
_OF_LINES = ("out_of_band_lines_db", "out_of_band_rest_db")
NO_REAL = "no real audio to measure beside"
_DISTANCES = (
    "frechet_distance",
    "kernel_distance",
    "jensen_shannon_bits",
    "differing_bins_share",
    "nearest_distance",
)
QUANTITIES = (
    "out_of_band_total_db",
    *_OF_LINES,
    "filtering_db",
    *Levels._fields,
    *_DISTANCES,
    "line_prominence_db",
    "phase_locking",
    "phase_locking_excess",
    "image_coherence",
    "energy_modulation",
)


class Key(NamedTuple):
    """What a statistic is called.

    Attributes:
        name: With the unit as suffix, where it has one.
        stage: That it belongs to; None for the whole.
        frequency_hz: Of a line; None for others.
    """

    name: str
    stage: int | None = None
    frequency_hz: float | None = None


@dataclass(frozen=True)
class Settings:
    """What sets are measured for.

    Attributes:
        sample_rate: In Hz.
        combs: Stages of the generator; empty: no lines are looked for.
        stopband_hz: Above it the data holds nothing; None: not known.
        seed: Of the resamples.
    """

    sample_rate: int
    combs: Sequence[StageComb] = ()
    stopband_hz: float | None = None
    seed: int = 0


class Statistics:
    """Statistics of a set as functions of weights over its groups.

    Args:
        settings: What sets are measured for.
        baseline: Real segments, to which distances and long-term levels are taken; None: neither
            is measured.
    """

    def __init__(self, settings: Settings, baseline: ReadSet | None = None) -> None:
        self.settings = settings
        self.baseline = baseline
        if baseline is None or missing(*_PACKAGES):
            return
        if len(baseline.segments) >= FEWEST_SEGMENTS:
            features = log_mel_features(baseline.segments, settings.sample_rate)
            self._features = features
            self._reference = standardize(features, features)
            self._bins = Bins(self._reference)

    def missing(self, read: ReadSet) -> dict[str, str]:
        """Why some quantities cannot be measured of a set, by their names."""
        found: dict[str, str] = {}
        if self.settings.stopband_hz is None:
            found["out_of_band_total_db"] = "no stopband_hz: no band is known to be empty"
        if self.baseline is None:
            found |= dict.fromkeys(("filtering_db", *_DISTANCES), NO_REAL)
        elif no_distances := self._no_distances(read, self.baseline):
            found |= dict.fromkeys(_DISTANCES, no_distances)
        return found

    def _no_distances(self, read: ReadSet, baseline: ReadSet) -> str | None:
        absent = missing(*_PACKAGES)
        if absent:
            return f"not installed: {', '.join(absent)}"
        for whose, count in (
            ("the set", len(read.segments)),
            ("the part of the reference to which distances are taken", len(baseline.segments)),
        ):
            if count < FEWEST_SEGMENTS:
                return f"needs {FEWEST_SEGMENTS} segments, and {whose} has {count}"
        return None

    def undefined(self, key: Key, read: ReadSet) -> str:
        """Why a quantity that was computed is NaN for a set."""
        if not read.spectra.sounding.any():
            return "silence"
        if key.name in ("line_prominence_db", "phase_locking_excess", *_OF_LINES):
            return self._no_lines(key, read)
        combs = self.settings.combs
        apart = 0 if key.stage is None else self._bins_apart(read, combs[key.stage - 1])
        if key.name == "image_coherence" and apart < _FEWEST_BINS_APART:
            return f"images too close together for this segment length: {apart} bins apart"
        return {
            "dc_offset_db": "no offset",
            "filtering_db": "no power in a third-octave band below the stopband edge",
        }.get(key.name, "too few segments that sound")

    def _no_lines(self, key: Key, read: ReadSet) -> str:
        every = [line for comb in self.settings.combs for line in comb.lines]
        places = [line.frequency_hz for line in every]
        around = line_neighbours(st.bins_of(read.spectra, places), read.spectra.power.shape[1])
        edge = (self.settings.stopband_hz or 0) if key.name in _OF_LINES else 0
        own = [
            len(near)
            for line, near in zip(every, around, strict=True)
            if key.stage in (None, line.stage)
            and key.frequency_hz in (None, line.frequency_hz)
            and line.frequency_hz > edge
        ]
        if not own:
            return "no predicted line lies above the stopband edge"
        if min(own) == 0:
            apart = self._bins_apart(read, self.settings.combs[0])
            return f"lines too close together for this segment length: {apart} bins apart"
        return "no power at a line or around it"

    def notes(self, read: ReadSet) -> dict[Key, str]:
        """What a reader must know beside a value of a set."""
        if self.settings.stopband_hz is None or not self.settings.combs:
            return {}
        uniform = np.full((1, read.groups), 1 / read.groups)
        parts = self._out_of_band(read, uniform, self.settings.stopband_hz)
        if parts["lines"][0] > parts["floor"][0]:
            return {}
        return {Key("out_of_band_lines_db"): "no line is told from noise, which could hide so much"}

    def values(self, read: ReadSet, weights: np.ndarray) -> dict[Key, np.ndarray]:
        """Every statistic, each of shape (resamples,), for weights of shape (resamples, groups)."""
        spectra, highest = read.spectra, self.settings.stopband_hz
        values: dict[Key, np.ndarray] = {}
        if highest is not None:
            parts = self._out_of_band(read, weights, highest)
            named = ("total", "lines", "rest") if self.settings.combs else ("total",)
            values |= {Key(f"out_of_band_{part}_db"): parts[part] for part in named}
        if self.baseline is not None:
            highest = highest or self.settings.sample_rate / 2
            difference = st.filtering_db(spectra, self.baseline.spectra, weights, highest)
            values[Key("filtering_db")] = difference
        of_segments = read.segment_weights(weights)
        levels = level_statistics(read.segments, of_segments)._asdict()
        values |= {Key(name): level for name, level in levels.items()}
        if self.baseline is not None and not self._no_distances(read, self.baseline):
            values |= self._distances(read.segments, of_segments)
        return values | self._of_combs(read, weights)

    def _out_of_band(
        self, read: ReadSet, weights: np.ndarray, stopband_hz: float
    ) -> dict[str, np.ndarray]:
        lines_hz = [line.frequency_hz for comb in self.settings.combs for line in comb.lines]
        return st.out_of_band_db(read.spectra, weights, stopband_hz, lines_hz)

    def _distances(self, segments: np.ndarray, weights: np.ndarray) -> dict[Key, np.ndarray]:
        test = standardize(log_mel_features(segments, self.settings.sample_rate), self._features)
        distances = (
            frechet_distance(test, self._reference, weights),
            kernel_distance(test, self._reference, weights),
            self._bins.jensen_shannon_divergence(test, weights),
            self._bins.differing_share(test, weights),
            nearest_distance(test, self._reference, weights),
        )
        return {Key(name): d for name, d in zip(_DISTANCES, distances, strict=True)}

    def _of_combs(self, read: ReadSet, weights: np.ndarray) -> dict[Key, np.ndarray]:
        """By stage, then by line."""
        combs, spectra = self.settings.combs, read.spectra
        lines = [line for comb in combs for line in comb.lines]
        if not lines:
            return {}
        lines_hz = [line.frequency_hz for line in lines]
        prominence = st.prominence_db(spectra, weights, lines_hz)
        everywhere = st.unbiased_square(st.phase_locking(spectra, weights), spectra, weights)
        locking = everywhere[:, st.bins_of(spectra, lines_hz)]
        excess = locking - st.means_around(spectra, everywhere, lines_hz)
        modulation = st.energy_modulation(spectra, weights, combs)
        values: dict[Key, np.ndarray] = {}
        for i, comb in enumerate(combs):
            own = [j for j, line in enumerate(lines) if line.stage == comb.stage]
            lengths = st.image_coherence(spectra, weights, comb.stage)
            # At 0 Hz and half the rate spectra are real: there the phase is 0 or pi.
            coherence = st.unbiased_square(lengths, spectra, weights)[:, 1:-1]
            if self._bins_apart(read, comb) < _FEWEST_BINS_APART:
                coherence = coherence * np.nan  # the window ties bins as near as this
            values |= {
                Key("line_prominence_db", comb.stage): np.median(prominence[:, own], axis=1),
                Key("phase_locking", comb.stage): locking[:, own].mean(axis=1),
                Key("phase_locking_excess", comb.stage): excess[:, own].mean(axis=1),
                Key("image_coherence", comb.stage): coherence.mean(axis=1),
                Key("energy_modulation", comb.stage): modulation[:, i],
            }
        for j, line in enumerate(lines):
            place = (line.stage, line.frequency_hz)
            values[Key("line_prominence_db", *place)] = prominence[:, j]
            values[Key("phase_locking", *place)] = locking[:, j]
            values[Key("phase_locking_excess", *place)] = excess[:, j]
        return values

    def _bins_apart(self, read: ReadSet, comb: StageComb) -> int:
        """From one multiple of a stage's spacing to the next."""
        return 2 * (len(read.spectra.frequencies_hz) - 1) // comb.period

    def curves(self, read: ReadSet, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Spectra (value, low, high), phase locking, and image coherence by stage."""
        stages = [comb.stage for comb in self.settings.combs]
        coherence = [st.image_coherence(read.spectra, weights[:1], stage)[0] for stage in stages]
        bins = len(read.spectra.frequencies_hz)
        return {
            "power": np.stack(estimate(st.mean_power(read.spectra, weights))),
            "phase_locking": st.phase_locking(read.spectra, weights[:1])[0],
            "image_coherence": np.reshape(coherence, (len(stages), bins)),
        }
