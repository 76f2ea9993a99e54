"""What is said of recordings at the start of a run."""

import warnings

import numpy as np
import pytest
import yaml
from helpers import PRESETS, tone

from wavegan_rc.audio.preparation import prepare_corpus
from wavegan_rc.audio.segments import Segments, Split
from wavegan_rc.audio.use import (
    found_in_words,
    unused_in_words,
    unused_recordings,
    warn_of_little_held_out,
)
from wavegan_rc.config import Config
from wavegan_rc.errors import WaveganWarning


def segments_of(folder, split: Split = "training", **options):
    corpus = prepare_corpus(str(folder), sample_rate=16000, cutoff_hz=None, stopband_hz=None)
    options = {"segment_length": 1000, "silence_db": -40.0, "seed": 0} | options
    return Segments(corpus, split, **options)


def test_nothing_is_said_where_all_recordings_are_drawn_from(make_wav, fresh_cache):
    folder = make_wav("a.wav", tone(500, seconds=6)).parent
    segments = segments_of(folder)
    assert found_in_words(segments) == "1 recording, 0.1 min, 1 drawn from"
    assert unused_in_words(segments) == ("", False)
    assert unused_recordings(segments) == []


@pytest.mark.parametrize(("long", "much"), [(9, False), (8, True)])
def test_more_than_a_tenth_of_the_recordings_is_much(make_wav, fresh_cache, long, much):
    folder = make_wav("bad.flac", tone(500)).parent
    (folder / "bad.flac").write_text("not audio")
    for i in range(long):
        make_wav(f"{i}.wav", tone(500))
    words, is_much = unused_in_words(segments_of(folder))
    assert words.startswith(f"not drawn from: 1 of {long + 1} recordings, 1 that cannot be used")
    assert is_much == much


def test_more_than_a_tenth_of_the_minutes_is_much(make_wav, fresh_cache):
    folder = make_wav("silent.wav", np.zeros(48000)).parent
    for i in range(20):
        make_wav(f"{i}.wav", tone(500))
    segments = segments_of(folder)
    assert unused_in_words(segments)[1]
    assert unused_recordings(segments) == [(str(folder / "silent.wav"), "is too quiet")]


@pytest.mark.parametrize(("seconds", "words"), [(1, r"only 1\.6% of"), (1.5, None)])
def test_little_held_out_audio_is_warned_of(make_wav, fresh_cache, seconds, words):
    make_wav("long.wav", tone(500, seconds=60))
    folder = make_wav("short.wav", tone(500, seconds=seconds)).parent
    both = segments_of(folder, "training"), segments_of(folder, "held_out")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_little_held_out(*both)
    assert len(caught) == (words is not None)
    if words:
        with pytest.warns(WaveganWarning, match=words):
            warn_of_little_held_out(*both)


def test_the_wavegan_settings_train_on_words_of_one_second(make_wav, fresh_cache):
    """As of Speech Commands: many words, and a few minutes of noise."""
    rng = np.random.default_rng(0)
    for i in range(60):
        path = make_wav(f"word/{i}.wav", rng.standard_normal(16000 - 100 * i) * 0.1)
    for i in range(2):
        make_wav(f"noise/{i}.wav", rng.standard_normal(60000) * 0.1)
    config = Config(**yaml.safe_load((PRESETS / "wavegan16384.yaml").read_text()))
    segments = segments_of(
        path.parent.parent,
        segment_length=config.segment_length,
        short_recordings=config.short_recordings,
        one_shots=config.one_shots,
    )
    assert unused_in_words(segments) == ("", False)
    names = [name for name, _ in segments.sources(0, 2000)]
    assert np.mean([name.startswith("word") for name in names]) > 0.8
    assert len(set(names)) > 50
