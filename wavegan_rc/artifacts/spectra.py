"""What is kept of a set of segments: sums over groups of them, from which statistics are made."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft, signal

from wavegan_rc.errors import ParameterError
from wavegan_rc.spectrogram import CombLine, predicted_comb

# Resampling a thousand groups is as good as resampling segments, and needs memory for a thousand
# spectra, whatever the hours of audio.
_MOST_GROUPS = 1024
# Power of white noise that a Hann window lets into a bin, in bins; a tone puts as much into its
# bin and the two beside it together.
HANN_NOISE_BANDWIDTH = 1.5


@dataclass(frozen=True)
class StageComb:
    """The lines and the images of one upsampling stage.

    Attributes:
        stage: Counted from 1.
        spacing_hz: Input rate of the stage: its images of 0 Hz fall on multiples of it.
        period: Output samples after which what the stage does repeats.
        lines: Those of its images of 0 Hz that no later stage shares.
    """

    stage: int
    spacing_hz: float
    period: int
    lines: tuple[CombLine, ...]


def stage_combs(upsampling_factors: Sequence[int], sample_rate: int) -> tuple[StageComb, ...]:
    """The predicted comb, by stage.

    Example:
        >>> [(comb.spacing_hz, len(comb.lines)) for comb in stage_combs([2, 4], 16000)]
        [(2000.0, 2), (4000.0, 2)]
    """
    lines = predicted_comb(upsampling_factors, sample_rate)
    combs = []
    for stage in range(1, len(upsampling_factors) + 1):
        period = math.prod(upsampling_factors[stage - 1 :])
        own = tuple(line for line in lines if line.stage == stage)
        combs.append(StageComb(stage, sample_rate / period, period, own))
    return tuple(combs)


@dataclass(frozen=True)
class GroupedSpectra:
    """Sums over groups of neighbouring segments; groups are what is resampled.

    Each segment is transformed whole, under a Hann window, which keeps loud low frequencies from
    leaking over the faint high ones.

    Attributes:
        frequencies_hz: Of the bins, shape (bins,).
        counts: Segments in each group, shape (groups,).
        sounding: Those of them that are not silent and so have phases, shape (groups,).
        power: Mean-square power in each bin ("spectrum" scaling, one-sided), (groups, bins).
        phasors: Of the unit vectors along the spectrum's phase, (groups, bins), complex.
        images: For each stage, of the unit vectors along the phase at `f` relative to that at
            `f - spacing`, (stages, groups, bins), complex.
        positions: Of squares by sample position modulo the longest period, (groups, period).
    """

    frequencies_hz: np.ndarray
    counts: np.ndarray
    sounding: np.ndarray
    power: np.ndarray
    phasors: np.ndarray
    images: np.ndarray
    positions: np.ndarray

    @property
    def count(self) -> int:
        """Segments in all."""
        return int(self.counts.sum())


def group_spectra(
    blocks: Iterable[np.ndarray],
    count: int,
    *,
    segment_length: int,
    sample_rate: int,
    combs: Sequence[StageComb] = (),
) -> GroupedSpectra:
    """Read segments once and keep what statistics need, in bounded memory.

    Args:
        blocks: Arrays of shape (some, segment_length), full scale 1.
        count: Segments in all blocks together.
        segment_length: In samples.
        sample_rate: In Hz.
        combs: Stages whose images are looked for; their periods must divide the segment length.

    Raises:
        ParameterError: If there is no segment, one is not finite, or a period does not fit.
    """
    for comb in combs:
        if segment_length % comb.period:
            raise ParameterError(
                f"segment_length must be a multiple of the period of stage {comb.stage}, "
                f"{comb.period} samples. Received: {segment_length}"
            )
    if segment_length % 2:
        raise ParameterError(f"segment_length must be even. Received: {segment_length}")
    if count < 1:
        raise ParameterError(f"count of segments must be at least 1. Received: {count}")
    bins = segment_length // 2 + 1
    groups = min(count, _MOST_GROUPS)
    group_of = np.arange(count) * groups // count
    period = combs[0].period if combs else 1
    shifts = [segment_length // comb.period for comb in combs]
    window = signal.get_window("hann", segment_length)
    scale = np.full(bins, 2 / window.sum() ** 2)
    scale[[0, -1]] /= 2
    power, phasors = np.zeros((groups, bins)), np.zeros((groups, bins), complex)
    images = np.zeros((len(shifts), groups, bins), complex)
    positions = np.zeros((groups, period))
    sounding = np.zeros(groups)
    start = 0
    for block in blocks:
        if not np.isfinite(block).all():
            raise ParameterError("segments must be finite. Received: NaN or infinite samples")
        owner = group_of[start : start + len(block)]
        start += len(block)
        first = np.flatnonzero(np.diff(owner, prepend=-1))
        rows = owner[first]

        def add(sums: np.ndarray, values: np.ndarray, rows=rows, first=first) -> None:
            sums[rows] += np.add.reduceat(values, first, axis=0)

        whole = fft.fft(block * window.astype(np.float32), axis=-1)
        magnitude = np.abs(whole)
        add(power, magnitude[:, :bins] ** 2 * scale)
        add(sounding, block.any(axis=1).astype(float))
        units = whole / np.where(magnitude > 0, magnitude, 1)
        add(phasors, units[:, :bins])
        for i, shift in enumerate(shifts):
            add(images[i], units[:, :bins] * np.roll(units, shift, axis=-1)[:, :bins].conj())
        by_position = (block.astype(np.float64) ** 2).reshape(len(block), -1, period).sum(axis=1)
        add(positions, by_position)
    return GroupedSpectra(
        np.fft.rfftfreq(segment_length, 1 / sample_rate),
        np.bincount(group_of, minlength=groups),
        sounding,
        power,
        phasors,
        images,
        positions,
    )
