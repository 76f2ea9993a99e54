"""Measure the sound and the artifacts of the average generator during training."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from wavegan_rc.config import Config
from wavegan_rc.errors import ParameterError, WaveganWarning
from wavegan_rc.generator.generation import draw_latents
from wavegan_rc.measurement import statistics as st
from wavegan_rc.measurement.bootstrap import Groups
from wavegan_rc.measurement.features import level_statistics, log_mel_features, standardize
from wavegan_rc.measurement.grouped_spectra import group_spectra
from wavegan_rc.measurement.lines import bins_of, over_lines
from wavegan_rc.spectrogram import line_prominence_db, places_of_stage, stage_combs
from wavegan_rc.training.callbacks.base import StepCallback, due
from wavegan_rc.utils.interruptions import OptionalWork

_SMALLEST_POWER = 1e-12  # -120 dB
# Measurements before they become rarer.
_DENSE = 1000


def artifact_values(
    segments: np.ndarray,
    *,
    sample_rate: int,
    upsampling_factors: Sequence[int],
    stopband_hz: float | None,
) -> dict[str, float]:
    """Compute statistics of `measure` that are cheap, without intervals.

    Returns:
        `rms_db`, `out_of_band_total_db`, and for each stage `line_prominence_db/stage_1` (median
        over its lines) and `phase_locking/stage_1` (mean over its lines of the squared length,
        without bias). Values that are not finite are left out: all of them, if all segments are
        silent or one sample is not finite.

    Example:
        >>> noise = np.random.default_rng(0).normal(0, 0.1, (2, 256)).astype(np.float32)
        >>> values = artifact_values(
        ...     noise, sample_rate=16000, upsampling_factors=(4,), stopband_hz=4000.0
        ... )
        >>> list(values)
        ['rms_db', 'out_of_band_total_db', 'line_prominence_db/stage_1', 'phase_locking/stage_1']
    """
    if not np.isfinite(segments).all() or not segments.any():
        return {}
    count, segment_length = segments.shape
    # Without combs, no images are searched for, which would take most of the time.
    spectra = group_spectra(
        [segments], count, segment_length=segment_length, sample_rate=sample_rate
    )
    weights = spectra.uniform()
    power = st.mean_power(spectra, weights)
    combs = stage_combs(upsampling_factors, sample_rate)
    lines = [line for comb in combs for line in comb.lines]
    lines_hz = [line.frequency_hz for line in lines]
    uniform = Groups(np.full((1, count), 1 / count))
    values = {"rms_db": level_statistics(segments, uniform).rms_db[0]}
    if stopband_hz is not None:
        ratio = st.out_of_band_db(spectra, power, stopband_hz)["total"]
        values["out_of_band_total_db"] = ratio[0]
    prominence = line_prominence_db(spectra.frequencies_hz, power, lines_hz, sample_rate)
    locking = st.locking_square(spectra, weights)[0]
    at_line = bins_of(spectra, lines_hz)
    for comb in combs:
        own = places_of_stage(lines, comb.stage)
        values[f"line_prominence_db/stage_{comb.stage}"] = over_lines(
            prominence[:, own], np.median
        )[0]
        values[f"phase_locking/stage_{comb.stage}"] = locking[at_line[own]].mean()
    return {name: float(value) for name, value in values.items() if np.isfinite(value)}


def sound_values(segments: np.ndarray, real: np.ndarray, sample_rate: int) -> dict[str, float]:
    """Compute values that reveal a silent, clipped or collapsed generator.

    Returns:
        `relative_level_db` (mean power relative to `real`, at least -120), `clipped_share` (share
        of the samples, 0 to 1) and `diversity`: the median distance of log-mel features between a
        segment and its nearest neighbour, relative to real segments. It is about 1 for sounds as
        diverse as real audio, and 0 if each sound repeats. It is left out for
        segments that are too short. If a sample is not finite, all values are left out.

    Example:
        >>> noise = np.random.default_rng(0).normal(0, 0.1, (64, 2048)).astype(np.float32)
        >>> values = sound_values(np.repeat(noise[:16], 4, axis=0), noise, 16000)
        >>> {name: round(abs(value), 1) for name, value in values.items()}
        {'relative_level_db': 0.0, 'clipped_share': 0.0, 'diversity': 0.0}
    """
    if not np.isfinite(segments).all():
        return {}
    powers = [np.mean(np.square(each, dtype=np.float64)) for each in (segments, real)]
    ratio = powers[0] / max(powers[1], _SMALLEST_POWER)
    uniform = Groups(np.full((1, len(segments)), 1 / len(segments)))
    levels = level_statistics(segments, uniform)
    values = {
        "relative_level_db": float(10 * np.log10(max(ratio, _SMALLEST_POWER))),
        "clipped_share": float(levels.clipped_share[0]),
    }
    try:
        of_real = log_mel_features(real, sample_rate)
        own, of_reals = (
            _median_nearest_distance(standardize(features, of_real))
            for features in (log_mel_features(segments, sample_rate), of_real)
        )
    except ParameterError:  # too short
        return values
    # Real segments that all repeat, such as a tone, have no diversity to compare with.
    return values | ({"diversity": own / of_reals} if of_reals else {})


def _median_nearest_distance(features: np.ndarray) -> float:
    """Return it: unlike the spread, it reveals a generator of few sounds that are far apart."""
    distances, _ = KDTree(features).query(features, k=2)  # the nearest is the segment itself
    return float(np.median(distances[:, 1]))


class ArtifactHistory(StepCallback):
    """Measure the average generator every so many steps and at the last one.

    The values are added to the step's `logs`, which Keras passes to later callbacks. As many
    generated segments are measured as there are `real` ones, from the first latents of the run's
    samples. The same latents at every step remove part of the noise from differences between steps.
    """

    def __init__(
        self, synthesize: Callable[[np.ndarray], np.ndarray], config: Config, real: np.ndarray
    ) -> None:
        super().__init__()
        self._synthesize = synthesize
        self._config = config
        self._real = real
        self._latents = draw_latents(len(real), config.latent_dim, config.seed)
        self._measuring = OptionalWork("the measurement")

    def on_step_end(self, step: int, logs: dict[str, Any]) -> None:
        """Add the values to `logs` if they are due."""
        config = self._config
        if due(step, config.measure_every, _DENSE) or step == config.steps:
            with self._measuring:
                segments = self._synthesize(self._latents)
                logs |= sound_values(segments, self._real, config.sample_rate)
                logs |= artifact_values(
                    segments,
                    sample_rate=config.sample_rate,
                    upsampling_factors=config.upsampling_factors,
                    stopband_hz=config.stopband_hz,
                )


def measures_artifacts(config: Config) -> bool:
    """Return whether artifacts are measured during training; warn if they cannot be."""
    if not config.measure_every:
        return False
    if config.segment_length % 2:
        warnings.warn(
            f"segment_length {config.segment_length} is odd: artifacts are not measured during "
            "training",
            WaveganWarning,
            stacklevel=2,
        )
        return False
    return True
