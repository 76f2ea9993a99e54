"""Calibration: the smallest tone that is found."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from calibration_p_values import line_p_values
from calibration_sets import (
    COUNTS,
    LENGTH,
    LINES_HZ,
    MOST,
    SPACING_HZ,
    Draw,
    level_db,
    line_range,
    prominence_db,
    read,
    subsets,
)
from scipy import optimize, special, stats

from wavegan_rc.measurement.bootstrap import bootstrap_weights, estimate
from wavegan_rc.measurement.significance import (
    SIGNIFICANCE,
    max_t_p_values,
    permuted_differences,
)
from wavegan_rc.measurement.statistics import bins_of, mean_power

# Detection; all 64 lines are tested in each set. At half the rate a tone's power depends on its
# phase, at the stopband's edge the floor is not flat. Within its band speech is no stationary
# noise: the levels there were found by trial.


class Zone(NamedTuple):
    """Lines taken together, and levels tried: theory's for stationary noise, moved, and steps."""

    background: str
    low_hz: float
    high_hz: float
    step_db: float
    moved_db: dict[str, float]

    @property
    def lines(self) -> np.ndarray:
        return line_range(self.low_hz, self.high_hz)


ZONES = {
    "white noise": Zone("noise", 125, 7875, 1.5, {"locking": 0, "prominence": 0}),
    "speech, above its band": Zone("speech", 2500, 7875, 1.5, {"locking": 0, "prominence": 0}),
    "speech, in its band": Zone("speech", 500, 1500, 3.0, {"locking": -30, "prominence": 7.5}),
}
STEPS = np.arange(-6, 6)
REPETITIONS, DETECTION_FROM = {64: 144, 512: 60, 4096: 24}, 20_000
RESAMPLES = 500
WANTED = 0.9


