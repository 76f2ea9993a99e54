"""One run from recordings to WAVs, pictures and numbers."""

import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

from wavegan_rc.audio.corpus import SKIPPED, Corpus, write_skipped
from wavegan_rc.audio.emphasis import design_emphasis
from wavegan_rc.audio.segments import Segments, Split
from wavegan_rc.audio.use import found_in_words, unused_in_words, unused_recordings
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, ParameterError, WaveganWarning
from wavegan_rc.runs.checkpoints import newest_checkpoint
from wavegan_rc.runs.directory import (
    RunDirectory,
    check_same_data,
    check_writable,
    create_run_directory,
    is_finished,
    record_resumption,
)
from wavegan_rc.runs.found import check_own_files
from wavegan_rc.runs.lock import run_lock
from wavegan_rc.theory.overlap import uneven_overlap_message
from wavegan_rc.training.beside import unbroken_streams
from wavegan_rc.training.callbacks import Real, StopOnSignal
from wavegan_rc.training.devices import Devices
from wavegan_rc.training.fitting import Fitting
from wavegan_rc.training.hardware import chosen_precision
from wavegan_rc.training.model import build_model
from wavegan_rc.training.results import MEASURED_SEGMENTS, export_generator, write_results
from wavegan_rc.training.state import load_checkpoint
from wavegan_rc.training.steps import steps_made
from wavegan_rc.training.trackers import NOWHERE, Destinations, tracking


def train(
    config: Config,
    command_line: list[str],
    *,
    resume: Path | None = None,
    name: str | None = None,
    destinations: Destinations = NOWHERE,
    corpus: Corpus | None = None,
) -> tuple[Path | None, int | None]:
    """Train on the recordings that the settings name, and leave a run folder.

    Args:
        config: Settings.
        command_line: What was typed; recorded in the run folder.
        resume: Run folder to go on with, from its newest checkpoint, with settings that
            `Config.resumed` allows; None: a new run.
        name: Of a new run's folder; None: the next number and the upsampler.
        destinations: Where else the run's numbers are sent to.
        corpus: The recordings, prepared elsewhere; None: those that the settings name.

    Returns:
        The run folder, which of several hosts only the first keeps (None on the others), and the
        number of the signal that ended the training early: then the folder holds a checkpoint and
        the generator, but no samples. None if it came to its end.

    Raises:
        WaveganError: If the settings, the recordings or `out` cannot be used: nothing is left
            behind then, nor if a tracker cannot be reached. If the training diverges or the disk
            fills up, what is in the run folder stays.
    """
    started = time.perf_counter()
    destinations.check()
    devices = Devices(config)
    hosts = devices.hosts
    if hosts.index > 0:
        destinations = NOWHERE
    with unbroken_streams(), hosts.own_folder(config, resume) as (config, resume):
        run, received = _train(
            devices, config, command_line, resume, name, destinations, corpus, started
        )
    return (run if hosts.index == 0 else None), received


