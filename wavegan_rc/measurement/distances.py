"""Distances of a set of segments to real ones, and a test for copies of training segments.

Without them silence, or one repeated sound, would count as free of artifacts. All functions take
features scaled by `standardize`. Noise makes plain distances between finite sets positive, twice as
much in a bootstrap resample (see `concentration`). The distances here subtract that bias, or its
largest term: two sets drawn alike have about 0, and negative values as often as positive. What is
averaged over pairs of segments is averaged over pairs of different units, as recordings are: the
segments of one are alike. Sets have shapes (N, D) and (M, D), and results shape (R,) for `groups`
of R rows.
"""

import numpy as np
from scipy import special
from scipy.spatial import KDTree

from wavegan_rc.measurement.bootstrap import Groups, concentration, weight_of_pairs
from wavegan_rc.measurement.significance import SIGNIFICANCE

# Bins of k-means are uneven, and a z-test needs 5 segments in each.
_SEGMENTS_PER_BIN = 50
_MOST_BINS = 100


def frechet_distance(test: np.ndarray, reference: np.ndarray, groups: Groups) -> np.ndarray:
    """Return the squared Frechet distance between Gaussians fitted to two sets, less its bias.

    With means m, covariances C and n segments, tr for trace:

        |m_t - m_r|^2 + tr(C_t + C_r - 2 (C_r^1/2 C_t C_r^1/2)^1/2) - bias,
        bias = tr(C_t) / n_t + tr(C_r) / n_r + b / m_t + b / n_r,
        b = 1/2 sum over i, j of (1 + [i = j]) s_i s_j / (s_i + s_j),

    where n_t is the effective number of segments (see `concentration_of_means`), m_t that for
    products of features, and s are the square roots of the eigenvalues of C_r^1/2 C_t C_r^1/2. b is
    the second order of the trace's Taylor series for sample covariances of Gaussian data. With 2.5
    segments a feature about 20 % of the bias remain.

    Source:
        D. C. Dowson, B. V. Landau, "The Frechet distance between multivariate normal
        distributions" (1982), equation 4; on features of audio: K. Kilgour et al., "Frechet Audio
        Distance" (2019); that it is biased: M. Chong, D. Forsyth, "Effectively unbiased FID and
        Inception Score" (2020). The closed form of the bias is derived here.
    """
    mean_r, covariance_r = reference.mean(axis=0), np.atleast_2d(np.cov(reference.T))
    mean_t, covariance_t = _gaussians(test, groups)
    eigenvalues, vectors = np.linalg.eigh(covariance_r)
    root = vectors * np.sqrt(np.maximum(eigenvalues, 0)) @ vectors.T
    s = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ covariance_t @ root), 0))
    trace_t, trace_r = np.trace(covariance_t, axis1=1, axis2=2), np.trace(covariance_r)
    plain = ((mean_t - mean_r) ** 2).sum(axis=1) + trace_t + trace_r - 2 * s.sum(axis=1)
    products, sums = s[:, :, None] * s[:, None], s[:, :, None] + s[:, None]
    # The diagonal counts twice: s_i / 2 once more.
    pairs = np.divide(products, sums, out=np.zeros_like(sums), where=sums > 0)
    b = (pairs.sum(axis=(1, 2)) + s.sum(axis=1) / 2) / 2
    per_t, per_r = concentration_of_means(test, groups), 1 / len(reference)
    bias_t = trace_t * per_t + b * _concentration_of_products(per_t, groups)
    return plain - bias_t - (trace_r + b) * per_r


