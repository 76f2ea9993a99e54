"""Train one run, from recordings to WAVs, figures and numbers."""

import logging
import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from wavegan_rc.audio.corpus import SKIPPED, Corpus, write_skipped
from wavegan_rc.audio.emphasis import design_emphasis
from wavegan_rc.audio.segments import Segments, segments_of
from wavegan_rc.audio.use import (
    found_in_words,
    unused_in_words,
    unused_recordings,
    warn_of_little_held_out,
)
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, ParameterError, WaveganWarning
from wavegan_rc.runs.begin import (
    check_writable,
    create_run,
    describe_session,
    is_finished,
    record_resumption,
)
from wavegan_rc.runs.checkpoints import Checkpoint, newest_checkpoint
from wavegan_rc.runs.lock import run_lock
from wavegan_rc.runs.run import Run
from wavegan_rc.theory.overlap import warn_of_uneven_overlap
from wavegan_rc.training.callbacks.base import steps_made
from wavegan_rc.training.callbacks.checkpoints import StopOnSignal
from wavegan_rc.training.callbacks.previews import Reference
from wavegan_rc.training.callbacks.progress import OnProgress
from wavegan_rc.training.callbacks.trackers import NOWHERE, Destinations, tracking
from wavegan_rc.training.devices import Devices, chosen_precision
from wavegan_rc.training.growing import check_segment_length
from wavegan_rc.training.loop import Loop, Session
from wavegan_rc.training.model import build_model, load_checkpoint
from wavegan_rc.training.results import MEASURED_SEGMENTS, export_generator, write_results
from wavegan_rc.training.wgan_gp import WGANGP
from wavegan_rc.utils.text import one_line

_logger = logging.getLogger(__name__)


def train(
    config: Config,
    *,
    resume: str | Path | None = None,
    name: str | None = None,
    on_progress: OnProgress | None = None,
    destinations: Destinations = NOWHERE,
    command_line: Sequence[str] = (),
) -> Run:
    """Train on the recordings that the settings name, and write a run folder.

    Nothing is printed: what a user may want to read is logged (`logging`, level INFO). Ctrl-C ends
    the training after the current step; the run can then be resumed.

    Args:
        config: Settings.
        resume: Run folder to resume from its newest checkpoint, with settings that
            `Config.resumed` allows. None starts a new run.
        name: Name of a new run's folder. None takes the next number and the upsampler.
        on_progress: Function called with the work (`preparing` or `training`), the units done,
            those in all, and a note. If it raises an error, training stops after the current step,
            and the error is raised once a checkpoint is saved.
        destinations: Experiment trackers that receive the run's numbers.
        command_line: Command line, recorded in the run folder.

    Returns:
        The run. If a signal ended the training early, `stopped_by` is its number, and the folder
        holds a checkpoint and the generator, but no samples. On all hosts but the first, the folder
        does not exist any more.

    Raises:
        WaveganError: If the settings, the recordings, `out` or a tracker cannot be used. No run
            folder is left behind then. If training diverges or the disk fills up, the run folder
            remains.

    Example:
        >>> import tempfile
        >>> small = Config.read("smoke", steps=2, critic_steps=1, measure_every=0)
        >>> with tempfile.TemporaryDirectory() as out:
        ...     run = train(replace(small, out=out))
        ...     run.path.name, run.generator.exists()
        ('001-resize', True)
    """
    on_progress = on_progress or (lambda *_: None)
    resume = None if resume is None else Path(resume)
    if resume is None:
        _check_growing(config)
    destinations.check()
    devices = Devices(config)
    hosts = devices.hosts
    if hosts.index > 0:
        destinations = NOWHERE
    with hosts.own_folder(config, resume) as (config, resume):
        config = replace(config, precision=chosen_precision(config.precision))
        if resume is None:
            warn_of_uneven_overlap(
                config.stage_upsamplers, config.upsampling_factors, config.kernel_size
            )
            check_writable(Path(config.out).expanduser(), name)
        corpus = _prepare(config, resume, on_progress)
        session = Session(
            config,
            devices,
            *_segments(config, corpus),
            describe_session(devices.name(), command_line),
            on_progress,
        )
        hosts.check_alike("recordings", corpus.fingerprint)
        hosts.check_alike("settings", repr(replace(config, data=None, out="of each")))
        hosts.check_alike("runs to resume", repr(resume is None))
        model = _build(session, new=resume is None)
        run = _folder(session, resume, name)
        stop = StopOnSignal()
        run.stopped_by = _train(session, model, run, destinations, stop, resumed=resume is not None)
    if stop.error is not None:
        raise stop.error
    return run


def _build(session: Session, *, new: bool) -> WGANGP:
    """Build the model; a resumed run's emphasis filter is in its checkpoint."""
    config = session.config
    taps = None
    if new and config.emphasis != "none":
        taps = design_emphasis(
            config.emphasis,
            session.segments,
            coefficient=config.emphasis_coefficient,
            limit_db=config.emphasis_limit_db,
        )
    with session.devices.building():
        return build_model(config, taps)