def _train(
    devices: Devices,
    config: Config,
    command_line: list[str],
    resume: Path | None,
    name: str | None,
    destinations: Destinations,
    corpus: Corpus | None,
    started: float,
) -> tuple[Path, int | None]:
    config = replace(config, precision=chosen_precision(config.precision))
    if resume is None:
        _warn_of_uneven_overlap(config)
        check_writable(Path(config.out).expanduser(), name)
    corpus = corpus or _prepare(config, resume)
    training = _segments(corpus, "training", config)
    origin, held_out = _reference_segments(corpus, training, config)
    real = Real(
        f"real ({origin})",
        held_out.draw(0, MEASURED_SEGMENTS),
        held_out.independent(0, MEASURED_SEGMENTS),
    )
    _say_use(config, training, held_out, origin)
    devices.hosts.check_alike("recordings", corpus.fingerprint)
    devices.hosts.check_alike("settings", repr(replace(config, data=None, out="of each")))
    devices.hosts.check_alike("runs to go on with", repr(resume is None))
    taps = None
    if resume is None and config.emphasis != "none":
        taps = design_emphasis(
            config.emphasis,
            training,
            coefficient=config.emphasis_coefficient,
            limit_db=config.emphasis_limit_db,
        )
    with devices.building():
        model = build_model(config, taps)
    record = {"device": devices.name(), "command_line": command_line}
    if resume is None:
        run = create_run_directory(config, name=name, data_fingerprint=corpus.fingerprint, **record)
    else:
        run = RunDirectory(resume)
        check_own_files(run)
        check_same_data(run, corpus.fingerprint)
    print(f"device: {record['device']}, {config.precision}\nrun: {run.path}", flush=True)

    try:
        with (
            run_lock(run.path),
            StopOnSignal() as stop,
            tracking(run, config, destinations) as trackers,
        ):
            write_skipped(run.path, unused_recordings(training))
            if resume is not None:
                checkpoint = newest_checkpoint(run.checkpoints)
                found = f"{checkpoint.step} {checkpoint.sha256} {checkpoint.rollbacks}"
                devices.hosts.check_alike("checkpoints", found)
                if config.steps < checkpoint.step:
                    raise ParameterError(
                        f"steps must be at least {checkpoint.step}, which {run.path} has made. "
                        f"Received: {config.steps}"
                    )
                load_checkpoint(model, checkpoint)
                record_resumption(run, config, checkpoint, **record)
            if resume is None or not is_finished(run, config, checkpoint):
                fitting = Fitting(config, devices, training, run, real, stop, trackers)
                model = fitting.run_to_the_end(model)
            generator = export_generator(model, run, config)
            finished = steps_made(model) >= config.steps
            if finished:
                write_results(generator, run, config, real, started)
                trackers.log_results(run, config.steps)
    except OSError as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{run.path} cannot be written: {reason}") from None
    return run.path, None if finished else stop.received


def _warn_of_uneven_overlap(config: Config) -> None:
    stages = zip(config.stage_upsamplers, config.upsampling_factors, strict=True)
    for factor in sorted({factor for upsampler, factor in stages if upsampler == "transposed"}):
        message = uneven_overlap_message(config.kernel_size, factor)
        if message:
            warnings.warn(message, WaveganWarning, stacklevel=3)


def _prepare(config: Config, resume: Path | None) -> Corpus:
    # Here, since who brings prepared recordings needs no audio library.
    from wavegan_rc.audio.preparation import prepare_corpus

    def show(done: int, count: int, name: str) -> None:
        if sys.stdout.isatty():
            end = "\n" if done == count else ""
            print(f"\r\033[Kpreparing {done}/{count} {name}", end=end, flush=True)
        elif done in (0, count):
            print(f"preparing {done}/{count} {name}".rstrip(), flush=True)

    try:
        return prepare_corpus(
            config.data,
            sample_rate=config.sample_rate,
            cutoff_hz=config.cutoff_hz,
            stopband_hz=config.stopband_hz,
            on_file=show,
        )
    except DataError as error:
        if resume is None:
            raise
        moved = "if the recordings have moved, name their place by --data"
        raise DataError(f"{error}; {moved}") from None


def _duration(segments: Segments) -> str:
    seconds = segments.seconds
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"


def _segments(corpus: Corpus, split: Split, config: Config) -> Segments:
    return Segments(
        corpus,
        split,
        segment_length=config.segment_length,
        silence_db=config.silence_db,
        seed=config.seed,
        short_recordings=config.short_recordings,
        one_shots=config.one_shots,
    )


def _say_use(config: Config, training: Segments, held_out: Segments, origin: str) -> None:
    """Say what was found, what is drawn from, and why the rest is not."""
    print(
        f"data: {config.data or 'bundled speech'}, {found_in_words(training)}: "
        f"{_duration(training)} for training, {_duration(held_out)} {origin}",
        flush=True,
    )
    unused, is_much = unused_in_words(training)
    if is_much:
        warnings.warn(f"{unused}; the run's {SKIPPED} lists them", WaveganWarning, stacklevel=3)
    elif unused:
        print(f"{unused}; the run's {SKIPPED} lists them", flush=True)


def _reference_segments(corpus: Corpus, training: Segments, config: Config) -> tuple[str, Segments]:
    """What is shown and measured as real: held-out segments, if there are any."""
    try:
        return "held out", _segments(corpus, "held_out", config)
    except DataError as error:
        message = f"{error}; training segments are shown and measured as real instead"
        warnings.warn(message, WaveganWarning, stacklevel=2)
        return "trained on", training
