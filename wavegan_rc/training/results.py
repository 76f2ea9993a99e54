"""The results of a finished training: generator, WAVs, figures, numbers."""

import json
import time
from typing import Any

import keras
import numpy as np

from wavegan_rc.audio.files import write_wav
from wavegan_rc.config import Config
from wavegan_rc.generator.file import Generator, save_generator
from wavegan_rc.generator.folding import fold_generator
from wavegan_rc.generator.generation import draw_latents, synthesize, write_samples
from wavegan_rc.measurement.segments import in_words
from wavegan_rc.nn.generator import POST_FILTER
from wavegan_rc.runs.history import read_history, unfinished
from wavegan_rc.runs.run import Run
from wavegan_rc.spectrogram import (
    line_prominence_db,
    mean_power_spectrum,
    out_of_band_ratio_db,
    predicted_comb,
)
from wavegan_rc.training.callbacks.previews import SHOWN_SEGMENTS, Reference
from wavegan_rc.training.health import format_findings
from wavegan_rc.training.interruptions import OptionalWork
from wavegan_rc.training.wgan_gp import WGANGP
from wavegan_rc.utils.atomic_files import whole_files, write_whole
from wavegan_rc.utils.text import printable

# Enough for levels within a few tenths of a dB, and quick to generate.
MEASURED_SEGMENTS = 512
_SHOWN_LINES = 5


def export_generator(model: WGANGP, run: Run, config: Config) -> keras.Model:
    """Write the average generator in Keras's own layers, which load without this package."""
    weights = fold_generator(model.average_generator)
    generator = Generator(weights, config.sample_rate, config.stopband_hz)
    save_generator(generator, run.generator)
    return generator.model


def write_results(
    generator: keras.Model,
    run: Run,
    config: Config,
    reference: Reference,
    started: float,
) -> None:
    """Write samples, figures and the summary of a finished run, and print the summary.

    Args:
        generator: Exported generator.
        run: Run folder.
        config: Settings.
        reference: Real segments that generated ones are compared with.
        started: Start of the program, by `time.perf_counter`.
    """
    rate = config.sample_rate
    latents = draw_latents(MEASURED_SEGMENTS, config.latent_dim, config.seed)
    generated = synthesize(generator, latents)
    shown = slice(SHOWN_SEGMENTS)
    with whole_files(run.samples) as samples:
        write_samples(
            generator, samples, count=config.sample_count, seed=config.seed, sample_rate=rate
        )
        write_wav(samples / "joined.wav", generated[shown].ravel(), rate)
        write_wav(samples / "real-joined.wav", reference.segments[shown].ravel(), rate)
    for file in run.samples.glob("*.wav"):  # an earlier session may have written more
        if file.stem.isdigit() and int(file.stem) >= config.sample_count:
            file.unlink()
    summary = summarise(reference.segments, generated, config)
    summary["segments"]["real_independent"] = reference.independent
    summary["unfinished"] = unfinished(read_history(run.history))
    summary["seconds"] = time.perf_counter() - started
    write_whole(run.summary, json.dumps(summary, indent=1))
    with OptionalWork("the pictures of the sound"):
        _draw_sounds(reference, generated, generator, run, config)
    with OptionalWork("the pictures of the training"):
        _draw_history(run, config)
    print(_format_summary(summary, config.stopband_hz) + format_findings(run.health), flush=True)


def summarise(real: np.ndarray, generated: np.ndarray, config: Config) -> dict[str, Any]:
    """Measure real and generated segments in the same way.

    Args:
        real: Real segments, shape (count, samples).
        generated: Generated segments, shape (count, samples).
        config: Settings.

    Returns:
        `segments` (numbers of both), `out_of_band_ratio_db` (None without a low-pass) and `lines`:
        every comb line with its stage and its prominence in both sets, in dB. Values that silence
        leaves undefined are None.
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


def _format_summary(summary: dict[str, Any], stopband_hz: float | None) -> str:
    """Return the summary as a table, with a line if the training is unfinished."""
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


def _row(label: str, real: float | None, generated: float | None) -> str:
    real_text, generated_text = (f"{v:.1f}" if v is not None else "-" for v in (real, generated))
    return f"{label:40}{real_text:>10}{generated_text:>12}"


def _draw_sounds(
    reference: Reference,
    generated: np.ndarray,
    generator: keras.Model,
    run: Run,
    config: Config,
) -> None:
    from wavegan_rc.figures.drawing import filter_figure, save_figure, spectrogram_figure
    from wavegan_rc.figures.spectra import spectrum_figure

    rate, title, shown = config.sample_rate, _title(run, config), slice(SHOWN_SEGMENTS)
    rows = {
        reference.title: reference.segments[shown],
        f"generated: {title}": generated[shown],
    }
    save_figure(spectrogram_figure(rows, rate, config.cutoff_hz), run.figures / "spectrogram.png")
    spectrum = spectrum_figure(
        reference.segments,
        generated,
        sample_rate=rate,
        upsampling_factors=config.upsampling_factors,
        stopband_hz=config.stopband_hz,
        title=title,
    )
    save_figure(spectrum, run.figures / "spectrum.png")
    if config.post_filter_length:
        taps = generator.get_layer(POST_FILTER).get_weights()[0][:, 0, 0]
        # The convolution reads ahead with its last tap: as a filter, the taps run backwards.
        figure = filter_figure(taps[::-1], rate, title)
        save_figure(figure, run.figures / "post-filter.png")


def _draw_history(run: Run, config: Config) -> None:
    from wavegan_rc.figures.drawing import save_figure
    from wavegan_rc.figures.history_figure import history_figure, losses_figure

    title = _title(run, config)
    figures = {
        "losses": losses_figure(run.history, title),
        "artifacts-over-training": history_figure(run.history, run.summary, title),
    }
    for name, figure in figures.items():
        if figure is not None:
            save_figure(figure, run.figures / f"{name}.png")


def _title(run: Run, config: Config) -> str:
    """Return the run, its upsampler, steps and seed, without mathematics for Matplotlib."""
    words = (run.path.absolute().name, config.upsampler_name, f"step {config.steps}")
    return printable(", ".join((*words, f"seed {config.seed}"))).replace("$", r"\$")
