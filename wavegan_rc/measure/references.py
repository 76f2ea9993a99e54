"""The real audio that a set is measured beside: a run's own data, or a reference."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from wavegan_rc.audio.corpus import Corpus
from wavegan_rc.audio.segments import Split, segments_of
from wavegan_rc.config import Config
from wavegan_rc.errors import DataError, WaveganError, WaveganWarning
from wavegan_rc.measure.readings import MOST_KEPT
from wavegan_rc.measure.segments import SegmentSet
from wavegan_rc.measure.sources import open_segments
from wavegan_rc.runs.run import Run

_SHORTEST_STRETCH = 8


def data_of_run(
    path: str, count: int, corpus: Corpus | None = None
) -> tuple[SegmentSet, SegmentSet] | None:
    """Held-out segments of a run's data, and others that it was trained on.

    Args:
        path: Of a run; of anything else, there are none.
        count: Of held-out segments.
        corpus: The data, prepared elsewhere; None: they are prepared here.

    Warns:
        WaveganWarning: If the data cannot be read, or are not those that the run was trained on.
            Then there are none either.
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
        held_out = draw_segments(corpus, "held_out", config, count)
        return held_out, draw_segments(corpus, "training", config, MOST_KEPT)
    except (WaveganError, OSError, RuntimeError) as error:
        message = (
            f"{path}: measured without real audio: {error}. Name real audio by --reference of "
            "`measure`, or moved recordings by --data beside --resume of `train`"
        )
        warnings.warn(" ".join(message.split()), WaveganWarning, stacklevel=3)
        return None


def draw_segments(corpus: Corpus, split: Split, config: Config, count: int) -> SegmentSet:
    """Segments of a corpus as training draws them."""
    segments = segments_of(config, corpus, split)
    drawn = segments.draw(0, count)
    name = f"real ({split.replace('_', ' ')})"
    return SegmentSet(
        name,
        config.sample_rate,
        config.segment_length,
        count,
        lambda: iter([drawn]),
        apart=segments.independent(0, count),
    )


def reference_parts(path: str, test: SegmentSet) -> tuple[SegmentSet, SegmentSet]:
    """A reference in two parts: one is measured as the set is, distances are taken to the other.

    Args:
        path: Of real audio.
        test: What is measured; the reference is resampled to its rate and cut alike.

    Raises:
        DataError: If there is nothing for one of the parts.
    """
    reference = open_segments(
        path,
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
    """Segments that stay together: neighbours are alike, in an array too."""
    return max(reference.independent, _SHORTEST_STRETCH)


def _part(whole: SegmentSet, part: int) -> SegmentSet:
    """Every other stretch of segments that hang together, so that all recordings are in both."""

    def belongs(index: np.ndarray) -> np.ndarray:
        return index // _stretch(whole) % 2 == part

    def source() -> Iterator[np.ndarray]:
        start = 0
        for block in whole.blocks():
            yield block[belongs(np.arange(start, start + len(block)))]
            start += len(block)

    count = int(belongs(np.arange(whole.count)).sum())
    return replace(whole, name=f"{whole.name} (part {part + 1})", count=count, source=source)
