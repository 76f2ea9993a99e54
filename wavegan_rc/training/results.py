"""The results of a finished training: generator, WAVs, figures, numbers."""

import keras
import numpy as np

from wavegan_rc.audio.files import write_wav
from wavegan_rc.config import Config
from wavegan_rc.generator.file import Generator, save_generator
from wavegan_rc.generator.folding import fold_generator
from wavegan_rc.generator.generation import draw_latents, synthesize, write_samples
from wavegan_rc.nn.generator import POST_FILTER
from wavegan_rc.runs.run import Run
from wavegan_rc.training.callbacks.previews import SHOWN_SEGMENTS, Reference
from wavegan_rc.training.summary import summarise
from wavegan_rc.training.wgan_gp import WGANGP
from wavegan_rc.utils.atomic_files import whole_files
from wavegan_rc.utils.interruptions import OptionalWork

# Enough for levels within a few tenths of a dB, and quick to generate.
MEASURED_SEGMENTS = 512


def export_generator(model: WGANGP, run: Run, config: Config) -> keras.Model:
    """Write the average generator; see `folded_model` for what can load it."""
    weights = fold_generator(model.average_generator)
    generator = Generator(weights, config.sample_rate, config.stopband_hz)
    save_generator(generator, run.generator)
    return generator.model


def write_results(generator: keras.Model, run: Run, config: Config, reference: Reference) -> None:
    """Write samples, figures and the summary of a finished run."""
    run.summary.unlink(missing_ok=True)  # an earlier session's is of another step
    rate = config.sample_rate
    latents = draw_latents(MEASURED_SEGMENTS, config.latent_dim, config.seed)
    generated = synthesize(generator, latents)
    shown = slice(SHOWN_SEGMENTS)
    with whole_files(run.samples) as samples:
        kept = draw_latents(config.sample_count, config.latent_dim, config.seed)
        write_samples(generator, kept, rate, samples)
        write_wav(samples / run.joined.name, generated[shown].ravel(), rate)
        write_wav(samples / run.real_joined.name, reference.segments[shown].ravel(), rate)
    for file in run.samples.glob("*.wav"):  # an earlier session may have written more
        if file.stem.isdigit() and int(file.stem) >= config.sample_count:
            file.unlink()
    with OptionalWork("the summary"):
        summarise(reference, generated, config, run).write(run.summary)
    with OptionalWork("the pictures of the sound"):
        _draw_sounds(reference, generated, generator, run, config)
    with OptionalWork("the pictures of the training"):
        _draw_history(run, config)


def _draw_sounds(
    reference: Reference,
    generated: np.ndarray,
    generator: keras.Model,
    run: Run,
    config: Config,
) -> None:
    from wavegan_rc.figures.drawing import (
        filter_figure,
        run_title,
        save_figure,
        spectrogram_figure,
    )
    from wavegan_rc.figures.spectra import spectrum_figure

    rate, shown = config.sample_rate, slice(SHOWN_SEGMENTS)
    title = run_title(run, config, config.steps)
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
    from wavegan_rc.figures.drawing import run_title, save_figure
    from wavegan_rc.figures.history_figure import history_figure, losses_figure

    title = run_title(run, config, config.steps)
    figures = {"losses": losses_figure(run.history, title, config.loss)}
    if run.summary.exists():
        figures["artifacts-over-training"] = history_figure(run.history, run.summary, title)
    for name, figure in figures.items():
        if figure is not None:
            save_figure(figure, run.figures / f"{name}.png")
