"""Real audio as a reference: a run's own data, or audio of the user."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import soxr

from wavegan_rc.audio.corpus import Corpus
from wavegan_rc.audio.preparation import corpus_of
from wavegan_rc.audio.segments import Split, segments_of
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, ParameterError, WaveganError, WaveganWarning
from wavegan_rc.measurement.segments import Places, SegmentSet
from wavegan_rc.measurement.set_sums import MOST_KEPT
from wavegan_rc.measurement.sources import Source, is_generator, open_segments
from wavegan_rc.runs.run import Run

# Neighbouring segments of an array that stay in one part.
_ALIKE = 8


def data_of_run(path: str | Path, count: int) -> tuple[SegmentSet, SegmentSet] | None:
    """Draw real segments from a run's data.

    If the held-out part has no usable segment, training segments take its place, as in `train`.

    Args:
        path: Run folder. Returns None for any other path.
        count: Number of segments in the first set.

    Returns:
        Held-out segments, which are measured, and training segments, to which distances are taken.
        None if the data cannot be used.

    Warns:
        WaveganWarning: If training segments replace held-out ones, or the data cannot be read or
            differs from the data of the training.
    """
    try:
        run = Run(Path(path).expanduser())
        config = run.read_config()
        if config is None:
            return None
        corpus = corpus_of(config)
        if corpus.fingerprint != run.read_record()["data_fingerprint"]:
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
    """Draw segments of a corpus as training does, and put them in the order of the recordings."""
    segments = segments_of(config, corpus, split)
    names, starts = zip(*segments.sources(step, count), strict=True)
    recording, start = np.unique(names, return_inverse=True)[1], np.array(starts)
    order = np.lexsort((start, recording))
    drawn = segments.draw(step, count)[order]
    return SegmentSet(
        f"real ({split.replace('_', ' ')})",
        config.sample_rate,
        config.segment_length,
        count,
        lambda: iter([drawn]),
        places=Places(recording[order], start[order], random=True),
        apart=segments.independent(step, count),
    )


def reference_parts(
    source: Source, test: SegmentSet, *, rate_is_given: bool = True
) -> tuple[SegmentSet, SegmentSet]:
    """Open a reference in two parts: one is measured, distances are taken to the other.

    Audio of another rate is resampled, and segments of a generator are cut to the length of those
    of the test set.

    Args:
        source: Source of the reference.
        test: Set to be measured.
        rate_is_given: Whether the caller gave the rate that an array is taken to have.

    Raises:
        ParameterError: If segments of a generator or an array are too short.
        DataError: If the reference cannot be used.

    Warns:
        WaveganWarning: If audio is resampled or cut, or the rate of an array is assumed.
    """
    if isinstance(source, (str, Path)) and is_generator(source):
        reference = _fitted(open_segments(source), test)
    else:
        reference = open_segments(
            source,
            segment_length=test.segment_length,
            sample_rate=test.sample_rate,
            resample=True,
        )
        if not rate_is_given and (isinstance(source, np.ndarray) or Path(source).suffix == ".npy"):
            message = f"{reference.name}: the rate of an array is not known; {test.sample_rate} Hz"
            warnings.warn(f"{message} is assumed, that of the set", WaveganWarning, stacklevel=4)
    if reference.count < 2 * _ALIKE:
        raise DataError(
            f"{reference.name}: a reference must have at least {2 * _ALIKE} segments. "
            f"Received: {reference.count}"
        )
    second = _in_second_part(reference)
    return _part(reference, 2, second), _part(reference, 1, ~second)


def _fitted(reference: SegmentSet, test: SegmentSet) -> SegmentSet:
    """Resample each segment to the rate of the test set, and cut it to the length of its own."""
    forms = [f"{s.segment_length} samples at {s.sample_rate} Hz" for s in (reference, test)]
    if forms[0] == forms[1]:
        return reference
    if reference.segment_length * test.sample_rate < test.segment_length * reference.sample_rate:
        raise ParameterError(
            f"segments of {reference.name} must last at least as long as those of {test.name}, "
            f"{forms[1]}. Received: {forms[0]}"
        )

    def source() -> Iterator[np.ndarray]:
        for block in reference.blocks():
            resampled = soxr.resample(block.T, reference.sample_rate, test.sample_rate).T
            yield resampled[:, : test.segment_length]

    message = f"{reference.name}: segments of {forms[0]} are resampled and cut to {forms[1]}"
    if reference.sample_rate < test.sample_rate:
        message += f"; they hold nothing above {reference.sample_rate / 2:g} Hz"
    warnings.warn(message, WaveganWarning, stacklevel=5)
    return replace(
        reference,
        sample_rate=test.sample_rate,
        segment_length=test.segment_length,
        source=source,
    )


def _in_second_part(reference: SegmentSet) -> np.ndarray:
    """Return which segments belong to the second of two parts without a common recording.

    Each recording comes to the part that is shorter so far. A single recording is halved. Of
    segments on their own, every other run of 8 is taken, since neighbours may be alike.
    """
    places = reference.places
    if places is None:
        return np.arange(reference.count) // _ALIKE % 2 == 1
    _, recording, counts = np.unique(places.recording, return_inverse=True, return_counts=True)
    if len(counts) == 1:
        return np.arange(reference.count) >= reference.count // 2
    sizes, part = [0, 0], []
    for count in counts.tolist():
        part.append(int(sizes[1] < sizes[0]))
        sizes[part[-1]] += count
    return np.array(part, bool)[recording]


def _part(whole: SegmentSet, number: int, belongs: np.ndarray) -> SegmentSet:
    def source() -> Iterator[np.ndarray]:
        start = 0
        for block in whole.blocks():
            yield block[belongs[start : start + len(block)]]
            start += len(block)

    return replace(
        whole,
        name=f"{whole.name} (part {number})",
        count=int(belongs.sum()),
        source=source,
        places=whole.places and whole.places[belongs],
    )
