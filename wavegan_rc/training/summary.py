"""The numbers that a run ends with: artifacts of the generated segments beside real ones."""

from typing import Any

import numpy as np

from wavegan_rc.config import Config
from wavegan_rc.spectrogram import (
    line_prominence_db,
    mean_power_spectrum,
    out_of_band_ratio_db,
    predicted_comb,
)

_SHOWN_LINES = 5


def summarise(real: np.ndarray, generated: np.ndarray, config: Config) -> dict[str, Any]:
    """Measure both sets of segments alike.

    Args:
        real: Held-out segments, shape (count, samples).
        generated: Shape (count, samples).
        config: Sample rate, stopband and factors.

    Returns:
        `segments` (measured in each set), `out_of_band_ratio_db` (None without a low-pass) and
        `lines`: every comb line with its stage and the prominence in both sets, in dB.
    """
    comb = predicted_comb(config.upsampling_factors, config.sample_rate)
    lines_hz = [line.frequency_hz for line in comb]
    ratios: dict[str, float] | None = None if config.stopband_hz is None else {}
    prominences = {}
    for name, segments in (("real", real), ("generated", generated)):
        frequencies, power = mean_power_spectrum(segments, config.sample_rate)
        prominences[name] = line_prominence_db(frequencies, power, lines_hz)
        if ratios is not None and config.stopband_hz is not None:
            ratios[name] = out_of_band_ratio_db(frequencies, power, config.stopband_hz)
    return {
        "segments": {"real": len(real), "generated": len(generated)},
        "out_of_band_ratio_db": ratios,
        "lines": [
            {
                "frequency_hz": line.frequency_hz,
                "stage": line.stage,
                "real_prominence_db": float(prominences["real"][i]),
                "generated_prominence_db": float(prominences["generated"][i]),
            }
            for i, line in enumerate(comb)
        ],
    }


def format_summary(summary: dict[str, Any], stopband_hz: float | None) -> str:
    """The table printed at the end of a run: the ratio and the most prominent lines."""
    rows = [f"{'':40}{'real':>10}{'generated':>12}"]
    ratios = summary["out_of_band_ratio_db"]
    if ratios is not None:
        label = f"out-of-band ratio, above {stopband_hz:g} Hz (dB)"
        rows.append(f"{label:40}{ratios['real']:10.1f}{ratios['generated']:12.1f}")
    lines = summary["lines"]
    strongest = sorted(lines, key=lambda line: -np.nan_to_num(line["generated_prominence_db"]))
    for line in strongest[:_SHOWN_LINES]:
        label = f"line at {line['frequency_hz']:g} Hz, stage {line['stage']} (dB)"
        rows.append(
            f"{label:40}{line['real_prominence_db']:10.1f}{line['generated_prominence_db']:12.1f}"
        )
    counts = summary["segments"]
    rows.append(
        f"({_SHOWN_LINES} most prominent of {len(lines)} predicted lines; "
        f"{counts['real']} real and {counts['generated']} generated segments)"
    )
    return "\n".join(rows)
