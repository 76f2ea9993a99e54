"""Distances of a set of segments to real ones, and a test for copies of training segments.

Without them silence, or one repeated sound, would count as free of artifacts. All functions take
features scaled by `standardize`. Noise makes plain distances between finite sets positive, twice as
much in a bootstrap resample (see `concentration`). The distances here subtract that bias, or its
largest term: two sets drawn alike have about 0, and negative values as often as positive. What is
averaged over pairs of segments is averaged over pairs of different units, as recordings are: the
segments of one are alike. `units` has the number of each segment's unit, shape (N,); weights are
equal within a unit.
"""

import numpy as np
from scipy import stats

from wavegan_rc.errors import ParameterError
from wavegan_rc.measurement.bootstrap import (
    Groups,
    check_weights,
    concentration_of_means,
    concentration_of_products,
    weight_of_pairs,
    weighted_means,
)

# Kernel matrices of 2000 x 2000 take 32 MB each.
_KERNEL_LIMIT = 2000
# A resample of fewer may be one segment alone, which has no pairs.
_FEWEST = 10
# Bins of k-means are uneven, and a z-test needs 5 segments in each.
_SEGMENTS_PER_BIN = 50
_MOST_BINS = 100
_SIGNIFICANCE = 0.05


def frechet_distance(
    test: np.ndarray, reference: np.ndarray, weights: np.ndarray, units: np.ndarray | None = None
) -> np.ndarray:
    """Return the squared Frechet distance between Gaussians fitted to two sets, less its bias.

    With means m, covariances C and n segments, tr for trace:

        |m_t - m_r|^2 + tr(C_t + C_r - 2 (C_r^1/2 C_t C_r^1/2)^1/2) - bias,
        bias = tr(C_t) / n_t + tr(C_r) / n_r + b / m_t + b / n_r,
        b = 1/2 sum over i, j of (1 + [i = j]) s_i s_j / (s_i + s_j),

    where n_t is the effective number of segments (see `concentration_of_means`), m_t that for
    products of features, and s are the square roots of the eigenvalues of C_r^1/2 C_t C_r^1/2. b is
    the second order of the trace's Taylor series for sample covariances of Gaussian data. With 2.5
    segments a feature about 20 % of the bias remain.

    Args:
        test: Array of shape (N, D), N above D and at least 10.
        reference: Array of shape (M, D), M above D and at least 10.
        weights: Array of shape (R, N) over `test`, rows adding up to 1.
        units: Units of `test`. None: each segment is one.

    Returns:
        float64 array of shape (R,); negative for equal arrays.

    Raises:
        ParameterError: If a set has too few segments, or shapes do not fit.

    Source:
        D. C. Dowson, B. V. Landau, "The Frechet distance between multivariate normal
        distributions" (1982), equation 4; on features of audio: K. Kilgour et al., "Frechet Audio
        Distance" (2019); that it is biased: M. Chong, D. Forsyth, "Effectively unbiased FID and
        Inception Score" (2020). The closed form of the bias is derived here.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> test, reference = rng.normal(3, 1, (500, 1)), rng.normal(0, 1, (500, 1))
        >>> round(frechet_distance(test, reference, np.full((1, 500), 1 / 500)).item())
        9
    """
    _check_sets(test, reference, fewest=max(_FEWEST, test.shape[1] + 1))
    mean_r, covariance_r = reference.mean(axis=0), np.atleast_2d(np.cov(reference.T))
    groups = Groups(len(test), units)
    mean_t, covariance_t = _gaussians(test, weights, groups)
    eigenvalues, vectors = np.linalg.eigh(covariance_r)
    root = vectors * np.sqrt(np.maximum(eigenvalues, 0)) @ vectors.T
    s = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ covariance_t @ root), 0))
    trace_t, trace_r = np.trace(covariance_t, axis1=1, axis2=2), np.trace(covariance_r)
    plain = ((mean_t - mean_r) ** 2).sum(axis=1) + trace_t + trace_r - 2 * s.sum(axis=1)
    products, sums = s[:, :, None] * s[:, None], s[:, :, None] + s[:, None]
    # The diagonal counts twice: s_i / 2 once more.
    pairs = np.divide(products, sums, out=np.zeros_like(sums), where=sums > 0)
    b = (pairs.sum(axis=(1, 2)) + s.sum(axis=1) / 2) / 2
    per_t, per_r = concentration_of_means(test, weights, units), 1 / len(reference)
    bias_t = trace_t * per_t + b * concentration_of_products(per_t, weights, groups)
    return plain - bias_t - (trace_r + b) * per_r


