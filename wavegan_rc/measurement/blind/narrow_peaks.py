"""The strongest narrow peaks of a set, at any frequency."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wavegan_rc.measurement import statistics as st
from wavegan_rc.measurement.blind.comb import scores_of
from wavegan_rc.measurement.blind.found_comb import FoundComb
from wavegan_rc.measurement.blind.images import FoundImages
from wavegan_rc.measurement.blind.peaks import refined, strongest_first
from wavegan_rc.measurement.grouped_spectra import GroupedSpectra
from wavegan_rc.measurement.lines import line_powers, sum_of_lines
from wavegan_rc.measurement.significance import rayleigh_p_values, sign_p_values
from wavegan_rc.spectrogram import StageComb

_MOST = 8
# In units of the roughness around, or of minus the log p-value of locking: noise seldom has more.
_LEAST_SCORE = 8.0
_LEVEL = 0.05
# Digits of a frequency: a tone's place is known to about a tenth of a bin.
_PLACE_ERROR = 0.1


@dataclass(frozen=True)
class NarrowPeak:
    """A narrow peak of the mean spectrum.

    Attributes:
        frequency_hz: Frequency in Hz, with the digits that it has.
        level_db: Power relative to that of the signal in dB, at least twice its standard error.
        prominence_db: Level above the bins around in dB.
        locked_p_value: P-value of its phase locking, corrected for the number of bins.
        predicted_by: Stage, found comb or images that predict the frequency. None: nothing does.
    """

    frequency_hz: float
    level_db: float
    prominence_db: float
    locked_p_value: float
    predicted_by: str | None

    def in_words(self) -> str:
        """Return all numbers in words."""
        locked = "locked" if self.locked_p_value < _LEVEL else "not locked"
        return (
            f"{self.frequency_hz:.7g} Hz: {self.level_db:.1f} dB relative to the signal, "
            f"{self.prominence_db:.1f} dB out, {locked}, "
            f"predicted by {self.predicted_by or 'nothing'}"
        )


def strongest_peaks(
    spectra: GroupedSpectra,
    stages: Sequence[StageComb],
    combs: Sequence[FoundComb],
    images: Sequence[FoundImages],
) -> tuple[NarrowPeak, ...]:
    """Return up to 8 narrow peaks that noise seldom has, strongest first.

    Args:
        spectra: Sums of the set.
        stages: Stages of the generator; none: not known.
        combs: Combs that were found.
        images: Images that were found.
    """
    groups = len(spectra.counts)
    uniform = np.full((1, groups), 1 / groups)
    power = st.mean_power(spectra, uniform)
    if not power.any():
        return ()
    locking, count = spectra.locking_of_groups()
    density, scores = scores_of(power[0], locking, count)
    standing = {
        int(bin_)
        for values in scores.values()
        for bin_ in strongest_first(np.where(values >= _LEAST_SCORE, values, 0), density)
    }
    # A tone is one peak, though its power and its phase may show it in bins next to each other.
    bins = np.array([b for b in sorted(standing) if not standing & {b - 1, b - 2}], dtype=int)
    if not len(bins):
        return ()
    frequencies = spectra.frequencies_hz
    bin_hz = float(frequencies[1])
    powers, errors = line_powers(spectra, power, frequencies[bins].tolist())
    prominence = st.prominence_db(spectra, uniform, frequencies[bins].tolist())[0]
    p_values = np.where(
        bins == len(frequencies) - 1,
        sign_p_values(locking[bins], count),
        rayleigh_p_values(locking[bins], count),
    )
    whole, digits = st.whole_power(power), -math.floor(math.log10(_PLACE_ERROR * bin_hz))
    found = []
    for i in np.argsort(-powers[0], kind="stable"):
        if math.isnan(prominence[i]) or len(found) == _MOST:
            continue
        hz = round(float(refined(bins[[i]], density)[0]) * bin_hz, digits)
        level = st.relative_db(sum_of_lines(powers[:, [i]], errors[[i]])[0], whole)[0]
        found.append(
            NarrowPeak(
                hz,
                float(level),
                float(prominence[i]),
                min(1.0, max(float(p_values[i]) * len(frequencies), sys.float_info.min)),
                _predicted_by(hz, bin_hz, stages, combs, images),
            )
        )
    return tuple(found)


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
