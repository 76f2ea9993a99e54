"""Statistics of a segment set, as tests of known signals need them."""

import numpy as np

from wavegan_rc.measurement.grouped_spectra import GroupedSpectra, group_spectra
from wavegan_rc.measurement.statistics import mean_power
from wavegan_rc.spectrogram import line_prominence_db

RATE = 16000

uniform = GroupedSpectra.uniform


def grouped(segments, combs=()):
    """Each segment is a group; more than 100 are read in two blocks."""
    segments = np.asarray(segments, np.float32)
    blocks = [segments[:100], segments[100:]] if len(segments) > 100 else [segments]
    count, length = segments.shape
    return group_spectra(blocks, count, segment_length=length, sample_rate=RATE, combs=combs)


def prominence_db(spectra, weights, lines_hz):
    power = mean_power(spectra, weights)
    return line_prominence_db(spectra.frequencies_hz, power, lines_hz, RATE)


def phase_locking(spectra, weights):
    """Lengths of mean phase vectors over the segments that sound."""
    return np.abs(weights @ spectra.phasors) / (weights @ spectra.sounding)[:, None]