def _gaussians(
    test: np.ndarray, weights: np.ndarray, groups: Groups
) -> tuple[np.ndarray, np.ndarray]:
    """Return means (R, D) and covariances (R, D, D) over pairs of segments of different units."""
    centre = test.mean(axis=0)
    centred = (test - centre).astype(np.float64)
    means = weighted_means(weights, centred)
    own, whole = groups.weights(weights), groups.sums(centred)
    products = np.empty((len(weights), test.shape[1], test.shape[1]))
    for i in range(test.shape[1]):  # all rows at once would take N x D x D
        columns = centred[:, i, None] * centred[:, i:]
        row = weighted_means(weights, columns)
        if groups.count < len(test):
            sizes = groups.sizes[:, None]
            row -= own**2 @ (sizes * groups.sums(columns) - whole[:, i, None] * whole[:, i:])
        products[:, i, i:] = products[:, i:, i] = row
    covariances = products - means[:, :, None] * means[:, None]
    pairs = weight_of_pairs(own * groups.sizes)
    return means + centre, covariances / pairs[:, None, None]


def kernel_distance(
    test: np.ndarray, reference: np.ndarray, weights: np.ndarray, units: np.ndarray | None = None
) -> np.ndarray:
    """Return the unbiased squared maximum mean discrepancy with the kernel (x . y / D + 1)^3.

    Only pairs of different units count: the weighted mean of the kernel over them is divided by
    their weight, 1 - sum of w^2 over units. Of more than 2000 segments, 2000 are taken at even
    spacing.

    Args:
        test: Array of shape (N, D), N at least 10.
        reference: Array of shape (M, D), M at least 10.
        weights: Array of shape (R, N) over `test`, rows adding up to 1.
        units: Units of `test`. None: each segment is one.

    Returns:
        float64 array of shape (R,).

    Raises:
        ParameterError: If a set has too few segments, or shapes do not fit.

    Source:
        M. Binkowski et al., "Demystifying MMD GANs" (2018), section 4 (KID); A. Gretton et al., "A
        kernel two-sample test" (2012), lemma 6 (the unbiased estimate).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> test, reference = rng.normal(3, 1, (500, 1)), rng.normal(0, 1, (500, 1))
        >>> kernel_distance(test, reference, np.full((1, 500), 1 / 500)).item() > 100
        True
    """
    _check_sets(test, reference, fewest=_FEWEST)
    check_weights(weights, len(test))
    kept = _evenly_spaced(len(test))
    x, y = test[kept].astype(np.float64), reference[_evenly_spaced(len(reference))]
    w = weights[:, kept].astype(np.float64)
    w /= w.sum(axis=1, keepdims=True)
    of_x, of_y = _kernel(x, x), _kernel(y, y)
    groups = Groups(len(kept), None if units is None else units[kept])
    of_x[groups.alike] = 0
    np.fill_diagonal(of_y, 0)
    pairs = weight_of_pairs(groups.weights(w) * groups.sizes)
    within_x = np.einsum("rn,rn->r", w @ of_x, w) / pairs
    within_y = of_y.sum() / (len(y) * (len(y) - 1))
    return within_x + within_y - 2 * (w @ _kernel(x, y).mean(axis=1))


def _evenly_spaced(count: int) -> np.ndarray:
    return np.linspace(0, count - 1, min(count, _KERNEL_LIMIT)).astype(int)


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x @ y.T / x.shape[1] + 1) ** 3


