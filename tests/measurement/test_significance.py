"""P-values against what chance makes of data that are drawn alike."""

import math

import numpy as np
import pytest
from scipy import integrate, special

from wavegan_rc.measurement.significance import (
    max_t_p_values,
    permuted_differences,
    rayleigh_p_values,
    sign_p_values,
)


def mean_of(values):
    return lambda weights: weights.astype(float) @ values


def permutation_test(statistic, count_a, count_b, *, permutations, seed):
    changes = permuted_differences(
        statistic, count_a, count_b, permutations=permutations, seed=seed
    ).reshape(permutations + 1, -1)
    return max_t_p_values(changes[0], changes[1:])


def test_a_seed_determines_everything_and_another_changes_it():
    values = mean_of(np.random.default_rng(0).standard_normal(40))
    first, again, other = (
        permuted_differences(values, 20, 20, permutations=50, seed=seed) for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_p_values_are_uniform_if_both_sets_are_drawn_alike():
    """1000 repetitions: 0.05 has a standard error of 0.007; 2 % are allowed, as the design says."""
    rng = np.random.default_rng(0)
    p_values = [
        permutation_test(mean_of(rng.standard_normal(25)), 10, 15, permutations=99, seed=seed)[0]
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

    assert permutation_test(level, 2, 2, permutations=9, seed=0).tolist() == [1.0]


def test_one_false_p_value_among_many_is_as_rare_as_one_alone():
    """Ten numbers that hang together: 1000 repetitions, three standard errors are 0.021."""
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((10, 10)) + 2
    smallest = []
    for _ in range(1000):
        draws = rng.standard_normal((200, 10)) @ mixing * np.arange(1, 11)
        smallest.append(max_t_p_values(draws[0], draws[1:]).min())
    assert np.mean(np.array(smallest) <= 0.05) == pytest.approx(0.05, abs=0.021)


def test_what_never_varies_is_certain_and_zero_is_nothing():
    p_values = max_t_p_values(np.array([1.0, 0.0]), np.zeros((99, 2)))
    np.testing.assert_allclose(p_values, [0.01, 1])


def exact_rayleigh(count, locking):
    """Probability that `count` unit vectors of random directions add up to at least as much."""
    kernel = lambda t: special.j1(count * locking * t) * special.j0(t) ** count  # noqa: E731
    return 1 - count * locking * integrate.quad(kernel, 0, 200, limit=4000, epsabs=1e-13)[0]


@pytest.mark.parametrize(
    ("count", "locking", "within"),
    [(5, 0.75, 0.05), (10, 0.54, 0.01), (20, 0.385, 0.01), (100, 0.173, 0.01)],
)
def test_p_values_of_locking_against_kluyvers_integral(count, locking, within):
    exact = exact_rayleigh(count, locking)
    assert exact == pytest.approx(0.05, abs=0.005)
    found = rayleigh_p_values(np.array([locking]), count).item()
    assert found == pytest.approx(exact, rel=within)


@pytest.mark.parametrize(("count", "locking"), [(5, 0.9), (10, 0.9), (10, 0.7), (20, 0.6)])
def test_small_p_values_of_locking_are_not_too_small(count, locking):
    exact = exact_rayleigh(count, locking)
    assert exact <= rayleigh_p_values(np.array([locking]), count).item() <= 2.1 * exact


@pytest.mark.parametrize("count", [1, 2, 10, 1000, 1_000_000])
def test_no_p_value_is_0_or_negative_and_more_locking_has_a_smaller_one(count):
    for p_values in (rayleigh_p_values, sign_p_values):
        found = p_values(np.linspace(0, 1, 101), count)
        assert (found > 0).all()
        assert (found <= 1).all()
        assert (np.diff(found) <= 0).all()
    assert sign_p_values(np.array([1.0]), 10).item() == pytest.approx(2 / 2**10)


def test_infinities_and_unknown_draws_leave_a_p_value():
    """One resample of minus infinity removed the test, and any difference was certain."""
    null = np.random.default_rng(0).standard_normal((999, 2))
    null[7, 0], null[9, 0] = -np.inf, np.nan
    p_values = max_t_p_values(np.array([1.0, 0.5]), null)
    assert (p_values > 0.2).all()
    assert max_t_p_values(np.array([-np.inf, 0.0]), null)[0] == pytest.approx(3 / 1000)
    assert np.isnan(max_t_p_values(np.array([np.nan]), null[:, 1:])).all()
