"""Time a generator as `generate` uses it: read from its file, folded, a batch at a time."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import check_request, interleaved, machine, timed, write_numbers
from wavegan_rc.config import Config
from wavegan_rc.generator.file import Generator, load_generator, save_generator
from wavegan_rc.generator.folding import fold_generator
from wavegan_rc.generator.generation import BATCH_SIZE, draw_latents, synthesize
from wavegan_rc.runs.run import Run
from wavegan_rc.training.model import build_model

_LARGE_BATCH = 512
# Calls at each visit.
_CALLS = {1: 40, BATCH_SIZE: 10, _LARGE_BATCH: 3}


def benchmark_generation(repeats: int, json_file: Path | None) -> None:
    """Time generators with the default settings, print a table, and write the numbers to a file.

    `predict_on_batch` is timed at some batch sizes, and `synthesize`, which always works on
    batches of `BATCH_SIZE`, from latents to audio in memory.

    Args:
        repeats: Timed rounds, at least 1.
        json_file: None: no file.

    Raises:
        ParameterError: If `repeats` is smaller than 1.
        DataError: If the file cannot be written.
    """
    check_request(repeats, json_file)
    config = Config()
    with tempfile.TemporaryDirectory() as folder:
        file = Run(Path(folder)).generator
        weights = fold_generator(build_model(config).generator)
        save_generator(Generator(weights, config.sample_rate), file)
        generator = load_generator(file).model
    latents = draw_latents(_LARGE_BATCH, config.latent_dim, seed=0)

    def predict(size: int) -> Callable[[], list[float]]:
        def call() -> Any:
            return np.asarray(generator.predict_on_batch(latents[:size]))

        return lambda: timed(call, _CALLS[size])

    visits: dict[Any, Any] = {("predict_on_batch", size): predict(size) for size in _CALLS}

    def from_latents() -> list[float]:
        return timed(lambda: synthesize(generator, latents), _CALLS[_LARGE_BATCH])

    visits["synthesize", _LARGE_BATCH] = from_latents
    times = interleaved(visits, repeats)
    segment_s = config.segment_length / config.sample_rate
    rows = [_row(call, size, segment_s, times[call, size]) for call, size in visits]
    write_numbers(json_file, {"machine": machine(), "repeats": repeats, "rows": rows})
    print(format_generation(rows, segment_s))


def _row(call: str, size: int, segment_s: float, times: list[float]) -> dict[str, Any]:
    median, slow = np.percentile(times, [50, 95])
    return {
        "call": call,
        "batch_size": size,
        "median_ms": 1000 * float(median),
        "percentile_95_ms": 1000 * float(slow),
        "audio_s_per_s": size * segment_s / float(median),
    }


def format_generation(rows: list[dict[str, Any]], segment_s: float) -> str:
    """The rows as a table."""
    lines = [
        f"segments of {segment_s:.3f} s, default settings, float32",
        f"{'':18}{'segments':>9}{'median ms':>11}{'95 % ms':>9}{'x real time':>13}",
    ]
    lines += [
        f"{row['call']:18}{row['batch_size']:9}{row['median_ms']:11.2f}"
        f"{row['percentile_95_ms']:9.2f}{row['audio_s_per_s']:13,.0f}"
        for row in rows
    ]
    return "\n".join(lines)
