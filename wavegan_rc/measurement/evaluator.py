"""Every quantity of a segment set as a function of weights over its groups."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from wavegan_rc.errors import ParameterError
from wavegan_rc.measurement import statistics as st
from wavegan_rc.measurement.bootstrap import Groups, estimate
from wavegan_rc.measurement.distances import (
    Bins,
    frechet_distance,
    kernel_distance,
    nearest_distance,
)
from wavegan_rc.measurement.features import Levels, level_statistics, standardize
from wavegan_rc.measurement.lines import LinePowers, bins_of, line_powers, over_lines
from wavegan_rc.measurement.set_sums import SetSums
from wavegan_rc.spectrogram import StageComb, line_prominence_db, places_of_stage
from wavegan_rc.theory.lines import line_neighbours, suited_length

# Least number for the covariances of the Frechet distance and the k-means bins.
FEWEST_SEGMENTS = 100
# Groups whose matrices are worth two threads.
_MANY_GROUPS = 256
# Least number of bins between a component and its image, beyond the reach of the window.
_IMAGES_APART = 3
# Quantities of all lines above the stopband edge.
_ABOVE_STOPBAND = ("out_of_band_lines_db", "out_of_band_rest_db")
NO_REAL = "no real audio to compare with"
# Quantities of phases relative to the start of a segment.
OF_PHASES = ("phase_locking", "phase_locking_excess")
_HIDDEN = "below the detection limit: noise could hide as much"
_DISTANCES = (
    "frechet_distance",
    "kernel_distance",
    "jensen_shannon_bits",
    "differing_bins_share",
    "nearest_distance",
)
QUANTITIES = (
    "out_of_band_total_db",
    *_ABOVE_STOPBAND,
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
    """Name and place of a quantity, as of a `Quantity`."""

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
        self.lines = [line for comb in combs for line in comb.lines]
        self.lines_hz = [line.frequency_hz for line in self.lines]
        # Stage, frequency and indices: of all lines of each stage, then of each line.
        self._families: list[tuple[int, float | None, list[int]]] = [
            *((comb.stage, None, places_of_stage(self.lines, comb.stage)) for comb in combs),
            *((line.stage, line.frequency_hz, [j]) for j, line in enumerate(self.lines)),
        ]
        self._too_short: str | None = None
        if baseline is not None and len(baseline.segments) >= FEWEST_SEGMENTS:
            try:
                features = baseline.features
            except ParameterError as error:
                self._too_short = str(error)
            else:
                self._reference = standardize(features, features)
                self._bins = Bins(self._reference)

    def missing(self, sums: SetSums) -> dict[str, str]:
        """Return the reasons why quantities of a set cannot be measured, by name."""
        found: dict[str, str] = {}
        if self.stopband_hz is None:
            found["out_of_band_total_db"] = "no stopband_hz: no band is known to be empty"
        if self.baseline is None:
            found["filtering_db"] = NO_REAL
        if no_distances := self._no_distances(sums):
            found |= dict.fromkeys(_DISTANCES, no_distances)
        return found

    def _no_distances(self, sums: SetSums) -> str | None:
        if self.baseline is None:
            return NO_REAL
        of_reference = len(self.baseline.segments)
        for whose, count in (
            ("the set", len(sums.segments)),
            ("the part of the reference to which distances are taken", of_reference),
        ):
            if count < FEWEST_SEGMENTS:
                return f"needs {FEWEST_SEGMENTS} segments, and {whose} has {count}"
        return self._too_short

    def undefined(self, key: QuantityKey, sums: SetSums) -> str:
        """Return the reason why a computed quantity is NaN."""
        if not sums.spectra.sounding.any():
            return "silence"
        if key.name in OF_PHASES and sums.phases_untold:
            return f"phases are compared between recordings: {sums.phases_untold}"
        of_lines = ("line_prominence_db", "line_level_db", "phase_locking_excess")
        if key.name in (*of_lines, *_ABOVE_STOPBAND):
            return self._no_lines(key, sums)
        apart = 0 if key.stage is None else _bins_apart(sums, self.combs[key.stage - 1])
        if key.name == "image_coherence" and apart < _IMAGES_APART:
            return f"images too close together for this segment length: {apart} bins apart"
        return {
            "dc_offset_db": "no offset",
            "filtering_db": "no power in a third-octave band below the stopband edge",
        }.get(key.name, "too few segments that sound")

    def _no_lines(self, key: QuantityKey, sums: SetSums) -> str:
        around = line_neighbours(bins_of(sums.spectra, self.lines_hz), sums.spectra.power.shape[1])
        edge = (self.stopband_hz or 0) if key.name in _ABOVE_STOPBAND else 0
        own = [
            len(near)
            for line, near in zip(self.lines, around, strict=True)
            if key.stage in (None, line.stage)
            and key.frequency_hz in (None, line.frequency_hz)
            and line.frequency_hz > edge
        ]
        if not own:
            return "no predicted line lies above the stopband edge"
        if min(own):
            return "no power at a line or around it"
        return (
            "lines too close together for this segment length: "
            f"{_bins_apart(sums, self.combs[0])} bins apart; segments of "
            f"{suited_length([self.combs[0].period])} samples separate them"
        )

    def notes(self, sums: SetSums) -> dict[QuantityKey, str]:
        """Return notes on values of a set, by quantity."""
        if not self.lines:
            return {}
        power = st.mean_power(sums.spectra, sums.spectra.uniform())
        lines = line_powers(sums.spectra, power, self.lines_hz)
        families = {
            QuantityKey("line_level_db", stage, hz): own for stage, hz, own in self._families
        }
        if self.stopband_hz is not None:
            above = [j for j, hz in enumerate(self.lines_hz) if hz > self.stopband_hz]
            families[QuantityKey("out_of_band_lines_db")] = above
        found = {key: lines.of(own).together() for key, own in families.items()}
        return {key: _HIDDEN for key, (power, floor) in found.items() if not power[0] > floor}

    def values(self, sums: SetSums, weights: np.ndarray) -> dict[QuantityKey, np.ndarray]:
        """Return every quantity, of shape (resamples,), for weights (resamples, groups)."""
        # In products of small matrices a second thread only burns time waiting.
        with threadpool_limits(1 if sums.groups < _MANY_GROUPS else None, "blas"):
            power = st.mean_power(sums.spectra, weights)
            lines = line_powers(sums.spectra, power, self.lines_hz)
            of_set = self._of_set(sums, weights, power, lines)
            return of_set | self._of_combs(sums, weights, power, lines)

    def _of_set(
        self, sums: SetSums, weights: np.ndarray, power: np.ndarray, lines: LinePowers
    ) -> dict[QuantityKey, np.ndarray]:
        """Evaluate the quantities of the whole set."""
        spectra, baseline = sums.spectra, self.baseline
        values: dict[str, np.ndarray] = {}
        if self.stopband_hz is not None:
            above = lines.of(np.array(self.lines_hz) > self.stopband_hz)
            parts = st.out_of_band_db(spectra, power, self.stopband_hz, above)
            named = ("total", "lines", "rest") if self.combs else ("total",)
            values |= {f"out_of_band_{part}_db": parts[part] for part in named}
        if baseline is not None:
            of_real = st.mean_power(baseline.spectra, baseline.spectra.uniform())
            highest = self.stopband_hz or self.sample_rate / 2
            values["filtering_db"] = st.filtering_db(
                spectra.frequencies_hz, power, of_real, highest
            )
        groups = Groups(sums.segment_weights(weights), sums.group)
        values |= level_statistics(sums.segments, groups)._asdict()
        if baseline is not None and not self._no_distances(sums):
            test, real = standardize(sums.features, baseline.features), self._reference
            proportions = self._bins.proportions_of(test, groups)
            distances = (
                frechet_distance(test, real, groups),
                kernel_distance(test, real, groups),
                self._bins.jensen_shannon_divergence(*proportions),
                self._bins.differing_share(*proportions),
                nearest_distance(test, real, groups),
            )
            values |= dict(zip(_DISTANCES, distances, strict=True))
        return {QuantityKey(name): numbers for name, numbers in values.items()}

    def _of_combs(
        self, sums: SetSums, weights: np.ndarray, power: np.ndarray, lines: LinePowers
    ) -> dict[QuantityKey, np.ndarray]:
        """Evaluate the quantities of stages, then of lines."""
        if not self.lines:
            return {}
        spectra, lines_hz = sums.spectra, self.lines_hz
        prominence = line_prominence_db(spectra.frequencies_hz, power, lines_hz, self.sample_rate)
        everywhere = st.locking_square(spectra, weights)
        locking = everywhere[:, bins_of(spectra, lines_hz)]
        excess = locking - st.means_around(spectra, everywhere, lines_hz)
        modulation = st.energy_modulation(spectra, weights, self.combs)
        whole = st.whole_power(power)
        values: dict[QuantityKey, np.ndarray] = {}
        for stage, frequency_hz, own in self._families:
            key = partial(QuantityKey, stage=stage, frequency_hz=frequency_hz)
            values |= {
                key("line_prominence_db"): over_lines(prominence[:, own], np.median),
                key("line_level_db"): st.relative_db(lines.of(own).together()[0], whole),
                key("phase_locking"): over_lines(locking[:, own], np.mean),
                key("phase_locking_excess"): over_lines(excess[:, own], np.mean),
            }
            if frequency_hz is None:
                coherence = st.mean_coherence_square(spectra, weights, stage)
                if _bins_apart(sums, self.combs[stage - 1]) < _IMAGES_APART:
                    coherence = coherence * np.nan  # the window couples near bins
                values[key("image_coherence")] = coherence
                values[key("energy_modulation")] = modulation[:, stage - 1]
        return values

    def curves(self, sums: SetSums, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Return spectra (value, low, high), phase locking, and image coherence by stage."""
        locking, count = sums.spectra.locking_of_recordings()
        coherence = [st.image_coherence(sums.spectra, comb.stage) for comb in self.combs]
        return {
            "power": np.stack(estimate(st.mean_power(sums.spectra, weights), sums.resampled)),
            "phase_locking": locking,
            "phase_count": np.array(count),
            "image_coherence": np.reshape(coherence, (len(coherence), len(locking))),
        }


def _bins_apart(sums: SetSums, comb: StageComb) -> int:
    """Return the number of bins in a stage's spacing."""
    return 2 * (len(sums.spectra.frequencies_hz) - 1) // comb.period
