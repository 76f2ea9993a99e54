"""Intervals and tests against what chance makes of data that are drawn alike."""

import math

import numpy as np
import pytest

from wavegan_rc.artifacts.bootstrap import (
    benjamini_hochberg,
    bootstrap_weights,
    concentration,
    difference,
    estimate,
    permutation_test,
    weight_of_pairs,
    weighted_means,
)
from wavegan_rc.errors import ParameterError


def mean_of(values):
    return lambda weights: weighted_means(weights, values)


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
    values = np.random.default_rng(0).standard_normal(40)
    for result in (
        lambda seed: bootstrap_weights(10, 5, seed=seed),
        lambda seed: difference(mean_of(values), 20, 20, resamples=50, seed=seed),
        lambda seed: permutation_test(mean_of(values), 20, 20, permutations=500, seed=seed),
    ):
        np.testing.assert_array_equal(result(7), result(7))
        assert not np.array_equal(result(7), result(8))


def test_the_interval_of_a_mean_holds_the_truth_in_95_of_100_sets():
    """400 sets: the share's standard error is 0.011, and three of them are allowed.

    The percentile interval of 50 values is itself a little short, sqrt(49 / 50) and 1.96 in place
    of Student's 2.01: 0.943 is expected.
    """
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(400):
        values = rng.standard_normal(50)
        interval = estimate(weighted_means(bootstrap_weights(50, 400, seed=seed), values))
        assert interval.value == pytest.approx(values.mean(), abs=1e-6)  # float32 weights
        covered += interval.low <= 0 <= interval.high
    assert covered / 400 == pytest.approx(0.943, abs=0.035)


def test_the_interval_of_a_difference_holds_the_truth_in_95_of_100_pairs():
    """200 pairs: three standard errors are 0.046.

    Resampled with the same weights, both sets would vary together: too narrow or too wide.
    """
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        pooled = np.append(rng.normal(5, 1, 50), rng.normal(3, 2, 50))
        interval = difference(mean_of(pooled), 50, 50, resamples=200, seed=seed)
        covered += interval.low <= 2 <= interval.high
    assert covered / 200 == pytest.approx(0.943, abs=0.046)


def test_both_sets_of_a_difference_are_resampled_independently():
    """The same values in both: with the same weights for both, every difference would be 0."""
    values = np.random.default_rng(0).standard_normal(100)
    pooled = np.append(values, values)
    interval = difference(mean_of(pooled), 100, 100, resamples=2000, seed=0)
    assert interval.value == pytest.approx(0, abs=1e-6)
    # Ends of a 95 % interval by 2000 resamples vary by about 4 %: three times that.
    expected = 1.96 * values.std() * np.sqrt(2 / 100)
    np.testing.assert_allclose([interval.low, interval.high], [-expected, expected], rtol=0.12)


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
    squared, spread = weighted_means(weights, values) ** 2, values.var(ddof=1)
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


def test_weighted_means_against_numpy_for_any_shape():
    rng = np.random.default_rng(0)
    columns = rng.standard_normal((3000, 2, 3))  # more than a block of segments
    weights = bootstrap_weights(3000, 3, seed=0)
    for picked in (columns, columns[:, 0, 0]):
        expected = np.stack([np.average(picked, axis=0, weights=row) for row in weights])
        # float32 weights are 6e-8 off, means of 3000 normal numbers about 0.02.
        np.testing.assert_allclose(weighted_means(weights, picked), expected, atol=1e-7)


def test_p_values_are_uniform_if_both_sets_are_drawn_alike():
    """1000 repetitions: 0.05 has a standard error of 0.007; 2 % are allowed, as the design says."""
    rng = np.random.default_rng(0)
    p_values = [
        permutation_test(mean_of(rng.standard_normal(25)), 10, 15, permutations=99, seed=seed)
        for seed in range(1000)
    ]
    for level in (0.05, 0.5):
        error = math.sqrt(level * (1 - level) / 1000)
        assert np.mean(np.array(p_values) <= level) == pytest.approx(level, abs=3 * error)
    assert min(p_values) >= 0.01  # never 0


@pytest.mark.parametrize("shift", [2.0, -2.0])
def test_a_shift_is_detected_whichever_its_sign(shift):
    pooled = np.random.default_rng(0).standard_normal(40)
    pooled[:20] += shift
    p_value = permutation_test(mean_of(pooled), 20, 20, permutations=500, seed=0)
    assert p_value == pytest.approx(1 / 501)


def test_p_values_of_every_split_of_four():
    """0, 1 | 2, 3: of the six splits two are as extreme, the same and its mirror."""
    p_value = permutation_test(mean_of(np.arange(4.0)), 2, 2, permutations=5000, seed=0)
    assert p_value == pytest.approx(1 / 3, abs=0.02)  # three standard errors of 5000


def test_one_p_value_for_each_entry_of_a_statistic():
    pooled = np.zeros((40, 3))
    pooled[:20, 0] = 1
    pooled[:, 2] = np.nan
    p_values = permutation_test(mean_of(pooled), 20, 20, permutations=99, seed=0)
    np.testing.assert_allclose(p_values, [0.01, 1, np.nan])


def test_two_silent_sets_have_no_difference_rather_than_a_warning():
    def level(weights):
        return np.full(len(weights), -math.inf)

    assert math.isnan(difference(level, 2, 2, resamples=9, seed=0).value)
    assert math.isnan(permutation_test(level, 2, 2, permutations=9, seed=0))


def test_false_discoveries_against_the_textbook():
    """Sorted p times m / rank, from the largest down never rising: by hand."""
    p_values = np.array([0.04, 0.005, 0.03, 0.9])
    # Ranks 3, 1, 2, 4: 0.0533, 0.02, 0.06, 0.9; the second of them may not exceed the third.
    np.testing.assert_allclose(benjamini_hochberg(p_values), [0.16 / 3, 0.02, 0.16 / 3, 0.9])


def test_tests_that_were_not_made_do_not_count():
    p_values = np.array([np.nan, 0.01, np.nan, 0.02])
    np.testing.assert_allclose(benjamini_hochberg(p_values), [np.nan, 0.02, np.nan, 0.02])
    assert np.isnan(benjamini_hochberg(np.full(2, np.nan))).all()
    assert not len(benjamini_hochberg(np.array([])))


def test_arguments_that_cannot_be_used_are_refused():
    values = mean_of(np.zeros(4))
    for call in (
        lambda: bootstrap_weights(1, seed=0),
        lambda: bootstrap_weights(5, 0, seed=0),
        lambda: difference(values, 1, 3, seed=0),
        lambda: permutation_test(values, 1, 3, seed=0),
        lambda: permutation_test(values, 2, 2, permutations=0, seed=0),
        lambda: weighted_means(np.full((1, 3), 1 / 3), np.zeros(4)),
        lambda: weighted_means(np.full(4, 1 / 4), np.zeros(4)),
        lambda: weighted_means(np.ones((1, 4)), np.zeros(4)),
    ):
        with pytest.raises(ParameterError, match="Received"):
            call()
