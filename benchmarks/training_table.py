"""Tables of training steps' times; without Keras, for programs that only print them."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.timing import table


@dataclass(frozen=True)
class StepRow:
    """Speed of one program's training step.

    Attributes:
        program: Name of the program; `wavegan_rc` is this package.
        ms_per_step: Median time of a step.
        ms_quartiles: First and third quartile of a step's time.
        times_ours: Median time relative to this package's, for the same upsampler and precision.
        gflop_per_step: Operations of a step, from the shapes of the layers.
        peak_gflop_per_s: Speed of a large matrix product in the same precision.
        fraction_of_peak: Speed of the step relative to that of the product.
    """

    config: str
    batch_size: int
    upsampler: str
    program: str
    precision: str
    ms_per_step: float
    ms_quartiles: Sequence[float]
    steps_per_s: float
    times_ours: float
    gflop_per_step: float
    gflop_per_s: float
    peak_gflop_per_s: float
    fraction_of_peak: float

    @property
    def arm(self) -> tuple[str, str, str]:
        """Configuration, upsampler and precision, for which programs are compared."""
        return self.config, self.upsampler, self.precision


def ours(rows: Sequence[StepRow]) -> list[StepRow]:
    """Return this package's rows."""
    return [row for row in rows if row.program == "wavegan_rc"]


def format_training(rows: Sequence[StepRow]) -> str:
    """Return the rows of one configuration as a table."""
    columns = {
        "upsampler": lambda row: row.upsampler,
        "program": lambda row: row.program,
        "precision": lambda row: row.precision,
        "ms": lambda row: f"{row.ms_per_step:.1f}",
        "steps/s": lambda row: f"{row.steps_per_s:.2f}",
        "x ours": lambda row: f"{row.times_ours:.2f}",
        "GFLOP": lambda row: f"{row.gflop_per_step:.1f}",
        "GFLOP/s": lambda row: f"{row.gflop_per_s:.0f}",
        "of peak": lambda row: f"{row.fraction_of_peak:.1%}",
    }
    own = {(row.upsampler, row.precision): row.ms_per_step for row in ours(rows)}
    peaks = {row.precision: row.peak_gflop_per_s for row in rows}
    ratios = [f"{own['resize', p] / own['transposed', p]:.2f} in {p}" for p in peaks]
    return "\n".join(
        [
            f"{rows[0].config}, batch {rows[0].batch_size}: median time of a step",
            *table(columns, rows, left=3),
            f"resize over transposed: {', '.join(ratios)}",
            "speed of a matrix product, GFLOP/s: "
            + ", ".join(f"{precision} {peak:.0f}" for precision, peak in peaks.items()),
        ]
    )
