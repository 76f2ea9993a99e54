"""Train settings for equal times and measure them: python docs/try_defaults.py TRIALS.yaml FOLDER.

First each trial's step is timed with nothing beside it. Then each trains as many steps as its
time allows. What is finished is kept, so the command can be run again.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[1]
TIMED_STEPS = 60
# What a step's time depends on. An emphasis takes less of it than times differ by.
SIZES = ("filters", "critic_filters", "batch_size", "critic_steps", "precision")
SEGMENTS = 512


def train(settings: dict[str, Any], folder: Path) -> None:
    """Train with these settings unless a run stands at the folder."""
    if (folder / "summary.json").exists():
        return
    arguments = [f"--out={folder.parent}", f"--name={folder.name}"]
    for name, value in settings.items():
        values = map(str, value) if isinstance(value, list) else [json.dumps(value).strip('"')]
        arguments += [f"--{name.replace('_', '-')}", *values]
    command = [sys.executable, str(ROOT / "scripts" / "train.py"), *arguments]
    resumable = [*command[:2], f"--resume={folder}"] if folder.exists() else command
    done = subprocess.run(resumable, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[-500:], flush=True)


def milliseconds_per_step(settings: dict[str, Any], folder: Path) -> float:
    """Time a step with nothing beside it; the median of its history's lines but the first."""
    quick = {"steps": TIMED_STEPS, "log_every": 10, "measure_every": 0, "sample_count": 1}
    train(settings | quick, folder)
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    return 1000 / statistics.median(row["steps_per_s"] for row in rows[1:])


def measure(run: Path) -> dict[str, float]:
    """Measure the average generator beside the same held-out segments for all trials."""
    from benchmarks.quality import quality_of
    from wavegan_rc.generator.file import load_generator
    from wavegan_rc.generator.generation import draw_latents, synthesize
    from wavegan_rc.runs.run import Run

    config = Run(run).read_config()
    assert config is not None
    model = load_generator(run).model
    generated = synthesize(model, draw_latents(SEGMENTS, config.latent_dim, seed=0))
    return quality_of(generated, np.load(run.parent / "real.npy"), config)


def write_real(out: Path) -> None:
    """Held-out segments of the bundled speech, the same for all trials."""
    if (out / "real.npy").exists():
        return
    from wavegan_rc.audio.preparation import corpus_of
    from wavegan_rc.audio.segments import segments_of
    from wavegan_rc.config import Config

    config = Config()
    segments = segments_of(config, corpus_of(config), "held_out")
    np.save(out / "real.npy", segments.draw(1, 4096))


def main(file: Path, out: Path) -> None:
    plan = yaml.safe_load(file.read_text())
    out.mkdir(parents=True, exist_ok=True)
    write_real(out)
    times, timed = {}, {}
    for name, own in plan["trials"].items():
        settings = plan["base"] | own
        sizes = tuple(settings.get(key) for key in SIZES)
        if sizes not in timed:
            folder = out / f"timed-{name.replace(',', '').replace(' ', '-')}"
            timed[sizes] = milliseconds_per_step(settings, folder)
        times[name] = timed[sizes]
    print({name: round(ms) for name, ms in times.items()}, flush=True)
    rows = []
    for name, own in plan["trials"].items():
        steps = round(plan["seconds"] * 1000 / times[name] / 10) * 10
        for seed in plan["seeds"]:
            for upsampler in plan["upsamplers"]:
                settings = plan["base"] | own
                settings |= {"upsampler": upsampler, "seed": seed, "steps": steps}
                folder = out / f"{name.replace(',', '').replace(' ', '-')}-{upsampler}-{seed}"
                train(settings, folder)
                if not (folder / "summary.json").exists():
                    continue
                row = {"trial": name, "upsampler": upsampler, "seed": seed, "steps": steps}
                rows.append(row | {"ms_per_step": times[name]} | measure(folder))
                (out / "results.json").write_text(json.dumps(rows, indent=1))
                shown = ("out_of_band_total_db", "frechet_distance", "frechet_distance_in_band")
                words = [f"{rows[-1].get(key, np.nan):7.2f}" for key in (*shown, "diversity")]
                lines = [
                    f"{rows[-1].get(f'line_prominence_db/stage_{stage}', np.nan):5.1f}"
                    for stage in range(1, 8)
                ]
                print(f"{folder.name:32} {steps:5}", *words, "|", *lines, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
