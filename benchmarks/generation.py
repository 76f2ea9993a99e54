"""Time a generator as `generate` uses it: loaded from its file, folded, batch by batch."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.timing import Visit, interleaved, table, timed, write_numbers
from wavegan_rc.config import Config
from wavegan_rc.generator.file import Generator, load_generator, save_generator
from wavegan_rc.generator.folding import fold_generator
from wavegan_rc.generator.generation import BATCH_SIZE, draw_latents, synthesize
from wavegan_rc.runs.run import Run
from wavegan_rc.training.model import build_model

_LARGE_BATCH = 512
# Timed calls per visit, by batch size.
_CALLS = {1: 40, BATCH_SIZE: 10, _LARGE_BATCH: 3}


def benchmark_generation(repeats: int, json_file: Path | None) -> None:
    """Time `predict_on_batch` by batch size, and `synthesize`, with the default settings."""
    config = Config()
    with tempfile.TemporaryDirectory() as folder:
        file = Run(Path(folder)).generator
        weights = fold_generator(build_model(config).generator)
        save_generator(Generator(weights, config.sample_rate), file)
        generator = load_generator(file).model
    latents = draw_latents(_LARGE_BATCH, config.latent_dim, seed=0)

    def predict(size: int) -> np.ndarray:
        return np.asarray(generator.predict_on_batch(latents[:size]))

    visits: dict[tuple[str, int], Visit] = {
        ("predict_on_batch", size): partial(timed, partial(predict, size), calls)
        for size, calls in _CALLS.items()
    }
    visits["synthesize", _LARGE_BATCH] = partial(
        timed, lambda: synthesize(generator, latents), _CALLS[_LARGE_BATCH]
    )
    segment_s = config.segment_length / config.sample_rate
    rows = []
    for (call, size), times in interleaved(visits, repeats).items():
        median, slow = map(float, np.percentile(times, [50, 95]))
        rows.append(
            {
                "call": call,
                "batch_size": size,
                "median_ms": 1000 * median,
                "percentile_95_ms": 1000 * slow,
                "audio_s_per_s": size * segment_s / median,
            }
        )
    write_numbers(json_file, rows, repeats=repeats)
    print(f"segments of {segment_s:.3f} s, default settings, float32")
    columns = {
        "call": lambda row: row["call"],
        "segments": lambda row: f"{row['batch_size']}",
        "median ms": lambda row: f"{row['median_ms']:.2f}",
        "95 % ms": lambda row: f"{row['percentile_95_ms']:.2f}",
        "x real time": lambda row: f"{row['audio_s_per_s']:,.0f}",
    }
    print(*table(columns, rows), sep="\n")
