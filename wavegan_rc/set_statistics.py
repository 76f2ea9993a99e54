"""Every statistic of a set as a function of weights over its groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wavegan_rc.artifacts import statistics as st
from wavegan_rc.artifacts.bootstrap import estimate
from wavegan_rc.artifacts.distribution import (
    Bins,
    frechet_distance,
    kernel_distance,
    nearest_distance,
)
from wavegan_rc.artifacts.features import level_statistics, log_mel_features, standardize
from wavegan_rc.artifacts.spectra import StageComb
from wavegan_rc.extras import missing
from wavegan_rc.read_sets import ReadSet

# What the Frechet distance's covariances and the k-means bins need.
FEWEST_SEGMENTS = 100
# And what computes features, and bins.
_PACKAGES = ("librosa", "sklearn")
# Bins from a component to its image.
_FEWEST_BINS_APART = 3
_DISTANCES = (
    "frechet_distance",
    "kernel_distance",
    "jensen_shannon_bits",
    "differing_bins_share",
    "nearest_distance",
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
        if self.baseline is None:
            return {}
        absent = missing(*_PACKAGES)
        if absent:
            return dict.fromkeys(_DISTANCES, f"not installed: {', '.join(absent)}")
        for whose, count in (
            ("the set", len(read.segments)),
            ("the part of the reference to which distances are taken", len(self.baseline.segments)),
        ):
            if count < FEWEST_SEGMENTS:
                reason = f"needs {FEWEST_SEGMENTS} segments, and {whose} has {count}"
                return dict.fromkeys(_DISTANCES, reason)
        return {}

    def values(self, read: ReadSet, weights: np.ndarray) -> dict[Key, np.ndarray]:
        """Every statistic, each of shape (resamples,), for weights of shape (resamples, groups)."""
        spectra, highest = read.spectra, self.settings.stopband_hz
        values: dict[Key, np.ndarray] = {}
        if highest is not None:
            lines_hz = [line.frequency_hz for comb in self.settings.combs for line in comb.lines]
            parts = st.out_of_band_db(spectra, weights, highest, lines_hz)
            named = parts if lines_hz else ("total",)
            values |= {Key(f"out_of_band_{part}_db"): parts[part] for part in named}
        if self.baseline is not None:
            highest = highest or self.settings.sample_rate / 2
            difference = st.filtering_db(spectra, self.baseline.spectra, weights, highest)
            values[Key("filtering_db")] = difference
        of_segments = read.segment_weights(weights)
        levels = level_statistics(read.segments, of_segments)._asdict()
        values |= {Key(name): level for name, level in levels.items()}
        if self.baseline is not None and not self.missing(read):
            values |= self._distances(read.segments, of_segments)
        return values | self._of_combs(read, weights)

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
            if 2 * (len(spectra.frequencies_hz) - 1) // comb.period < _FEWEST_BINS_APART:
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
