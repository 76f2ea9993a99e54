"""One run from recordings to WAVs, pictures and numbers."""

import os
import sys
import time
import warnings
from pathlib import Path

import tensorflow as tf

from wavegan_rc.audio.corpus import Corpus, write_skipped
from wavegan_rc.audio.preparation import prepare_corpus
from wavegan_rc.audio.segments import Segments, Split
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, DivergenceError, ParameterError, WaveganWarning
from wavegan_rc.generation import draw_latents
from wavegan_rc.theory.overlap import uneven_overlap_message
from wavegan_rc.training.artifact_history import artifact_histories
from wavegan_rc.training.batches import batches
from wavegan_rc.training.callbacks import (
    History,
    Previews,
    Progress,
    Real,
    StepClock,
    StopOnSignal,
)
from wavegan_rc.training.checkpoints import newest_checkpoint
from wavegan_rc.training.divergence import MOST_ROLLBACKS, StopAtNonFinite, go_back
from wavegan_rc.training.event_files import EventFiles
from wavegan_rc.training.health import mean_norm
from wavegan_rc.training.model import build_model
from wavegan_rc.training.results import (
    MEASURED_SEGMENTS,
    SHOWN_SEGMENTS,
    export_generator,
    write_results,
)
from wavegan_rc.training.run_directory import (
    RunDirectory,
    check_same_data,
    check_writable,
    create_run_directory,
    is_finished,
    record_resumption,
)
from wavegan_rc.training.run_lock import run_lock
from wavegan_rc.training.state import Checkpoints, load_checkpoint, steps_made
from wavegan_rc.training.trackers import NOWHERE, Destinations, Trackers, tracking
from wavegan_rc.training.wgan_gp import WGANGP


def train(
    config: Config,
    command_line: list[str],
    *,
    resume: Path | None = None,
    name: str | None = None,
    destinations: Destinations = NOWHERE,
) -> tuple[Path, int | None]:
    """Train on the recordings that the settings name, and leave a run folder.

    Args:
        config: Settings.
        command_line: What was typed; recorded in the run folder.
        resume: Run folder to go on with, from its newest checkpoint, with settings that
            `Config.check_goes_on` allows; None: a new run.
        name: Of a new run's folder; None: the next number and the upsampler.
        destinations: Where else the run's numbers are sent to.

    Returns:
        The run folder, and the number of the signal that ended the training early: then the folder
        holds a checkpoint and the generator, but no samples. None if it came to its end.

    Raises:
        WaveganError: If the settings, the recordings or `out` cannot be used: nothing is left
            behind then. If a tracker cannot be reached, the training diverges or the disk fills
            up: what is in the run folder stays.
    """
    started = time.perf_counter()
    destinations.check()
    if resume is None:
        _warn_of_uneven_overlap(config)
        check_writable(Path(config.out).expanduser(), name)
    corpus = _prepare(config)
    training = _segments(corpus, "training", config)
    origin, held_out = _reference_segments(corpus, training, config)
    real = Real(f"real ({origin})", held_out.draw(0, MEASURED_SEGMENTS))
    print(
        f"data: {config.data or 'bundled speech'}, {training.seconds / 60:.1f} min for training, "
        f"{held_out.seconds / 60:.1f} min {origin}",
        flush=True,
    )
    model = build_model(config)
    record = {"device": _device(), "command_line": command_line}
    if resume is None:
        run = create_run_directory(config, name=name, data_fingerprint=corpus.fingerprint, **record)
    else:
        run = RunDirectory(resume)
        check_same_data(run, corpus.fingerprint)
    print(f"device: {record['device']}\nrun: {run.path}", flush=True)

    try:
        with (
            run_lock(run.path),
            StopOnSignal() as stop,
            tracking(run, config, destinations) as trackers,
        ):
            write_skipped(run.path, corpus.skipped)
            if resume is not None:
                checkpoint = newest_checkpoint(run.checkpoints)
                if config.steps < checkpoint.step:
                    raise ParameterError(
                        f"steps must be at least {checkpoint.step}, which {run.path} has made. "
                        f"Received: {config.steps}"
                    )
                load_checkpoint(model, checkpoint)
                record_resumption(run, config, checkpoint, **record)
            if resume is None or not is_finished(run, config, checkpoint):
                model = _fit_and_go_back(model, training, run, config, real, stop, trackers)
            generator = export_generator(model, run, config)
            finished = steps_made(model) >= config.steps
            if finished:
                write_results(generator, run, config, real, started)
                trackers.log_results(run, config.steps)
    except OSError as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{run.path} cannot be written: {reason}") from None
    return run.path, None if finished else stop.received


