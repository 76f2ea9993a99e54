"""Distances between sets: closed forms, slow loops, planted faults and real speech."""

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from wavegan_rc.audio.preparation import prepare_corpus
from wavegan_rc.audio.segments import Segments
from wavegan_rc.measurement.bootstrap import Groups, bootstrap_weights, estimate
from wavegan_rc.measurement.distances import (
    Bins,
    frechet_distance,
    kernel_distance,
    nearest_distance,
)
from wavegan_rc.measurement.features import log_mel_features, standardize
from wavegan_rc.measurement.significance import max_t_p_values, permuted_differences


def uniform(count):
    return Groups(np.full((1, count), 1 / count))


def normal(count, features, seed):
    return np.random.default_rng(seed).standard_normal((count, features))


def whitened(count, features, seed):
    """Points whose mean is exactly 0 and whose covariance (N - 1) is exactly the identity."""
    points = normal(count, features, seed)
    points -= points.mean(axis=0)
    return points @ np.linalg.inv(np.linalg.cholesky(np.cov(points.T))).T


def bins_distance(test, reference, groups):
    bins = Bins(reference)
    return bins.jensen_shannon_divergence(*bins.proportions_of(test, groups))


def differing_share(test, reference, groups):
    bins = Bins(reference)
    return bins.differing_share(*bins.proportions_of(test, groups))


DISTANCES = [frechet_distance, kernel_distance, bins_distance, nearest_distance]


def test_frechet_distance_of_known_gaussians():
    """Sets whose fitted means and covariances are exactly those of the closed form.

    Covariances A and B that share no axes: the trace of the square root of A B, whose eigenvalues
    are those of A^1/2 B A^1/2, by an independent route (a general eigenvalue solver).
    """
    rng = np.random.default_rng(0)
    a, b = (m @ m.T + np.eye(4) for m in rng.standard_normal((2, 4, 4)))
    shift = np.array([3.0, 0.0, -2.0, 1.0])
    test = whitened(20000, 4, 1) @ np.linalg.cholesky(a).T + shift
    reference = whitened(20000, 4, 2) @ np.linalg.cholesky(b).T
    plain = shift @ shift + np.trace(a + b) - 2 * np.sqrt(np.linalg.eigvals(a @ b).real).sum()
    # The correction: for one feature tr(C) / n + s / 2 / n on either side, and at most (D + 1) / 2
    # times the second term in all: far below 1e-3 of these distances at n = 20000.
    assert frechet_distance(test, reference, uniform(20000)).item() == pytest.approx(
        plain, rel=1e-3
    )


def test_the_correction_is_what_noise_adds_to_two_standard_normal_sets():
    """Equal arrays: plain distance 0, and D (D + 5) / 4 (1 / n + 1 / n) is taken off.

    For C = I, tr(C) = D and b = D (D + 1) / 4.
    """
    points = whitened(500, 6, 0)
    expected = -(6 + 6 * 7 / 4) * (2 / 500)
    assert frechet_distance(points, points, uniform(500)).item() == pytest.approx(expected)


@pytest.mark.parametrize("counts", [(300, 300), (150, 600)])
@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance, bins_distance])
def test_distances_are_free_of_bias(distance, counts):
    """40 pairs drawn alike: their mean is 0 within three standard errors, or 4 % of the bias.

    Without the correction the mean would be above 0 by 10 standard errors and more; the rest is
    what the first order leaves.
    """
    test_count, reference_count = counts
    values = [
        distance(
            normal(test_count, 6, 2 * seed),
            normal(reference_count, 6, 2 * seed + 1),
            uniform(test_count),
        ).item()
        for seed in range(40)
    ]
    # Of D = 6 standard normal features D (D + 5) / 4, of K bins (K - 1) / 8 nats, of a kernel none.
    uncorrected = {
        frechet_distance: 6 * 11 / 4,
        kernel_distance: 0,
        bins_distance: (reference_count // 50 - 1) / 8 / math.log(2),
    }[distance] * (1 / test_count + 1 / reference_count)
    error = np.std(values, ddof=1) / math.sqrt(40)
    assert abs(np.mean(values)) < 3 * error + 0.04 * uncorrected
    assert uncorrected == 0 or uncorrected > 10 * error


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance, bins_distance])
def test_the_interval_holds_the_value(distance):
    """Resamples are noisier than the set; bias would put all of them above it."""
    test, reference = normal(300, 20, 0), normal(300, 20, 1)
    value, low, high = estimate(
        distance(test, reference, Groups(bootstrap_weights(300, 200, seed=0)))
    )
    assert low < value < high


