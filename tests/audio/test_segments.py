import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavegan_rc.audio.corpus import BLOCK, Corpus, Recording
from wavegan_rc.audio.positions import DrawRule, Positions, whole_recordings
from wavegan_rc.audio.segments import Segments, Split
from wavegan_rc.errors import DataError, ParameterError


def corpus_of(*recordings):
    """A corpus of recordings given as samples, named 0.wav, 1.wav, ..."""
    audio = np.concatenate(recordings).astype(np.int16)
    power = []
    index = []
    start = 0
    for number, samples in enumerate(recordings):
        for at in range(0, len(samples), BLOCK):
            power.append(np.mean((samples[at : at + BLOCK] / 32767.0) ** 2))
        index.append(Recording(f"{number}.wav", start, len(samples)))
        start += len(samples)
    mean_square = float(np.mean((audio / 32767.0) ** 2))
    return Corpus(audio, np.array(power, np.float32), tuple(index), 16000, mean_square, "")


def ramp(first, length):
    return np.arange(first, first + length)


def segments_of(
    corpus, split: Split = "training", segment_length=100, silence_db=-200.0, seed=0, **options
):
    options |= {"segment_length": segment_length, "silence_db": silence_db, "seed": seed}
    return Segments(corpus, split, **options)


def positions(segments, count, step=0):
    """Where segments of a ramp begin: its samples are their own positions."""
    return np.round(segments.draw(step, count)[:, 0] * 32767).astype(int)


def test_the_same_seed_and_step_give_the_same_segments_on_any_machine():
    segments = segments_of(corpus_of(ramp(0, 20000)), seed=3)
    # Written down once: if these change, old runs can no longer be repeated.
    assert positions(segments, 6, step=41).tolist() == GOLDEN
    assert positions(segments, 3, step=41).tolist() == GOLDEN[:3]


GOLDEN = [628, 10668, 10375, 5508, 12780, 6611]


def test_steps_and_seeds_give_different_segments():
    corpus = corpus_of(ramp(0, 20000))
    drawn = {
        hashlib.sha256(segments_of(corpus, seed=seed).draw(step, 8).tobytes()).hexdigest()
        for seed in range(5)
        for step in range(5)
    }
    assert len(drawn) == 25


@given(
    st.lists(st.integers(1, 900), min_size=1, max_size=8),
    st.integers(1, 300),
    st.sampled_from(["training", "held_out"]),
)
def test_segments_are_contiguous_and_no_recording_serves_both_splits(lengths, size, split):
    recordings = []
    first = 1
    for length in lengths:
        recordings.append(ramp(first, length))
        first += length + 1000  # a gap in value marks the border
    corpus = corpus_of(*recordings)
    usable = [samples for samples in recordings if len(samples) >= size]
    try:
        drawn = np.round(segments_of(corpus, split, size).draw(0, 50) * 32767)
    except DataError:
        assert len(usable) < 2  # of a single recording, a part may be too short
        return
    assert (np.diff(drawn, axis=1) == 1).all()
    starts, ends = drawn[:, 0], drawn[:, -1]
    inside = [(starts >= s[0]) & (ends <= s[-1]) for s in usable]
    assert np.logical_or.reduce(inside).all()
    other = "held_out" if split == "training" else "training"
    if len(usable) > 1:
        others = np.round(segments_of(corpus, other, size).draw(0, 50) * 32767)
        assert not set(np.digitize(starts, [s[0] for s in recordings])) & set(
            np.digitize(others[:, 0], [s[0] for s in recordings])
        )


@pytest.mark.parametrize("length", [4 * BLOCK + 99, 100 + BLOCK, 100 + 3 * BLOCK - 1])
def test_every_position_is_drawn_alike(length):
    """Also those of a last, shorter block: else a tone in the data had a fixed phase."""
    corpus = corpus_of(ramp(0, length), ramp(10000, 40 * BLOCK))
    segments = segments_of(corpus)
    drawn = positions(segments, 60000)
    assert segments.seconds in (length / 16000, 40 * BLOCK / 16000)  # one is held out
    fitting = round(segments.seconds * 16000) - 100 + 1
    _, counts = np.unique(drawn, return_counts=True)
    assert len(counts) == fitting
    expected = 60000 / fitting
    assert np.abs(counts - expected).max() < 6 * np.sqrt(expected)


