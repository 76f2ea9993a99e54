"""Intervals against what chance makes of data that are drawn alike."""

import math

import numpy as np
import pytest

from wavegan_rc.measurement.bootstrap import (
    bootstrap_weights,
    concentration,
    estimate,
    weight_of_pairs,
)


def test_row_0_is_uniform_and_the_others_are_draws_with_replacement():
    weights = bootstrap_weights(30, 200, seed=3)
    assert weights.dtype == np.float32
    assert weights.shape == (201, 30)
    assert (weights[0] == np.float32(1 / 30)).all()
    counts = weights[1:] * 30
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-5)  # float32
    np.testing.assert_allclose(counts.sum(axis=1), 30, rtol=1e-5)
    # A segment is missing from a resample with probability (1 - 1/30)^30 = 0.362; 6000 entries
    # make 0.006, and four times that is allowed.
    assert (counts == 0).mean() == pytest.approx((1 - 1 / 30) ** 30, abs=0.025)


def test_a_seed_determines_everything_and_another_changes_it():
    first, again, other = (bootstrap_weights(10, 5, seed=seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_interval_of_a_mean_holds_the_truth_in_95_of_100_sets():
    """400 sets: the share's standard error is 0.011, and three of them are allowed.

    The percentile interval of 50 values is itself a little short, sqrt(49 / 50) and 1.96 in place
    of Student's 2.01: 0.943 is expected.
    """
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(400):
        values = rng.standard_normal(50)
        interval = estimate(bootstrap_weights(50, 400, seed=seed).astype(float) @ values)
        assert interval.value == pytest.approx(values.mean(), abs=1e-6)  # float32 weights
        covered += interval.low <= 0 <= interval.high
    assert covered / 400 == pytest.approx(0.943, abs=0.035)


def test_estimates_know_nan_and_infinity():
    values = np.zeros((41, 4))
    values[:, 0] = [20, *range(40)]
    values[0, 1] = np.nan  # no value: no interval, whatever the resamples say
    values[1::2, 2] = np.nan  # half of the resamples have none: those are left out
    values[:, 3] = -math.inf
    value, low, high = estimate(values)
    np.testing.assert_array_equal(value, [20, np.nan, 0, -math.inf])
    # 2.5 % of the way from the first to the last of 40, rounded outward: the first and the last.
    np.testing.assert_array_equal(low, [0, np.nan, 0, -math.inf])
    np.testing.assert_array_equal(high, [39, np.nan, 0, -math.inf])
    assert all(isinstance(number, float) for number in estimate(values[:, 0]))


def test_the_interval_leaves_two_and_a_half_percent_on_either_side():
    value, low, high = estimate(np.append(0.0, np.random.default_rng(0).permutation(1001)))
    assert (value, low, high) == (0, 25, 975)


def test_resamples_of_biased_statistics_are_centred_once_bias_is_counted_by_concentration():
    """The squared mean of N values is biased by variance / N; resamples by about twice that."""
    values = np.random.default_rng(0).standard_normal(200)
    values -= values.mean()
    weights = bootstrap_weights(200, 4000, seed=0)
    np.testing.assert_allclose(concentration(weights)[0], 1 / 200, rtol=1e-6)
    squared, spread = (weights.astype(float) @ values) ** 2, values.var(ddof=1)
    # The mean of 4000 squares of normal numbers: relative error sqrt(2 / 4000) = 0.022, thrice.
    assert squared[1:].mean() == pytest.approx(spread / 200, rel=0.07)
    corrected = squared - spread * concentration(weights)
    assert corrected[0] == pytest.approx(-spread / 200, rel=1e-5)
    assert corrected[1:].mean() == pytest.approx(-spread / 200, rel=0.07)


def test_pairs_of_different_segments_against_a_loop():
    weights = bootstrap_weights(6, 4, seed=0)
    expected = [
        sum(a * b for i, a in enumerate(w) for j, b in enumerate(w) if i != j) for w in weights
    ]
    np.testing.assert_allclose(weight_of_pairs(weights), expected, rtol=1e-5)  # float32
    assert np.isnan(weight_of_pairs(np.array([[0.0, 1.0]])))[0]