def plant(
    segments: np.ndarray, levels_db: np.ndarray, rng: np.random.Generator, *, locked: bool
) -> np.ndarray:
    """Add tones to lines (NaN: none), of a fixed phase or of a random one in each segment."""
    shape = (1 if locked else len(segments), len(LINES_HZ))
    amplitudes = np.nan_to_num(np.sqrt(2) * 10 ** (levels_db / 20))
    spectrum = np.zeros((shape[0], LENGTH // 2 + 1), np.complex64)
    at_lines = np.rint(LINES_HZ / SPACING_HZ).astype(int)
    spectrum[:, at_lines] = LENGTH / 2 * amplitudes * np.exp(2j * np.pi * rng.random(shape))
    return segments + np.fft.irfft(spectrum).astype(np.float32)


def each_alone(
    verdicts: Callable[[np.ndarray], np.ndarray], planted: np.ndarray, clean: np.ndarray
) -> np.ndarray:
    """Verdict on each line (last axis) if it alone had its tone, the others being clean."""
    found = []
    for line in range(len(LINES_HZ)):
        mixed = clean.copy()
        mixed[..., line] = planted[..., line]
        found.append(verdicts(mixed)[line])
    return np.array(found)


def locked(p_values: np.ndarray) -> np.ndarray:
    """Measure's verdict on lines, from their p-values."""
    return stats.false_discovery_control(p_values) < SIGNIFICANCE


def different(differences: np.ndarray) -> np.ndarray:
    """Whether lines are not as prominent as others', from permuted differences."""
    return max_t_p_values(differences[0], differences[1:]) < SIGNIFICANCE


def permuted(segments: np.ndarray, others: np.ndarray, seed: int) -> np.ndarray:
    """Differences in prominence, as measure takes them of two sets."""
    together = read(np.concatenate([segments, others]))
    half = len(together.counts) // 2
    return permuted_differences(
        lambda weights: prominence_db(together, weights, LINES_HZ.tolist()),
        half,
        half,
        permutations=RESAMPLES,
        seed=seed,
    )


def different_by_bootstrap(segments: np.ndarray, others: np.ndarray, seed: int) -> np.ndarray:
    """Measure's verdict beside real audio."""
    ours, theirs = (
        prominence_db(spectra, weights, LINES_HZ.tolist())
        for spectra, weights in (
            (spectra, bootstrap_weights(len(spectra.counts), RESAMPLES, seed=seed + i))
            for i, spectra in enumerate((read(segments), read(others)))
        )
    )
    differences = ours - theirs
    result = estimate(differences)
    p_values = max_t_p_values(differences[0], differences[1:] - differences[0])
    return (p_values < SIGNIFICANCE) & ((result.low > 0) | (result.high < 0))


def theory_snr_db(count: int) -> dict[str, float]:
    """Power of a tone over that of noise in its bin at which 9 of 10 tones are found, in dB.

    Locking: unit vectors along a constant plus complex normal noise have a mean of length
    `R = sqrt(pi s) / 2 * exp(-s / 2) * (I0(s / 2) + I1(s / 2))`, `s` being the ratio (K. V. Mardia,
    P. E. Jupp, "Directional Statistics" (2000), section 3.5.6); `2 n R^2` of n segments is about
    noncentral chi-squared with two degrees of freedom. A lone tone must pass 0.05 / 64.
    Prominence: logarithms of mean powers are about normal, of variance 1 / n for the line and
    pi / 2 / 12 / n for the median of 12 bins, in the set and in the clean one; either sign counts.
    """
    threshold = -np.log(SIGNIFICANCE / len(LINES_HZ))

    def missed(log_snr: float) -> float:
        s = np.exp(log_snr)
        length = np.sqrt(np.pi * s) / 2 * (special.i0e(s / 2) + special.i1e(s / 2))
        return stats.ncx2.cdf(2 * threshold, 2, 2 * count * length**2) - (1 - WANTED)

    locking = np.exp(optimize.brentq(missed, -15, 5))
    deviation = np.sqrt(2 * (1 + np.pi / 24) / count)
    quantiles = stats.norm.ppf(1 - SIGNIFICANCE / 2 / len(LINES_HZ)) + stats.norm.ppf(WANTED)
    ratios = {"locking": locking, "prominence": np.expm1(quantiles * deviation)}
    return {name: float(10 * np.log10(ratio)) for name, ratio in ratios.items()}


def smallest_db(levels_db: np.ndarray, found: np.ndarray) -> float:
    """Where a cumulative normal, fitted by maximum likelihood to found or not, reaches 0.9."""

    def misfit(parameters: np.ndarray) -> float:
        z = (levels_db - parameters[0]) / np.exp(parameters[1])
        return -stats.norm.logcdf(np.where(found, z, -z)).sum()

    start = [levels_db.mean(), np.log(2.0)]
    middle, log_width = optimize.minimize(misfit, start, method="Nelder-Mead").x
    return float(middle + np.exp(log_width) * stats.norm.ppf(WANTED))


def planted_levels_db(
    floors_db: dict[str, float], detector: str, count: int, repetition: int
) -> np.ndarray:
    """Relative to the signal, for each line; every level comes to every line in turn."""
    steps = STEPS[(np.arange(len(LINES_HZ)) + repetition) % len(STEPS)]
    levels = np.full(len(LINES_HZ), np.nan)
    for name, floor_db in floors_db.items():
        zone, own = ZONES[name], ZONES[name].lines
        centre = round(floor_db + theory_snr_db(count)[detector] + zone.moved_db[detector])
        levels[own] = centre + zone.step_db * steps[own]
    return levels


def detect(
    draw: Draw, count: int, floors_db: dict[str, float], signal_db: float
) -> tuple[dict[str, list], dict[str, list]]:
    """Levels and whether found, by detector; and verdicts on clean sets.

    By locking: measure's verdict "locked". By prominence: the permutation test against as many
    other clean segments. Both are corrected for the 64 lines.
    """
    trials: dict[str, list] = {"locking": [], "prominence": []}
    on_clean: dict[str, list] = {"locking": [], "prominence": [], "prominence by bootstrap": []}
    for repetition in range(REPETITIONS[count]):
        step = DETECTION_FROM + 2 * repetition
        rng = np.random.default_rng([2, count, repetition])
        segments, others = draw(step, count), draw(step + 1, count)
        clean = {
            "locking": line_p_values(read(segments)),
            "prominence": permuted(segments, others, seed=step),
        }
        for detector, tested in trials.items():
            levels = planted_levels_db(floors_db, detector, count, repetition)
            tones = plant(segments, signal_db + levels, rng, locked=detector == "locking")
            if detector == "locking":
                verdicts, planted = locked, line_p_values(read(tones))
            else:
                verdicts, planted = different, permuted(tones, others, seed=step)
            tested.append((levels, each_alone(verdicts, planted, clean[detector])))
            on_clean[detector].append(verdicts(clean[detector]))
        by_bootstrap = different_by_bootstrap(segments, others, seed=2 * step)
        on_clean["prominence by bootstrap"].append(by_bootstrap)
    return trials, on_clean


def study_detection(draws: dict[str, Draw]) -> tuple[list[dict], list[dict]]:
    """Detection by zone, and the false positives of the clean sets."""
    rows, false_positives = [], []
    for background in ("noise", "speech"):
        segments = draws[background](DETECTION_FROM - 1, MOST)
        signal_db, spectra = level_db(segments), read(segments)
        power = mean_power(spectra, subsets(spectra, MOST))[0, bins_of(spectra, LINES_HZ.tolist())]
        floors_db = {
            name: float(10 * np.log10(power[zone.lines].mean())) - signal_db
            for name, zone in ZONES.items()
            if zone.background == background
        }
        for count in COUNTS:
            trials, on_clean = detect(draws[background], count, floors_db, signal_db)
            row = {"background": background, "segments": count, "sets": REPETITIONS[count]}
            shares = {name: float(np.mean(np.any(v, axis=1))) for name, v in on_clean.items()}
            false_positives.append(row | {"sets_with_a_line_found": shares})
            for name, floor_db in floors_db.items():
                for detector, tested in trials.items():
                    levels, found = (
                        np.array(part)[:, ZONES[name].lines] for part in zip(*tested, strict=True)
                    )
                    row = {"zone": name, "detector": detector, "segments": count}
                    row |= {"floor_db": round(floor_db, 2)}
                    row |= {"theory_db": round(floor_db + theory_snr_db(count)[detector], 2)}
                    rows.append(row | detection_summary(levels.ravel(), found.ravel()))
    return rows, false_positives


def detection_summary(levels_db: np.ndarray, found: np.ndarray) -> dict:
    at, which = np.unique(levels_db, return_inverse=True)
    return {
        "levels_db": at.tolist(),
        "trials": np.bincount(which).tolist(),
        "found": np.bincount(which, weights=found).astype(int).tolist(),
        "smallest_db": round(smallest_db(levels_db, found), 1),
    }
