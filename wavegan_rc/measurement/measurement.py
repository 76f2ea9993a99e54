"""Results of `measure` and `compare`, and their files."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wavegan_rc.measurement.blind.findings import Findings
from wavegan_rc.measurement.evaluator import QuantityEvaluator
from wavegan_rc.measurement.grouped_spectra import HANN_NOISE_BANDWIDTH
from wavegan_rc.measurement.quantities import QuantityList
from wavegan_rc.measurement.segments import SegmentSet, in_words
from wavegan_rc.measurement.set_sums import SetSums
from wavegan_rc.utils.atomic_files import whole_file, write_json, writing

# Version of the JSON files, raised when a field changes its meaning or disappears.
SCHEMA = "wavegan_rc.artifacts/4"
JSON_FILE, ARRAYS_FILE, FIGURE_FILE = "artifacts.json", "artifacts.npz", "artifacts.png"
COMPARISON_FILE = "comparison.json"


@dataclass(frozen=True)
class MeasuredSet:
    """A segment set, read once, with its reference.

    Attributes:
        segments: The set.
        sums: Sums of the set.
        evaluator: Quantities of the set; it holds sample rate, stages, stopband and seed.
        real: Sums of the measured part of the reference. None without a reference.
        reference_skipped: (file, reason) of each file that the reference cannot use.
        reference_needs: Number of units of a reference that has too few for verdicts, and of those
            needed, in words.
        unfinished: Reason why a run's training is not finished. None if it is, or for other sets.
    """

    segments: SegmentSet
    sums: SetSums
    evaluator: QuantityEvaluator
    real: SetSums | None = None
    reference_skipped: tuple[tuple[str, str], ...] = ()
    reference_needs: str | None = None
    unfinished: str | None = None

    @property
    def bandwidth_hz(self) -> float:
        """Noise bandwidth in Hz of a bin, in which lines stand out, under the Hann window."""
        segments = self.segments
        return HANN_NOISE_BANDWIDTH * segments.sample_rate / segments.segment_length

    def to_json(self) -> dict[str, Any]:
        """Return the description of the set as in the JSON files."""
        return {
            "name": self.segments.name,
            "sample_rate": self.evaluator.sample_rate,
            "segment_length": self.segments.segment_length,
            "segments": self.segments.count,
            "independent_segments": self.sums.unrepeated,
            "independent_units": asdict(self.sums.units),
            "bandwidth_hz": self.bandwidth_hz,
            "training_unfinished": self.unfinished,
            "stopband_hz": self.evaluator.stopband_hz,
            "skipped": self.segments.skipped,
            "stages": [
                {
                    "stage": comb.stage,
                    "spacing_hz": comb.spacing_hz,
                    "period": comb.period,
                    "lines_hz": [line.frequency_hz for line in comb.lines],
                    "given_to_later_stages_hz": comb.shared_hz,
                }
                for comb in self.evaluator.combs
            ],
        }

    def in_words(self) -> str:
        """Return the number and length of the segments, and of those of the reference."""
        segments, real = self.segments, self.real
        words = (
            f"{in_words(self.sums.spectra.count, self.sums.unrepeated)} of "
            f"{segments.segment_length} samples, {segments.sample_rate} Hz{_units(self.sums)} "
            f"(bandwidth of prominences: {self.bandwidth_hz:.3g} Hz)"
        )
        if real is None:
            return words
        of_real = in_words(real.spectra.count, real.unrepeated, "real")
        needs = f" ({self.reference_needs})" if self.reference_needs else ""
        return f"{words}, reference: {of_real}{_units(real)}{needs}"


@dataclass(frozen=True)
class Measurement(QuantityList):
    """All quantities of a segment set, with those of a reference.

    Attributes:
        measured: The set, for `compare`.
        findings: Images, combs and narrow peaks found without knowing the factors.
        arrays: `frequencies_hz`, `power` (value, low, high), `phase_locking`, `phase_count`
            (independent phases) and `image_coherence` (by stage); with a reference also
            `real_power` and so on.
    """

    measured: MeasuredSet
    findings: Findings
    arrays: Mapping[str, np.ndarray]

    def found_in_words(self) -> list[str]:
        """Return a sentence for each found pattern, with the stage that can make it."""
        return self.findings.in_words(self.measured.evaluator.combs)

    def save(self, folder: str | Path) -> None:
        """Write `artifacts.json`, `artifacts.npz` and the figure `artifacts.png`.

        Raises:
            DataError: If the folder cannot be written.
        """
        folder, real = Path(folder), self.measured.real
        result = {
            "schema": SCHEMA,
            "set": self.measured.to_json(),
            "real": real
            and {
                "name": real.name,
                "segments": real.spectra.count,
                "independent_segments": real.unrepeated,
                "independent_units": asdict(real.units),
                "skipped": self.measured.reference_skipped,
            },
            **self.findings.to_json(self.measured.evaluator.combs),
            "quantities": [quantity.to_json() for quantity in self.quantities],
        }
        with writing():
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / JSON_FILE, result)
            with whole_file(folder / ARRAYS_FILE) as partial:
                np.savez_compressed(partial, allow_pickle=False, **self.arrays)
            _draw(folder)


@dataclass(frozen=True)
class Comparison(QuantityList):
    """All quantities of a segment set, with those of another set as reference.

    Attributes:
        measured: The set.
        other: The set that it is compared with.
    """

    measured: MeasuredSet
    other: MeasuredSet

    def save(self, folder: str | Path) -> None:
        """Write `comparison.json`.

        Raises:
            DataError: If the folder cannot be written.
        """
        folder = Path(folder)
        result = {
            "schema": SCHEMA,
            "set": self.measured.to_json(),
            "reference": self.other.to_json(),
            "quantities": [quantity.to_json() for quantity in self.quantities],
        }
        with writing():
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / COMPARISON_FILE, result)


def _units(sums: SetSums) -> str:
    """Return the independent units in words, where they are not the segments themselves."""
    return "" if sums.units.kind == "segment" else f", {sums.units.in_words()}"


def _draw(folder: Path) -> None:
    from wavegan_rc.figures.artifact_figures import artifact_figure
    from wavegan_rc.figures.drawing import save_figure

    figure = artifact_figure(folder / JSON_FILE, folder / ARRAYS_FILE)
    save_figure(figure, folder / FIGURE_FILE)