def test_kernel_distance_against_a_loop_over_the_segments_of_each_resample():
    """Pairs of different segments, each as often as it was drawn."""
    test, reference = normal(12, 3, 0), normal(10, 3, 1) + 0.5
    weights = bootstrap_weights(12, 5, seed=0)

    def kernel(a, b):
        return (a @ b / 3 + 1) ** 3

    for row, value in zip(weights, kernel_distance(test, reference, Groups(weights)), strict=True):
        drawn = np.repeat(np.arange(12), np.rint(row * 12).astype(int))
        within = [kernel(test[i], test[j]) for i in drawn for j in drawn if i != j]
        among = [
            kernel(a, b) for i, a in enumerate(reference) for j, b in enumerate(reference) if i != j
        ]
        across = [kernel(test[i], b) for i in drawn for b in reference]
        expected = np.mean(within) + np.mean(among) - 2 * np.mean(across)
        assert value == pytest.approx(expected, rel=1e-5)  # float32 weights


@pytest.mark.parametrize(
    ("distance", "shift"),  # the share of 8 bins is 1 soon, the nearest segments are near for long
    [*((distance, 1) for distance in DISTANCES), (differing_share, 0.4)],
)
def test_distances_grow_with_the_shift(distance, shift):
    reference, test = normal(400, 3, 0), normal(400, 3, 1)
    values = [distance(test + k, reference, uniform(400)).item() for k in (0, shift, 3)]
    assert values[0] < values[1] < values[2]


@pytest.mark.parametrize("distance", [*DISTANCES, differing_share])
def test_the_order_of_segments_does_not_matter(distance):
    test, reference = normal(200, 3, 0), normal(200, 3, 1)
    weights = bootstrap_weights(200, 5, seed=0)
    order = np.random.default_rng(2).permutation(200)
    np.testing.assert_allclose(
        distance(test[order], reference, Groups(weights[:, order])),
        distance(test, reference, Groups(weights)),
        atol=1e-9,
    )


@pytest.mark.parametrize("distance", [*DISTANCES, differing_share])
def test_weights_choose_segments(distance):
    """Weight on half of the segments gives what that half alone gives, as permutations need."""
    pooled, reference = normal(300, 3, 0), normal(200, 3, 1)
    weights = np.zeros((1, 300))
    weights[0, :120] = 1 / 120
    expected = distance(pooled[:120], reference, uniform(120))
    np.testing.assert_allclose(distance(pooled, reference, Groups(weights)), expected, rtol=1e-9)


def test_frechet_resamples_are_the_distances_of_the_drawn_segments():
    """A reference of no spread leaves the mean, and the variance less its part in the mean."""
    test = np.repeat([[0.0], [1.0]], 10, axis=0)
    weights = bootstrap_weights(20, 10, seed=0)
    reference = np.zeros((20, 1))
    mean = weights.astype(float) @ test[:, 0]
    pairs = 1 - (weights.astype(float) ** 2).sum(axis=1)
    variance = mean * (1 - mean) / pairs
    expected = mean**2 + variance - variance * (1 - pairs)
    np.testing.assert_allclose(
        frechet_distance(test, reference, Groups(weights)), expected, rtol=1e-6
    )


@pytest.mark.parametrize("seed", range(4))
def test_differing_bins_against_the_chi_squared_test(seed):
    """Of a two by two table, without Yates's correction, it is the two-proportion z-test.

    120 of 300 segments have the weight, against a reference of 1000, and both are counted by hand.
    """
    test, reference = normal(300, 2, seed) + 0.3, normal(1000, 2, seed + 10)
    bins = Bins(reference)
    weights = np.zeros((1, 300))
    weights[0, :120] = 1 / 120
    ours = np.rint(bins.proportions_of(test, Groups(weights))[0][0] * 120)
    theirs = np.rint(bins.proportions * 1000)
    p_values = [
        stats.chi2_contingency([[a, 120 - a], [b, 1000 - b]], correction=False).pvalue
        for a, b in zip(ours, theirs, strict=True)
    ]
    differing = np.mean(np.array(p_values) < 0.05)
    assert 0 < differing < 1
    assert bins.differing_share(*bins.proportions_of(test, Groups(weights))).item() == differing


def test_the_share_of_differing_bins_is_5_percent_of_sets_drawn_alike():
    """40 pairs of 20 bins: the design's tolerance, 2 %, is 2.6 standard errors.

    Bins fitted to the reference hold a little more of it than of another set; were that much, the
    share would be above.
    """
    shares = [
        differing_share(normal(1000, 6, 2 * seed), normal(1000, 6, 2 * seed + 1), uniform(1000))
        for seed in range(40)
    ]
    assert np.mean(shares) == pytest.approx(0.05, abs=0.02)


