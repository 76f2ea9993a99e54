"""Calibration: how often clean lines are called locked."""

import numpy as np
from calibration_sets import LINES_HZ, RATE, Draw, line_range, read
from scipy import stats

from wavegan_rc.measurement.grouped_spectra import GroupedSpectra
from wavegan_rc.measurement.significance import (
    SIGNIFICANCE,
    rayleigh_p_values,
    sign_p_values,
)
from wavegan_rc.measurement.statistics import bins_of

# p-values, by what the lines lie in.
P_VALUE_SETS, P_VALUE_COUNT, P_VALUES_FROM = 1000, 64, 10_000
ECDF_AT = np.geomspace(1e-4, 1, 41)
RANGES_HZ = {
    "noise": {"white noise": (125, 8000)},
    "speech": {"speech, above its band": (1750, 8000), "speech, in its band": (125, 1500)},
    "training speech": {
        "training speech, above its band": (1750, 8000),
        "training speech, in its band": (125, 1500),
    },
}


def line_p_values(spectra: GroupedSpectra) -> np.ndarray:
    """Of the phase locking of each line, as `wavegan-rc measure` computes them."""
    locking = spectra.locking_of_recordings()[0]
    at_lines, count = locking[bins_of(spectra, LINES_HZ.tolist())], spectra.sounding.sum()
    unlocked = rayleigh_p_values(at_lines, count)
    return np.where(LINES_HZ == RATE / 2, sign_p_values(at_lines, count), unlocked)


def study_p_values(draws: dict[str, Draw]) -> dict[str, dict]:
    found = {}
    for background, ranges in RANGES_HZ.items():
        steps = range(P_VALUES_FROM, P_VALUES_FROM + P_VALUE_SETS)
        p_values = np.array(
            [line_p_values(read(draws[background](step, P_VALUE_COUNT))) for step in steps]
        )
        smallest = [stats.false_discovery_control(row).min() for row in p_values]
        any_locked = float(np.mean(np.array(smallest) < SIGNIFICANCE))
        for name, limits in ranges.items():
            lines = line_range(*limits)
            own = p_values[:, lines]
            # One line of each set, in turn: those of a set need not be independent.
            one_each = own[np.arange(len(own)), np.arange(len(own)) % len(lines)]
            found[name] = {
                "p_values": own.size,
                "false_positives": float(np.mean(own < SIGNIFICANCE)),
                "false_positives_one_line_each": float(np.mean(one_each < SIGNIFICANCE)),
                "kolmogorov_smirnov_p": float(stats.kstest(one_each, "uniform").pvalue),
                "sets_with_a_line_called_locked": any_locked,
                "ecdf": [float(np.mean(own <= p)) for p in ECDF_AT],
            }
    return found
