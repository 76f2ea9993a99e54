"""Calibration: which level is measured of a tone of known level."""

import numpy as np
from calibration_sets import (
    COUNTS,
    LENGTH,
    MOST,
    RATE,
    SPACING_HZ,
    Draw,
    level_db,
    prominence_db,
    read,
    subsets,
)

from wavegan_rc.measurement.grouped_spectra import HANN_NOISE_BANDWIDTH, GroupedSpectra
from wavegan_rc.measurement.statistics import bins_of, mean_power

# Levels: on a comb line, on the bin farthest from lines, halfway between that and the next.
CASES = {
    "white noise": ("noise", 4000.0),
    "speech, above its band": ("speech", 4000.0),
    "speech, in its band": ("speech", 1000.0),
    "silence": ("silence", 4000.0),
}
PLACES = {"on the comb": 0, "off the comb": 8, "between bins": 8.5}
PLANTED_DB = np.arange(-60, -9, 2.5)
STANDS_OUT_DB, WITHIN_DB = 6.0, 0.5


def tone_levels_db(
    spectra: GroupedSpectra, weights: np.ndarray, frequency_hz: float
) -> tuple[np.ndarray, np.ndarray]:
    """Level of a tone, and its prominence. It lies in five bins, with five times the floor."""
    power = mean_power(spectra, weights)
    prominence = prominence_db(spectra, weights, [frequency_hz])[:, 0]
    centre = bins_of(spectra, [frequency_hz])[0]
    floor = power[:, centre] / 10 ** (prominence / 10)
    excess = power[:, centre - 2 : centre + 3].sum(axis=1) - 5 * floor
    return 10 * np.log10(np.maximum(excess, 1e-30) / HANN_NOISE_BANDWIDTH), prominence


def random_tone(count: int, frequency_hz: float, level_db: float, seed: int) -> np.ndarray:
    angle = 2 * np.pi * frequency_hz * np.arange(LENGTH) / RATE
    phase = np.random.default_rng([1, seed]).uniform(0, 2 * np.pi, (count, 1))
    amplitudes = np.sqrt(2) * 10 ** (level_db / 20) * np.hstack([np.cos(phase), np.sin(phase)])
    return amplitudes.astype(np.float32) @ np.stack([np.sin(angle), np.cos(angle)], dtype="f4")


def study_levels(draws: dict[str, Draw]) -> list[dict]:
    """Tones of random phase; the sets of 64 and of 512 segments are parts of that of 4096."""
    rows = []
    for case, (background, line_hz) in CASES.items():
        for place, bins_away in PLACES.items():
            frequency_hz = line_hz + bins_away * SPACING_HZ
            for planted_db in PLANTED_DB.tolist():
                segments = draws[background](len(rows), MOST)
                reference_db = level_db(segments)
                segments += random_tone(MOST, frequency_hz, reference_db + planted_db, len(rows))
                spectra = read(segments)
                row = {"case": case, "place": place, "frequency_hz": frequency_hz}
                row |= {"planted_db": planted_db, "by_count": {}}
                for count in COUNTS:
                    level, prominence = tone_levels_db(
                        spectra, subsets(spectra, count), frequency_hz
                    )
                    row["by_count"][str(count)] = summary(
                        level - reference_db, prominence, planted_db
                    )
                rows.append(row)
    return rows


def summary(recovered_db: np.ndarray, prominence_db: np.ndarray, planted_db: float) -> dict:
    standing = prominence_db >= STANDS_OUT_DB
    errors = np.abs(recovered_db - planted_db)[standing]
    return {
        "sets": len(recovered_db),
        "standing_out": int(standing.sum()),
        "within_half_db": int((errors <= WITHIN_DB).sum()),
        "largest_error_db": round(float(errors.max()), 4) if standing.any() else None,
        "median_recovered_db": round(float(np.median(recovered_db)), 4),
        "median_prominence_db": round(float(np.median(prominence_db)), 3),
    }