@pytest.mark.parametrize("segment_length", [100, 128, 200, 256, 300, 1000, 2048])
def test_quiet_stretches_are_not_drawn(segment_length):
    """Loud parts at block borders, so that a segment could lie in the silence between them."""
    rng = np.random.default_rng(0)
    loud, quiet = rng.integers(-9000, 9000, 4000), rng.integers(-9, 10, 40000)
    between = rng.integers(-9, 10, segment_length // BLOCK * BLOCK + 60)
    audio = np.concatenate([quiet, loud, between, loud[:50], between, loud, quiet])
    corpus = corpus_of(audio, audio)
    threshold = corpus.power * 10 ** (-20 / 10)
    options = {"segment_length": segment_length}
    drawn = segments_of(corpus, silence_db=-20.0, **options).draw(0, 4000)
    quiet_share = ((drawn**2).mean(axis=1) < 0.8 * threshold).mean()
    if segment_length >= 2 * BLOCK:
        # Some whole block inside is loud enough to lift the mean of all whole blocks.
        assert quiet_share == 0
    else:  # shorter than two blocks: judged by blocks that it may only touch
        assert quiet_share < 0.1
    everything = segments_of(corpus, silence_db=-200.0, **options).draw(0, 500)
    assert ((everything**2).mean(axis=1) < threshold).mean() > 0.6


@given(st.integers(2, 60))
def test_one_recording_in_ten_is_held_out_whatever_the_order(count):
    corpus = corpus_of(*[ramp(200 * i, 200) for i in range(count)])
    held_out = segments_of(corpus, "held_out")
    assert held_out.seconds * 16000 == pytest.approx(200 * max(1, count // 10))
    names = {number // 200 for number in positions(held_out, 400)}
    # Names decide, not places: turned round, the same recordings are held out.
    recordings = corpus.recordings
    turned = tuple(replace(recordings[i], name=recordings[-1 - i].name) for i in range(count))
    again = segments_of(replace(corpus, recordings=turned), "held_out")
    assert {count - 1 - number // 200 for number in positions(again, 400)} == names


@given(st.lists(st.integers(100, 90000), min_size=2, max_size=60))
def test_about_a_tenth_of_the_duration_is_held_out(lengths):
    """Counted in files, it could be most of the audio, or next to nothing."""
    corpus = corpus_of(*[np.full(length, 9000) for length in lengths])
    held_out = round(segments_of(corpus, "held_out").seconds * 16000)
    training = round(segments_of(corpus).seconds * 16000)
    assert held_out + training == sum(lengths)
    assert held_out > 0
    assert training > 0
    tenth = sum(lengths) / 10
    # Else there is no recording that would do: only one is left, or even the shortest is too long.
    assert held_out > 0.49 * tenth or training in lengths
    assert held_out <= tenth + 1 or any(held_out - length < tenth / 2 for length in lengths)


def test_of_a_single_recording_the_last_tenth_is_held_out():
    corpus = corpus_of(ramp(0, 30000))
    training, held_out = segments_of(corpus), segments_of(corpus, "held_out")
    assert training.seconds + held_out.seconds == pytest.approx(30000 / 16000)
    assert held_out.seconds == pytest.approx(3000 / 16000, abs=BLOCK / 16000)
    assert positions(training, 2000).max() + 100 <= positions(held_out, 2000).min()


def test_recordings_that_cannot_serve_do_not_count_for_the_split():
    """The only long recording must not be held out because a click lies beside it."""
    for extra in (ramp(0, 50), np.zeros(5000)):
        for order in (0, 1):
            recordings = [ramp(1000, 20000), extra]
            corpus = corpus_of(*recordings[:: 1 - 2 * order])
            options = {"segment_length": 1000, "silence_db": -40.0}
            training, held_out = (
                segments_of(corpus, split, **options) for split in ("training", "held_out")
            )
            assert training.seconds > 8 * held_out.seconds > 0


def test_all_shorter_than_a_segment_is_an_error_with_the_length():
    with pytest.raises(DataError, match="shorter than a segment of 100 samples"):
        segments_of(corpus_of(ramp(0, 99), ramp(0, 60)))


def test_nothing_loud_enough_is_an_error():
    corpus = corpus_of(np.full(60, 20000), np.ones(5000))  # the loud one is too short
    with pytest.raises(DataError, match="silence_db"):
        segments_of(corpus, silence_db=-40.0)


def test_negative_steps_are_refused():
    with pytest.raises(ParameterError, match="-1"):
        segments_of(corpus_of(ramp(0, 500))).draw(-1, 2)


def test_a_part_of_a_draw_is_read_alone():
    corpus = corpus_of(*[ramp(3000 * i, 3000) for i in range(10)])
    segments = Segments(corpus, "training", segment_length=50, silence_db=-200.0, seed=0)
    whole = segments.draw(7, 12)
    for part in (slice(0, 4), slice(4, 12), slice(12, 12)):
        np.testing.assert_array_equal(segments.draw(7, 12, part), whole[part])


PAD: dict[str, Any] = {"short_recordings": "pad"}


def short_and_long(rng, shorts, longs, segment_length=1000):
    """Recordings of levels of their own, so that a sample tells whose it is."""
    lengths = [*rng.integers(1, segment_length, shorts)]
    lengths += [*rng.integers(segment_length, 5 * segment_length, longs)]
    rng.shuffle(lengths)
    return corpus_of(*[np.full(length, 100 + 10 * i) for i, length in enumerate(lengths)])


@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(0, 5))
def test_short_recordings_are_padded_with_silence_and_with_nothing_of_the_next(seed, shorts, longs):
    corpus = short_and_long(np.random.default_rng(seed), shorts, longs)
    drawn = []
    for split in ("training", "held_out"):
        try:
            segments = segments_of(corpus, split, 1000, **PAD)
        except DataError:  # of a single recording, a part is nothing
            assert shorts + longs == 1
            continue
        assert segments.unused == []
        split_names = set()
        for row, (name, start) in zip(
            np.round(segments.draw(3, 40) * 32767), segments.sources(3, 40), strict=True
        ):
            number = int(name.split(".")[0])
            split_names.add(name)
            length = corpus.recordings[number].length
            if shorts + longs > 1:
                own = min(length - start, 1000)
                assert start == 0 or own == 1000
            else:
                own = np.count_nonzero(row)
                assert own <= length
            assert (row[:own] == 100 + 10 * number).all()
            assert (row[own:] == 0).all()
        drawn.append(split_names)
    if shorts + longs > 1:
        assert not drawn[0] & drawn[1]


def test_with_padding_a_recording_little_longer_than_a_segment_is_drawn_by_its_duration():
    """A segment fits in few places, which must not make it rare; each place comes equally often."""
    lengths = [1000, 1001, 1003, 1100, 1999, 2500, 4000, 40000]
    corpus = corpus_of(*[ramp(0, 20000)] * 2, *[np.full(length, 500) for length in lengths])
    segments = segments_of(corpus, segment_length=1000, **PAD)
    drawn = segments.sources(0, 60000)
    names, counts = np.unique([name for name, _ in drawn], return_counts=True)
    own = {recording.name: recording.length for recording in corpus.recordings}
    in_split = round(segments.seconds * 16000)
    assert sum(own[name] for name in names) == in_split
    expected = np.array([60000 * own[name] / in_split for name in names])
    assert (np.abs(counts - expected) < 6 * np.sqrt(expected)).all()
    for name in names:
        if own[name] < 1200:
            starts = [start for other, start in drawn if other == name]
            places, counts = np.unique(starts, return_counts=True)
            assert places.tolist() == list(range(own[name] - 999))
            # Their numbers differ by one at most.
            share = len(starts) / len(places)
            assert (
                np.abs(counts - share).max() < 6 * np.sqrt(share) + share * len(places) / own[name]
            )


@given(st.integers(1, 3000), st.integers(1, 1000))
def test_every_number_of_a_position_leads_to_it(length, segment_length):
    """Seen from inside, where a draw of each number once is too much for the public way."""
    corpus = corpus_of(ramp(5000, length))
    rule = DrawRule(segment_length, 0.0, "pad")
    every = Positions(corpus, whole_recordings(corpus), rule)
    (count,) = every.count()
    assert count == length
    found = every.find(np.zeros(length, np.int64), np.arange(length))
    fitting = max(length - segment_length + 1, 1)
    np.testing.assert_array_equal(found, np.arange(length) * fitting // length)


def test_short_and_long_recordings_are_drawn_in_proportion_to_their_durations():
    """Speech Commands: its words must not drown in its few minutes of noise."""
    corpus = corpus_of(*[np.full(900, 500)] * 100, *[np.full(30000, 500)] * 2)
    segments = segments_of(corpus, segment_length=1000, **PAD)
    lengths = {recording.name: recording.length for recording in corpus.recordings}
    short = np.mean([lengths[name] == 900 for name, _ in segments.sources(0, 20000)])
    in_split = round(segments.seconds * 16000)
    expected = (in_split - 2 * 30000) / in_split
    assert short == pytest.approx(expected, abs=0.02)
    assert len({name for name, _ in segments.sources(0, 20000)}) > 80


def test_one_shots_begin_at_their_start_and_come_equally_often():
    rng = np.random.default_rng(0)
    corpus = short_and_long(rng, shorts=15, longs=15)
    segments = segments_of(corpus, segment_length=1000, one_shots=True, **PAD)
    sources = segments.sources(0, 30000)
    assert {start for _, start in sources} == {0}
    names, counts = np.unique([name for name, _ in sources], return_counts=True)
    assert len(names) > 20
    expected = 30000 / len(names)
    assert np.abs(counts - expected).max() < 6 * np.sqrt(expected)
    # Without padding, short ones are left out all the same.
    whole = segments_of(corpus, segment_length=1000, one_shots=True)
    assert len(whole.unused) == 15
    assert (whole.draw(0, 500) != 0).all()


@pytest.mark.parametrize("options", [PAD, PAD | {"one_shots": True}])
def test_a_quiet_short_recording_is_not_drawn_and_a_short_loud_one_is(options):
    """One block has no inner block to be judged by; and its own level counts, not the silence's."""
    loud = [np.full(n, 9000) for n in (40, BLOCK, 3 * BLOCK + 5, 900)]
    quiet = [np.full(n, 3) for n in (40, BLOCK, 3 * BLOCK + 5, 900)]
    corpus = corpus_of(*loud, *quiet)
    for length in (100, 200, 1000):
        segments = segments_of(corpus, segment_length=length, silence_db=-40.0, **options)
        assert [reason for _, reason in segments.unused] == ["is too quiet"] * 4
        assert (np.abs(segments.draw(0, 500)[:, 0]) > 0.2).all()
        assert [i for i, _ in segments.unused] == [4, 5, 6, 7]


def test_recordings_that_nothing_is_drawn_from_are_known_with_the_reason():
    corpus = corpus_of(ramp(5000, 300), ramp(5000, 60), np.ones(500), ramp(5000, 400))
    segments = segments_of(corpus, silence_db=-40.0)
    expected = [(1, "is shorter than a segment: 60 of 100 samples"), (2, "is too quiet")]
    assert segments.unused == expected
    assert segments_of(corpus, "held_out", silence_db=-40.0).unused == expected


@pytest.mark.parametrize(("length", "low", "high"), [(300, 2, 2), (3000, 24, 26)])
def test_of_many_segments_only_those_that_fit_side_by_side_are_independent(length, low, high):
    """Of 300 samples 256 are for training, of 3000 are 2688; a segment has 100."""
    segments = segments_of(corpus_of(1000 + ramp(0, length)))
    assert low <= segments.independent(0, 2000) <= high
    assert segments.independent(0, 1) == 1
    starts = sorted(start for _, start in segments.sources(0, 2))
    assert segments.independent(0, 2) == 1 + (starts[1] - starts[0] >= 100)