def test_the_divergence_of_sets_that_share_no_bin_is_one_bit():
    """Two clusters, the test in one of which the reference holds next to nothing."""
    reference = np.concatenate([normal(5000, 1, 0), 1000 + normal(1, 1, 1)])
    bins = Bins(reference)
    test = np.full((5000, 1), 1000.0)
    found = bins.proportions_of(test, uniform(5000))
    assert bins.jensen_shannon_divergence(*found).item() == pytest.approx(1, abs=0.01)


def test_copies_of_training_segments_have_no_distance():
    """Exactly none, also off the origin, where differences of squares lose digits."""
    training = normal(500, 8, 0) + 50
    assert nearest_distance(training[::5], training, uniform(100)).item() == 0


def test_nearest_distance_against_a_loop_and_the_median_of_weights():
    test, training = normal(21, 3, 0), normal(50, 3, 1)
    distances = np.array([min(math.dist(t, r) for r in training) for t in test])
    weights = bootstrap_weights(21, 20, seed=0)
    expected = [  # an odd number of segments: one of them is in the middle
        np.median(np.repeat(distances, np.rint(row * 21).astype(int))) for row in weights
    ]
    np.testing.assert_allclose(
        nearest_distance(test, training, Groups(weights)), expected, rtol=1e-12
    )


def test_a_permutation_test_finds_which_of_two_sets_is_farther():
    reference = normal(300, 3, 0)
    pooled = np.concatenate([normal(60, 3, 1), normal(60, 3, 2) + 1])
    for distance in (frechet_distance, kernel_distance):
        changes = permuted_differences(
            lambda weights, distance=distance: distance(pooled, reference, Groups(weights)),
            60,
            60,
            permutations=99,
            seed=0,
        )
        assert max_t_p_values(changes[:1], changes[1:, None]) == pytest.approx(0.01)


@pytest.fixture(scope="module")
def speech():
    """Standardized features of training segments, of others, and of what is not speech."""
    corpus = prepare_corpus(None, sample_rate=16000, cutoff_hz=1500.0, stopband_hz=1700.0)

    def draw(split, step):
        drawn = Segments(corpus, split, segment_length=2048, silence_db=-40.0, seed=0)
        return drawn.draw(step, 500)

    training = draw("training", 0)
    sets = {
        "training": training,
        "training again": draw("training", 1),
        "held out": draw("held_out", 0),
        "white noise": 0.05 * normal(500, 2048, 0),
        "silence": np.zeros((500, 2048)),
        "one sound": np.repeat(training[:1], 500, axis=0),
    }
    features = {name: log_mel_features(segments, 16000) for name, segments in sets.items()}
    return {name: standardize(f, features["training"]) for name, f in features.items()}


def test_real_speech_is_near(speech):
    """Held-out speech (one recording) may differ a little from the eleven others: 0.2.

    A shift by half a deviation of ten bands in use would be 2.5.
    """
    training = speech["training"]
    for name in ("training again", "held out"):
        test = speech[name]
        assert abs(frechet_distance(test, training, uniform(500)).item()) < 0.2
        assert abs(kernel_distance(test, training, uniform(500)).item()) < 0.05
        assert abs(bins_distance(test, training, uniform(500)).item()) < 0.05


@pytest.mark.parametrize("name", ["white noise", "silence", "one sound"])
def test_what_is_not_speech_is_far(speech, name):
    """A hundred times as far as the bounds above, or nearly the largest divergence, one bit."""
    training, test = speech["training"], speech[name]
    assert frechet_distance(test, training, uniform(500)).item() > 20
    assert kernel_distance(test, training, uniform(500)).item() > 1
    assert bins_distance(test, training, uniform(500)).item() > 0.5
    assert differing_share(test, training, uniform(500)).item() > 0.5


def test_a_generator_that_copies_is_told_from_one_that_does_not(speech):
    training = speech["training"]
    held_out = nearest_distance(speech["held out"], training, uniform(500)).item()
    assert nearest_distance(training[::2], training, uniform(250)).item() == 0
    assert held_out > 0.5
    assert nearest_distance(speech["white noise"], training, uniform(500)).item() > 3 * held_out


def test_measuring_loads_no_deep_learning_library():
    code = (
        "import sys, wavegan_rc.measurement.distances\n"
        "loaded = {'tensorflow', 'keras', 'jax', 'torch'} & set(sys.modules)\n"
        "sys.exit(str(loaded) if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
