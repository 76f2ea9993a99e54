"""Describe the preparation and the use of recordings in words."""

import os
import warnings
from collections.abc import Sequence

from wavegan_rc.audio.segments import TOO_QUIET, TOO_SHORT, Segments
from wavegan_rc.errors import WaveganWarning
from wavegan_rc.utils.text import printable

# A larger share of the recordings, or of their duration, is rarely left out on purpose.
_MUCH = 0.1
# A tenth is meant.
_LITTLE_HELD_OUT = 0.02


def unused_recordings(segments: Segments) -> list[tuple[str, str]]:
    """Return (file, reason) of each recording that neither split draws from."""
    corpus = segments.corpus
    files = [os.path.join(corpus.root, recording.name) for recording in corpus.recordings]
    return [*corpus.skipped, *((files[i], reason) for i, reason in segments.unused)]


def found_in_words(segments: Segments) -> str:
    """Return the numbers of recordings, of readable minutes, and of recordings drawn from."""
    corpus = segments.corpus
    count = len(corpus.recordings) + len(corpus.skipped)
    minutes = len(corpus.audio) / corpus.sample_rate / 60
    used = len(corpus.recordings) - len(segments.unused)
    return f"{count} recording{'s' * (count > 1)}, {minutes:.1f} min, {used} drawn from"


def unused_in_words(segments: Segments) -> tuple[str, bool]:
    """Describe the recordings not drawn from in a line, and say if they are over a tenth of all."""
    corpus = segments.corpus
    unused = len(segments.unused) + len(corpus.skipped)
    if not unused:
        return "", False
    reasons = [reason for _, reason in segments.unused]
    short, quiet = (sum(r.startswith(why) for r in reasons) for why in (TOO_SHORT, TOO_QUIET))
    parts = []
    if short:
        length_s = segments.segment_length / corpus.sample_rate
        parts.append(
            f"{short} shorter than a segment of {length_s:.3f} s (setting short_recordings)"
        )
    if quiet:
        parts.append(f"{quiet} too quiet (setting silence_db)")
    if corpus.skipped:
        first = printable(" ".join(corpus.skipped[0]))
        parts.append(f"{len(corpus.skipped)} that cannot be used, the first: {first}")
    samples = sum(corpus.recordings[i].length for i, _ in segments.unused)
    count = len(corpus.recordings) + len(corpus.skipped)
    line = f"not drawn from: {unused} of {count} recordings, {', '.join(parts)}"
    return line, max(unused / count, samples / len(corpus.audio)) > _MUCH


def warn_of_lengths(notes: Sequence[tuple[str, str]]) -> None:
    """Warn of (file, note) of recordings that are longer than their headers declare, if any."""
    if notes:
        count, first = len(notes), printable(" ".join(notes[0]))
        declare = "recordings declare" if count > 1 else "recording declares"
        message = f"{count} {declare} a wrong length; the first: {first}"
        warnings.warn(message, WaveganWarning, stacklevel=4)


def warn_of_little_held_out(training: Segments, held_out: Segments) -> None:
    """Warn if the held-out recordings are a small part of all."""
    share = held_out.seconds / (held_out.seconds + training.seconds)
    if share < _LITTLE_HELD_OUT:
        warnings.warn(
            f"only {share:.1%} of the audio is held out, since recordings are held out whole: cut "
            "long ones into parts",
            WaveganWarning,
            stacklevel=4,
        )