class Bins:
    """Clusters of the reference (k-means, one for 50 segments, 2 to 100), as bins of a histogram.

    Args:
        reference: Array of shape (M, D), M at least 100.

    Attributes:
        proportions: Share of the reference in each bin, shape (bins,).

    Raises:
        ParameterError: If the reference has too few segments.

    Source:
        E. Richardson, Y. Weiss, "On GANs and GMMs" (2018), section 3.

    Example:
        >>> bins = Bins(np.random.default_rng(0).standard_normal((500, 1)))
        >>> one_sound = np.zeros((500, 1))
        >>> bins.differing_share(one_sound, np.full((1, 500), 1 / 500)).item()
        1.0
    """

    def __init__(self, reference: np.ndarray) -> None:
        _check_sets(reference, reference, fewest=2 * _SEGMENTS_PER_BIN)
        from sklearn.cluster import KMeans

        count = min(len(reference) // _SEGMENTS_PER_BIN, _MOST_BINS)
        means = KMeans(count, n_init=1, random_state=0).fit(np.asarray(reference, np.float64))
        self._centres = means.cluster_centers_
        self._count = len(reference)
        self.proportions = np.bincount(means.labels_, minlength=count) / len(reference)

    def proportions_of(
        self, test: np.ndarray, weights: np.ndarray, units: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the share of `test` in each bin, shape (R, bins), and the concentration, (R,)."""
        _check_sets(test, self._centres, fewest=1)
        inside = np.eye(len(self._centres))[_nearest(test, self._centres)]
        return weighted_means(weights, inside), concentration_of_means(inside, weights, units)

    def differing_share(
        self, test: np.ndarray, weights: np.ndarray, units: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the share of bins whose proportion differs at the 5 % level (NDB / K), shape (R,).

        The two-proportion z-test uses the effective number of segments. Sets drawn alike have 0.05.
        The share grows with the number of segments, so compare equal numbers. A bootstrap row has
        half the effective number and finds fewer differences: its interval is too low.
        """
        (p, per_t), q = self.proportions_of(test, weights, units), self.proportions
        per_t, per_r = per_t[:, None], 1 / self._count
        pooled = (p * per_r + q * per_t) / (per_t + per_r)
        error = np.sqrt(pooled * (1 - pooled) * (per_t + per_r))
        critical = stats.norm.ppf(1 - _SIGNIFICANCE / 2)
        return (np.abs(p - q) > critical * error).mean(axis=1)

    def jensen_shannon_divergence(
        self, test: np.ndarray, weights: np.ndarray, units: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the divergence of the proportions in bits, less its bias, shape (R,).

        Equal proportions have 0, sets that share no bin 1. The bias of first order in nats, with
        proportions p and q and n segments, is

            1/4 sum over bins of (1 - p) q / (p + q) / n_t + (1 - q) p / (p + q) / n_r.

        Source:
            J. Lin, "Divergence measures based on the Shannon entropy" (1991), section 4; G. Miller,
            "Note on the bias of information estimates" (1955), from which the bias follows.
        """
        (p, per_t), q = self.proportions_of(test, weights, units), self.proportions
        middle = (p + q) / 2
        plain = stats.entropy(middle, axis=1) - (stats.entropy(p, axis=1) + stats.entropy(q)) / 2
        bias_t = np.where(p > 0, (1 - p) * q / (p + q), 0).sum(axis=1) / 4
        bias_r = ((1 - q) * p / (p + q)).sum(axis=1) / 4
        bias = bias_t * per_t + bias_r / self._count
        return (plain - bias) / np.log(2)


def nearest_distance(test: np.ndarray, training: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the median Euclidean distance to the nearest training segment, shape (R,).

    A generator that copies training segments lies far below held-out real segments, measured with
    the same number of training segments.

    Args:
        test: Array of shape (N, D), N at least 1.
        training: Array of shape (M, D), M at least 1.
        weights: Array of shape (R, N) over `test`, rows adding up to 1.

    Raises:
        ParameterError: If a set has too few segments, or shapes do not fit.

    Source:
        C. Meehan, K. Chaudhuri, S. Dasgupta, "A non-parametric test to detect data-copying in
        generative models" (2020) (distance to the training set against held-out data).

    Example:
        >>> training = np.array([[0.0, 0.0], [10.0, 0.0]])
        >>> nearest_distance(np.array([[0.0, 1.0]]), training, np.ones((1, 1))).tolist()
        [1.0]
    """
    _check_sets(test, training, fewest=1)
    check_weights(weights, len(test))
    # The search uses |x|^2 - 2 x . y + |y|^2; computed again exactly, a copy has 0.
    nearest = _nearest(test, training)
    distance = np.linalg.norm(test - training[nearest], axis=1)
    order = np.argsort(distance)
    middle = [(np.cumsum(row[order], dtype=np.float64) < 0.5 * (1 - 1e-6)).sum() for row in weights]
    return distance[order][middle].astype(np.float64)


def _nearest(test: np.ndarray, reference: np.ndarray) -> np.ndarray:
    from sklearn.metrics import pairwise_distances_argmin

    return pairwise_distances_argmin(test, reference)


def _check_sets(test: np.ndarray, reference: np.ndarray, fewest: int) -> None:
    if test.ndim != 2 or test.shape[1:] != reference.shape[1:]:
        raise ParameterError(
            "test and reference must have shapes (N, D) and (M, D). "
            f"Received: {test.shape}, {reference.shape}"
        )
    if min(len(test), len(reference)) < fewest:
        raise ParameterError(
            f"test and reference must have at least {fewest} segments. "
            f"Received: {len(test)}, {len(reference)}"
        )
