"""The numbers that a run ends with: artifacts of the generated segments beside real ones."""

from typing import Any

import numpy as np

from wavegan_rc.config import Config
from wavegan_rc.measure.segments import in_words
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
        `lines`: every comb line with its stage and the prominence in both sets, in dB. What silence
        leaves undefined is None.
    """
    comb = predicted_comb(config.upsampling_factors, config.sample_rate)
    lines_hz = [line.frequency_hz for line in comb]
    ratios: dict[str, float | None] = {}
    prominences = {}
    for name, segments in (("real", real), ("generated", generated)):
        frequencies, power = mean_power_spectrum(segments, config.sample_rate)
        prominences[name] = line_prominence_db(frequencies, power, lines_hz, config.sample_rate)
        if config.stopband_hz is not None:
            ratios[name] = _finite(out_of_band_ratio_db(frequencies, power, config.stopband_hz))
    return {
        "segments": {"real": len(real), "generated": len(generated)},
        "out_of_band_ratio_db": ratios or None,
        "lines": [
            {
                "frequency_hz": line.frequency_hz,
                "stage": line.stage,
                "real_prominence_db": _finite(prominences["real"][i]),
                "generated_prominence_db": _finite(prominences["generated"][i]),
            }
            for i, line in enumerate(comb)
        ],
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _row(label: str, real: float | None, generated: float | None) -> str:
    real_text, generated_text = (f"{v:.1f}" if v is not None else "-" for v in (real, generated))
    return f"{label:40}{real_text:>10}{generated_text:>12}"


def format_summary(summary: dict[str, Any], stopband_hz: float | None) -> str:
    """The table printed at the end of a run, and whether the training is finished.

    Args:
        summary: From `summarise`, with `unfinished` and `segments["real_independent"]`.
        stopband_hz: In Hz.
    """
    rows = [f"{'':40}{'real':>10}{'generated':>12}"]
    ratios = summary["out_of_band_ratio_db"]
    if ratios is not None:
        label = f"out-of-band ratio, above {stopband_hz:g} Hz (dB)"
        rows.append(_row(label, ratios["real"], ratios["generated"]))
    lines = summary["lines"]
    strongest = sorted(lines, key=lambda line: -(line["generated_prominence_db"] or 0))
    for line in strongest[:_SHOWN_LINES]:
        label = f"line at {line['frequency_hz']:g} Hz, stage {line['stage']} (dB)"
        rows.append(_row(label, line["real_prominence_db"], line["generated_prominence_db"]))
    counts = summary["segments"]
    rows.append(
        f"({min(_SHOWN_LINES, len(lines))} most prominent of {len(lines)} predicted lines; "
        f"{in_words(counts['real'], counts['real_independent'], 'real')}, "
        f"{counts['generated']} generated segments)"
    )
    if summary["unfinished"]:
        rows.append(f"the training is unfinished: {summary['unfinished']}")
    return "\n".join(rows)
