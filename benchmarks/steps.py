"""Training steps that are timed, and their times as a table. This module loads no Keras."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.timing import table
from wavegan_rc.config import Config
from wavegan_rc.config.choices import Upsampler

# tf32 is float32 whose products a GPU may round to 10 bits. Elsewhere it is float32.
StepPrecision = Literal["float32", "tf32", "mixed_bfloat16"]

UPSAMPLERS: tuple[Upsampler, ...] = ("resize", "transposed")
OURS = "wavegan_rc"

# The presets without emphasis, which the other programs lack. WaveGAN's batch is smaller, for two
# cores.
CONFIGS = {name: Config.read(name, emphasis="none") for name in ("speech2048", "gpu")}
CONFIGS["wavegan16384"] = Config.read("wavegan16384", batch_size=8)


@dataclass(frozen=True)
class StepTime:
    """Median time of one program's training step, its quartiles, and its operations.

    `config` is the name of the settings. Operations are counted from the shapes of the layers.
    """

    config: str
    batch_size: int
    upsampler: str
    precision: str
    program: str
    ms_per_step: float
    ms_quartiles: Sequence[float]
    gflop_per_step: float

    @property
    def arm(self) -> tuple[str, int, str, str]:
        """Settings, batch size, upsampler and precision, for which programs are compared."""
        return self.config, self.batch_size, self.upsampler, self.precision


def format_steps(rows: Sequence[StepTime], peaks: Mapping[str, float]) -> list[str]:
    """Return the lines of a table with a row for each arm and a column for each program.

    The peaks are speeds of a large matrix product in GFLOP/s, by precision.
    """
    times = {(row.arm, row.program): row for row in rows}

    def own(arm: tuple) -> StepTime | None:
        return times.get((arm, OURS))

    def cell(arm: tuple, program: str) -> str:
        row, ours = times.get((arm, program)), own(arm)
        if row is None:
            return "-"
        if ours is None or row is ours:
            return f"{row.ms_per_step:.2f}"
        return f"{row.ms_per_step:.2f} ({row.ms_per_step / ours.ms_per_step:.2f} x)"

    def of_peak(arm: tuple) -> str:
        row, peak = own(arm), peaks.get(arm[3])
        if row is None or peak is None:
            return "-"
        return f"{row.gflop_per_step / row.ms_per_step * 1000 / peak:.1%}"

    others = dict.fromkeys(row.program for row in rows if row.program != OURS)
    columns = {
        "settings": lambda arm: arm[0],
        "upsampler": lambda arm: arm[2],
        "precision": lambda arm: arm[3],
        "batch": lambda arm: f"{arm[1]}",
        "GFLOP": lambda arm: f"{row.gflop_per_step:.1f}" if (row := own(arm)) else "-",
        f"{OURS} ms": lambda arm: cell(arm, OURS),
        "of peak": of_peak,
    } | {program: lambda arm, program=program: cell(arm, program) for program in others}
    speeds = ", ".join(f"{precision} {peak:.0f}" for precision, peak in peaks.items())
    return [
        *table(columns, list(dict.fromkeys(row.arm for row in rows)), left=3),
        "x: times as long as wavegan_rc. of peak: relative to a large matrix product.",
        f"Speed of that product in GFLOP/s: {speeds or 'not measured'}",
    ]
