"""The summary of a finished run: its numbers, two sentences and a table."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from wavegan_rc.config import Config
from wavegan_rc.measurement.segments import in_words
from wavegan_rc.runs.history import read_history, unfinished
from wavegan_rc.runs.run import Run
from wavegan_rc.spectrogram import (
    line_prominence_db,
    mean_power_spectrum,
    out_of_band_ratio_db,
    predicted_comb,
)
from wavegan_rc.training.callbacks.previews import Reference
from wavegan_rc.utils.atomic_files import json_ready, write_json

_SHOWN_LINES = 5
# About the smallest audible change of level.
_AUDIBLE_DB = 1.0
# Twice the power. Of 64 lines of white noise, in 512 segments of 2048 samples, the largest is 0.4
# to 0.8 dB above its surroundings (20 draws).
_STANDS_OUT_DB = 3.0


@dataclass(frozen=True)
class Line:
    """A predicted line, the number of the stage that it comes from, and its prominences.

    A prominence is the level above the neighbouring frequencies; None for silence.
    """

    frequency_hz: float
    stage: int
    real_prominence_db: float | None
    generated_prominence_db: float | None


@dataclass(frozen=True)
class RunSummary:
    """Numbers of real and generated segments, measured in the same way.

    Attributes:
        segments: Numbers of segments: `real`, `generated` and `real_independent`, the number of
            real ones that do not overlap.
        out_of_band_ratio_db: Power above the stopband edge over all power, in dB, `real` and
            `generated`; None for silence. None without a low-pass.
        lines: Predicted lines, by frequency.
        unfinished: Reason why the training is not finished. None if it is.
    """

    segments: dict[str, int]
    out_of_band_ratio_db: dict[str, float | None] | None
    lines: Sequence[Line]
    unfinished: str | None

    def write(self, file: Path) -> None:
        """Write the numbers as JSON."""
        write_json(file, asdict(self))

    def in_sentences(self, stopband_hz: float | None) -> list[str]:
        """Return how far from real the audio is, and which line is strongest, in a sentence each.

        Args:
            stopband_hz: Frequency above which real audio holds nothing, in Hz. None: not known.

        Example:
            >>> line = Line(1000.0, 4, real_prominence_db=0.1, generated_prominence_db=9.0)
            >>> found = RunSummary({}, {"real": -86.0, "generated": -43.0}, [line], None)
            >>> print(*found.in_sentences(1700.0), sep=chr(10))
            Above 1700 Hz, where real audio holds next to nothing, the generated audio holds a \
43 dB larger share of its power than real audio.
            The strongest tone is at 1000 Hz, 9 dB above its surroundings (real audio: 0 dB); it \
comes from upsampling stage 4.
        """
        return [self._distance(stopband_hz), self._strongest()]

    def _distance(self, stopband_hz: float | None) -> str:
        if self.out_of_band_ratio_db is None:
            return (
                "Without a low-pass, no frequency is free of sound, so only `measure` can tell how "
                "far the generated audio is from real audio."
            )
        real, generated = (self.out_of_band_ratio_db[name] for name in ("real", "generated"))
        above = f"Above {stopband_hz:g} Hz, where real audio holds next to nothing,"
        if generated is None:
            return f"{above} the generated audio holds nothing either, or it is silent altogether."
        if real is None:
            return f"{above} the generated audio has {generated:.0f} dB of its power."
        if generated - real <= _AUDIBLE_DB:
            return f"{above} the generated audio holds no larger share of its power."
        larger = f"a {generated - real:.0f} dB larger share"
        return f"{above} the generated audio holds {larger} of its power than real audio."

    def _strongest(self) -> str:
        measured = [line for line in self.lines if line.generated_prominence_db is not None]
        if not measured:
            return "No predicted tone could be measured."
        line = max(measured, key=_stands_out_db)
        level = line.generated_prominence_db or 0.0
        if _stands_out_db(line) < _STANDS_OUT_DB:
            return (
                f"No tone stands out at the {len(self.lines)} predicted frequencies: the "
                f"strongest, at {line.frequency_hz:g} Hz, is {level:.1f} dB above its surroundings."
            )
        return (
            f"The strongest tone is at {line.frequency_hz:g} Hz, {level:.0f} dB above its "
            f"surroundings (real audio: {max(line.real_prominence_db or 0.0, 0.0):.0f} dB); it "
            f"comes from upsampling stage {line.stage}."
        )

    def table(self, stopband_hz: float | None) -> str:
        """Return the numbers as a table, with a line if the training is unfinished."""
        rows = [f"{'':40}{'real':>10}{'generated':>12}"]
        ratios = self.out_of_band_ratio_db
        if ratios is not None:
            label = f"out-of-band ratio, above {stopband_hz:g} Hz (dB)"
            rows.append(_row(label, ratios["real"], ratios["generated"]))
        strongest = sorted(self.lines, key=lambda line: -(line.generated_prominence_db or 0))
        for line in strongest[:_SHOWN_LINES]:
            label = f"line at {line.frequency_hz:g} Hz, stage {line.stage} (dB)"
            rows.append(_row(label, line.real_prominence_db, line.generated_prominence_db))
        counts = self.segments
        rows.append(
            f"({min(_SHOWN_LINES, len(self.lines))} most prominent of {len(self.lines)} predicted "
            f"lines; {in_words(counts['real'], counts['real_independent'], 'real')}, "
            f"{counts['generated']} generated segments)"
        )
        if self.unfinished:
            rows.append(f"the training is unfinished: {self.unfinished}")
        return "\n".join(rows)


def summarise(reference: Reference, generated: np.ndarray, config: Config, run: Run) -> RunSummary:
    """Measure real and generated segments, shape (count, samples), in the same way.

    The run's history says whether its training is finished.
    """
    comb = predicted_comb(config.upsampling_factors, config.sample_rate)
    lines_hz = [line.frequency_hz for line in comb]
    ratios: dict[str, float | None] = {}
    prominences = []
    for name, segments in (("real", reference.segments), ("generated", generated)):
        frequencies, power = mean_power_spectrum(segments, config.sample_rate)
        found = line_prominence_db(frequencies, power, lines_hz, config.sample_rate)
        prominences.append(json_ready(found.tolist()))
        if config.stopband_hz is not None:
            ratio = out_of_band_ratio_db(frequencies, power, config.stopband_hz)
            ratios[name] = json_ready(float(ratio))
    counts = {"real": len(reference.segments), "generated": len(generated)}
    return RunSummary(
        counts | {"real_independent": reference.independent},
        ratios or None,
        [
            Line(line.frequency_hz, line.stage, *levels)
            for line, *levels in zip(comb, *prominences, strict=True)
        ],
        unfinished(read_history(run.history)),
    )


def read_summary(file: Path) -> RunSummary:
    """Read what `RunSummary.write` wrote."""
    numbers = json.loads(file.read_text(encoding="utf-8"))
    return RunSummary(lines=[Line(**line) for line in numbers.pop("lines")], **numbers)


def _stands_out_db(line: Line) -> float:
    return (line.generated_prominence_db or 0.0) - max(line.real_prominence_db or 0.0, 0.0)


def _row(label: str, real: float | None, generated: float | None) -> str:
    real_text, generated_text = (f"{v:.1f}" if v is not None else "-" for v in (real, generated))
    return f"{label:40}{real_text:>10}{generated_text:>12}"
