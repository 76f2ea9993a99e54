"""Every quantity of a segment set as a function of weights over its groups."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wavegan_rc.measurement import statistics as st
from wavegan_rc.measurement.bootstrap import estimate
from wavegan_rc.measurement.distances import (
    Bins,
    frechet_distance,
    kernel_distance,
    nearest_distance,
)
from wavegan_rc.measurement.features import Levels, level_statistics, log_mel_features, standardize
from wavegan_rc.measurement.lines import bins_of, line_powers, over_lines, sum_of_lines
from wavegan_rc.measurement.phase_pairs import locking_square, mean_coherence_square
from wavegan_rc.measurement.set_sums import SetSums
from wavegan_rc.spectrogram import StageComb, line_prominence_db
from wavegan_rc.theory.lines import line_neighbours, suited_length

# Least number for the covariances of the Frechet distance and the k-means bins.
FEWEST_SEGMENTS = 100
# Least number of bins between a component and its image.
_FEWEST_BINS_APART = 3
# Quantities of all lines above the stopband edge.
_OF_LINES = ("out_of_band_lines_db", "out_of_band_rest_db")
NO_REAL = "no real audio to measure beside"
# Quantities of phases relative to the start of a segment.
OF_PHASES = ("phase_locking", "phase_locking_excess")
_HIDDEN = "not told from noise, which could hide so much"
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
    "line_level_db",
    "phase_locking",
    "phase_locking_excess",
    "image_coherence",
    "energy_modulation",
)


class QuantityKey(NamedTuple):
    """Name and place of a quantity.

    Attributes:
        name: Name with the unit as suffix.
        stage: Stage number, from 1. None for the whole set.
        frequency_hz: Frequency of a line in Hz. None for other quantities.
    """

    name: str
    stage: int | None = None
    frequency_hz: float | None = None


class QuantityEvaluator:
    """All quantities of a segment set under weights over its groups.

    Args:
        sample_rate: Sample rate in Hz.
        combs: Stages of the generator; none: lines are not measured.
        stopband_hz: Frequency in Hz above which the data is empty. None: not known.
        baseline: Real segments, to which distances and long-term levels are taken. None: neither
            is measured.
        seed: Seed of the resamples.
    """

    def __init__(
        self,
        sample_rate: int,
        combs: Sequence[StageComb] = (),
        stopband_hz: float | None = None,
        baseline: SetSums | None = None,
        seed: int = 0,
    ) -> None:
        self.sample_rate, self.combs, self.stopband_hz = sample_rate, combs, stopband_hz
        self.baseline, self.seed = baseline, seed
        if baseline is None:
            return
        if len(baseline.segments) >= FEWEST_SEGMENTS:
            features = log_mel_features(baseline.segments, sample_rate)
            self._features = features
            self._reference = standardize(features, features)
            self._bins = Bins(self._reference)

    def missing(self, sums: SetSums) -> dict[str, str]:
        """Return the reasons why quantities of a set cannot be measured, by name."""
        found: dict[str, str] = {}
        if self.stopband_hz is None:
            found["out_of_band_total_db"] = "no stopband_hz: no band is known to be empty"
        if self.baseline is None:
            found |= dict.fromkeys(("filtering_db", *_DISTANCES), NO_REAL)
        elif no_distances := self._no_distances(sums, self.baseline):
            found |= dict.fromkeys(_DISTANCES, no_distances)
        return found

    def _no_distances(self, sums: SetSums, baseline: SetSums) -> str | None:
        for whose, count in (
            ("the set", len(sums.segments)),
            ("the part of the reference to which distances are taken", len(baseline.segments)),
        ):
            if count < FEWEST_SEGMENTS:
                return f"needs {FEWEST_SEGMENTS} segments, and {whose} has {count}"
        return None

    def undefined(self, key: QuantityKey, sums: SetSums) -> str:
        """Return the reason why a computed quantity is NaN."""
        if not sums.spectra.sounding.any():
            return "silence"
        if key.name in OF_PHASES and sums.phases_untold:
            return f"phases are compared between recordings: {sums.phases_untold}"
        if key.name in ("line_prominence_db", "line_level_db", "phase_locking_excess", *_OF_LINES):
            return self._no_lines(key, sums)
        combs = self.combs
        apart = 0 if key.stage is None else self._bins_apart(sums, combs[key.stage - 1])
        if key.name == "image_coherence" and apart < _FEWEST_BINS_APART:
            return f"images too close together for this segment length: {apart} bins apart"
        return {
            "dc_offset_db": "no offset",
            "filtering_db": "no power in a third-octave band below the stopband edge",
        }.get(key.name, "too few segments that sound")

    def _no_lines(self, key: QuantityKey, sums: SetSums) -> str:
        every = [line for comb in self.combs for line in comb.lines]
        places = [line.frequency_hz for line in every]
        around = line_neighbours(bins_of(sums.spectra, places), sums.spectra.power.shape[1])
        edge = (self.stopband_hz or 0) if key.name in _OF_LINES else 0
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
            apart = self._bins_apart(sums, self.combs[0])
            suited = suited_length([self.combs[0].period])
            return (
                f"lines too close together for this segment length: {apart} bins apart; segments "
                f"of {suited} samples separate them"
            )
        return "no power at a line or around it"

    def notes(self, sums: SetSums) -> dict[QuantityKey, str]:
        """Return notes on values of a set, by quantity."""
        lines = [line for comb in self.combs for line in comb.lines]
        if not lines:
            return {}
        uniform = np.full((1, sums.groups), 1 / sums.groups)
        powers, errors = line_powers(
            sums.spectra,
            st.mean_power(sums.spectra, uniform),
            [line.frequency_hz for line in lines],
        )
        families = {
            QuantityKey("line_level_db", x.stage, x.frequency_hz): [j] for j, x in enumerate(lines)
        }
        for comb in self.combs:
            own = [j for j, line in enumerate(lines) if line.stage == comb.stage]
            families[QuantityKey("line_level_db", comb.stage)] = own
        if self.stopband_hz is not None:
            above = [j for j, line in enumerate(lines) if line.frequency_hz > self.stopband_hz]
            families[QuantityKey("out_of_band_lines_db")] = above
        found = {key: sum_of_lines(powers[:, own], errors[own]) for key, own in families.items()}
        return {key: _HIDDEN for key, (power, floor) in found.items() if not power[0] > floor}

    def values(self, sums: SetSums, weights: np.ndarray) -> dict[QuantityKey, np.ndarray]:
        """Return every quantity, of shape (resamples,), for weights (resamples, groups)."""
        spectra, highest = sums.spectra, self.stopband_hz
        values: dict[QuantityKey, np.ndarray] = {}
        if highest is not None:
            parts = self._out_of_band(sums, weights, highest)
            named = ("total", "lines", "rest") if self.combs else ("total",)
            values |= {QuantityKey(f"out_of_band_{part}_db"): parts[part] for part in named}
        if self.baseline is not None:
            highest = highest or self.sample_rate / 2
            difference = st.filtering_db(spectra, self.baseline.spectra, weights, highest)
            values[QuantityKey("filtering_db")] = difference
        of_segments = sums.segment_weights(weights)
        levels = level_statistics(sums.segments, of_segments, sums.group)._asdict()
        values |= {QuantityKey(name): level for name, level in levels.items()}
        if self.baseline is not None and not self._no_distances(sums, self.baseline):
            values |= self._distances(sums.segments, of_segments, sums.group)
        return values | self._of_combs(sums, weights)

    def _out_of_band(
        self, sums: SetSums, weights: np.ndarray, stopband_hz: float
    ) -> dict[str, np.ndarray]:
        lines_hz = [line.frequency_hz for comb in self.combs for line in comb.lines]
        return st.out_of_band_db(sums.spectra, weights, stopband_hz, lines_hz)

    def _distances(
        self, segments: np.ndarray, weights: np.ndarray, units: np.ndarray
    ) -> dict[QuantityKey, np.ndarray]:
        test = standardize(log_mel_features(segments, self.sample_rate), self._features)
        distances = (
            frechet_distance(test, self._reference, weights, units),
            kernel_distance(test, self._reference, weights, units),
            self._bins.jensen_shannon_divergence(test, weights, units),
            self._bins.differing_share(test, weights, units),
            nearest_distance(test, self._reference, weights),
        )
        return {QuantityKey(name): d for name, d in zip(_DISTANCES, distances, strict=True)}

    def _of_combs(self, sums: SetSums, weights: np.ndarray) -> dict[QuantityKey, np.ndarray]:
        """Evaluate the quantities of stages, then of lines."""
        combs, spectra = self.combs, sums.spectra
        lines = [line for comb in combs for line in comb.lines]
        if not lines:
            return {}
        lines_hz = [line.frequency_hz for line in lines]
        power = st.mean_power(spectra, weights)
        prominence = line_prominence_db(spectra.frequencies_hz, power, lines_hz, self.sample_rate)
        everywhere = locking_square(spectra, weights)
        locking = everywhere[:, bins_of(spectra, lines_hz)]
        excess = locking - st.means_around(spectra, everywhere, lines_hz)
        modulation = st.energy_modulation(spectra, weights, combs)
        powers, errors = line_powers(spectra, power, lines_hz)
        whole = st.whole_power(power)

        def level_db(own: list[int]) -> np.ndarray:
            return st.relative_db(sum_of_lines(powers[:, own], errors[own])[0], whole)

        values: dict[QuantityKey, np.ndarray] = {}
        for i, comb in enumerate(combs):
            own = [j for j, line in enumerate(lines) if line.stage == comb.stage]
            coherence = mean_coherence_square(spectra, weights, comb.stage)
            if self._bins_apart(sums, comb) < _FEWEST_BINS_APART:
                coherence = coherence * np.nan  # the window couples near bins
            values |= {
                QuantityKey("line_prominence_db", comb.stage): over_lines(
                    prominence[:, own], np.median
                ),
                QuantityKey("line_level_db", comb.stage): level_db(own),
                QuantityKey("phase_locking", comb.stage): locking[:, own].mean(axis=1),
                QuantityKey("phase_locking_excess", comb.stage): over_lines(
                    excess[:, own], np.mean
                ),
                QuantityKey("image_coherence", comb.stage): coherence,
                QuantityKey("energy_modulation", comb.stage): modulation[:, i],
            }
        for j, line in enumerate(lines):
            place = (line.stage, line.frequency_hz)
            values[QuantityKey("line_prominence_db", *place)] = prominence[:, j]
            values[QuantityKey("line_level_db", *place)] = level_db([j])
            values[QuantityKey("phase_locking", *place)] = locking[:, j]
            values[QuantityKey("phase_locking_excess", *place)] = excess[:, j]
        return values

    def _bins_apart(self, sums: SetSums, comb: StageComb) -> int:
        """Return the number of bins in a stage's spacing."""
        return 2 * (len(sums.spectra.frequencies_hz) - 1) // comb.period

    def curves(self, sums: SetSums, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Return spectra (value, low, high), phase locking, and image coherence by stage."""
        stages = [comb.stage for comb in self.combs]
        coherence = [st.image_coherence(sums.spectra, weights[:1], stage)[0] for stage in stages]
        bins = len(sums.spectra.frequencies_hz)
        return {
            "power": np.stack(estimate(st.mean_power(sums.spectra, weights))),
            "phase_locking": st.phase_locking(sums.spectra, weights[:1])[0],
            "image_coherence": np.reshape(coherence, (len(stages), bins)),
        }