def _folder(session: Session, resume: Path | None, name: str | None) -> Run:
    """Create the run folder, or check the one to resume."""
    if resume is None:
        run = create_run(
            session.config,
            session.description,
            name=name,
            data_fingerprint=session.segments.corpus.fingerprint,
        )
    else:
        run = Run(resume)
        run.check_own_files()
        run.check_same_data(session.segments.corpus.fingerprint)
    device = session.description["device"]
    _logger.info("device: %s, %s\nrun: %s", device, session.config.precision, run.path)
    return run


def _train(
    session: Session,
    model: WGANGP,
    run: Run,
    destinations: Destinations,
    stop: StopOnSignal,
    *,
    resumed: bool,
) -> int | None:
    """Train to the last step or to a signal, whose number is returned."""
    config = session.config
    try:
        with run_lock(run.path), stop, tracking(run, config, destinations) as trackers:
            write_skipped(run.path, unused_recordings(session.segments))
            checkpoint = _load_newest(session, model, run) if resumed else None
            if checkpoint is None or not is_finished(run, config, checkpoint):
                model = Loop(session, run, stop, trackers).train(model)
            generator = export_generator(model, run, config)
            if steps_made(model) < config.steps:
                return stop.received
            write_results(generator, run, config, session.reference)
            trackers.log_results(run, config.steps)
            return None
    except OSError as error:
        raise DataError(f"{run.path} cannot be written: {one_line(error)}") from None


def _load_newest(session: Session, model: WGANGP, run: Run) -> Checkpoint:
    """Load the newest checkpoint, and record that the run is resumed from it."""
    checkpoint = newest_checkpoint(run.checkpoints)
    found = f"{checkpoint.step} {checkpoint.sha256} {checkpoint.rollbacks}"
    session.devices.hosts.check_alike("checkpoints", found)
    if session.config.steps < checkpoint.step:
        raise ParameterError(
            f"steps must be at least {checkpoint.step}, the number that {run.path} has made. "
            f"Received: {session.config.steps}"
        )
    load_checkpoint(model, checkpoint)
    record_resumption(run, session.config, checkpoint, session.description)
    return checkpoint


def _check_growing(config: Config) -> None:
    """Check that a new run can grow, and will reach its last level; one stopped may end before."""
    if config.levels > 1:
        lowest = math.prod(config.upsampling_factors[1 - config.levels :])
        check_segment_length(config.segment_length, lowest)
    growing = (config.levels - 1) * config.growing_steps
    if growing >= config.steps:
        raise ParameterError(
            f"steps must be more than the {growing} of all levels but the last: growing_steps "
            f"{config.growing_steps} x {config.levels - 1}. Received: {config.steps}"
        )


def _prepare(config: Config, resume: Path | None, on_progress: OnProgress) -> Corpus:
    # Imported here, since the package loads no audio library before it is needed.
    from wavegan_rc.audio.preparation import corpus_of

    band = "all frequencies (no --cutoff-hz)"
    if config.cutoff_hz is not None:
        band = f"low-passed at {config.cutoff_hz:g} Hz (--cutoff-hz null: off)"
    data, rate_khz = config.data or "bundled speech", config.sample_rate / 1000
    # Told once, when the recordings have been found.
    tell = cache(partial(_logger.info, "preparing: %s: %g kHz, mono, %s", data, rate_khz, band))

    def tell_progress(done: int, total: int, note: str) -> None:
        tell()
        on_progress("preparing", done, total, note)

    try:
        corpus = corpus_of(config, tell_progress)
    except DataError as error:
        if resume is None:
            raise
        raise DataError(
            f"{error}; if the recordings have moved, set --data to their new path"
        ) from None
    tell()
    return corpus


def _segments(config: Config, corpus: Corpus) -> tuple[Segments, Reference]:
    """Return those to train on and real ones; log what is found and used, and why not the rest."""
    training = segments_of(config, corpus, "training")
    origin, held_out = "held out", training
    try:
        held_out = segments_of(config, corpus, "held_out")
    except DataError as error:
        origin = "trained on"
        message = f"{error}; training segments are shown and measured as real instead"
        warnings.warn(message, WaveganWarning, stacklevel=3)
    warn_of_little_held_out(training, held_out)
    _logger.info(
        "data: %s, %s: %s for training, %s %s",
        config.data or "bundled speech",
        found_in_words(training),
        _duration(training),
        _duration(held_out),
        origin,
    )
    unused, is_much = unused_in_words(training)
    if is_much:
        warnings.warn(f"{unused}; the run's {SKIPPED} lists them", WaveganWarning, stacklevel=3)
    elif unused:
        _logger.info("%s; the run's %s lists them", unused, SKIPPED)
    reference = Reference(
        f"real ({origin})",
        held_out.draw(0, MEASURED_SEGMENTS),
        held_out.independent(0, MEASURED_SEGMENTS),
    )
    return training, reference


def _duration(segments: Segments) -> str:
    seconds = segments.seconds
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"