def _fit_and_go_back(
    model: WGANGP,
    training: Segments,
    run: RunDirectory,
    config: Config,
    real: Real,
    stop: StopOnSignal,
    trackers: Trackers,
) -> WGANGP:
    """Fit; where training diverges, go back to the last checkpoint if the settings say so."""
    while True:
        try:
            _fit(model, training, run, config, real, stop, trackers)
        except DivergenceError as error:
            rollbacks = model.rollbacks + 1
            if config.on_nonfinite == "stop" or rollbacks > MOST_ROLLBACKS:
                raise
            checkpoint = go_back(run, error, rollbacks)
            model = build_model(config)
            if checkpoint is None:
                model.draw_afresh(rollbacks)
            else:
                load_checkpoint(model, checkpoint)
        else:
            return model


def _fit(
    model: WGANGP,
    training: Segments,
    run: RunDirectory,
    config: Config,
    real: Real,
    stop: StopOnSignal,
    trackers: Trackers,
) -> None:
    writer = tf.summary.create_file_writer(str(run.tensorboard))
    clock = StepClock()
    previews = Previews(
        writer,
        config.save_every,
        latents=draw_latents(SHOWN_SEGMENTS, config.latent_dim, config.seed),
        real=Real(real.title, real.segments[:SHOWN_SEGMENTS]),
        sample_rate=config.sample_rate,
        cutoff_hz=config.cutoff_hz,
    )
    history = History(
        run,
        writer,
        config.log_every,
        config.steps,
        clock=clock,
        real_norm=mean_norm(real.segments),
        send=trackers.log,
    )
    callbacks = [
        clock,
        StopAtNonFinite(run, training, config),
        Progress(config.steps),
        Checkpoints(run, writer, config.save_every),
        *artifact_histories(config, real.segments),
        history,
        previews,
        stop,
    ]
    first_step = steps_made(model)
    try:
        if first_step < config.steps:
            model.fit(
                batches(training, config, first_step + 1, model.rollbacks),
                steps_per_epoch=config.steps - first_step,
                shuffle=False,
                verbose=0,  # pyright: ignore[reportArgumentType] -- Keras annotates it as str
                callbacks=callbacks,
            )
        else:  # saved at its last step, before the rest of its history was written
            history.set_model(model)
            history.on_train_end()
    finally:
        writer.close()
    EventFiles().check(run.event_files())


def _warn_of_uneven_overlap(config: Config) -> None:
    stages = zip(config.stage_upsamplers, config.upsampling_factors, strict=True)
    for factor in sorted({factor for upsampler, factor in stages if upsampler == "transposed"}):
        message = uneven_overlap_message(config.kernel_size, factor)
        if message:
            warnings.warn(message, WaveganWarning, stacklevel=3)


def _prepare(config: Config) -> Corpus:
    def show(done: int, count: int, name: str) -> None:
        if sys.stdout.isatty():
            end = "\n" if done == count else ""
            print(f"\r\033[Kpreparing {done}/{count} {name}", end=end, flush=True)
        elif done == count:
            print(f"preparing {count}/{count}", flush=True)

    return prepare_corpus(
        config.data,
        sample_rate=config.sample_rate,
        cutoff_hz=config.cutoff_hz,
        stopband_hz=config.stopband_hz,
        on_file=show,
    )


def _segments(corpus: Corpus, split: Split, config: Config) -> Segments:
    return Segments(
        corpus,
        split,
        segment_length=config.segment_length,
        silence_db=config.silence_db,
        seed=config.seed,
    )


def _reference_segments(corpus: Corpus, training: Segments, config: Config) -> tuple[str, Segments]:
    """What is shown and measured as real: held-out segments, if there are any."""
    try:
        return "held out", _segments(corpus, "held_out", config)
    except DataError as error:
        message = f"{error}; training segments are shown and measured as real instead"
        warnings.warn(message, WaveganWarning, stacklevel=2)
        return "trained on", training


def _device() -> str:
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        # Those that this process may use: their number decides in which order sums are made.
        has_affinity = hasattr(os, "sched_getaffinity")
        cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count()
        return f"CPU, {cores} cores"
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", "") for gpu in gpus]
    return f"GPU: {', '.join(names)}"