def _gaussians(test: np.ndarray, groups: Groups) -> tuple[np.ndarray, np.ndarray]:
    """Return means (R, D) and covariances (R, D, D) over pairs of segments of different units."""
    centre, features = test.mean(axis=0), test.shape[1]
    centred = (test - centre).astype(np.float64)
    i, j = np.triu_indices(features)
    whole, products = groups.sums(centred), groups.sums(centred[:, i] * centred[:, j])
    means, second = groups.weights @ whole, groups.weights @ products
    if groups.count < len(test):
        sizes = groups.sizes[:, None]
        second -= groups.weights**2 @ (sizes * products - whole[:, i] * whole[:, j])
    upper = (second - means[:, i] * means[:, j]) / groups.weight_of_pairs[:, None]
    covariances = np.empty((len(means), features, features))
    covariances[:, i, j] = covariances[:, j, i] = upper
    return means + centre, covariances


def concentration_of_means(values: np.ndarray, groups: Groups) -> np.ndarray:
    """Return the variance of a mean over that of a segment: 1 / the effective number of segments.

    Segments of one unit, a recording for example, are alike, so that there are fewer of them in
    effect. If each segment is a unit, this is `concentration`. Variances of values of shape (N, D)
    are summed over D. It is NaN where one unit has all the weight.

    Source:
        K.-Y. Liang, S. L. Zeger, "Longitudinal data analysis using generalized linear models"
        (1986), equation 7 (the variance of a mean of clusters); L. Kish, "Survey Sampling" (1965),
        section 8.2 (its ratio to that of independent segments).
    """
    if groups.count == len(values):
        return concentration(groups.of_segments)
    values = values - values.mean(axis=0)
    own, whole = groups.weights, groups.sums(values)
    mean = own @ whole
    of_the_mean = (mean**2).sum(axis=1)
    spread = groups.means((values.astype(np.float64) ** 2).sum(axis=1)) - of_the_mean
    of_mean = own**2 @ (whole**2).sum(axis=1)
    of_mean -= 2 * np.einsum("rd,rd->r", (own**2 * groups.sizes) @ whole, mean)
    of_mean += concentration(own * groups.sizes) * of_the_mean
    # Deviations from a mean of the same units are too small; so is the spread around it.
    of_mean /= groups.weight_of_pairs
    variance = spread + of_mean
    return np.divide(of_mean, variance, out=np.zeros_like(of_mean), where=variance > 0)


def _concentration_of_products(of_means: np.ndarray, groups: Groups) -> np.ndarray:
    """Return the same for products of two features: the square of a Gaussian correlation."""
    alone = concentration(groups.of_segments)
    alike = concentration(groups.weights * groups.sizes)
    room = alike - alone
    excess = np.maximum(of_means - alone, 0)
    return alone + np.divide(excess**2, room, out=np.zeros_like(room), where=room > 0)


def kernel_distance(test: np.ndarray, reference: np.ndarray, groups: Groups) -> np.ndarray:
    """Return the unbiased squared maximum mean discrepancy with the kernel (x . y / D + 1)^3.

    Only pairs of different units count: the weighted mean of the kernel over them is divided by
    their weight, 1 - sum of w^2 over units.

    Source:
        M. Binkowski et al., "Demystifying MMD GANs" (2018), section 4 (KID); A. Gretton et al., "A
        kernel two-sample test" (2012), lemma 6 (the unbiased estimate).
    """
    x = test.astype(np.float64)
    w = groups.weights / (groups.weights * groups.sizes).sum(axis=1, keepdims=True)
    of_x, of_y = groups.sums(groups.sums(_kernel(x, x)).T), _kernel(reference, reference)
    np.fill_diagonal(of_x, 0)
    np.fill_diagonal(of_y, 0)
    within_x = np.einsum("ru,ru->r", w @ of_x, w) / weight_of_pairs(w * groups.sizes)
    within_y = of_y.sum() / (len(of_y) * (len(of_y) - 1))
    return within_x + within_y - 2 * (w @ groups.sums(_kernel(x, reference).mean(axis=1)))


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    base = x @ y.T / x.shape[1] + 1
    return base * base * base  # a power of floats takes ten times as long


