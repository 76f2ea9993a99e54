"""Results of the network audit, as a table and as JSON."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wavegan_rc.measurement.bootstrap import Estimate
from wavegan_rc.measurement.quantities import within_bounds
from wavegan_rc.network_audit.generator import LATENTS, KernelTone, Silence
from wavegan_rc.network_audit.gradients import Gradients
from wavegan_rc.network_audit.kernels import FLOOR_DB
from wavegan_rc.network_audit.probes import Probe
from wavegan_rc.utils.atomic_files import json_ready

# Version of the JSON, raised when a field changes its meaning or disappears.
SCHEMA = "wavegan_rc.networks/2"
_WIDTH = 29


@dataclass(frozen=True)
class NetworkAudit:
    """Audit of a generator and its critic.

    Attributes:
        name: Path of the run or generator.
        sample_rate: Sample rate in Hz.
        kernels: Tones that stages make of constants.
        probes: Responses of the stages to sines and shifts.
        silence: Predicted lines for silent inputs.
        gradients: Gradients of the critic. None without a critic.
        checkpoint: Checkpoint file of the critic. None without a critic.
        arrays: Spectra for the figure.
    """

    name: str
    sample_rate: int
    kernels: Sequence[KernelTone]
    probes: Sequence[Probe]
    silence: Sequence[Silence]
    gradients: Gradients | None
    checkpoint: str | None
    arrays: Mapping[str, np.ndarray]

    def as_json(self) -> dict[str, Any]:
        """Return all numbers as JSON values; NaN and infinities are null."""
        gradients = None
        if self.gradients is not None:
            quantities = self.gradients.quantities
            gradients = {
                "checkpoint": self.checkpoint,
                "critic_strides": list(self.gradients.strides),
                "phase_shuffle_radius": self.gradients.radius,
                "quantities": [json_ready(vars(q)) | {"verdict": q.verdict} for q in quantities],
            }
        return {
            "schema": SCHEMA,
            "name": self.name,
            "sample_rate": self.sample_rate,
            "kernels": [json_ready(vars(tone)) for tone in self.kernels],
            "probes": [json_ready(vars(probe)) for probe in self.probes],
            "silence": json_ready(self.silence),
            "gradients": gradients,
        }

    def table(self) -> str:
        """Return a table of everything but single lines."""
        rows = [*_kernel_rows(self.kernels), "", *_probe_rows(self.probes), ""]
        rows += _silence_rows(self.silence)
        if self.gradients is not None:
            rows += ["", *_gradient_rows(self.gradients)]
        return "\n".join(rows)


def _kernel_rows(tones: Sequence[KernelTone]) -> Iterator[str]:
    yield (
        "Tones that a stage makes of constant feature maps, dB re the remaining constants "
        "(-inf: none)"
    )
    yield f"{'':24}{'kernel alone':>16}{'with mean maps and bias':>26}"
    for tone in tones:
        place = f"stage {tone.stage}, {tone.frequency_hz:g} Hz"
        yield f"{place:24}{_number(tone.kernel_db):>16}{_number(tone.mean_maps_db):>26}"


def _probe_rows(probes: Sequence[Probe]) -> Iterator[str]:
    yield (
        "Output of a stage for sines, dB re the sine and its harmonics; equivariance: range over "
        "error when the input is shifted, dB"
    )
    heads = ("aliasing", "mirrored", "tonal", "other", "equivariance")
    yield f"{'':24}" + "".join(f"{head:>14}" for head in heads)
    for probe in probes:
        levels = (probe.aliasing_db, probe.mirrored_db, probe.tonal_db, probe.other_db)
        cells = (*levels, probe.equivariance_db)
        yield f"{f'stage {probe.stage}':24}" + "".join(f"{_number(cell):>14}" for cell in cells)


def _silence_rows(found: Sequence[Silence]) -> Iterator[str]:
    yield (
        f"Output for inputs fading to silence ({LATENTS} latents), dBFS as mean square "
        f"(full-scale sine: -3.0); -inf: below {FLOOR_DB:g}"
    )
    yield f"{'':34}{'RMS':>24}{'predicted lines':>24}  strongest line"
    for silence in found:
        label, strongest = silence.input, silence.strongest
        if silence.scale is not None:
            label += f" x {silence.scale:g}"
        if silence.stage is not None:
            label += f" into stage {silence.stage}"
        line = "none"
        if strongest is not None:
            line = (
                f"{strongest.level_db.value:.1f} at {strongest.frequency_hz:g} Hz, "
                f"stage {strongest.stage}"
            )
            if math.isfinite(strongest.prominence_db):
                line += f"; {strongest.prominence_db:.0f} dB above the bins around"
        yield f"{label:34}{_cell(silence.rms_db):>24}{_cell(silence.lines_db):>24}  {line}"


def _gradient_rows(gradients: Gradients) -> Iterator[str]:
    yield (
        "The critic's gradients by the samples of segments; lines at multiples of the sample "
        "rate over the strides up to a layer"
    )
    if not gradients.radius:
        yield "(with phase shuffle: not applicable, the critic has none)"
    for origin in dict.fromkeys(q.origin for q in gradients.quantities):
        heads = ("plain [95 % interval]", "with phase shuffle", "difference")
        yield f"at {origin} segments".ljust(34) + "".join(f"{head:>{_WIDTH}}" for head in heads)
        chosen = [q for q in gradients.quantities if q.origin == origin and q.frequency_hz is None]
        names = list(dict.fromkeys(q.name for q in chosen))
        for quantity in sorted(chosen, key=lambda q: names.index(q.name)):
            label = quantity.name
            if quantity.layer is not None:
                label += f", layer {quantity.layer}"
            shown = (
                None if each is None else within_bounds(quantity.name, each)
                for each in (quantity.plain, quantity.shuffled)
            )
            cells = (*shown, quantity.difference)
            digits = 1 if quantity.name.endswith("_db") else 4
            row = f"{label:34}" + "".join(f"{_cell(cell, digits):>{_WIDTH}}" for cell in cells)
            if quantity.predicted is not None:
                row += f"  shifts alone: {_number(quantity.predicted)};"
            yield f"{row}  {quantity.verdict}".rstrip()


def _cell(estimate: Estimate | None, digits: int = 1) -> str:
    if estimate is None or math.isnan(estimate.value):
        return "-"
    value, low, high = (_number(float(number), digits) for number in estimate)
    return value if math.isnan(estimate.low) else f"{value} [{low}, {high}]"


def _number(number: float, digits: int = 1) -> str:
    # Adding 0 makes a rounded -0.0 plain 0.
    return "-" if math.isnan(number) else f"{round(number, digits) + 0:.{digits}f}"
