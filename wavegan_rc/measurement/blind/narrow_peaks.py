"""The strongest narrow peaks of a set, at any frequency."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wavegan_rc.measurement import statistics as st
from wavegan_rc.measurement.blind.comb import FoundComb, scores_of
from wavegan_rc.measurement.blind.images import FoundImages
from wavegan_rc.measurement.blind.peaks import (
    prominences_db,
    refined,
    strongest_first,
    with_its_digits,
)
from wavegan_rc.measurement.grouped_spectra import GroupedSpectra
from wavegan_rc.measurement.lines import line_powers
from wavegan_rc.measurement.significance import SIGNIFICANCE, locking_p_values
from wavegan_rc.spectrogram import StageComb

_MOST = 8
# In units of the roughness around, or of minus the log p-value of locking: noise seldom has more.
_LEAST_SCORE = 8.0


@dataclass(frozen=True)
class NarrowPeak:
    """A narrow peak of the mean spectrum.

    Attributes:
        frequency_hz: Frequency in Hz, with the digits that it has.
        level_db: Power relative to that of the signal in dB, at least twice its standard error.
        prominence_db: Level above the bins around in dB.
        locked_p_value: P-value of its phase locking, corrected for the number of bins. None: too
            few recordings to test it.
        predicted_by: Stage, found comb or images that predict the frequency. None: nothing does.
    """

    frequency_hz: float
    level_db: float
    prominence_db: float
    locked_p_value: float | None
    predicted_by: str | None

    @property
    def is_locked(self) -> bool:
        """Return whether its phase is locked; False if that was not tested."""
        return self.locked_p_value is not None and self.locked_p_value < SIGNIFICANCE

    def in_words(self) -> str:
        """Return all numbers in words."""
        locked = "locked" if self.is_locked else "not locked"
        locked = "phase not tested" if self.locked_p_value is None else locked
        return (
            f"{self.frequency_hz:.7g} Hz: {self.level_db:.1f} dB relative to the signal, "
            f"{self.prominence_db:.1f} dB out, {locked}, "
            f"predicted by {self.predicted_by or 'nothing'}"
        )


def strongest_peaks(
    spectra: GroupedSpectra,
    phases: tuple[np.ndarray, int],
    stages: Sequence[StageComb],
    combs: Sequence[FoundComb],
    images: Sequence[FoundImages],
) -> tuple[NarrowPeak, ...]:
    """Return up to 8 narrow peaks that noise seldom has, strongest first.

    `phases` are those of `locking_of_recordings`; the other arguments predict frequencies.
    """
    power = st.mean_power(spectra, spectra.uniform())
    if not power.any():
        return ()
    locking, count = phases
    density, scores = scores_of(power[0], locking, count)
    standing = {
        int(peak)
        for values in scores.values()
        for peak in strongest_first(np.where(values >= _LEAST_SCORE, values, 0), density)
    }
    # A tone is one peak, though its power and its phase may show it in bins next to each other.
    bins = [b for b in sorted(standing) if not standing & {b - 1, b - 2}]
    whole, frequencies_hz = st.whole_power(power), spectra.frequencies_hz
    bin_hz = float(frequencies_hz[1])
    p_values = np.clip(locking_p_values(locking, count) * len(density), sys.float_info.min, 1)
    prominences = prominences_db(power[0], frequencies_hz, np.array(bins, int))
    found = []
    for b, prominence in zip(bins, prominences, strict=True):
        # Each by itself, so that close ones do not hide the floor.
        hz = [float(frequencies_hz[b])]
        level = st.relative_db(line_powers(spectra, power, hz).together()[0], whole)[0]
        place_hz = with_its_digits(float(refined(np.array([b]), density)[0]), bin_hz)
        found.append(
            NarrowPeak(
                place_hz,
                float(level),
                float(prominence),
                float(p_values[b]) if locking.any() else None,
                _predicted_by(place_hz, bin_hz, stages, combs, images),
            )
        )
    return tuple(sorted(found, key=lambda peak: -peak.level_db)[:_MOST])


def _predicted_by(
    hz: float,
    bin_hz: float,
    stages: Sequence[StageComb],
    combs: Sequence[FoundComb],
    images: Sequence[FoundImages],
) -> str | None:
    for stage in stages:
        if any(abs(line.frequency_hz - hz) <= bin_hz / 2 for line in stage.lines):
            return f"stage {stage.stage}"
    for comb in combs:
        if any(abs(line_hz - hz) <= bin_hz for line_hz in comb.lines_hz):
            return f"the comb of {comb.spacing_hz:.6g} Hz"
    for image in images:
        if abs(hz - round(hz / image.spacing_hz) * image.spacing_hz) <= bin_hz / 2:
            return f"the images every {image.spacing_hz:.6g} Hz"
    return None
