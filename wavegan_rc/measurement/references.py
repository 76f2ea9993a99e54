"""Real audio as a reference: a run's own data, or audio of the user."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from wavegan_rc.audio.corpus import Corpus
from wavegan_rc.audio.segments import Split, segments_of
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, WaveganError, WaveganWarning
from wavegan_rc.measurement.grouped_spectra import MOST_KEPT
from wavegan_rc.measurement.segments import SegmentSet
from wavegan_rc.measurement.sources import Source, open_segments
from wavegan_rc.runs.run import Run

_SHORTEST_STRETCH = 8


def data_of_run(
    path: str | Path, count: int, corpus: Corpus | None = None
) -> tuple[SegmentSet, SegmentSet] | None:
    """Draw real segments from a run's data.

    If the held-out part has no usable segment, training segments take its place, as in `train`.

    Args:
        path: Run folder. Returns None for any other path.
        count: Number of segments in the first set.
        corpus: The run's data, already prepared. None: prepared here.

    Returns:
        Held-out segments, which are measured, and training segments, to which distances are taken.
        None if the data cannot be used.

    Warns:
        WaveganWarning: If training segments replace held-out ones, or the data cannot be read or
            differs from the data of the training.
    """
    try:
        config = Run(Path(path).expanduser()).read_config()
        if config is None:
            return None
        if corpus is None:
            from wavegan_rc.audio.preparation import corpus_of

            corpus = corpus_of(config)
        if corpus.fingerprint != Run(Path(path).expanduser()).read_record()["data_fingerprint"]:
            raise DataError(
                f"{config.data or 'the bundled speech'}: not the recordings that the run began with"
            )
        baseline = _draw(corpus, "training", config, 0, MOST_KEPT)
        try:
            return _draw(corpus, "held_out", config, 0, count), baseline
        except DataError as error:
            message = f"{path}: {error}; training segments are measured as real instead"
            warnings.warn(" ".join(message.split()), WaveganWarning, stacklevel=3)
        # As `train` draws them. Another step, so that no segment is its own nearest neighbour.
        real = _draw(corpus, "training", config, 0, count)
        return real, _draw(corpus, "training", config, 1, MOST_KEPT)
    except (WaveganError, OSError, RuntimeError) as error:
        message = (
            f"{path}: cannot use the run's data, so there is no reference: {error}. Give real "
            "audio as the reference, or resume the run with the new path of its data"
        )
        warnings.warn(" ".join(message.split()), WaveganWarning, stacklevel=3)
        return None


def _draw(corpus: Corpus, split: Split, config: Config, step: int, count: int) -> SegmentSet:
    """Draw segments of a corpus as training does."""
    segments = segments_of(config, corpus, split)
    drawn = segments.draw(step, count)
    return SegmentSet(
        f"real ({split.replace('_', ' ')})",
        config.sample_rate,
        config.segment_length,
        count,
        lambda: iter([drawn]),
        apart=segments.independent(step, count),
    )


def reference_parts(source: Source, test: SegmentSet) -> tuple[SegmentSet, SegmentSet]:
    """Open a reference in two parts: one is measured, distances are taken to the other.

    Args:
        source: Real audio, as for `open_segments`.
        test: Measured set; the reference is resampled to its rate and cut to its segment length.

    Raises:
        DataError: If a part would be empty.
    """
    reference = open_segments(
        source,
        segment_length=test.segment_length,
        sample_rate=test.sample_rate,
        resample=True,
    )
    fewest = 2 * _stretch(reference)
    if reference.count < fewest:
        raise DataError(
            f"{reference.name}: a reference must have at least {fewest} segments. "
            f"Received: {reference.count}"
        )
    return _part(reference, 1), _part(reference, 0)


def _stretch(reference: SegmentSet) -> int:
    """Number of consecutive segments kept in one part, since neighbours are alike."""
    return max(reference.independent, _SHORTEST_STRETCH)


def _part(whole: SegmentSet, part: int) -> SegmentSet:
    """Take every other stretch, so that all recordings are in both parts."""

    def belongs(index: np.ndarray) -> np.ndarray:
        return index // _stretch(whole) % 2 == part

    def source() -> Iterator[np.ndarray]:
        start = 0
        for block in whole.blocks():
            yield block[belongs(np.arange(start, start + len(block)))]
            start += len(block)

    count = int(belongs(np.arange(whole.count)).sum())
    return replace(whole, name=f"{whole.name} (part {part + 1})", count=count, source=source)