class Bins:
    """Clusters of the reference (k-means, one for 50 segments, 2 to 100), as bins of a histogram.

    Args:
        reference: Array of shape (M, D), M at least 100.

    Attributes:
        proportions: Share of the reference in each bin, shape (bins,).

    Source:
        E. Richardson, Y. Weiss, "On GANs and GMMs" (2018), section 3.

    Example:
        >>> bins = Bins(np.random.default_rng(0).standard_normal((500, 1)))
        >>> one_sound = np.zeros((500, 1))
        >>> alike = Groups(np.full((1, 500), 1 / 500))
        >>> bins.differing_share(*bins.proportions_of(one_sound, alike)).item()
        1.0
    """

    def __init__(self, reference: np.ndarray) -> None:
        from sklearn.cluster import KMeans

        count = min(len(reference) // _SEGMENTS_PER_BIN, _MOST_BINS)
        means = KMeans(count, n_init=1, random_state=0).fit(np.asarray(reference, np.float64))
        self._tree = KDTree(means.cluster_centers_)
        self._count = len(reference)
        self.proportions = np.bincount(means.labels_, minlength=count) / len(reference)

    def proportions_of(self, test: np.ndarray, groups: Groups) -> tuple[np.ndarray, np.ndarray]:
        """Return the share of `test` in each bin, shape (R, bins), and the concentration, (R,)."""
        inside = np.eye(self._tree.n)[self._tree.query(test)[1]]
        return groups.means(inside), concentration_of_means(inside, groups)

    def differing_share(self, p: np.ndarray, per_t: np.ndarray) -> np.ndarray:
        """Return the share of bins whose proportion differs at the 5 % level (NDB / K), shape (R,).

        The two-proportion z-test uses the effective number of segments. Sets drawn alike have 0.05.
        The share grows with the number of segments, so compare equal numbers. A bootstrap row has
        half the effective number and finds fewer differences: its interval is too low.
        """
        q, per_t, per_r = self.proportions, per_t[:, None], 1 / self._count
        pooled = np.clip((p * per_r + q * per_t) / (per_t + per_r), 0, 1)  # within rounding
        error = np.sqrt(pooled * (1 - pooled) * (per_t + per_r))
        critical = special.ndtri(1 - SIGNIFICANCE / 2)
        return (np.abs(p - q) > critical * error).mean(axis=1)

    def jensen_shannon_divergence(self, p: np.ndarray, per_t: np.ndarray) -> np.ndarray:
        """Return the divergence of the proportions in bits, less its bias, shape (R,).

        Equal proportions have 0, sets that share no bin 1. The bias of first order in nats, with
        proportions p and q and n segments, is

            1/4 sum over bins of (1 - p) q / (p + q) / n_t + (1 - q) p / (p + q) / n_r.

        Source:
            J. Lin, "Divergence measures based on the Shannon entropy" (1991), section 4; G. Miller,
            "Note on the bias of information estimates" (1955), from which the bias follows.
        """
        q = self.proportions
        entropies = [special.entr(each).sum(axis=-1) for each in ((p + q) / 2, p, q)]
        plain = entropies[0] - (entropies[1] + entropies[2]) / 2
        bias_t = np.where(p > 0, (1 - p) * q / (p + q), 0).sum(axis=1) / 4
        bias_r = ((1 - q) * p / (p + q)).sum(axis=1) / 4
        return (plain - bias_t * per_t - bias_r / self._count) / np.log(2)


def nearest_distance(test: np.ndarray, training: np.ndarray, groups: Groups) -> np.ndarray:
    """Return the median Euclidean distance to the nearest training segment, shape (R,).

    A generator that copies training segments lies far below held-out real segments, measured with
    the same number of training segments.

    Source:
        C. Meehan, K. Chaudhuri, S. Dasgupta, "A non-parametric test to detect data-copying in
        generative models" (2020) (distance to the training set against held-out data).
    """
    distance, _ = KDTree(training).query(test)
    order = np.argsort(distance)
    below = np.cumsum(groups.of_segments[:, order], axis=1, dtype=np.float64) < 0.5 * (1 - 1e-6)
    return distance[order][below.sum(axis=1)].astype(np.float64)
